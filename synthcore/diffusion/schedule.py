"""How much noise there is at a time: gamma(t), minus the log of the signal-to-noise ratio.

For t from 0 to 1 noise is added to data x: z_t = alpha x + sigma eps, where eps is standard normal,
alpha^2 = sigmoid(-gamma) and sigma^2 = sigmoid(gamma). So alpha^2 + sigma^2 = 1, and data of unit
variance keep it. Here gamma rises linearly from `low` to `high`, by default from -5 to 10 as in the
release of Park et al. (2406.19370): at t = 0 the noise has a standard deviation of .08, at t = 1
the data are scaled by .007. Source: Kingma et al. 2021 (2107.00630), equations 1 to 4.

A schedule is a module with parameters of its own for every member: they may be learned with the
network, by `losses.variational_bound`, whose weight is the slope.

Axis letters: M member, T times (1, or B), B batch.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

LOW, HIGH = -5.0, 10.0


class Schedule(nn.Module, ABC):
    """gamma(t) = low + (high - low) t. `start` are the ends before anything is learned.

    Raises ValueError unless there is a member and `low` is below `high`.
    """

    def __init__(self, members: int, low: float, high: float) -> None:
        super().__init__()
        if members < 1:
            raise ValueError(f"members must be at least 1 (got {members})")
        if not low < high:
            raise ValueError(f"low must be below high (got {low} and {high})")
        self.members, self.start = members, (low, high)

    @property
    @abstractmethod
    def ends(self) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"]]:
        """gamma at t = 0 and at t = 1."""

    def forward(self, time: Float[Tensor, "M T"]) -> Float[Tensor, "M T"]:
        """gamma at these times in [0, 1]; no unit, natural logarithm."""
        low, high = self.ends
        return low[:, None] + (high - low)[:, None] * time


class LinearSchedule(Schedule):
    """Fixed ends, or, if `learned`, two ends that are learned and that nothing keeps apart.

    >>> LinearSchedule(members=1)(torch.tensor([[0.0, 0.4, 1.0]]))
    tensor([[-5.,  1., 10.]])
    """

    def __init__(
        self, members: int, low: float = LOW, high: float = HIGH, learned: bool = False
    ) -> None:
        super().__init__(members, low, high)
        self.low = nn.Parameter(torch.full((members,), low), requires_grad=learned)
        self.high = nn.Parameter(torch.full((members,), high), requires_grad=learned)

    @property
    def ends(self) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"]]:
        """gamma at t = 0 and at t = 1."""
        return self.low, self.high


class LearnedLinearSchedule(Schedule):
    """gamma(t) = offset + |slope| t with offset and slope learned: it rises whatever they become.

    Source: the scalar schedule of Kingma et al. 2021 (2107.00630) in the authors' code, and the
    release of Park et al. (2406.19370).

    >>> schedule = LearnedLinearSchedule(members=1)
    >>> _ = schedule.slope.data.neg_()
    >>> [end.item() for end in schedule.ends]
    [-5.0, 10.0]
    """

    def __init__(self, members: int, low: float = LOW, high: float = HIGH) -> None:
        super().__init__(members, low, high)
        self.offset = nn.Parameter(torch.full((members,), low))
        self.slope = nn.Parameter(torch.full((members,), high - low))

    @property
    def ends(self) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"]]:
        """gamma at t = 0 and at t = 1."""
        return self.offset, self.offset + self.slope.abs()


def split(
    gamma: Float[Tensor, "M T"], z: Float[Tensor, "M B *data"]
) -> tuple[Float[Tensor, "M T *ones"], Float[Tensor, "M T *ones"]]:
    """alpha and sigma, with an axis of length 1 for every axis of the data, to multiply z with.

    >>> alpha, sigma = split(torch.zeros(1, 1), torch.ones(1, 6, 3, 8, 8))
    >>> alpha.shape, torch.allclose(alpha**2 + sigma**2, torch.ones(()))
    (torch.Size([1, 1, 1, 1, 1]), True)
    """
    shaped = gamma.view(*gamma.shape, *[1] * (z.ndim - 2))
    return torch.sigmoid(-shaped).sqrt(), torch.sigmoid(shaped).sqrt()
