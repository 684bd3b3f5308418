"""What a claim can ask of one value per seed, and intervals for figures.

Each function gives the verdict by the one-sided 95 % bound over seeds against a margin: the
smallest effect worth the name, fixed before results are seen. Zero is no margin.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import stats

from synthcore.evidence.rules import Method, beyond, judge
from synthcore.evidence.verdict import Direction, Verdict, Word

Values = Sequence[float] | npt.NDArray[Any] | xr.DataArray


def at_least(
    values: xr.DataArray,
    margin: float,
    label: str = "",
    over: str = "seed",
    method: Method = "t",
) -> Verdict:
    """Mean (or median) over seeds >= margin. `values` has one dimension, `over`.

    >>> at_least(xr.DataArray([0.8, 0.9, 0.7], dims="seed"), 0.5).verdict.value
    'reproduced'
    >>> open_ = at_least(xr.DataArray([0.8, 0.9, 0.4], dims="seed"), 0.5)
    >>> open_.verdict.value, open_.agree, open_.needed
    ('undecided', 2, 7)
    """
    return _decide(values, margin, ">=", label, over, method)


def at_most(
    values: xr.DataArray,
    margin: float,
    label: str = "",
    over: str = "seed",
    method: Method = "t",
) -> Verdict:
    """Mean (or median) over seeds <= margin."""
    return _decide(values, margin, "<=", label, over, method)


def ordered(
    values: xr.DataArray,
    along: str,
    margin: float,
    direction: Literal["increasing", "decreasing"] = "increasing",
    label: str = "",
    over: str = "seed",
    method: Method = "t",
) -> Verdict:
    """Every step along `along` goes the right way by at least `margin`; `values` is (over, along).

    What is estimated is the smallest step, per seed: noise makes it smaller, never larger.
    """
    _need(values, {over, along})
    steps = values.diff(along) if direction == "increasing" else -values.diff(along)
    return at_least(steps.min(along, skipna=False), margin, label, over, method)


def correlates(
    x: xr.DataArray,
    y: xr.DataArray,
    along: str,
    margin: float,
    kind: Literal["spearman", "pearson"] = "spearman",
    label: str = "",
    over: str = "seed",
    method: Method = "t",
) -> Verdict:
    """Correlation of x with y along `along`, per seed, at or beyond `margin`.

    A positive margin asks for at least that correlation, a negative one for at most that. A
    constant series has no correlation, which makes the verdict `not testable here`.
    """
    x, y = xr.broadcast(x, y)
    _need(x, {over, along})
    pairs = zip(x.transpose(over, along).values, y.transpose(over, along).values, strict=True)
    values = xr.DataArray([_correlation(a, b, kind) for a, b in pairs], dims=over)
    return _decide(values, margin, ">=" if margin > 0 else "<=", label, over, method)


def share_of_seeds(
    yes: xr.DataArray,
    margin: float,
    direction: Direction = ">=",
    label: str = "",
    over: str = "seed",
) -> Verdict:
    """Share of seeds that answer yes, by Clopper and Pearson's bound.

    Only where a seed gives one yes or no: a number that is cut at a threshold loses most of what it
    knows (eight of eight yes put the share above .69, no higher).
    """
    return _decide(yes.astype(float), margin, direction, label, over, "share")


def within_tolerance(difference: Any, tolerance: float, label: str = "") -> Verdict:
    """A deterministic quantity, n = 1: the largest of `difference` is at most `tolerance`.

    For checks of code, such as a closed form against enumeration; no evidence about networks.
    """
    worst = float(np.max(np.abs(np.asarray(difference, dtype=float))))
    if not math.isfinite(worst):
        return Verdict.not_testable("a difference is not finite", label, 1)
    holds = bool(beyond(worst, tolerance, "<="))
    return Verdict(
        worst,
        tolerance,
        "<=",
        (worst, worst),
        1,
        Word.REPRODUCED if holds else Word.NOT,
        note="deterministic",
        label=label,
        method="exact",
        values=(worst,),
        agree=int(holds),
    )


def t_interval(values: Values, level: float = 0.95) -> tuple[float, float]:
    """Student's two-sided t interval of the mean, for figures; (nan, nan) for fewer than two."""
    x = np.asarray(values, dtype=float).ravel()
    if x.size < 2:
        return math.nan, math.nan
    error = float(x.std(ddof=1)) / math.sqrt(x.size)
    half = float(stats.t.ppf((1 + level) / 2, x.size - 1)) * error
    return float(x.mean()) - half, float(x.mean()) + half


def bootstrap_interval(
    values: Values, level: float = 0.95, seed: int = 0, resamples: int = 4000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean; (nan, nan) for fewer than two values.

    For many questions or edits within a seed. Below about ten values it is too narrow: verdicts
    over seeds do not use it.
    """
    x = np.asarray(values, dtype=float).ravel()
    if x.size < 2:
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(x.size, size=(resamples, x.size))
    low, high = np.quantile(x[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _decide(
    values: xr.DataArray,
    margin: float,
    direction: Direction,
    label: str,
    over: str,
    method: Method,
) -> Verdict:
    _need(values, {over})
    if margin == 0 or not math.isfinite(margin):
        raise ValueError(f"A margin is the smallest effect worth the name, not {margin:g}.")
    return judge(values.values, float(margin), direction, method, label, over)


def _correlation(a: npt.NDArray[Any], b: npt.NDArray[Any], kind: str) -> float:
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    if kind == "spearman":
        a, b = stats.rankdata(a), stats.rankdata(b)
    return float(np.corrcoef(a, b)[0, 1])


def _need(values: xr.DataArray, dims: set[str]) -> None:
    if set(values.dims) != dims:
        has = ", ".join(str(dim) for dim in values.dims)
        raise ValueError(f"Expected dimensions {sorted(dims)}, got ({has}).")
