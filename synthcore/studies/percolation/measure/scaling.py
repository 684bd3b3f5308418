"""Times read off learning curves, how they scale with size, and how surely an exponent is told
from its rivals.

If a metric depends on t / K^nu alone, all curves lie on one another once time is rescaled. What
counts is the growth part: values are clipped to the range that all curves pass through, and a curve
that has reached its maximum stays there. Where a curve does not grow, there is nothing to estimate:
exponents are nan.

Axis letters: K sizes (curves), T times.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
EXPONENTS = np.round(np.arange(-1, 3.0001, 0.01), 2)
GROWTH = (0.1, 0.9)  # from here to there of the rise that all curves share
GRID = 400
LEAST_RISE = 0.02  # of what a curve may gain: less is no growth
NOISES = 4  # standard errors of its end by which a curve must have risen


@dataclass(frozen=True)
class Collapse:
    """Between-curve variance at every exponent; its minimum is the estimate."""

    exponents: Array
    residual: Array

    @property
    def exponent(self) -> float:
        """The exponent of the smallest residual; nan if there is nothing to estimate: a curve does
        not grow, or the residual is smallest at an end of the grid."""
        if not np.isfinite(self.residual).all():
            return float("nan")
        best = int(self.residual.argmin())
        inside = 0 < best < len(self.residual) - 1
        return float(self.exponents[best]) if inside else float("nan")

    def at(self, exponent: float) -> float:
        """Residual at one exponent."""
        return float(np.interp(exponent, self.exponents, self.residual))


def grows(curve: ArrayLike, floor: float) -> bool:
    """Whether a curve leaves the floor for good: the mean of its last quarter lies above it by .02,
    and by four standard errors. Noise is that of second differences, which a smooth rise hardly
    has.

    >>> steady = np.random.default_rng(0).normal(0.25, 0.03, 30)
    >>> grows(steady, 0.25), grows(steady + np.linspace(0, 0.3, 30), 0.25)
    (False, True)
    """
    y = np.nan_to_num(np.asarray(curve, float), nan=floor)
    count = max(len(y) // 4, 3)
    noise = np.median(np.abs(np.diff(y, 2))) / (0.6745 * np.sqrt(6)) if len(y) > 4 else 0.0
    rise = y[-count:].mean() - floor
    return bool(rise > max(LEAST_RISE, NOISES * noise / np.sqrt(count)))


def growth_part(curves: ArrayLike, floor: float) -> Array:
    """(K, T) curves from 0 (at the floor, or in the first tenth of the shared rise) to 1 (nine
    tenths of it). nan throughout if some curve does not grow."""
    table = np.nan_to_num(np.asarray(curves, float), nan=floor)
    if not all(grows(row, floor) for row in table):
        return np.full_like(table, np.nan)
    table = np.maximum.accumulate(table, axis=-1)
    shared = table.max(-1).min() - floor
    low, high = (floor + share * shared for share in GROWTH)
    return (np.clip(table, low, high) - low) / (high - low)


def collapse(times: ArrayLike, curves: ArrayLike, sizes: ArrayLike, floor: float = 0.0) -> Collapse:
    """Residual of rescaling time by sizes^nu for every nu of `EXPONENTS`.

    `times` (T,) or (K, T), positive; `curves` (K, T). The residual is the variance between curves,
    as a share of the growth part squared, integrated over the logarithm of rescaled time (nats).

    >>> t = np.geomspace(1, 1e4, 60)
    >>> sizes = np.array([100, 400, 1600])
    >>> curves = 1 / (1 + (sizes[:, None] ** 0.7 / t) ** 2)
    >>> collapse(t, curves, sizes).exponent
    0.7
    """
    grown = growth_part(curves, floor)
    log_t = np.log(np.broadcast_to(np.asarray(times, float), grown.shape))
    shift = np.log(np.asarray(sizes, float))
    shift = shift - shift.mean()
    if not np.isfinite(grown).all():
        return Collapse(EXPONENTS, np.full(len(EXPONENTS), np.nan))
    residual = []
    for nu in EXPONENTS:
        x = log_t - nu * shift[:, None]
        grid = np.linspace(x.min(), x.max(), GRID)
        values = np.stack([np.interp(grid, a, b) for a, b in zip(x, grown, strict=True)])
        residual.append(values.var(0).mean() * (grid[-1] - grid[0]))
    return Collapse(EXPONENTS, np.array(residual))


def slope(sizes: ArrayLike, times: ArrayLike) -> float:
    """Least-squares slope of log time on log size; nan if a time is not finite."""
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(times, float))
    return float(np.polyfit(x, y, 1)[0]) if np.isfinite(y).all() else float("nan")


def stays(times: ArrayLike, curve: ArrayLike, level: float, checks: int = 3) -> float:
    """Time from which the curve is at least `level` at `checks` measurements in a row, fewer at the
    end of the run; interpolated in log time towards the measurement before. inf if never, and nan
    counts as below.

    >>> round(stays([1, 10, 100, 1000, 10000], [0.6, 0.1, 0.9, 0.8, 0.9], 0.5), 3)  # half way
    31.623
    """
    t, y = np.asarray(times, float), np.asarray(curve, float)
    above = np.nan_to_num(y, nan=-np.inf) >= level
    for i in range(len(above)):
        if above[i : i + checks].all():
            if i == 0 or not np.isfinite(y[i - 1]):
                return float(t[i])
            part = (level - y[i - 1]) / (y[i] - y[i - 1])
            return float(t[i - 1] * (t[i] / t[i - 1]) ** part)
    return float("inf")


@dataclass(frozen=True)
class Hinge:
    """Two lines over log time that meet at `onset`; slopes per nat of time."""

    onset: float
    before: float
    after: float


def hinge(times: ArrayLike, curve: Sequence[float] | Array) -> Hinge:
    """Least-squares two-segment fit over log time, up to where the curve has made nineteen
    twentieths of its rise: a long stay at the top is no part of the bend. The onset is one of 201
    places between the second point and the last but one.

    >>> t = np.geomspace(1, 1e4, 41)
    >>> round(hinge(t, np.maximum(np.log(t / 100), 0)).onset, -1)
    100.0
    """
    y = np.asarray(curve, float)
    t = np.asarray(times, float)
    keep = np.isfinite(y) & (t > 0)
    x, y = np.log(t[keep]), y[keep]
    risen = y >= y[0] + 0.95 * (y.max() - y[0]) if len(y) else y > 0
    end = int(risen.argmax()) + 1
    x, y = x[:end], y[:end]
    if len(x) < 5:
        return Hinge(float("nan"), float("nan"), float("nan"))
    best = (np.inf, float("nan"), np.zeros(3))
    for knot in np.linspace(x[1], x[-2], 201):
        design = np.stack([np.ones_like(x), x, np.maximum(x - knot, 0)], 1)
        weights, *_ = np.linalg.lstsq(design, y, rcond=None)
        error = float(((design @ weights - y) ** 2).sum())
        if error < best[0]:
            best = (error, knot, weights)
    _, knot, weights = best
    return Hinge(float(np.exp(knot)), float(weights[1]), float(weights[1] + weights[2]))


# --- curves over seeds --------------------------------------------------------------------------


def per_seed(curve: xr.DataArray, read: Callable[[Array, Array], float]) -> xr.DataArray:
    """`read(steps, values)` of every seed; step 0, the untrained network, is left out."""
    rows = curve.transpose("seed", "step")
    rows = rows.isel(step=rows.step.values > 0)
    steps = rows.step.values.astype(float)
    found = [read(steps, row.astype(float)) for row in rows.values]
    return xr.DataArray(found, dims="seed", coords={"seed": rows.seed.values})


def progress(curve: xr.DataArray, chance: float | xr.DataArray, top: float = 1.0) -> xr.DataArray:
    """How much of the way from chance to the top a metric has come: 0 at chance, 1 at the top. Only
    so can metrics with different chance levels be compared at one level."""
    share: xr.DataArray = (curve - chance) / (top - chance)
    return share


def grammar(data: xr.Dataset) -> xr.DataArray:
    """Probability of a word that the grammar allows, from chance (0) to perfect (1)."""
    return progress(data.syntax, data.syntax_chance)


def relative_types(data: xr.Dataset) -> xr.DataArray:
    """Probability of the right class for verbs and objects, from chance (0) to perfect (1)."""
    classes = data.attrs["classes"]
    verbs = progress(data.verb_share, 2 / classes) if classes > 2 else data.verb_share
    return (verbs + progress(data.object_share, 1 / classes)) / 2


def descriptive_types(data: xr.Dataset) -> xr.DataArray:
    """Probability of the right class for descriptors, from chance (0) to perfect (1)."""
    return progress(data.class_mass, 1 / data.attrs["classes"])


def reached(curve: xr.DataArray, level: float, checks: int = 3) -> xr.DataArray:
    """From when on the curve stays at `level` or above; inf if never."""
    return per_seed(curve, lambda t, y: stays(t, y, level, checks))


def decades(later: xr.DataArray, earlier: xr.DataArray) -> xr.DataArray:
    """log10 of a ratio of times; nan where either never comes."""
    known = np.isfinite(later) & np.isfinite(earlier)
    ratio: xr.DataArray = xr.apply_ufunc(np.log10, (later / earlier).where(known))
    return ratio


def at_best(values: xr.DataArray, leading: xr.DataArray) -> xr.DataArray:
    """`values` where `leading` is highest over training; nan if that was never measured."""
    return values.isel(step=leading.fillna(-np.inf).argmax("step"))


def at_time(curve: xr.DataArray, times: xr.DataArray) -> xr.DataArray:
    """Every seed's curve at its own time, interpolated over log time; nan after the end."""
    rows = curve.transpose("seed", "step").isel(step=curve.step.values > 0)
    log = np.log(rows.step.values.astype(float))
    found = [
        np.interp(np.log(time), log, row, right=np.nan) if np.isfinite(time) else np.nan
        for time, row in zip(times.values, rows.values, strict=True)
    ]
    return xr.DataArray(found, dims="seed", coords={"seed": rows.seed.values})


