"""How fast does a capability come back? Revival times, censored at the budget, and their survival.

Axis letters: S seeds, N runs.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from numpy.typing import ArrayLike, NDArray

LEVEL, HELD = 0.9, 3


class Times(NamedTuple):
    """Steps until revival; the budget where `observed` is False."""

    steps: NDArray[np.float64]
    observed: NDArray[np.bool_]


def revival_times(
    steps: Sequence[int], accuracy: ArrayLike, level: float = LEVEL, held: int = HELD
) -> Times:
    """First step from which the accuracy is at least `level` at `held` measurements in a row.

    `accuracy` is (..., step). A run that never gets there is censored at the last step.

    >>> times = revival_times([0, 10, 20, 30, 40], [0.1, 0.95, 0.8, 0.9, 0.92], held=2)
    >>> float(times.steps), bool(times.observed)
    (30.0, True)
    """
    table = np.asarray(accuracy, dtype=float) >= level
    if table.shape[-1] != len(steps) or len(steps) < held:
        raise ValueError(f"needs one accuracy for each of {len(steps)} steps, at least {held}")
    runs = np.lib.stride_tricks.sliding_window_view(table, held, axis=-1).all(-1)
    observed = runs.any(-1)
    first = np.asarray(steps, dtype=float)[runs.argmax(-1)]
    return Times(np.where(observed, first, float(steps[-1])), np.asarray(observed))


class Survival(NamedTuple):
    """Kaplan-Meier estimate of P(not yet revived) with its 95 % interval."""

    steps: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    median: float


def survival(times: Times) -> Survival:
    """Over all runs given; the median is infinite if half of them are censored."""
    fitter = KaplanMeierFitter().fit(times.steps.ravel(), times.observed.ravel())
    band = fitter.confidence_interval_survival_function_
    return Survival(
        np.asarray(fitter.survival_function_.index, dtype=float),
        fitter.survival_function_.to_numpy()[:, 0],
        band.to_numpy()[:, 0],
        band.to_numpy()[:, 1],
        float(fitter.median_survival_time_),
    )


def logrank(a: Times, b: Times) -> float:
    """P value of the log-rank test that two groups revive equally fast; nan if nobody does."""
    if not (a.observed.any() or b.observed.any()):
        return math.nan
    found = logrank_test(a.steps.ravel(), b.steps.ravel(), a.observed.ravel(), b.observed.ravel())
    return float(found.p_value)


def speedup(fast: Times, slow: Times, resolution: float) -> NDArray[np.float64]:
    """slow / fast per run; a lower bound where the slow run is censored, 0 where the fast one is.

    Times below the distance between measurements count as that distance.
    """
    ratio = np.maximum(slow.steps, resolution) / np.maximum(fast.steps, resolution)
    return np.where(fast.observed, ratio, 0.0)
