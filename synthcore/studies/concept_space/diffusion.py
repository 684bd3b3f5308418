"""Variational diffusion: the noise schedule, two losses, and samplers.

z_t = alpha_t x + sigma_t eps with alpha^2 = sigmoid(-gamma), sigma^2 = sigmoid(gamma), and gamma
rising linearly in t from `low` to `high`. Images x are scaled from [0, 1] to [-1, 1]. Source:
Kingma et al. (2107.00630).

A denoiser is `net(z, time, prompt)`, shape of z. It predicts the noise and learns by the
variational bound (the paper), or predicts the clean image and learns by a squared error weighted
by min(signal to noise, cap) (small networks). The cap decides how much the coarse half of the
noise levels counts, at which a prompt is needed to know what will be drawn.

Axis letters: M member, B batch, P prompts (P divides B), T times (so does T), S side.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Predicts = Literal["noise", "image"]
Net = Callable[[Tensor, Tensor, Tensor], Tensor]
LOW, HIGH = -5.0, 10.0


class Diffusion(nn.Module):
    """A denoiser with its noise schedule; the end points of gamma are learned if `learned`."""

    def __init__(
        self,
        net: nn.Module,
        members: int,
        predicts: Predicts,
        learned: bool = False,
        weight_cap: float = 5.0,
    ) -> None:
        super().__init__()
        if predicts not in ("noise", "image"):
            raise ValueError(f"predicts must be noise or image (got {predicts!r})")
        self.net, self.predicts, self.members = net, predicts, members
        self.weight_cap = weight_cap
        self.low = nn.Parameter(torch.full((members,), LOW), requires_grad=learned)
        self.high = nn.Parameter(torch.full((members,), HIGH), requires_grad=learned)

    def gamma(self, time: Float[Tensor, "M T"]) -> Float[Tensor, "M T"]:
        """Minus the log of the signal-to-noise ratio."""
        return self.low[:, None] + (self.high - self.low)[:, None] * time

    def estimate(
        self,
        z: Float[Tensor, "M B 3 S S"],
        time: Float[Tensor, "M T"],
        prompt: Float[Tensor, "M P 11"],
    ) -> tuple[Float[Tensor, "M B 3 S S"], Float[Tensor, "M B 3 S S"]]:
        """The clean image, within [-1, 1], and the noise that goes with it."""
        alpha, sigma = split(self.gamma(time))
        out = self.net(z, time, prompt)
        image = out if self.predicts == "image" else (z - sigma * out) / alpha
        image = image.clamp(-1, 1)
        return image, (z - alpha * image) / sigma

    def loss(
        self,
        images: Float[Tensor, "M B 3 S S"],
        prompt: Float[Tensor, "M B 11"],
        generator: torch.Generator,
    ) -> Float[Tensor, "M"]:
        """One number per member: the bound in bits per dimension, or the weighted error."""
        x = 2 * images - 1
        M, B = x.shape[:2]
        # antithetic times: one offset per member, evenly spread over the batch
        start = torch.rand(M, 1, generator=generator, device=x.device)
        time = (start + torch.arange(B, device=x.device) / B) % 1
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        gamma = self.gamma(time)
        alpha, sigma = split(gamma)
        out = self.net(alpha * x + sigma * noise, time, prompt)
        if self.predicts == "image":
            weight = torch.exp(-gamma).clamp(max=self.weight_cap)
            return (weight * (out - x).square().flatten(2).mean(-1)).mean(1)
        error = (out - noise).square().flatten(2).mean(-1).mean(1)
        return self._bound(x, error)

    def _bound(
        self, x: Float[Tensor, "M B 3 S S"], error: Float[Tensor, "M"]
    ) -> Float[Tensor, "M"]:
        """Diffusion term, prior divergence and reconstruction, in bits per dimension; `error` is
        the mean squared error of the noise over uniform times."""
        spread = (self.high - self.low) / 2 * error
        alpha2, sigma2 = torch.sigmoid(-self.high), torch.sigmoid(self.high)
        square = x.square().flatten(1).mean(1)
        prior = (alpha2 * square + sigma2 - torch.log(sigma2) - 1) / 2
        # mean of -log N(x; z_0 / alpha_0, sigma_0^2 / alpha_0^2), whose variance is exp(low)
        rebuilt = (math.log(2 * math.pi) + self.low + 1) / 2
        return (spread + prior + rebuilt) / math.log(2)


def split(gamma: Float[Tensor, "M T"]) -> tuple[Tensor, Tensor]:
    """alpha and sigma, with three axes added for images."""
    shaped = gamma[..., None, None, None]
    return torch.sigmoid(-shaped).sqrt(), torch.sigmoid(shaped).sqrt()


def starting_noise(
    seeds: Sequence[int], count: int, side: int, device: torch.device
) -> Float[Tensor, "M N 3 S S"]:
    """Noise that generation starts from: the same for members of one seed."""
    drawn = {s: torch.randn(count, 3, side, side, generator=seeded(s, 5)) for s in set(seeds)}
    return torch.stack([drawn[s] for s in seeds]).to(device)


def seeded(seed: int, purpose: int) -> torch.Generator:
    """A generator for one purpose of one seed; different purposes never share a stream."""
    return torch.Generator().manual_seed(1_000_003 * (purpose + 1) + seed)


@torch.no_grad()
def generate(
    model: Diffusion,
    prompt: Float[Tensor, "M P 11"],
    noise: Float[Tensor, "M N 3 S S"],
    steps: int,
    ancestral: torch.Generator | None = None,
) -> Float[Tensor, "M P N 3 S S"]:
    """Images in [0, 1]: N for every prompt, from the same noise for each; without guidance.

    Deterministic, or with fresh noise at every step given a generator. The last step takes the
    predicted image, so that the noise of `low` does not stay in it.
    """
    M, P = prompt.shape[:2]
    N = noise.shape[1]
    z = noise[:, None].expand(M, P, *noise.shape[1:]).flatten(1, 2)
    ends = torch.linspace(1, 0, steps + 1, device=noise.device)
    image = z
    for now, then in pairwise(ends):
        here = now.expand(M, 1)
        image, estimate = model.estimate(z, here, prompt)
        there = then.expand(M, 1)
        alpha, sigma = split(model.gamma(there))
        if ancestral is None:
            z = alpha * image + sigma * estimate
            continue
        # q(z_s | z_t, x): mean and variance of the exact posterior
        alpha_t, _ = split(model.gamma(here))
        kept = -torch.expm1(model.gamma(there) - model.gamma(here))[..., None, None, None]
        mean = alpha / alpha_t * (1 - kept) * z + alpha * kept * image
        fresh = torch.randn(z.shape, generator=ancestral, device=z.device)
        z = mean + sigma * kept.sqrt() * fresh
    return ((image + 1) / 2).view(M, P, N, *noise.shape[2:])
