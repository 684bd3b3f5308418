"""What is known exactly: identities along a path, and the law of sampling noise.

float64. Axis letters: T positions, W tokens, K outcomes.
"""

import math

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
