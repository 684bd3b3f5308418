"""Populations of Llama transformers: RMS norms, rotary positions, grouped queries, gated MLPs.

Every weight has a leading member axis; a pretrained model is a population of one. The names of
blocks, MLP matrices and activations are those of `synthcore.nn.gpt`, so that what reads or edits
one reads or edits the other. Source: Touvron et al. 2023 (arXiv:2302.13971); grouped queries:
Ainslie et al. 2023 (arXiv:2305.13245).

Axis letters: M member, B batch, T time, D width, H heads, G heads of keys and values, K head width,
V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.hooks import HookPoint
from synthcore.nn.population import Embedding, Linear, RMSNorm
from synthcore.nn.rotary import rotary_tables, rotate


@dataclass(frozen=True)
class LlamaConfig:
    """Shape of one member. Output and input embeddings are one table."""

    vocabulary: int
    context: int
    width: int
    depth: int
    heads: int
    key_heads: int
    hidden: int
    base: float = 10_000.0
    eps: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("vocabulary", "context", "width", "depth", "heads", "key_heads", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")
        if self.width % self.heads or self.width // self.heads % 2:
            raise ValueError(
                f"width {self.width} must be an even number of features for each of "
                f"{self.heads} heads"
            )
        if self.heads % self.key_heads:
            raise ValueError(f"heads {self.heads} must be a multiple of key_heads {self.key_heads}")


class Attention(nn.Module):
    """Causal attention in which several heads of queries share keys and values."""

    def __init__(self, config: LlamaConfig, members: int) -> None:
        super().__init__()
        self.heads, self.key_heads = config.heads, config.key_heads
        self.head_width = config.width // config.heads
        narrow = self.key_heads * self.head_width
        self.query = Linear(members, config.width, config.width, bias=False)
        self.key = Linear(members, config.width, narrow, bias=False)
        self.value = Linear(members, config.width, narrow, bias=False)
        self.output = Linear(members, config.width, config.width, bias=False)

    def forward(
        self, x: Float[Tensor, "M B T D"], turn: tuple[Tensor, Tensor]
    ) -> Float[Tensor, "M B T D"]:
        M, B, T, D = x.shape

        def split(y: Tensor, heads: int) -> Tensor:
            return y.view(M * B, T, heads, self.head_width)

        q = rotate(split(self.query(x), self.heads), *turn)
        k = rotate(split(self.key(x), self.key_heads), *turn)
        v = split(self.value(x), self.key_heads)
        mixed = functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True, enable_gqa=True
        )
        out: Tensor = self.output(mixed.transpose(1, 2).reshape(M, B, T, D))
        return out


class GatedMLP(nn.Module):
    """`output(silu(gate(x)) * expand(x))`."""

    def __init__(self, config: LlamaConfig, members: int) -> None:
        super().__init__()
        self.gate = Linear(members, config.width, config.hidden, bias=False)
        self.expand = Linear(members, config.width, config.hidden, bias=False)
        self.output = Linear(members, config.hidden, config.width, bias=False)
        self.hidden = HookPoint()

    def forward(self, x: Float[Tensor, "M B T D"]) -> Float[Tensor, "M B T D"]:
        out: Tensor = self.output(self.hidden(functional.silu(self.gate(x)) * self.expand(x)))
        return out


class Block(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))`."""

    def __init__(self, config: LlamaConfig, members: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(members, config.width, eps=config.eps)
        self.attention = Attention(config, members)
        self.attention_out, self.residual_mid = HookPoint(), HookPoint()
        self.mlp_norm = RMSNorm(members, config.width, eps=config.eps)
        self.mlp = GatedMLP(config, members)
        self.mlp_out, self.residual = HookPoint(), HookPoint()

    def forward(
        self, x: Float[Tensor, "M B T D"], turn: tuple[Tensor, Tensor]
    ) -> Float[Tensor, "M B T D"]:
        x = self.residual_mid(x + self.attention_out(self.attention(self.attention_norm(x), turn)))
        out: Tensor = self.residual(x + self.mlp_out(self.mlp(self.mlp_norm(x))))
        return out


class Llama(nn.Module):
    """Llama transformers whose weights are zero until a state dict is loaded."""

    def __init__(self, config: LlamaConfig, members: int = 1) -> None:
        super().__init__()
        self.config, self.members = config, members
        self.embedding = Embedding(members, config.vocabulary, config.width)
        self.embedded = HookPoint()
        self.blocks: list[Block] = []
        for index in range(config.depth):
            block = Block(config, members)
            self.add_module(f"block{index}", block)
            self.blocks.append(block)
        self.norm = RMSNorm(members, config.width, eps=config.eps)
        self.normed = HookPoint()
        cos, sin = rotary_tables(config.context, config.width // config.heads, config.base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T V"]:
        """Logits of the next token after each of `tokens`."""
        if tokens.shape[0] != self.members:
            raise ValueError(f"tokens have {tokens.shape[0]} members, the model has {self.members}")
        if tokens.shape[2] > self.config.context:
            raise ValueError(
                f"{tokens.shape[2]} tokens exceed the context of {self.config.context}"
            )
        return self._rest(self.embedded(self.embedding(tokens)), self.blocks)

    def resume(self, x: Float[Tensor, "M B T D"], after: int) -> Float[Tensor, "M B T V"]:
        """Logits from the residual stream as block `after` left it; -1: before the first block."""
        if not -1 <= after < len(self.blocks):
            raise ValueError(f"after must lie in -1..{len(self.blocks) - 1} (got {after})")
        return self._rest(x, self.blocks[after + 1 :])

    def _rest(
        self, x: Float[Tensor, "M B T D"], blocks: Sequence[Block]
    ) -> Float[Tensor, "M B T V"]:
        T = x.shape[2]
        turn = (self.get_buffer("cos")[:T], self.get_buffer("sin")[:T])
        for block in blocks:
            x = block(x, turn)
        x = self.normed(self.norm(x))
        M, B, _, D = x.shape
        logits = torch.bmm(x.reshape(M, B * T, D), self.embedding.weight.transpose(1, 2))
        return logits.view(M, B, T, -1)
