"""The one rule behind every verdict: a one-sided 95 % bound over independent seeds.

`t` is Student's bound of the mean, `median` the exact bound by order statistics (five values: the
smallest; eight: the second smallest), `share` Clopper and Pearson's bound where a seed gives one
yes or no. All take arrays whose last axis is the seeds, so that 500 simulated runs cost one call.
"""

import math
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from synthcore.evidence.verdict import Direction, Verdict, Word

Method = Literal["t", "median", "share"]
Array = npt.NDArray[np.float64]
LEVEL = 0.95
MIN_SEEDS = 3
MOST_SEEDS = 10_000  # no number of seeds beyond is named


def judge(
    values: npt.ArrayLike,
    margin: float,
    direction: Direction,
    method: Method = "t",
    label: str = "",
    over: str = "seed",
) -> Verdict:
    """The verdict on one value per seed.

    Fewer than three values, or one that is not finite, decide nothing. Values that are all the same
    say nothing about their spread, so that their mean goes by the exact bound of the median.
    """
    x = np.asarray(values, dtype=float).ravel()
    n = x.size
    if n < MIN_SEEDS:
        return Verdict.not_testable(f"{n} of at least {MIN_SEEDS} values over {over}", label, n)
    if bad := int((~np.isfinite(x)).sum()):
        return Verdict.not_testable(f"{bad} of {n} values are not finite", label, n)
    low, high = (float(end) for end in bounds(x, method))
    word = Word.UNDECIDED
    if reproduced(low, high, margin, direction):
        word = Word.REPRODUCED
    elif refuted(low, high, margin, direction):
        word = Word.NOT
    held = int(beyond(x, margin, direction).sum())
    more = seeds_needed(x, margin, direction, method) if word is Word.UNDECIDED else None
    return Verdict(
        observed=float(centre(x, method)),
        threshold=margin,
        direction=direction,
        interval=(low, high),
        n=n,
        verdict=word,
        note=f"all {n} values are the same" if identical(x) and method != "share" else "",
        label=label,
        method=method,
        values=tuple(float(value) for value in x),
        agree=int(x.sum()) if method == "share" else held,
        needed=more,
    )


def bounds(values: Array, method: Method = "t") -> tuple[Array, Array]:
    """Lower and upper one-sided 95 % bounds over the last axis.

    The lower bound is above the true value in at most 5 % of all runs, and so is the upper below.

    >>> low, high = bounds(np.array([3.0, 1.0, 2.0, 5.0, 4.0]), "median")
    >>> float(low), float(high)
    (1.0, 5.0)
    """
    if method == "share":
        return _share_bounds(values)
    if method == "median":
        return _median_bounds(values)
    n = values.shape[-1]
    half = float(stats.t.ppf(LEVEL, n - 1)) * values.std(-1, ddof=1) / math.sqrt(n)
    mean, same = values.mean(-1), identical(values)
    low, high = _median_bounds(values)
    return np.where(same, low, mean - half), np.where(same, high, mean + half)


def reproduced(low: Any, high: Any, margin: float, direction: Direction) -> Any:
    """Is the bound on the near side at or beyond the margin?"""
    return low >= margin if direction == ">=" else high <= margin


def refuted(low: Any, high: Any, margin: float, direction: Direction) -> Any:
    """Is the bound on the far side short of the margin?"""
    return high < margin if direction == ">=" else low > margin


def beyond(values: Any, margin: float, direction: Direction) -> Any:
    """Which values lie at or beyond the margin?"""
    return values >= margin if direction == ">=" else values <= margin


def centre(values: Array, method: Method) -> Array:
    """What is estimated over the last axis: the mean, the median, or the share of ones."""
    return np.asarray(np.median(values, -1) if method == "median" else values.mean(-1))


def identical(values: Array) -> Any:
    """Are all values the same, up to rounding?"""
    return np.ptp(values, axis=-1) <= 1e-12 * np.abs(values).max(-1)


@cache
def median_rank(n: int) -> int:
    """The lower bound of the median is the k-th smallest of n values; 0 if n is below 5.

    The largest k for which at most k - 1 of n values fall below the true median with probability 5
    % or less.
    """
    chances = stats.binom.cdf(np.arange(n), n, 0.5)  # P(at most k - 1 below), k = 1 .. n
    return int((chances <= 1 - LEVEL).sum())


def seeds_needed(
    values: npt.ArrayLike, margin: float, direction: Direction, method: Method = "t"
) -> int | None:
    """The smallest number of seeds, above those there are, that would decide.

    Takes the observed mean and standard deviation (`t`), or the observed share of values beyond the
    margin (`median`, and the share itself for `share`), to be the true ones. None if that is more
    than 10,000.
    """
    x = np.asarray(values, dtype=float).ravel()
    more = np.arange(x.size + 1, MOST_SEEDS + 1)
    enough: Any
    if method == "t" and not identical(x):
        gap = abs(float(x.mean()) - margin)
        enough = stats.t.ppf(LEVEL, more - 1) * float(x.std(ddof=1)) / np.sqrt(more) <= gap
    elif method == "share":
        low, high = _clopper_pearson(np.rint(x.mean() * more), more)
        enough = reproduced(low, high, margin, direction) | refuted(low, high, margin, direction)
    else:
        share = float(beyond(x, margin, direction).mean())
        fewer = np.rint(min(share, 1 - share) * more)  # values on the side of the minority
        enough = stats.binom.cdf(fewer, more, 0.5) <= 1 - LEVEL
    return int(more[enough.argmax()]) if enough.any() else None


def _median_bounds(values: Array) -> tuple[Array, Array]:
    k = median_rank(values.shape[-1])
    if k == 0:
        return np.full(values.shape[:-1], -np.inf), np.full(values.shape[:-1], np.inf)
    ordered = np.sort(values, -1)
    return ordered[..., k - 1], ordered[..., -k]


def _share_bounds(values: Array) -> tuple[Array, Array]:
    if not np.isin(values, (0, 1)).all():
        raise ValueError("A share of seeds needs one yes or no, 1 or 0, per seed.")
    return _clopper_pearson(np.asarray(values.sum(-1)), np.asarray(values.shape[-1]))


def _clopper_pearson(yes: Array, n: npt.NDArray[Any]) -> tuple[Array, Array]:
    low = np.where(yes > 0, stats.beta.ppf(1 - LEVEL, np.maximum(yes, 1), n - yes + 1), 0.0)
    high = np.where(yes < n, stats.beta.ppf(LEVEL, yes + 1, np.maximum(n - yes, 1)), 1.0)
    return low, high
