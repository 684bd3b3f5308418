"""Transformers whose weights are written by a compiler, as a population that can be trained.

Blocks of one attention head and one ReLU MLP, without layer norm and without a causal mask.
Residual coordinates are named: a compiled network uses few of them, a trained one may use all. The
construction is Tracr's (Lindner et al. 2023, arXiv:2301.05062); logits are the coordinates of
`out`. The residual stream, what is written to it and the attention pattern have the hook names of
`synthcore.nn.gpt`; hidden units are `blocks.0.hook_post`.

Axis letters: M member, B batch, T positions (begin symbol and slots), L letters of a string, D
residual width, H hidden units, O outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from synthcore.nn.hooks import HookPoint
from synthcore.nn.population import Embedding, Linear


@dataclass(frozen=True)
class Subspaces:
    """Where each variable's one-hot code lies in the residual stream.

    >>> spaces = Subspaces({"token": 3, "out": 2})
    >>> spaces.width, spaces["out"]
    (5, slice(3, 5, None))
    """

    sizes: Mapping[str, int]

    @property
    def width(self) -> int:
        return sum(self.sizes.values())

    def __getitem__(self, name: str) -> slice:
        start = 0
        for other, size in self.sizes.items():
            if other == name:
                return slice(start, start + size)
            start += size
        raise KeyError(name)

    def at(self, name: str, value: int = 0) -> int:
        """Coordinate of one value of a variable; KeyError for an unknown variable."""
        return int(self[name].start) + value


@dataclass(frozen=True)
class Shape:
    """Sizes of a compiled network; `letters` are tokens 0, 1, ..., then come begin and padding.

    Args:
        spaces: coordinates of the variables; `out` holds the logits.
        letters: of the alphabet.
        slots: longest string, without the begin symbol.
        head: width of queries, keys and values.
        hidden: units of an MLP.
        depth: blocks.
    """

    spaces: Subspaces
    letters: int
    slots: int
    head: int
    hidden: int
    depth: int

    @property
    def begin(self) -> int:
        return self.letters

    @property
    def padding(self) -> int:
        return self.letters + 1

    def encode(self, strings: Int[Tensor, "*batch L"]) -> Int[Tensor, "*batch T"]:
        """Tokens: strings behind the begin symbol, padded to the network's slots.

        ValueError if a string is longer than the network, or holds a letter it does not know.
        """
        length = strings.shape[-1]
        if length > self.slots:
            raise ValueError(
                f"a string of {length} letters is longer than the {self.slots} slots of the network"
            )
        if strings.numel() and not 0 <= int(strings.min()) <= int(strings.max()) < self.letters:
            raise ValueError(f"letters must be numbers below {self.letters}")
        out = strings.new_full((*strings.shape[:-1], self.slots + 1), self.padding)
        out[..., 0] = self.begin
        out[..., 1 : length + 1] = strings
        return out


class Head(nn.Module):
    """One attention head of all members; padding is never looked at."""

    def __init__(self, shape: Shape, members: int) -> None:
        super().__init__()
        width = shape.spaces.width
        self.q, self.k, self.v = (Linear(members, width, shape.head) for _ in range(3))
        self.out = Linear(members, shape.head, width)
        self.hook_pattern = HookPoint()

    def forward(
        self, x: Float[Tensor, "M B T D"], padding: Bool[Tensor, "M B 1 T"]
    ) -> Float[Tensor, "M B T D"]:
        scores = self.q(x) @ self.k(x).transpose(-1, -2)
        pattern = self.hook_pattern(scores.masked_fill(padding, -torch.inf).softmax(-1))
        out: Tensor = self.out(pattern @ self.v(x))
        return out


class Block(nn.Module):
    """`x + head(x)`, then `x + mlp(x)`."""

    def __init__(self, shape: Shape, members: int) -> None:
        super().__init__()
        self.attn = Head(shape, members)
        self.up = Linear(members, shape.spaces.width, shape.hidden)
        self.down = Linear(members, shape.hidden, shape.spaces.width)
        self.hook_resid_pre, self.hook_attn_out = HookPoint(), HookPoint()
        self.hook_resid_mid, self.hook_mlp_out = HookPoint(), HookPoint()
        self.hook_post, self.hook_resid_post = HookPoint(), HookPoint()

    def forward(
        self, x: Float[Tensor, "M B T D"], padding: Bool[Tensor, "M B 1 T"]
    ) -> Float[Tensor, "M B T D"]:
        x = self.hook_resid_pre(x)
        x = self.hook_resid_mid(x + self.hook_attn_out(self.attn(x, padding)))
        hidden = self.hook_post(torch.relu(self.up(x)))  # (M, B, T, H)
        out: Tensor = self.hook_resid_post(x + self.hook_mlp_out(self.down(hidden)))
        return out


class CompiledTransformer(nn.Module):
    """`members` copies of one network of this shape; all weights are zero until written."""

    def __init__(self, shape: Shape, members: int) -> None:
        super().__init__()
        self.shape, self.members = shape, members
        self.embed = Embedding(members, shape.letters + 2, shape.spaces.width)
        self.pos_embed = nn.Parameter(torch.zeros(members, 1, shape.slots + 1, shape.spaces.width))
        blocks = nn.ModuleList(Block(shape, members) for _ in range(shape.depth))
        self.blocks = cast("list[Block]", blocks)

    @property
    def parameters_per_member(self) -> int:
        """Number of weights of one member, zeros included."""
        return sum(p.numel() for p in self.parameters()) // self.members

    def forward(self, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T O"]:
        """Logits at every position; `tokens` as `Shape.encode` gives them.

        Position 0 is the begin symbol: the output at letter i of a string stands at position i + 1.
        """
        padding = (tokens == self.shape.padding)[:, :, None]
        x = self.embed(tokens) + self.pos_embed
        for block in self.blocks:
            x = block(x, padding)
        return x[..., self.shape.spaces["out"]]


@torch.no_grad()
def copy_members(model: CompiledTransformer, which: Sequence[int]) -> CompiledTransformer:
    """A population of trainable copies of these members, in this order."""
    out = CompiledTransformer(model.shape, len(which)).to(model.pos_embed.device)
    for mine, theirs in zip(out.parameters(), model.parameters(), strict=True):
        mine.copy_(theirs[list(which)])
    return out


@torch.no_grad()
def perturb(model: nn.Module, std: float, seeds: Sequence[int]) -> None:
    """Add N(0, std^2) to every weight in place, from each member's own seed.

    Weights that are exactly zero get no gradient where two of them are multiplied.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for parameter in model.parameters():
        for own, generator in zip(parameter, generators, strict=True):
            own.add_(torch.randn(own.shape, generator=generator).to(own.device) * std)


def weights_in_use(model: CompiledTransformer) -> int:
    """How many weights of the first member are not zero."""
    return sum(int((parameter[0] != 0).sum()) for parameter in model.parameters())
