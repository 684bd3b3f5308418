"""When a concept is learned, when a path turns, and when a capability is there.

Every function works on the values of one run at its checkpoints. A time that is never reached is
censored at the last step: it is infinite here, and medians treat it as such (Kaplan-Meier).

Axis letters: K checkpoints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

LEARNED, SUSTAINED = 0.8, 3
SMOOTH = 1.5
CONVERGED = 0.01
TURN_WINDOW, TURN_ANGLE, TURN_LEG = 3, 60.0, 0.1


def smooth(values: ArrayLike, width: float = SMOOTH) -> NDArray[np.float64]:
    """Gaussian smoothing along the first axis; `width` in checkpoints, ends repeated."""
    return np.asarray(gaussian_filter1d(np.asarray(values, float), width, axis=0, mode="nearest"))


def first_sustained(
    steps: Sequence[int] | NDArray[np.int64],
    holds: ArrayLike,
    sustained: int = SUSTAINED,
) -> float:
    """The first step from which `holds` is true at this many checkpoints in a row; inf if never.

    >>> first_sustained([10, 20, 30, 40, 50], [True, False, True, True, True])
    30.0
    """
    true = np.asarray(holds, dtype=bool)
    for k in range(len(true) - sustained + 1):
        if true[k : k + sustained].all():
            return float(steps[k])
    return math.inf


def learning_time(
    steps: Sequence[int] | NDArray[np.int64], accuracy: ArrayLike, threshold: float = LEARNED
) -> float:
    """When the smoothed accuracy exceeds the threshold and stays at three checkpoints."""
    return first_sustained(steps, smooth(accuracy) > threshold)


def convergence(
    steps: Sequence[int] | NDArray[np.int64], paths: ArrayLike, corners: ArrayLike
) -> float:
    """First step with the trained classes at their corners: mean squared distance below .01.

    `paths` is (K, classes, concepts), `corners` (classes, concepts).
    """
    off = (smooth(paths) - np.asarray(corners, float)) ** 2
    close = off.sum(-1).mean(-1) < CONVERGED
    return float(steps[int(close.argmax())]) if close.any() else math.inf


def median(times: ArrayLike) -> float:
    """Kaplan-Meier median of times of which the infinite ones are censored at a common horizon.

    >>> median([3.0, 1.0, math.inf]), median([1.0, math.inf, math.inf])
    (3.0, inf)
    """
    values = np.sort(np.asarray(times, dtype=float).ravel())
    # censored at one common horizon, survival is the share that is later: half at the middle one
    return float(values[math.ceil(len(values) / 2) - 1]) if len(values) else math.inf


@dataclass(frozen=True)
class Turn:
    """Where a path in concept space bends: index of the checkpoint and angle in degrees."""

    index: int
    angle: float


def turn(path: ArrayLike) -> Turn | None:
    """The sharpest bend of a path (K, 2): the largest angle above 60 degrees between what it covers
    in 3 checkpoints before and after, both longer than .1; None if there is none.

    >>> corner = [[0, x / 5] for x in range(6)] + [[x / 5, 1] for x in range(1, 6)]
    >>> turn(corner)
    Turn(index=5, angle=90.0)
    """
    p, w = np.asarray(path, dtype=float), TURN_WINDOW
    best = None
    for k in range(w, len(p) - w):
        before, after = p[k] - p[k - w], p[k + w] - p[k]
        legs = float(np.linalg.norm(before)), float(np.linalg.norm(after))
        if min(legs) <= TURN_LEG:
            continue
        cosine = float(before @ after) / (legs[0] * legs[1])
        angle = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
        if angle > TURN_ANGLE and (best is None or angle > best.angle):
            best = Turn(k, angle)
    return best


def off_line(path: NDArray[np.float64]) -> float:
    """Sum of squared distances of points (K, 2) from the straight line that fits them best."""
    centred = path - path.mean(0)
    return float(np.linalg.eigvalsh(centred.T @ centred)[0])


@dataclass(frozen=True)
class Bend:
    """How much better two straight pieces describe a path than one, and where they meet."""

    gain: float
    """BIC of one piece less BIC of two"""
    index: int


def bend(path: ArrayLike, noise: float = 0.02) -> Bend:
    """Compare one straight line through a path (K, 2) with two, one after the other.

    Distances from a line are normal with unknown variance; a line has 2 parameters, the break 1.
    `noise` is the least standard deviation: that of a share of 32 to 64 images read without error
    is larger. ValueError for fewer than 8 points.
    """
    p = np.asarray(path, dtype=float)
    count = len(p)
    if count < 8:
        raise ValueError(f"a path needs at least 8 points to tell a bend (got {count})")

    def criterion(squares: float, parameters: int) -> float:
        variance = max(squares / count, noise**2)
        return count * math.log(variance) + squares / variance + parameters * math.log(count)

    pieces = [off_line(p[:k]) + off_line(p[k:]) for k in range(3, count - 2)]
    k = int(np.argmin(pieces))
    gain = criterion(off_line(p), 2) - criterion(pieces[k], 5)
    return Bend(gain, k + 3)
