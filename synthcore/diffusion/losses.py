"""What a denoiser learns by: the variational bound, or a weighted error of the predicted data.

Times are stratified: one offset per member, then evenly spread over the batch (Kingma et al. 2021,
2107.00630, appendix I), which makes both losses less noisy. Members share no weight, so the sum
of their losses can be differentiated.

Axis letters: M member, B batch, P conditions (divides B), C numbers of a condition.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.diffusion.draws import Draws, normal, uniform
from synthcore.diffusion.model import Diffusion
from synthcore.diffusion.predictions import to_image, to_noise
from synthcore.diffusion.schedule import Schedule, split


def variational_bound(
    model: Diffusion,
    x: Float[Tensor, "M B *data"],
    draws: Draws,
    condition: Float[Tensor, "M P C"] | None = None,
    data_noise: float | None = None,
) -> Float[Tensor, "M"]:
    """Bound on -log2 p(x), in bits per dimension, from one noise and one time per example.

    Three terms. Diffusion: half of the squared error of the noise, weighted by the slope of gamma,
    so that learned ends are learned by it; the prior: how far z_1 is from standard normal; the
    reconstruction of x from z_0, by a normal density around z_0 / alpha whose variance is that of
    the noise there, exp(low). Where data carry a noise of their own that density may have its
    standard deviation instead: `data_noise`, .001 in the release of Park et al. (2406.19370).

    Source: Kingma et al. 2021 (2107.00630), equations 11 to 17.
    """
    out, z, noise, gamma = _ask(model, x, draws, condition)
    guess = to_noise(out, model.predicts, z, *split(gamma, z))
    error = (guess - noise).square().flatten(2).mean(-1).mean(1)
    return bound(model.schedule, x, error, data_noise)


def bound(
    schedule: Schedule,
    x: Float[Tensor, "M B *data"],
    error: Float[Tensor, "M"],
    data_noise: float | None = None,
) -> Float[Tensor, "M"]:
    """The variational bound, where `error` is the mean squared error of the noise over uniform
    times. ValueError unless `data_noise` is positive."""
    low, high = schedule.ends
    diffusion = (high - low) / 2 * error
    alpha2, sigma2 = torch.sigmoid(-high), torch.sigmoid(high)
    square = x.square().flatten(1).mean(1)
    prior = (alpha2 * square + sigma2 - torch.log(sigma2) - 1) / 2
    # mean of -log N(x; z_0 / alpha_0, variance): the squared distance is exp(low) on average
    if data_noise is None:
        rebuilt = (math.log(2 * math.pi) + low + 1) / 2
    elif data_noise > 0:
        variance = data_noise**2
        rebuilt = (math.log(2 * math.pi * variance) + low.exp() / variance) / 2
    else:
        raise ValueError(f"data_noise must be positive (got {data_noise})")
    return (diffusion + prior + rebuilt) / math.log(2)


def image_error(
    model: Diffusion,
    x: Float[Tensor, "M B *data"],
    draws: Draws,
    condition: Float[Tensor, "M P C"] | None = None,
    cap: float = 5.0,
) -> Float[Tensor, "M"]:
    """Squared error of the predicted data, weighted by min(exp(-gamma), cap).

    exp(-gamma) is the signal-to-noise ratio, with which this is the error of the noise. The cap
    decides how much the coarse half of the noise levels counts. Source: Hang et al. 2023
    (2303.09556). ValueError unless `cap` is positive.
    """
    if not cap > 0:
        raise ValueError(f"cap must be positive (got {cap})")
    out, z, _, gamma = _ask(model, x, draws, condition)
    if model.predicts != "image":
        out = to_image(out, model.predicts, z, *split(gamma, z))
    weight = torch.exp(-gamma).clamp(max=cap)
    return (weight * (out - x).square().flatten(2).mean(-1)).mean(1)


def _ask(
    model: Diffusion,
    x: Float[Tensor, "M B *data"],
    draws: Draws,
    condition: Float[Tensor, "M P C"] | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The network's answer to noisy data, these, their noise, and gamma (M, B)."""
    M, B = x.shape[:2]
    start = uniform((M, 1), draws, x)
    time = (start + torch.arange(B, device=x.device) / B) % 1
    noise = normal(x.shape, draws, x)
    gamma = model.schedule(time)
    alpha, sigma = split(gamma, x)
    z = alpha * x + sigma * noise
    return model(z, time, condition), z, noise, gamma
