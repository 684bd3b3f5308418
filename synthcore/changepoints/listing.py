"""Segmentation by listing every cut: the readable reference of `posterior`, for short series.

float64. Axis letters: T positions, E = T + 1 cuts, K outcomes, M = m_max + 1.
"""

import math
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def listed(
    L: Float[ndarray, "E E"], m_max: int, min_length: int
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Every segmentation with at most m_max change points: prior times evidence, and its ends."""
    length = len(L) - 1
    for m in range(m_max + 1):
        ends = [(0, *cuts, length) for cuts in combinations(range(1, length), m)]
        fine = [e for e in ends if m == 0 or all(b - a >= min_length for a, b in pairwise(e))]
        for e in fine:
            yield math.exp(sum(L[a, b] for a, b in pairwise(e))) / len(fine), e


def listed_posterior(
    L: Float[ndarray, "E E"], m_max: int, min_length: int
) -> tuple[Float[ndarray, "M"], Float[ndarray, "T"]]:
    """p(m | y) and p(tau = t | y) by listing every segmentation.

    Of three positions, two segments of length 2 are impossible:

    >>> listed_posterior(np.zeros((4, 4)), 1, 2)[0]
    array([1., 0.])
    """
    p_m, p_tau = np.zeros(m_max + 1), np.zeros(len(L) - 1)
    for weight, ends in listed(L, m_max, min_length):
        p_m[len(ends) - 2] += weight
        p_tau[list(ends[1:-1])] += weight
    return p_m / p_m.sum(), p_tau / p_m.sum()


def listed_mean(
    L: Float[ndarray, "E E"],
    counts: Float[ndarray, "T K"],
    alpha: float,
    m_max: int,
    min_length: int,
) -> Float[ndarray, "T K"]:
    """Posterior mean of the outcome distribution by listing every segmentation."""
    total, mean = 0.0, np.zeros(counts.shape)
    for weight, ends in listed(L, m_max, min_length):
        total += weight
        for a, b in pairwise(ends):
            inside = counts[a:b].sum(0) + alpha
            mean[a:b] += weight * inside / inside.sum()
    return mean / total
