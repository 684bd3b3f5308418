"""A denoiser: a network, what it predicts, and its noise schedule. For populations and for one.

A network is any callable `net(z, time)` or, with a condition, `net(z, time, condition)`, which
returns the shape of z: a population (`nn.unet`, `nn.conditioned`), a function of one's own, or
`Single(network)` for an ordinary network that knows of no members.

Axis letters: M member, B batch, T times (1, or B), P conditions (divides B: each holds for a run of
consecutive examples), C numbers of a condition.
"""

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from synthcore.diffusion.predictions import Predicts, require_one_of, to_image, to_noise
from synthcore.diffusion.schedule import Schedule, split

Net = Callable[..., Tensor]
TimeInput = Literal["time", "gamma"]


class Diffusion(nn.Module):
    """A network with its noise schedule.

    `within` are the bounds to which predicted data are clipped while sampling, none by default.
    `time_input` is what the network reads as its time: t itself, or gamma on a scale on which the
    ends that the schedule started from are 0 and 1. These are the same until a schedule is learned;
    the release of Park et al. (2406.19370) takes gamma.

    Raises ValueError for a prediction or a `time_input` of another kind.
    """

    def __init__(
        self,
        net: Net,
        schedule: Schedule,
        predicts: Predicts = "noise",
        within: tuple[float, float] | None = None,
        time_input: TimeInput = "time",
    ) -> None:
        super().__init__()
        require_one_of("predicts", predicts, Predicts)
        require_one_of("time_input", time_input, TimeInput)
        self.schedule = schedule
        self.net = net
        self.predicts, self.within, self.time_input = predicts, within, time_input

    @property
    def members(self) -> int:
        """How many networks there are."""
        return self.schedule.members

    def forward(
        self,
        z: Float[Tensor, "M B *data"],
        time: Float[Tensor, "M T"],
        condition: Float[Tensor, "M P C"] | None = None,
    ) -> Float[Tensor, "M B *data"]:
        """The network's prediction, of the kind `predicts`."""
        if self.time_input == "gamma":
            low, high = self.schedule.start
            time = (self.schedule(time) - low) / (high - low)
        return self.net(z, time) if condition is None else self.net(z, time, condition)

    def estimate(
        self,
        z: Float[Tensor, "M B *data"],
        time: Float[Tensor, "M T"],
        condition: Float[Tensor, "M P C"] | None = None,
    ) -> tuple[Float[Tensor, "M B *data"], Float[Tensor, "M B *data"]]:
        """The predicted data, clipped, and the noise that goes with them."""
        alpha, sigma = split(self.schedule(time), z)
        out = self(z, time, condition)
        image = to_image(out, self.predicts, z, alpha, sigma)
        if self.within is None:
            return image, to_noise(out, self.predicts, z, alpha, sigma)
        image = image.clamp(*self.within)
        return image, to_noise(image, "image", z, alpha, sigma)


class Single(nn.Module):
    """An ordinary network as a population of one.

    The network is called with z (B, ...), times (B,) and, if there is one, a condition (B, C).
    ValueError if it is asked for more than one member.

    >>> import torch
    >>> network = Single(lambda z, time: z * time[:, None])
    >>> network(torch.ones(1, 2, 3), torch.tensor([[0.25]]))[0, :, 0]
    tensor([0.2500, 0.2500])
    """

    def __init__(self, network: Net) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        z: Float[Tensor, "M B *data"],
        time: Float[Tensor, "M T"],
        condition: Float[Tensor, "M P C"] | None = None,
    ) -> Float[Tensor, "M B *data"]:
        if z.shape[0] != 1:
            raise ValueError(f"an ordinary network is one member (got {z.shape[0]})")
        batch = z.shape[1]
        inputs = [time[0].expand(batch)]
        if condition is not None:
            inputs.append(condition[0].repeat_interleave(batch // condition.shape[1], 0))
        return self.network(z[0], *inputs)[None]
