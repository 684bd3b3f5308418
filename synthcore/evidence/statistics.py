"""Intervals over seeds, and the few kinds of verdict every study uses.

A gate is an inequality with an effect size. By default it must hold in each of at least three seeds
(`rule="each"`); with `rule="mean"` the mean must clear the threshold by two standard errors. A gate
is reproduced or not reproduced; `partly reproduced` is for composites (`all_of`). Fewer than three
seeds, or a value that is not finite, decide nothing.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import stats

from synthcore.evidence.verdict import Direction, Verdict, Word

Rule = Literal["each", "mean"]
Values = Sequence[float] | npt.NDArray[Any] | xr.DataArray
MIN_SEEDS = 3


def t_interval(values: Values, level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of independent values; (nan, nan) for fewer than two."""
    x = np.asarray(values, dtype=float).ravel()
    if x.size < 2:
        return math.nan, math.nan
    half = float(stats.t.ppf((1 + level) / 2, x.size - 1)) * _standard_error(x)
    return float(x.mean()) - half, float(x.mean()) + half


def bootstrap_interval(
    values: Values, level: float = 0.95, seed: int = 0, resamples: int = 4000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean; (nan, nan) for fewer than two values.

    With fewer than about ten values it is too narrow: verdicts over seeds use `t_interval`.
    """
    x = np.asarray(values, dtype=float).ravel()
    if x.size < 2:
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(x.size, size=(resamples, x.size))
    low, high = np.quantile(x[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def at_least(
    values: xr.DataArray, threshold: float, over: str = "seed", label: str = "", rule: Rule = "each"
) -> Verdict:
    """values >= threshold, one value per seed.

    >>> at_least(xr.DataArray([0.8, 0.9, 0.7], dims="seed"), 0.5).verdict.value
    'reproduced'
    >>> at_least(xr.DataArray([0.8, 0.9, 0.4], dims="seed"), 0.5).note
    'holds in 2 of 3 (each must)'
    """
    return _gate(values, threshold, ">=", over, label, rule)


def at_most(
    values: xr.DataArray, threshold: float, over: str = "seed", label: str = "", rule: Rule = "each"
) -> Verdict:
    """values <= threshold, one value per seed."""
    return _gate(values, threshold, "<=", over, label, rule)


def ordered(
    values: xr.DataArray,
    along: str,
    gap: float = 0.0,
    direction: Literal["increasing", "decreasing"] = "increasing",
    over: str = "seed",
    label: str = "",
    rule: Rule = "each",
) -> Verdict:
    """Every step along `along` goes the right way by at least `gap`; `values` is (over, along).

    What is observed is the smallest step, per seed.
    """
    _need(values, {over, along})
    steps = values.diff(along) if direction == "increasing" else -values.diff(along)
    return at_least(steps.min(along, skipna=False), gap, over, label, rule)


def correlates(
    x: xr.DataArray,
    y: xr.DataArray,
    along: str,
    threshold: float,
    method: Literal["spearman", "pearson"] = "spearman",
    over: str = "seed",
    label: str = "",
    rule: Rule = "each",
) -> Verdict:
    """Correlation of x with y along `along`, per seed, beyond `threshold`.

    A positive threshold asks for at least that correlation, a negative one for at most that. A
    constant series has no correlation and makes the verdict undecidable.
    """
    x, y = xr.broadcast(x, y)
    _need(x, {over, along})
    pairs = zip(x.transpose(over, along).values, y.transpose(over, along).values, strict=True)
    values = xr.DataArray([_correlation(a, b, method) for a, b in pairs], dims=over)
    return _gate(values, threshold, ">=" if threshold >= 0 else "<=", over, label, rule)


def all_of(*parts: Verdict, label: str = "", note: str = "") -> Verdict:
    """The conjunction of labelled verdicts.

    Reproduced if all parts are; not reproduced if none of the decidable parts is; otherwise partly,
    as also when some part is undecidable and the others hold. Undecidable if every part is. The
    headline numbers are those of the failing part, else the part, with the smallest margin.
    """
    if not parts:
        raise ValueError("all_of needs at least one verdict.")
    decided = [part for part in parts if part.verdict is not Word.UNDECIDABLE]
    if not decided:
        notes = "; ".join(dict.fromkeys(part.note for part in parts if part.note))
        nan = math.nan
        n = min(part.n for part in parts)
        return Verdict(nan, nan, ">=", (nan, nan), n, Word.UNDECIDABLE, notes, parts, label)
    words = {part.verdict for part in decided}
    if words == {Word.REPRODUCED}:
        word = Word.REPRODUCED if len(decided) == len(parts) else Word.PARTLY
    else:
        word = Word.NOT if words == {Word.NOT} else Word.PARTLY
    head = min(decided, key=lambda part: (part.verdict is Word.REPRODUCED, part.margin))
    held = sum(part.verdict is Word.REPRODUCED for part in parts)
    notes = "; ".join(filter(None, (note, f"{held} of {len(parts)} parts hold")))
    shown = f" ({head.label})" if head.label else ""
    return Verdict(
        head.observed,
        head.threshold,
        head.direction,
        head.interval,
        min(part.n for part in decided),
        word,
        f"{notes}; shown: the one with the smallest margin{shown}",
        parts,
        label,
    )


def _gate(
    values: xr.DataArray, threshold: float, direction: Direction, over: str, label: str, rule: Rule
) -> Verdict:
    _need(values, {over})
    x = np.asarray(values.values, dtype=float)
    n = x.size
    if n < MIN_SEEDS:
        return Verdict.undecidable(f"{n} of at least {MIN_SEEDS} values over {over}", label, n)
    if not np.isfinite(x).all():
        bad = int((~np.isfinite(x)).sum())
        return Verdict.undecidable(f"{bad} of {n} values are not finite", label, n)
    sign = 1.0 if direction == ">=" else -1.0
    mean, error = float(x.mean()), _standard_error(x)
    if rule == "each":
        held = int((sign * (x - threshold) >= 0).sum())
        holds, note = held == n, f"holds in {held} of {n} (each must)"
    else:
        holds = sign * (mean - threshold) - 2 * error >= 0
        note = f"mean against threshold by two standard errors ({error:.2g} each)"
    word = Word.REPRODUCED if holds else Word.NOT
    return Verdict(mean, threshold, direction, t_interval(x), n, word, note, label=label)


def _standard_error(x: npt.NDArray[np.float64]) -> float:
    return float(x.std(ddof=1)) / math.sqrt(x.size)


def _correlation(a: npt.NDArray[Any], b: npt.NDArray[Any], method: str) -> float:
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    if method == "spearman":
        a, b = stats.rankdata(a), stats.rankdata(b)
    return float(np.corrcoef(a, b)[0, 1])


def _need(values: xr.DataArray, dims: set[str]) -> None:
    if set(values.dims) != dims:
        has = ", ".join(str(dim) for dim in values.dims)
        raise ValueError(f"Expected dimensions {sorted(dims)}, got ({has}).")