def bend(curve: xr.DataArray) -> xr.DataArray:
    """Onset of the two-segment fit; nan for a curve that does not grow from its first value."""

    def read(t: Array, y: Array) -> float:
        return hinge(t, y).onset if grows(y, float(y[0])) else float("nan")

    return per_seed(curve, read)


def exponents(curves: xr.DataArray, along: str, floor: float = 0.0) -> xr.DataArray:
    """Collapse exponent over the sizes `along`, one per seed. Within a seed the sizes have graphs,
    initial weights and sentences of their own."""
    rows = curves.transpose("seed", along, "step").isel(step=curves.step.values > 0)
    steps, sizes = rows.step.values, rows[along].values
    found = [collapse(steps, row, sizes, floor).exponent for row in rows.values]
    return xr.DataArray(found, dims="seed", coords={"seed": rows.seed.values})


def slopes(times: xr.DataArray, along: str) -> xr.DataArray:
    """Slope of log time on log size, of every seed; `times` (seed, along)."""
    rows = times.transpose("seed", along)
    found = [slope(rows[along].values, row) for row in rows.values]
    return xr.DataArray(found, dims="seed", coords={"seed": rows.seed.values})


def over_sizes(
    curves: xr.DataArray, along: str, read: Callable[[xr.DataArray], xr.DataArray]
) -> xr.DataArray:
    """`read(curve)` for every size, side by side."""
    parts = [read(curves.sel({along: size}, drop=True)) for size in curves[along].values]
    return xr.concat(parts, along).assign_coords({along: curves[along].values})


