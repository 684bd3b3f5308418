"""Would another token have changed the outcome? Hazards, survival, and what noise alone gives.

Axis letters: N paths, T positions, W tokens, K outcomes.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.studies.forking_paths.paths import Metric, Paths, distance


def apart(paths: Paths, metric: Metric = "l2") -> Float[Tensor, "N T W"]:
    """Distance of every branch's outcomes from the base branch's; 0 where there is no branch."""
    base = paths.o_tw[..., :1, :].expand_as(paths.o_tw)
    return distance(base, paths.o_tw, metric) * (paths.p > 0)


def hazard(paths: Paths, eps: float = 0.6, metric: Metric = "l2") -> Float[Tensor, "N T"]:
    """h(t): probability of a token after which the outcomes are at least `eps` away."""
    return (paths.weight * (apart(paths, metric) >= eps))[..., 1:].sum(-1)


def survival(paths: Paths, eps: float = 0.6, metric: Metric = "l2") -> Float[Tensor, "N T"]:
    """Probability that no token up to t was such a one: the product of 1 - h."""
    return (1 - hazard(paths, eps, metric)).cumprod(-1)


def scaled_survival(paths: Paths, eps: float = 0.6) -> Float[Tensor, "N T"]:
    """As the released dashboard computes it: of p~_w o_tw, which is far from the base merely
    because w is improbable. For comparison only."""
    scaled = paths.weight[..., None] * paths.o_tw
    far = distance(scaled[..., :1, :].expand_as(scaled), scaled, "l2") >= eps
    h = (paths.weight * (far & (paths.p > 0)))[..., 1:].sum(-1)
    return (1 - h).cumprod(-1)


def shuffled(paths: Paths, seed: int) -> Paths:
    """The null: completions of each alternative are exchanged at random with those of the base
    token, so that nothing but noise tells them apart. The base branch stays as it is."""
    rng = np.random.default_rng(seed)
    base = paths.counts[..., :1, :].cpu().numpy().round().astype(int)
    other = paths.counts.cpu().numpy().round().astype(int)
    left = other.sum(-1)  # completions still to be dealt to the alternative
    pool = base + other
    behind = pool.sum(-1)
    drawn = np.zeros_like(other)
    for k in range(other.shape[-1]):
        behind = behind - pool[..., k]
        drawn[..., k] = rng.hypergeometric(pool[..., k], behind, left)
        left = left - drawn[..., k]
    counts = torch.from_numpy(drawn).to(paths.counts)
    counts[..., 0, :] = paths.counts[..., 0, :]
    return Paths(paths.p, counts)
