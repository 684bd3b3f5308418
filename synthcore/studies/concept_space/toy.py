"""Fit the toy dynamics to measured paths: a and t0 for every signal, one unit of time for all.

k and v stay as the official notebook has them, so a fit has two free numbers per path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from synthcore.studies.concept_space.theory import toy_path

A_LIMITS, T0_LIMITS = (0.2, 5.0), (0.0, 60.0)
UNITS = 30
"""a horizon is at least this many units of the toy time"""
STARTS = ((0.6, 25.0), (2.0, 25.0))
EVALUATIONS = 30
FEWEST = 6
"""known points below which nothing is fitted: equal pulls, at an infinite distance"""


@dataclass(frozen=True)
class Toy:
    """The toy path closest to one measured path."""

    a: float
    """pull of colour against size: above 1 where colour is the stronger concept"""
    t0: float
    unit: float
    """updates per unit of time"""
    path: NDArray[np.float64]
    """(steps, 2): colour and size"""
    distance: float
    """mean distance from the measured path, step by step"""


def fit_toys(steps: ArrayLike, paths: Sequence[NDArray[np.float64]]) -> list[Toy]:
    """Least squares over all paths (steps, 2) at once; rows with NaN are left out.

    >>> steps = np.arange(0, 3000, 100)
    >>> made = toy_path(steps / 50, a=3.0, t0=20.0)
    >>> toy, = fit_toys(steps, [made])
    >>> toy.distance < 0.02
    True
    """
    times = np.asarray(steps, dtype=float)
    horizon = times.max()
    units = np.geomspace(horizon / (8 * UNITS), horizon / UNITS, 5)
    tried = [[_fit(times, unit, path) for path in paths] for unit in units]
    return min(tried, key=lambda toys: sum(toy.distance for toy in toys))


def _fit(times: NDArray[np.float64], unit: float, path: NDArray[np.float64]) -> Toy:
    known = np.isfinite(path).all(1)
    if known.sum() < FEWEST:
        return Toy(1.0, 0.0, float(unit), np.full(path.shape, np.nan), np.inf)

    def off(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return (toy_path(times[known] / unit, float(np.exp(x[0])), x[1]) - path[known]).ravel()

    low, high = zip([np.log(v) for v in A_LIMITS], T0_LIMITS, strict=True)
    tried = [
        optimize.least_squares(
            off, (np.log(a), t0), bounds=(low, high), x_scale=(1.0, 10.0), max_nfev=EVALUATIONS
        )
        for a, t0 in STARTS
    ]
    best = min(tried, key=lambda found: float(found.cost))
    a, t0 = float(np.exp(best.x[0])), float(best.x[1])
    made = toy_path(times / unit, a, t0)
    distance = float(np.linalg.norm(made[known] - path[known], axis=1).mean())
    return Toy(a, t0, float(unit), made, distance)
