"""Clouds of representations before and after edits: distances, rings, flat maps.

For a fixed relation r the states h(x; r) behind the bare prompt `x r` are one cloud, one point per
entity.

Axis letters: M member, E edit, R relation, N entity, D width, C order.
"""

import warnings

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from sklearn.manifold import Isomap
from torch import Tensor

from synthcore.editing import EditedModel, Transformer
from synthcore.nn.hooks import record
from synthcore.studies.representation_shattering import theory
from synthcore.studies.representation_shattering.task import Circles

LOWEST = 4  # frequencies that make a ring
CHUNK = 1 << 24  # distances held at once, of all members: 64 MB


def bare_prompts(
    circles: Circles, entities: Int[Tensor, "N"] | None = None
) -> tuple[Int[Tensor, "M RN 2"], Int[Tensor, "M RN"]]:
    """All prompts `x r`, relation by relation, and where they end."""
    device = circles.entity.device
    x = torch.arange(circles.entities, device=device) if entities is None else entities
    r = torch.arange(circles.relations.count, device=device)
    lines = torch.stack([x.repeat(len(r)), circles.token(r.repeat_interleave(len(x)))], -1)
    tokens = lines.expand(circles.members, -1, -1)
    return tokens, torch.ones_like(tokens[..., 0])


@torch.no_grad()
def clouds(
    model: Transformer, circles: Circles, block: int, entities: Int[Tensor, "N"] | None = None
) -> Float[Tensor, "M R N D"]:
    """h(x; r) behind `block` for every relation."""
    tokens, _ = bare_prompts(circles, entities)
    name = f"blocks.{block}.hook_resid_post"
    with record(model, [name]) as seen:
        model(tokens)
    return seen[name][:, :, -1].unflatten(1, (circles.relations.count, -1))


def edited_clouds(
    edited: EditedModel, circles: Circles, block: int, entities: Int[Tensor, "N"] | None = None
) -> Float[Tensor, "M E R N D"]:
    """The same in every edited copy."""
    tokens, at = bare_prompts(circles, entities)
    states = edited.states(tokens, at, block)
    return states.unflatten(2, (circles.relations.count, -1))


def shattering(
    edited: EditedModel, circles: Circles, block: int, entities: Int[Tensor, "N"] | None = None
) -> Float[Tensor, "M E R 3"]:
    """R, inflation and shape of every relation's cloud under every edit, in parts."""
    before = clouds(edited.model, circles, block, entities)
    D = fast_distances(before)[:, None]
    found = []
    for part in edited.chunks(max(CHUNK // D.numel(), 1)):
        found.append(fast_shattering(edited_clouds(part, circles, block, entities), before, D))
    return torch.cat(found, 1)


def fast_shattering(
    after: Float[Tensor, "M E R N D"],
    before: Float[Tensor, "M R N D"],
    D: Float[Tensor, "M 1 R N N2"],
) -> Float[Tensor, "M E R 3"]:
    """`theory.shattering` of clouds, without distances after the edit but for one product.

    The sum of squared distances of N points is 2 N times their squared deviations from the mean, so
    that only <D*, D> needs all pairs.
    """
    inner = (fast_distances(after).mul_(D)).flatten(-2).sum(-1).double()
    norm, grown = _spread(before)[:, None], _spread(after)
    s = inner / norm
    whole = (grown - 2 * inner + norm) / norm
    inflation = (s - 1).abs()
    shape = (whole - inflation.square()).clamp_min(0).sqrt()
    return torch.stack([whole.clamp_min(0).sqrt(), inflation, shape], -1)


def _spread(points: Float[Tensor, "*b N D"]) -> Float[Tensor, "*b"]:
    """Sum of all squared distances."""
    centred = (points - points.mean(-2, keepdim=True)).double()
    return 2 * points.shape[-2] * centred.square().sum((-2, -1))


def fast_distances(points: Float[Tensor, "*b N D"]) -> Float[Tensor, "*b N N2"]:
    """`theory.distances` by one matrix product: |x|^2 + |y|^2 - 2 x.y is the product of (-2 x,
    |x|^2, 1) and (y, 1, |y|^2). Centred first, to lose no digits."""
    points = points - points.mean(-2, keepdim=True)
    square, one = points.square().sum(-1, keepdim=True), torch.ones_like(points[..., :1])
    left, right = torch.cat([-2 * points, square, one], -1), torch.cat([points, one, square], -1)
    between = left @ right.transpose(-1, -2)
    return between.clamp_min_(0).sqrt_()


def ring_share(points: Float[Tensor, "M *b R N D"], circles: Circles) -> Float[Tensor, "M *b C"]:
    """Share of the lowest frequencies along an order, mean over the order's own relations."""
    rows = []
    for m, member in enumerate(points):
        row = [
            theory.ring_power(member[..., list(circles.relations.of(c)), :, :], order)[..., :LOWEST]
            .sum(-1)
            .mean(-1)
            for c, order in enumerate(circles.entity[m])
        ]
        rows.append(torch.stack(row, -1))
    return torch.stack(rows)


def ring_null(
    points: Float[Tensor, "M R N D"], circles: Circles, draws: int, generator: torch.Generator
) -> Float[Tensor, "M C draws"]:
    """The same share along random orders."""
    N = circles.entities
    found = []
    for _ in range(draws):
        shuffled = torch.stack(
            [torch.randperm(N, generator=generator) for _ in range(circles.entity[:, :, 0].numel())]
        ).view_as(circles.entity)
        random = Circles(shuffled.to(circles.entity.device), circles.hops)
        found.append(ring_share(points, random))
    return torch.stack(found, -1)


def flat_map(
    points: Float[Tensor, "N D"], neighbours: int = 10
) -> tuple[NDArray[np.float64], bool]:
    """Isomap in two dimensions, and whether the graph of neighbours had to be joined.

    Where it falls apart, as it does after strong edits, components are joined by their nearest
    pairs.
    """
    table = points.double().cpu().numpy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = Isomap(n_neighbors=min(neighbours, len(table) - 1), n_components=2).fit_transform(
            table
        )
    joined = any("connected components" in str(w.message) for w in caught)
    return np.asarray(found, dtype=np.float64), joined


def aligned(points: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turned and mirrored, not scaled, to lie on the reference as well as it can."""
    centred, base = points - points.mean(0), reference - reference.mean(0)
    turn, _ = orthogonal_procrustes(centred, base)
    return np.asarray(centred @ turn)
