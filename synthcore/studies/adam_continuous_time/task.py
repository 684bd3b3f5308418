"""What drives the optimiser: gradient streams that need no network, and two kinds of toy loss.

Axis letters: N step, P point (beta, gamma), D coordinate.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from synthcore.studies.adam_continuous_time import theory

Array = npt.NDArray[np.float64]
Kind = Literal["dense", "worst case", "dying", "decaying", "sparse", "correlated"]
DYING_AT = 20
CORRELATION = 0.95


def stream(
    kind: Kind,
    steps: int,
    size: int,
    random: np.random.Generator,
    beta: Array,
    gamma: Array,
    value: float = 0.0,
) -> tuple[Array, Array]:
    """Gradients (N, 1, D or 1), and by how much their logarithm grows per step besides, (P or 1,).

    - dense: i.i.d. N(0, 1);
    - worst case: grow so that they attain the exact bound of each point;
    - dying: N(0, 1) for 20 steps, then exactly 0;
    - decaying: e^(-value n);
    - sparse: N(0, 1) with probability `value`, else 0;
    - correlated: AR(1) with correlation 0.95 and unit variance.

    A dying coordinate has no gradient after step 20:

    >>> g, _ = stream("dying", 30, 4, np.random.default_rng(0), np.array([0.9]), np.array([0.99]))
    >>> (g[:20] != 0).all(), (g[20:] == 0).all()
    (np.True_, np.True_)
    """
    if kind == "worst case":
        return np.ones((steps, 1, 1)), theory.worst_growth(beta, gamma)
    if kind == "decaying":
        return np.ones((steps, 1, 1)), np.array([-value])
    normal = random.standard_normal((steps, 1, size))
    if kind == "dying":
        normal[DYING_AT:] = 0
    elif kind == "sparse":
        normal *= random.random(normal.shape) < value
    elif kind == "correlated":
        for n in range(1, steps):
            normal[n] = CORRELATION * normal[n - 1] + np.sqrt(1 - CORRELATION**2) * normal[n]
    return normal, np.zeros(1)


CURVATURE = np.array([1.0, 0.3, 3.0])
START = np.array([1.0, -1.5, 0.7])


def toy_gradient(x: Array) -> Array:
    """Gradient of the smooth loss sum_i (H_i x_i^2 / 2 - 0.15 cos(2 x_i)), H = (1, .3, 3)."""
    return np.asarray(CURVATURE * x + 0.3 * np.sin(2 * x))


def toy_start(seed: int) -> Array:
    """(1, -1.5, 0.7), moved by one per cent."""
    return np.asarray(START + 0.01 * np.random.default_rng(seed).standard_normal(3))


def symmetric_matrix(dimension: int, seed: int) -> Array:
    """A of the scale-invariant loss f(W) = W'AW / |W|^2: Gaussian, eigenvalues within (-1, 1)."""
    normal = np.random.default_rng(seed).standard_normal((dimension, dimension))
    return np.asarray((normal + normal.T) / np.sqrt(8 * dimension))
