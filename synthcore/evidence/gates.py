"""What must hold before a comparison means anything; a failed gate makes a claim untestable.

A gate is a function of the run's dataset, made from the parts below:
`lambda data: flat(data.loss, margin=0.02)`.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

LAST = 3  # checkpoints over which a training must be flat


@dataclass(frozen=True)
class Gate:
    """Does it hold, by which number, and in words: `accuracy before the edit .97, at least .9`."""

    holds: bool
    number: float
    sentence: str


def reaches(values: npt.ArrayLike | xr.DataArray, minimum: float, what: str) -> Gate:
    """The capability exists before it is changed: the mean of `values` is at least `minimum`."""
    mean = float(np.mean(np.asarray(values, dtype=float)))
    return Gate(mean >= minimum, mean, f"{what}: {mean:.3g}, at least {minimum:.3g}")


def stays_below(values: npt.ArrayLike | xr.DataArray, maximum: float, what: str) -> Gate:
    """The mean of `values`, an error or a side effect, is at most `maximum`."""
    mean = float(np.mean(np.asarray(values, dtype=float)))
    return Gate(mean <= maximum, mean, f"{what}: {mean:.3g}, at most {maximum:.3g}")


def flat(
    values: xr.DataArray, margin: float, along: str = "step", what: str = "the measure"
) -> Gate:
    """The training has settled: the last three checkpoints change by less than half the margin.

    What changes is the mean over all other dimensions; the number is its largest less its smallest
    value. Raises ValueError for fewer than three checkpoints.
    """
    if values.sizes[along] < LAST:
        raise ValueError(f"{LAST} checkpoints are needed along {along}, not {values.sizes[along]}.")
    others = [dim for dim in values.dims if dim != along]
    end = values.isel({along: slice(-LAST, None)}).mean(others, skipna=False)
    change = float(end.max(skipna=False) - end.min(skipna=False))
    limit = abs(margin) / 2
    sentence = f"{what} over the last {LAST} checkpoints: changes by {change:.3g}"
    return Gate(change < limit, change, f"{sentence}, less than {limit:.3g}")


def inside_grid(
    best: npt.ArrayLike | xr.DataArray, grid: npt.ArrayLike, what: str = "the best value"
) -> Gate:
    """The optimum lies inside the grid: `best` (the median, if one per seed) is not at an end."""
    middle = float(np.median(np.asarray(best, dtype=float)))
    ends = np.asarray(grid, dtype=float)
    low, high = float(ends.min()), float(ends.max())
    sentence = f"{what}: {middle:.3g}, inside the grid from {low:.3g} to {high:.3g}"
    return Gate(low < middle < high, middle, sentence)


def can_move(
    values: npt.ArrayLike | xr.DataArray,
    floor: float,
    ceiling: float,
    room: float = 0.05,
    what: str = "the measure",
) -> Gate:
    """The measure can move: its mean stays off floor and ceiling by `room` of their distance.

    An infinite floor or ceiling is none.
    """
    mean = float(np.mean(np.asarray(values, dtype=float)))
    span = ceiling - floor
    space = room * span if math.isfinite(span) else 0.0
    holds = floor + space <= mean <= ceiling - space
    sentence = f"{what}: {mean:.3g}, between floor {floor:.3g} and ceiling {ceiling:.3g}"
    return Gate(holds, mean, sentence)
