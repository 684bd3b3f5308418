"""Deep linear networks without noise: gradient descent on the population loss, which is
|(W - I) A^(1/2)|^2 / 2, from the usual random initialisation, hundreds at a time.

Only the s columns of the first layer that the data reach ever move, so a step costs as much as s
vectors through the network. Axis letters: M member, s concepts, d coordinates, S steps.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.studies.sim_concept_learning import theory
from synthcore.training.rehearsal import whole_or_rehearsed
from synthcore.training.seeding import seeded


class Outcome(NamedTuple):
    """Draw-up of each member's OOD loss, and how much of that loss is left at the end."""

    draw_up: Float[Tensor, "M"]
    remaining: Float[Tensor, "M"]


def initial_weights(seeds: Sequence[int], depth: int, d: int, s: int) -> list[Tensor]:
    """Layers (M, out, in), uniform on plus and minus 1 / sqrt(d); the first has s inputs left."""
    generators = [seeded(seed, depth, d) for seed in seeds]
    drawn = torch.stack([torch.rand(depth, d, d, generator=g) for g in generators])
    weights = (2 * drawn - 1) * d**-0.5
    return [weights[:, i, :, :s].clone() if i == 0 else weights[:, i].clone() for i in range(depth)]


def multiply(layers: Sequence[Tensor]) -> Float[Tensor, "M d s"]:
    """W_L ... W_1, first layer first in the list."""
    product = layers[0]
    for layer in layers[1:]:
        product = layer @ product
    return product


def descend(
    layers: list[Tensor],
    mu: Sequence[float],
    sigma: Sequence[float],
    rate: float,
    steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Gradient descent in all layers; the OOD loss is followed at every step.

    A `ValueError` says so if a member diverges.
    """
    a = theory.strengths(mu, sigma).to(layers[0])
    target = torch.eye(layers[0].shape[-2], len(mu)).to(layers[0])
    probe = theory.as_double(mu).to(layers[0])
    layers = [layer.clone() for layer in layers]

    def look() -> tuple[list[Tensor], Tensor, Float[Tensor, "M"]]:
        """Products of the layers up to each, the error of the whole, and the OOD loss."""
        partial = [layers[0]]
        for layer in layers[1:]:
            partial.append(layer @ partial[-1])
        error = partial[-1] - target
        return partial, error, (error @ probe).square().sum(-1) / 2

    def advance(first: int, end: int) -> Float[Tensor, "S M"]:
        losses = layers[0].new_empty(end - first, len(layers[0]))
        for step in range(first, end):
            partial, error, losses[step - first] = look()
            back = error * a  # the gradient with respect to the product
            for i in range(len(layers) - 1, 0, -1):
                gradient, back = back @ partial[i - 1].mT, layers[i].mT @ back
                layers[i].sub_(gradient, alpha=rate)
            layers[0].sub_(back, alpha=rate)
            if progress is not None:
                progress(step + 1, steps)
        return losses

    size = sum(layer.numel() for layer in layers)
    before = whole_or_rehearsed(advance, steps, name="Deep linear", parameters=size)
    _, _, last = look()
    if not bool(last.isfinite().all()):
        raise ValueError(f"training diverged: take a smaller step size than {rate:g}")
    losses = torch.cat([before, last[None]])
    rise = (losses - losses.cummin(0).values).amax(0)
    return Outcome(rise / losses[0], last / losses[0])
