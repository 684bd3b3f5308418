"""Would another token have changed the outcome? Hazards, survival, and what noise alone gives.

Axis letters: N paths, T positions, W tokens, K outcomes, D deals.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.studies.forking_paths.paths import Metric, Paths, distance

DEALS = 20


def apart(paths: Paths, metric: Metric = "l2") -> Float[Tensor, "N T W"]:
    """Distance of every branch's outcomes from the base branch's; 0 where there is no branch."""
    base = paths.o_tw[..., :1, :].expand_as(paths.o_tw)
    return distance(base, paths.o_tw, metric) * (paths.weight > 0)


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
    h = (paths.weight * (far & (paths.weight > 0)))[..., 1:].sum(-1)
    return (1 - h).cumprod(-1)


def shuffled(paths: Paths, seed: int) -> Paths:
    """The null: at every position all completions are put together and dealt anew to all tokens,
    the base token included, each getting as many as it had.

    If no token matters, the new counts have the law of the old ones; if some do, nothing of that is
    left. Counts are rounded to whole numbers.
    """
    rng = np.random.default_rng(seed)
    counts = paths.counts.cpu().numpy().round().astype(int)
    pool = counts.sum(-2)  # (N, T, K): what is still to be dealt at a position
    dealt = np.zeros_like(counts)
    for w in range(counts.shape[-2]):
        wanted, behind = counts[..., w, :].sum(-1), pool.sum(-1)
        for k in range(counts.shape[-1]):
            behind = behind - pool[..., k]
            dealt[..., w, k] = rng.hypergeometric(pool[..., k], behind, wanted)
            wanted = wanted - dealt[..., w, k]
        pool = pool - dealt[..., w, :]
    return Paths(paths.p, torch.from_numpy(dealt).to(paths.counts), paths.start)


def survival_by_noise(
    paths: Paths, eps: float = 0.6, metric: Metric = "l2", deals: int = DEALS, seed: int = 0
) -> Float[Tensor, "D N T"]:
    """Survival when no token matters, with as many completions: one row per deal of the null."""
    rows = [survival(shuffled(paths, seed + d), eps, metric) for d in range(deals)]
    return torch.stack(rows)
