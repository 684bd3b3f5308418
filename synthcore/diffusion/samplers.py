"""From noise to data in T steps, evenly spaced in time: deterministic, or with fresh noise.

Both start from standard normal `noise`, one entry per example that is drawn, and end with the data
that are predicted in the last step, so that the noise of the schedule's `low` does not stay in
them; or with z_0 itself (`last="latent"`), as the release of Park et al. (2406.19370) does.

Axis letters: M member, B batch, P conditions (divides B), C numbers of a condition.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.diffusion.draws import Draws, normal
from synthcore.diffusion.model import Diffusion
from synthcore.diffusion.predictions import require_one_of
from synthcore.diffusion.schedule import split

Last = Literal["image", "latent"]
Step = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""z, predicted data, predicted noise, gamma now and then -> the next z"""


def ddim(
    model: Diffusion,
    noise: Float[Tensor, "M B *data"],
    steps: int,
    condition: Float[Tensor, "M P C"] | None = None,
    last: Last = "image",
) -> Float[Tensor, "M B *data"]:
    """Deterministic: every step keeps the predicted data and noise, and mixes them anew.

    For many steps it follows the flow that has the same distribution at every time as the noisy
    data. Source: Song et al. 2021 (2010.02502), equation 12 with no noise. ValueError unless there
    is a step.
    """
    return _walk(model, noise, steps, condition, last, _mix)


def ancestral(
    model: Diffusion,
    noise: Float[Tensor, "M B *data"],
    steps: int,
    draws: Draws,
    condition: Float[Tensor, "M P C"] | None = None,
    last: Last = "image",
) -> Float[Tensor, "M B *data"]:
    """Every step draws from what the step before must have been, were the data those predicted.

    Source: Ho et al. 2020 (2006.11239), algorithm 2, for variances of the exact posterior; Kingma
    et al. 2021 (2107.00630), equation 34. The paper of Park et al. takes 50 steps. ValueError
    unless there is a step.
    """
    return _walk(model, noise, steps, condition, last, partial(_draw, draws))


def posterior(
    z: Float[Tensor, "M B *data"],
    image: Float[Tensor, "M B *data"],
    now: Float[Tensor, "M T"],
    then: Float[Tensor, "M T"],
) -> tuple[Float[Tensor, "M B *data"], Float[Tensor, "M T *ones"]]:
    """Mean and standard deviation of q(z_s | z_t, x), s < t, of which gamma is `then` and `now`.

    Source: Kingma et al. 2021 (2107.00630), appendix A.
    """
    alpha, sigma = split(then, z)
    alpha_now, _ = split(now, z)
    forgotten = -torch.expm1(then - now).view(alpha.shape)
    mean = alpha / alpha_now * (1 - forgotten) * z + alpha * forgotten * image
    return mean, sigma * forgotten.sqrt()


def _mix(z: Tensor, image: Tensor, noise: Tensor, now: Tensor, then: Tensor) -> Tensor:
    alpha, sigma = split(then, z)
    return alpha * image + sigma * noise


def _draw(
    draws: Draws, z: Tensor, image: Tensor, noise: Tensor, now: Tensor, then: Tensor
) -> Tensor:
    mean, std = posterior(z, image, now, then)
    return mean + std * normal(z.shape, draws, z)


@torch.no_grad()
def _walk(
    model: Diffusion,
    z: Float[Tensor, "M B *data"],
    steps: int,
    condition: Float[Tensor, "M P C"] | None,
    last: Last,
    step: Step,
) -> Float[Tensor, "M B *data"]:
    if steps < 1:
        raise ValueError(f"steps must be at least 1 (got {steps})")
    require_one_of("last", last, Last)
    times = torch.linspace(1, 0, steps + 1, device=z.device, dtype=z.dtype)
    for now, then in pairwise(times.expand(z.shape[0], 1, -1).unbind(-1)):
        image, noise = model.estimate(z, now, condition)
        z = step(z, image, noise, model.schedule(now), model.schedule(then))
    return image if last == "image" else z
