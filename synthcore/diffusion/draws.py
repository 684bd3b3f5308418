"""Random numbers for populations: from one stream for all members, or a stream for each.

Axis letters: M member.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Draws = torch.Generator | Sequence[torch.Generator]
"""One generator for the whole population: a member's numbers depend on how many there are. Or one
per member, on the device of the data: they depend on nothing but that member's generator."""


def normal(shape: Sequence[int], draws: Draws, like: Tensor) -> Float[Tensor, "M *rest"]:
    """Standard normal numbers with the dtype and device of `like`; the first axis is members.

    >>> own = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    >>> both = normal((2, 3), own, torch.empty(0))
    >>> alone = normal((1, 3), [torch.Generator().manual_seed(1)], torch.empty(0))
    >>> torch.equal(both[1:], alone)
    True
    """
    return _drawn(torch.randn, shape, draws, like)


def uniform(shape: Sequence[int], draws: Draws, like: Tensor) -> Float[Tensor, "M *rest"]:
    """The same, uniform in [0, 1)."""
    return _drawn(torch.rand, shape, draws, like)


def _drawn(draw: Callable[..., Tensor], shape: Sequence[int], draws: Draws, like: Tensor) -> Tensor:
    kind = {"dtype": like.dtype, "device": like.device}
    if isinstance(draws, torch.Generator):
        return draw(*shape, generator=draws, **kind)
    if len(draws) != shape[0]:
        raise ValueError(f"generators must be one per member, {shape[0]} (got {len(draws)})")
    return torch.stack([draw(*shape[1:], generator=own, **kind) for own in draws])
