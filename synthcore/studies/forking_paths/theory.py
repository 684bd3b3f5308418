"""What is known exactly: identities, sampling noise, and segmentation by listing every cut.

float64. Axis letters: T positions, W tokens, K outcomes.
"""

import math
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats
from torch import Tensor


def total_variation(a: Float[Tensor, "*#N K"], b: Float[Tensor, "*#N K"]) -> Float[Tensor, "..."]:
    """Half the L1 distance; shapes are broadcast."""
    return 0.5 * (a - b).abs().sum(-1)


def identities(
    p: Float[Tensor, "*N T W"], after: Float[Tensor, "*N T W K"], o: Float[Tensor, "*N T_and_end K"]
) -> dict[str, float]:
    """Largest violation of what holds along every base path.

    I1: the base branch at t ends where position t + 1 begins. I2: o_{t+1} - o_t = (1 - p*)(o_{t+1}
    - o_alt), so J_t <= 1 - p*. I3: J_t <= e_TV(t), the expected distance to another token's
    outcomes.
    """
    base, greedy = after[..., 0, :], p[..., 0]
    jump = total_variation(o[..., 1:, :], o[..., :-1, :])
    rest = p[..., 1:] / (1 - greedy)[..., None]
    other = (rest[..., None] * after[..., 1:, :]).sum(-2)
    turned = (1 - greedy)[..., None] * (base - other)
    far = total_variation(base[..., None, :].expand_as(after), after)
    expected = (p * far)[..., 1:].sum(-1)
    return {
        "I1": float((base - o[..., 1:, :]).abs().max()),
        "I2": float((o[..., 1:, :] - o[..., :-1, :] - turned).abs().max()),
        "J <= 1 - p*": float((jump - (1 - greedy)).clamp(min=0).max()),
        "I3": float((jump - expected).clamp(min=0).max()),
    }


def expected_tv(o: Float[Tensor, "*N K"], samples: int) -> Float[Tensor, "*N"]:
    """Normal approximation of the mean total variation between two independent histograms of
    `samples` draws: 1/2 sum_a sqrt(4 o_a (1 - o_a) / (pi S)).

    >>> import torch
    >>> round(float(expected_tv(torch.tensor([0.5, 0.5]), 30)), 3)
    0.103
    """
    return 0.5 * (4 * o * (1 - o) / (math.pi * samples)).sqrt().sum(-1)


def exact_expected_tv(o: Float[ndarray, "K"], samples: int) -> float:
    """The same exactly: E|X - Y| of independent binomials, by summing over their values."""
    count = np.arange(samples + 1)
    gap = np.abs(count[:, None] - count[None])
    total = 0.0
    for share in o:
        pmf = stats.binom.pmf(count, samples, share)
        total += float(pmf @ gap @ pmf)
    return total / (2 * samples)


def listed(
    L: Float[ndarray, "E E"], m_max: int, min_length: int
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Every segmentation with at most m_max change points: prior times evidence, and its ends."""
    length = len(L) - 1
    for m in range(m_max + 1):
        ends = [(0, *cuts, length) for cuts in combinations(range(1, length), m)]
        fine = [e for e in ends if all(b - a >= min_length for a, b in pairwise(e))]
        for e in fine:
            yield math.exp(sum(L[a, b] for a, b in pairwise(e))) / len(fine), e


def listed_posterior(
    L: Float[ndarray, "E E"], m_max: int, min_length: int
) -> tuple[Float[ndarray, "M"], Float[ndarray, "T"]]:
    """p(m | y) and p(tau = t | y) by listing every segmentation. The reference for `segments`.

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


def tokens_needed(length: int, branches: float, samples: int) -> float:
    """Sampled tokens of a full analysis: T positions, each branch continued to the end, which is
    T / 2 away on average."""
    return length * branches * samples * length / 2
