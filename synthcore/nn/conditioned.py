"""Networks told a time and a condition: what denoisers of diffusion models have in common, and the
smallest such network.

Every block has an embedding of the condition (`blocks.<i>.hook_condition`): a two-layer perceptron
of its own on the raw vector, unless another `Way` is asked for; and one of the time. A condition
may hold for a run of consecutive images: one vector per `B // P` images is embedded once and
repeated.

Axis letters: M member, B batch, P conditions and T times (each divides B), D data, C condition, W
width, F features of the time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.hooks import HookPoint
from synthcore.nn.mlp import uniform_
from synthcore.nn.population import Linear

FREQUENCIES = 32

Way = Literal["own", "linear", "shared", "shared from zero"]
"""How a block is told: by a perceptron of its own; by a linear map of its own; by a linear map of
an embedding that one perceptron makes for all blocks; the same with linear maps that start at
zero."""


def sinusoids(time: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 64"]:
    """Sines and cosines of 32 frequencies of a time in [0, 1], from 1 to 1000 radians.

    >>> sinusoids(torch.zeros(2)).sum(-1)
    tensor([32., 32.])
    """
    rate = torch.logspace(0, 3, FREQUENCIES, device=time.device, dtype=time.dtype)
    angle = time[..., None] * rate
    return torch.cat([angle.sin(), angle.cos()], -1)


def repeated(values: Float[Tensor, "M P *rest"], batch: int) -> Float[Tensor, "M B *rest"]:
    """Every entry for its run of consecutive images; ValueError unless P divides B."""
    count = values.shape[1]
    if batch % count:
        raise ValueError(f"{count} conditions do not divide a batch of {batch}")
    if count == 1 or count == batch:
        return values  # broadcasts, or fits
    return values.repeat_interleave(batch // count, 1)


class Conditioning(nn.Module):
    """Linear, GELU, Linear, GELU on a vector: one block's embedding of what it is told."""

    def __init__(self, members: int, inputs: int, width: int) -> None:
        super().__init__()
        self.first = Linear(members, inputs, width)
        self.second = Linear(members, width, width)

    def forward(self, told: Float[Tensor, "M P C"]) -> Float[Tensor, "M P W"]:
        return functional.gelu(self.second(functional.gelu(self.first(told))))


@dataclass(frozen=True)
class ConditionedMLPConfig:
    """Shape of one member: `depth` residual layers of `width` units on `data` numbers."""

    data: int
    condition: int
    width: int = 192
    depth: int = 3
    way: Way = "own"
    centre: tuple[float, ...] = ()
    """what is subtracted from the condition; nothing if empty"""

    def __post_init__(self) -> None:
        for name in ("data", "condition", "width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")
        if len(self.centre) not in (0, self.condition):
            raise ValueError(f"centre must have {self.condition} numbers (got {len(self.centre)})")


class Block(nn.Module):
    """h + relu(W h + b + embedding of the condition + embedding of the time)."""

    def __init__(self, config: ConditionedMLPConfig, members: int) -> None:
        super().__init__()
        self.mix = Linear(members, config.width, config.width)
        told = config.width if config.way.startswith("shared") else config.condition
        encoder = Conditioning if config.way == "own" else Linear
        self.conditioning = encoder(members, told, config.width)
        self.time = Linear(members, 2 * FREQUENCIES, config.width)
        self.hook_condition = HookPoint()

    def forward(
        self, h: Float[Tensor, "M B W"], time: Float[Tensor, "M T F"], told: Float[Tensor, "M P C"]
    ) -> Float[Tensor, "M B W"]:
        batch = h.shape[1]
        embedded = self.hook_condition(self.conditioning(told))
        shift = repeated(embedded, batch) + repeated(self.time(time), batch)
        return h + torch.relu(self.mix(h) + shift)


class ConditionedMLP(nn.Module):
    """A denoiser for small images: one member per entry of `seeds`.

    `model(z, time, condition)` has the shape of `z`, whose axes behind member and batch are
    flattened; `time` in [0, 1] and `condition` hold for runs of consecutive images.

    >>> model = ConditionedMLP(ConditionedMLPConfig(data=12, condition=2, width=8), seeds=[0, 0])
    >>> z = torch.ones(2, 6, 3, 2, 2)
    >>> y = model(z, torch.zeros(2, 1), torch.ones(2, 3, 2))
    >>> y.shape, torch.equal(y[0], y[1])
    (torch.Size([2, 6, 3, 2, 2]), True)
    """

    centre: Tensor

    def __init__(self, config: ConditionedMLPConfig, seeds: Sequence[int]) -> None:
        super().__init__()
        if not seeds:
            raise ValueError("a population needs at least one seed")
        self.config, self.members = config, len(seeds)
        self.enter = Linear(self.members, config.data, config.width)
        self.blocks = nn.ModuleList(Block(config, self.members) for _ in range(config.depth))
        self.leave = Linear(self.members, config.width, config.data)
        self.shared = (
            Conditioning(self.members, config.condition, config.width)
            if config.way.startswith("shared")
            else nn.Identity()
        )
        self.register_buffer("centre", torch.tensor(config.centre or 0.0), persistent=False)
        start_uniform(self, seeds)
        if config.way == "shared from zero":
            for block in self.blocks:
                for parameter in block.get_submodule("conditioning").parameters():
                    nn.init.zeros_(parameter)

    def forward(
        self,
        z: Float[Tensor, "M B *data"],
        time: Float[Tensor, "M T"],
        condition: Float[Tensor, "M P C"],
    ) -> Float[Tensor, "M B *data"]:
        h = self.enter(z.flatten(2))
        waves, told = sinusoids(time), self.shared(condition - self.centre)
        for block in self.blocks:
            h = block(h, waves, told)
        return self.leave(h).view(z.shape)


def start_uniform(model: nn.Module, seeds: Sequence[int]) -> None:
    """Every `Linear` of the model as PyTorch would start it: uniform within 1 / sqrt(fan-in), from
    each member's own generator."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for module in model.modules():
        if isinstance(module, Linear):
            bound = 1 / math.sqrt(module.weight.shape[1])
            for parameter in module.parameters():
                uniform_(parameter, bound, generators)
