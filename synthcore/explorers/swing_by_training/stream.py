"""The random numbers of the page in Python: initial weights, training points and batches, so that
any network can be trained on what the explorer trains on.

Three streams belong to a seed: 3 seed for weights, 3 seed + 1 for points, 3 seed + 2 for batches.
Each is mulberry32, 32 bits of state; normals are made of pairs of its uniforms by Box and Muller.

Axis letters: H hidden units, K directions (H = K, or 2 K with ReLU), N points, S steps, B batch.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from synthcore.explorers.swing_by_training import Network, Start

POINTS = 100  # of each cluster
MASK = 0xFFFFFFFF


def uniforms(stream: int, count: int) -> Float64[np.ndarray, "count"]:
    """mulberry32: uniforms strictly inside (0, 1), 32 bits each.

    >>> uniforms(0, 2).round(6).tolist()
    [0.266429, 0.00033]
    """
    # the state only counts, so all of them are mixed at once
    counted = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x6D2B79F5)
    state = (counted + np.uint64(stream)) & np.uint64(MASK)
    mixed = _times(state ^ (state >> np.uint64(15)), state | np.uint64(1))
    other = _times(mixed ^ (mixed >> np.uint64(7)), mixed | np.uint64(61))
    mixed ^= (mixed + other) & np.uint64(MASK)
    return ((mixed ^ (mixed >> np.uint64(14))).astype(np.float64) + 0.5) / 2**32


def _times(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The lower 32 bits of the product, as `Math.imul`."""
    product: np.ndarray = (left * right) & np.uint64(MASK)
    return product


def normals(stream: int, count: int) -> Float64[np.ndarray, "count"]:
    """Standard normals: of two uniforms u, v come sqrt(-2 ln u) times cos and sin of 2 pi v."""
    pairs = uniforms(stream, 2 * -(-count // 2)).reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log(pairs[:, 0])), 2 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).ravel()[:count]


def initial_weights(
    network: Network, start: Start, omega: float, rho: float, width: int, seed: int
) -> tuple[Float64[np.ndarray, "H 2"], Float64[np.ndarray, "2 H"]]:
    """W1 and W2 before training, of f(x) = W2 act(W1 x).

    The map at the start is V U^T. "alike": U = V, U U^T = omega [[1, rho], [rho, 1]], turned by a
    random rotation of the hidden units. "random": every entry normal with variance omega / K.
    "tied": V is U. A ReLU network has every direction twice, the second time with both signs
    turned, so that it starts as the same map: max(0, z) - max(0, -z) = z.

    >>> first, second = initial_weights("relu", "alike", 0.1, 0.5, 4, seed=1)
    >>> (second @ np.maximum(first @ [1, 2], 0)).round(6).tolist()     # 0.1 [[1, .5], [.5, 1]] x
    [0.2, 0.25]
    """
    drawn = normals(3 * seed, 4 * width).reshape(2, 2, width)
    if start == "alike":
        first_row, second_row = drawn[0]
        first_row = first_row / np.linalg.norm(first_row)
        second_row = second_row - (second_row @ first_row) * first_row
        second_row = second_row / np.linalg.norm(second_row)
        plus, minus = np.sqrt(omega * (1 + rho)), np.sqrt(omega * (1 - rho))
        root = np.array([[plus + minus, plus - minus], [plus - minus, plus + minus]]) / 2
        u = v = root @ np.stack([first_row, second_row])
    else:
        u, v = drawn * np.sqrt(omega / width)
        v = u if network == "tied" else v
    if network == "relu":
        u, v = np.hstack([u, -u]), np.hstack([v, -v])
    return u.T.copy(), v.copy()


def training_points(
    mu: Sequence[float], sigma: Sequence[float], seed: int
) -> Float64[np.ndarray, "N 2"]:
    """100 points of the first cluster, at mu_1 e_1, then as many of the second."""
    noise = normals(3 * seed + 1, 4 * POINTS).reshape(2 * POINTS, 2)
    return noise * np.asarray(sigma) + np.diag(np.asarray(mu, float)).repeat(POINTS, 0)


def batches(steps: int, batch: int, seed: int) -> Int64[np.ndarray, "S B"]:
    """Which points each update sees, drawn with replacement; all of them for a batch of 0."""
    if batch == 0:
        return np.tile(np.arange(2 * POINTS), (steps, 1))
    drawn = uniforms(3 * seed + 2, steps * batch).reshape(steps, batch)
    return (drawn * 2 * POINTS).astype(np.int64)
