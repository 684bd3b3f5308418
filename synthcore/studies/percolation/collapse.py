"""Scaling exponents of learning curves: data collapse, onset times, and their intervals.

If a metric of size-K curves depends on t / K^nu alone, all curves lie on one another once time is
rescaled. What counts is the growth part: values are clipped to the range that all curves pass
through, and a curve that has reached its maximum stays there.

Axis letters: K sizes (curves), T times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
EXPONENTS = np.round(np.arange(-1, 3.0001, 0.01), 2)
GROWTH = (0.1, 0.9)  # from here to there of the rise that all curves share
GRID = 400


@dataclass(frozen=True)
class Collapse:
    """Between-curve variance at every exponent; its minimum is the estimate."""

    exponents: Array
    residual: Array

    @property
    def exponent(self) -> float:
        """The exponent of the smallest residual; nan if no residual could be computed."""
        known = np.isfinite(self.residual).any()
        return float(self.exponents[np.nanargmin(self.residual)]) if known else float("nan")

    def at(self, exponent: float) -> float:
        """Residual at one exponent."""
        return float(np.interp(exponent, self.exponents, self.residual))


def growth_part(curves: ArrayLike, floor: float) -> Array:
    """(K, T) curves from 0 (at the floor, or in the first tenth of the shared rise) to 1 (nine
    tenths of it). nan throughout if some curve never leaves the floor."""
    table = np.maximum.accumulate(np.nan_to_num(np.asarray(curves, float), nan=floor), axis=-1)
    shared = table.max(-1).min() - floor
    if shared <= 0:
        return np.full_like(table, np.nan)
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
    """Least-squares two-segment fit over log time, up to the curve's maximum.

    >>> t = np.geomspace(1, 1e4, 41)
    >>> round(hinge(t, np.maximum(np.log(t / 100), 0)).onset)
    100
    """
    y = np.asarray(curve, float)
    t = np.asarray(times, float)
    keep = np.isfinite(y) & (t > 0)
    x, y = np.log(t[keep]), y[keep]
    end = int(y.argmax()) + 1
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