# --- design by power ----------------------------------------------------------------------------


def onset_noise(times: xr.DataArray, along: str) -> float:
    """Standard deviation of log onset times around each seed's own line over log size, pooled: the
    noise that a slope is estimated against."""
    x = np.log(times[along].values.astype(float))
    y = np.log(times.transpose("seed", along).values)
    y = y[np.isfinite(y).all(1)]
    if len(x) < 3 or not len(y):
        return float("nan")
    design = np.stack([np.ones_like(x), x], 1)
    residual = y - y @ np.linalg.pinv(design).T @ design.T
    return float(np.sqrt((residual**2).sum() / (len(y) * (len(x) - 2))))


def power_to_tell(
    noise: float, sizes: int, factor: float, seeds: int, true: float, margin: float
) -> float:
    """Probability that the one-sided 95 % bound of the mean slope over seeds clears the margin on
    the side of the truth, if log onsets scatter by `noise` around a line of slope `true`.

    Sizes are evenly spaced in the logarithm over a factor `factor`. Exact: the mean slope is
    normal, its estimated standard error chi, so that the bound is a noncentral t.

    >>> round(power_to_tell(0.05, 5, 16, 8, true=0.5, margin=0.75), 2)
    1.0
    """
    x = np.linspace(0, np.log(factor), sizes)
    spread = noise / np.sqrt(((x - x.mean()) ** 2).sum()) / np.sqrt(seeds)
    shift = abs(true - margin) / spread
    return float(stats.nct.sf(stats.t.ppf(0.95, seeds - 1), seeds - 1, shift))
