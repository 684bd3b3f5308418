"""Times read off learning curves, one per seed, and exponents of how they scale.

A curve is an array over `seed` and one time axis (`step`, `pair_step` or `world_step`).
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from synthcore.studies.percolation.collapse import Hinge, collapse, hinge, slope, stays

AXES = ("step", "pair_step", "world_step", "variant_step")


def axis(values: xr.DataArray) -> str:
    """The time axis of a curve."""
    return next(name for name in AXES if name in values.dims)


def per_seed(curve: xr.DataArray, read: Callable[[np.ndarray, np.ndarray], float]) -> xr.DataArray:
    """`read(times, values)` of every seed."""
    time = axis(curve)
    seed = next(str(name) for name in curve.dims if name != time)
    rows = curve.transpose(seed, time)
    found = [read(rows[time].values.astype(float), row.astype(float)) for row in rows.values]
    return xr.DataArray(found, dims="seed", coords={"seed": rows[seed].values})


def reached(curve: xr.DataArray, level: float, checks: int = 3) -> xr.DataArray:
    """From when on the curve stays at `level` or above; inf if never."""
    return per_seed(curve, lambda t, y: stays(t, y, level, checks))


def censored(curve: xr.DataArray, level: float) -> xr.DataArray:
    """The same, with the end of the run for what never happens: a bound from below."""
    end = float(curve[axis(curve)][-1])
    return reached(curve, level).clip(max=end)


def half_rise(curve: xr.DataArray) -> xr.DataArray:
    """From when on a curve stays half way between its first value and its last one."""

    def read(t: np.ndarray, y: np.ndarray) -> float:
        scaled = (y - y[0]) / (y[-1] - y[0]) if y[-1] != y[0] else 0 * y
        return stays(t, scaled, 0.5)

    end = float(curve[axis(curve)][-1])
    return per_seed(curve, read).clip(max=end)


def steepest(curve: xr.DataArray) -> xr.DataArray:
    """Where the curve rises fastest per log time, smoothed over three intervals."""

    def read(t: np.ndarray, y: np.ndarray) -> float:
        rate = np.diff(y) / np.diff(np.log(t))
        smooth = np.convolve(rate, np.ones(3) / 3, mode="same")
        top = int(smooth.argmax())
        return float(np.sqrt(t[top] * t[top + 1]))

    return per_seed(curve, read)


def at_best(values: xr.DataArray, leading: xr.DataArray) -> xr.DataArray:
    """`values` where `leading` is highest over training; nan if that was never measured."""
    time = axis(leading)
    return values.isel({time: leading.fillna(-np.inf).argmax(time)})


def bend(curve: xr.DataArray, field: str) -> xr.DataArray:
    """`onset`, or slope `before` or `after` it, of the two-segment fit."""

    def read(t: np.ndarray, y: np.ndarray) -> float:
        fit: Hinge = hinge(t, y)
        return float(getattr(fit, field))

    return per_seed(curve, read)


def exponents(curves: xr.DataArray, along: str, floor: float | xr.DataArray = 0.0) -> xr.DataArray:
    """Collapse exponent of every seed over the sizes `along`; seeds of different sizes are
    independent, so these are independent estimates."""
    time = axis(curves)
    seed = next(str(name) for name in curves.dims if name not in (time, along))
    rows = curves.transpose(seed, along, time)
    sizes, times = rows[along].values, rows[time].values
    found = [collapse(times, row, sizes, float(floor)).exponent for row in rows.values]
    return xr.DataArray(found, dims="seed", coords={"seed": rows[seed].values})


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
