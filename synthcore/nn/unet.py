"""Populations of U-Nets, told a time and a condition in every residual block.

The members of a population lie side by side in the channels, and every convolution has one group
per member: what would be M small convolutions is one call. Source of the architecture: Ho et al.
(2006.11239), with the condition entering as in the official code of Park et al. (2406.19370): in
each block the raw vector passes a two-layer perceptron of the block's own and is added to the
features, and so is the time.

Axis letters: M member, B batch, P conditions and T times (each divides B), D numbers told by a
condition, C channels, I inputs, O outputs, H height and width, F features of the time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.conditioned import FREQUENCIES, Conditioning, repeated, sinusoids, start_uniform
from synthcore.nn.hooks import HookPoint
from synthcore.nn.mlp import uniform_

Images = Float[Tensor, "M B C H H"]


@dataclass(frozen=True)
class UNetConfig:
    """Shape of one member.

    One entry of `widths` per resolution, halved from each to the next; `blocks` residual blocks at
    each. With `condition` 0 the network is told nothing, not even the time. Self-attention with
    `heads` heads stands at the lowest resolution if `attention`.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    blocks: int = 2
    condition: int = 11
    channels: int = 3
    outputs: int = 3
    groups: int = 8
    heads: int = 4
    attention: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.widths:
            raise ValueError("widths must name at least one resolution")
        for width in self.widths:
            if width % self.groups or (self.attention and width % self.heads):
                raise ValueError(
                    f"every width must be a multiple of {self.groups} groups and {self.heads} "
                    f"heads (got {self.widths})"
                )
        if self.blocks < 1:
            raise ValueError(f"blocks must be at least 1 (got {self.blocks})")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1) (got {self.dropout})")


class Convolution(nn.Module):
    """One convolution per member, same size; `size` 1 or 3."""

    def __init__(self, members: int, inputs: int, outputs: int, size: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(members, outputs))
        self.zero = False

    def forward(self, x: Float[Tensor, "M B I H H"]) -> Float[Tensor, "M B O H H"]:
        members, outputs, inputs, size, _ = self.weight.shape
        side = x.transpose(0, 1).flatten(1, 2)
        y = functional.conv2d(
            side,
            self.weight.view(members * outputs, inputs, size, size),
            self.bias.view(-1),
            padding=size // 2,
            groups=members,
        )
        return y.unflatten(1, (members, outputs)).transpose(0, 1)


class GroupNorm(nn.Module):
    """Group normalisation with per-member gain and shift."""

    def __init__(self, members: int, channels: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.ones(members, channels))
        self.bias = nn.Parameter(torch.zeros(members, channels))

    def forward(self, x: Images) -> Images:
        members, _, channels = x.shape[:3]
        side = x.transpose(0, 1).flatten(1, 2)
        y = functional.group_norm(
            side, members * self.groups, self.weight.view(-1), self.bias.view(-1)
        )
        return y.unflatten(1, (members, channels)).transpose(0, 1)


