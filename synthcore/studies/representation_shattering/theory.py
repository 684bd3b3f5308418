"""What can be known exactly: losses, capacity, what a rank-one edit does to every distance, and how
much of a cloud is a ring.

float64. Axis letters: N points (entities), D width, K hidden width; `*b` are batch axes.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def full_loss_floor(relations: int, two_hop: float = 0.5) -> float:
    """Nats per token that even a perfect model pays when all tokens of a walk count.

    Relations and the choice of one or two of them are random, entities behind them are not.

    >>> round(full_loss_floor(24), 3)
    2.184
    """
    p = two_hop
    choice = -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)
    return ((1 + p) * math.log(relations) + choice) / (2 + p)


def full_loss_chance(entities: int, relations: int, two_hop: float = 0.5) -> float:
    """The same for a model that knows the format but no fact.

    >>> round(full_loss_chance(128, 24), 3)
    4.125
    """
    return full_loss_floor(relations, two_hop) + math.log(entities) / (2 + two_hop)


def capacity_ratio(entities: int, relations: int, parameters: int) -> float:
    """Bits in the table of all facts over 2 bits per parameter: above 1 it cannot be memorised.

    Two bits per parameter are the capacity found by Allen-Zhu and Li 2024 (arXiv:2404.05405).
    """
    return entities * relations * math.log2(entities) / (2 * parameters)


def distances(points: Float[Tensor, "*b N D"]) -> Float[Tensor, "*b N N2"]:
    """Euclidean distances between all points."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def overlaps(
    C: Float[Tensor, "K K2"], edited: Float[Tensor, "K"], keys: Float[Tensor, "N K"]
) -> Float[Tensor, "N"]:
    """alpha(x) = k(x)^T C^-1 k* / k*^T C^-1 k*: the share of a ROME edit at k* that reaches x."""
    direction = torch.linalg.solve(C, edited)
    return (keys @ direction) / (edited @ direction)


def predicted_distances(
    points: Float[Tensor, "N D"], alpha: Float[Tensor, "N"], delta: Float[Tensor, "D"]
) -> Float[Tensor, "N N2"]:
    """Distances after a rank-one edit, read right behind the edited MLP: D*_ij is
    |h_i - h_j + (alpha_i - alpha_j) delta|. No forward pass of the edited model is needed.

    All points moving alike changes nothing:

    >>> points = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> predicted_distances(points, torch.ones(2), torch.tensor([7.0, 1.0]))[0, 1]
    tensor(5.)
    """
    return distances(points + alpha[:, None] * delta)


def shattering(
    after: Float[Tensor, "*b N N2"], before: Float[Tensor, "*c N N2"]
) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"], Float[Tensor, "*b"]]:
    """R = |D* - D| / |D|, and its exact parts: R^2 = inflation^2 + shape^2.

    With s = <D*, D> / |D|^2, inflation is |s - 1| (the cloud grew or shrank as a whole) and shape
    is |D* - s D| / |D|.

    >>> D = distances(torch.tensor([[0.0], [1.0], [3.0]]))
    >>> [round(float(part), 6) for part in shattering(3 * D, D)]
    [2.0, 2.0, 0.0]
    """
    norm = before.flatten(-2).square().sum(-1)
    s = (after * before).flatten(-2).sum(-1) / norm
    whole = (after - before).flatten(-2).square().sum(-1) / norm
    inflation = (s - 1).abs()
    shape = (whole - inflation.square()).clamp_min(0).sqrt()
    return whole.sqrt(), inflation, shape


def ring_power(points: Float[Tensor, "*b N D"], order: Int[Tensor, "N"]) -> Float[Tensor, "*b F"]:
    """Share of a cloud's variance in each frequency along a cyclic order, 1 to N // 2.

    >>> angle = torch.arange(8, dtype=torch.float64) * torch.pi / 4
    >>> ring_power(torch.stack([angle.cos(), angle.sin()], -1), torch.arange(8)).round(decimals=6)
    tensor([1., 0., 0., 0.], dtype=torch.float64)
    """
    along = points[..., order, :]
    along = along - along.mean(-2, keepdim=True)
    power = torch.fft.rfft(along, dim=-2).abs().square().sum(-1)[..., 1:]
    count = points.shape[-2]
    if count % 2 == 0:  # the highest frequency has no partner
        power[..., :-1] *= 2
    else:
        power *= 2
    return power / power.sum(-1, keepdim=True)


def ring_chance(entities: int, frequencies: int) -> float:
    """Expected share of the lowest frequencies in a cloud without order: 2 f / (N - 1)."""
    return 2 * frequencies / (entities - 1)
