"""The denoisers of this study: their loss on images in [0, 1], and the images that they draw.

Inside, images are scaled to [-1, 1]. A network predicts the noise and learns by the variational
bound (the paper), or predicts the clean image and learns by a squared error whose weight is capped
(small networks): the cap decides how much the coarse half of the noise levels counts, at which a
prompt is needed to know what will be drawn.

Axis letters: M member, B batch, P prompts, N images, S side.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.diffusion import (
    Diffusion,
    LinearSchedule,
    Predicts,
    ddim,
    image_error,
    variational_bound,
)


def denoiser(net: nn.Module, members: int, predicts: Predicts, learned: bool = False) -> Diffusion:
    """A population with its schedule, whose ends are learned if `learned`; it draws in [-1, 1]."""
    return Diffusion(net, LinearSchedule(members, learned=learned), predicts, within=(-1, 1))


def denoising_loss(
    model: Diffusion,
    images: Float[Tensor, "M B 3 S S"],
    prompt: Float[Tensor, "M B 11"],
    generator: torch.Generator,
    weight_cap: float,
) -> Float[Tensor, "M"]:
    """One number per member: the bound in bits per dimension, or the error with its weight."""
    x = 2 * images - 1
    if model.predicts == "image":
        return image_error(model, x, generator, prompt, weight_cap)
    return variational_bound(model, x, generator, prompt)


def seeded(seed: int, purpose: int) -> torch.Generator:
    """A generator for one purpose of one seed; different purposes never share a stream."""
    return torch.Generator().manual_seed(1_000_003 * (purpose + 1) + seed)


def starting_noise(
    seeds: Sequence[int], count: int, side: int, device: torch.device
) -> Float[Tensor, "M N 3 S S"]:
    """Noise that generation starts from: the same for members of one seed."""
    drawn = {s: torch.randn(count, 3, side, side, generator=seeded(s, 5)) for s in set(seeds)}
    return torch.stack([drawn[s] for s in seeds]).to(device)


def generate(
    model: Diffusion,
    prompt: Float[Tensor, "M P 11"],
    noise: Float[Tensor, "M N 3 S S"],
    steps: int,
) -> Float[Tensor, "M P N 3 S S"]:
    """Images in [0, 1]: N for every prompt, from the same noise for each; without guidance."""
    M, P = prompt.shape[:2]
    N = noise.shape[1]
    start = noise[:, None].expand(M, P, *noise.shape[1:]).flatten(1, 2)
    return ((ddim(model, start, steps, prompt) + 1) / 2).view(M, P, N, *noise.shape[2:])