class ResidualBlock(nn.Module):
    """Two convolutions; time and condition are added between them; the last starts at zero."""

    def __init__(self, config: UNetConfig, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.told = config.condition > 0
        self.first_norm = GroupNorm(members, inputs, config.groups)
        self.first = Convolution(members, inputs, outputs)
        self.second_norm = GroupNorm(members, outputs, config.groups)
        self.second = Convolution(members, outputs, outputs)
        self.second.zero = True
        self.skip = Convolution(members, inputs, outputs, 1) if inputs != outputs else None
        self.dropout = nn.Dropout(config.dropout)
        if self.told:
            self.time = Conditioning(members, 2 * FREQUENCIES, outputs)
            self.conditioning = Conditioning(members, config.condition, outputs)
        self.hook_condition = HookPoint()

    def forward(
        self, x: Images, waves: Float[Tensor, "M T F"] | None, told: Float[Tensor, "M P D"] | None
    ) -> Float[Tensor, "M B O H H"]:
        h = self.first(functional.gelu(self.first_norm(x)))
        if self.told and waves is not None and told is not None:
            embedded = self.hook_condition(self.conditioning(told))
            batch = x.shape[1]
            shift = repeated(embedded, batch) + repeated(self.time(waves), batch)
            h = h + shift[..., None, None]
        h = self.second(self.dropout(functional.gelu(self.second_norm(h))))
        return h + (x if self.skip is None else self.skip(x))


class Attention(nn.Module):
    """Self-attention over all pixels; its output starts at zero."""

    def __init__(self, config: UNetConfig, members: int, channels: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = GroupNorm(members, channels, config.groups)
        self.enter = Convolution(members, channels, 3 * channels, 1)
        self.leave = Convolution(members, channels, channels, 1)
        self.leave.zero = True

    def forward(self, x: Images) -> Images:
        M, B, C, H, _ = x.shape
        qkv = self.enter(self.norm(x)).reshape(M * B, 3, self.heads, C // self.heads, H * H)
        q, k, v = qkv.transpose(-1, -2).unbind(1)
        head_outputs = functional.scaled_dot_product_attention(q, k, v)
        return x + self.leave(head_outputs.transpose(-1, -2).reshape(M, B, C, H, H))


class UNet(nn.Module):
    """One member per entry of `seeds`; members of equal seed start equal.

    `model(z, time, condition)` is z plus what the network adds, which is zero at first. Images must
    be divisible by 2 as often as there are steps down (ValueError).

    >>> model = UNet(UNetConfig(widths=(8, 16), blocks=1, condition=2), seeds=[0, 1])
    >>> z = torch.rand(2, 4, 3, 8, 8)
    >>> torch.equal(model(z, torch.zeros(2, 1), torch.ones(2, 2, 2)), z)
    True
    """

    def __init__(self, config: UNetConfig, seeds: Sequence[int]) -> None:
        super().__init__()
        if not seeds:
            raise ValueError("a population needs at least one seed")
        self.config, self.members = config, len(seeds)
        M, widths = self.members, config.widths
        self.enter = Convolution(M, config.channels, widths[0])
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for level in widths:
            for _ in range(config.blocks):
                self.down.append(ResidualBlock(config, M, width, level))
                width = level
                skips.append(width)
        self.middle = nn.ModuleList([ResidualBlock(config, M, width, width) for _ in range(2)])
        self.attention = Attention(config, M, width) if config.attention else None
        for level in reversed(widths):
            for _ in range(config.blocks):
                self.up.append(ResidualBlock(config, M, width + skips.pop(), level))
                width = level
        self.norm = GroupNorm(M, width, config.groups)
        self.leave = Convolution(M, width, config.outputs)
        self.leave.zero = config.outputs == config.channels
        start_uniform(self, seeds)
        generators = [torch.Generator().manual_seed(seed + 1) for seed in seeds]
        for module in self.modules():
            if isinstance(module, Convolution) and not module.zero:
                _, _, inputs, size, _ = module.weight.shape
                for parameter in module.parameters():
                    uniform_(parameter, 1 / math.sqrt(inputs * size**2), generators)

    def features(
        self,
        z: Images,
        time: Float[Tensor, "M T"] | None = None,
        condition: Float[Tensor, "M P D"] | None = None,
    ) -> Float[Tensor, "M B O H H"]:
        """The output of the last convolution."""
        halvings = len(self.config.widths) - 1
        if z.shape[-1] % 2**halvings:
            raise ValueError(f"a side of {z.shape[-1]} pixels cannot be halved {halvings} times")
        waves = None if time is None else sinusoids(time)
        h = self.enter(z)
        kept, blocks = [h], self.config.blocks
        for index, block in enumerate(self.down):
            if index and index % blocks == 0:
                h = functional.avg_pool2d(h.flatten(0, 1), 2).unflatten(0, z.shape[:2])
            h = block(h, waves, condition)
            kept.append(h)
        h = self.middle[0](h, waves, condition)
        if self.attention is not None:
            h = self.attention(h)
        h = self.middle[1](h, waves, condition)
        for index, block in enumerate(self.up):
            if index and index % blocks == 0:
                h = h.repeat_interleave(2, -1).repeat_interleave(2, -2)
            h = block(torch.cat([h, kept.pop()], 2), waves, condition)
        out: Tensor = self.leave(functional.gelu(self.norm(h)))
        return out

    def forward(
        self, z: Images, time: Float[Tensor, "M T"], condition: Float[Tensor, "M P D"]
    ) -> Images:
        return z + self.features(z, time, condition)
