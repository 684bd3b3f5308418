"""Populations of Llama transformers: RMS norms, rotary positions, grouped queries, gated MLPs.

Every weight has a leading member axis; a pretrained model is a population of one. The names of
blocks, MLP matrices and activations are those of `synthcore.nn.gpt`, so that what reads or edits
one reads or edits the other. Source: Touvron et al. 2023 (arXiv:2302.13971); grouped queries:
Ainslie et al. 2023 (arXiv:2305.13245).

Axis letters: M member, B batch, T time, D width, H heads, G heads of keys and values, K head width,
V vocabulary.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import causal_pattern
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
        self.q = Linear(members, config.width, config.width, bias=False)
        self.k = Linear(members, config.width, narrow, bias=False)
        self.v = Linear(members, config.width, narrow, bias=False)
        self.out = Linear(members, config.width, config.width, bias=False)
        self.hook_q, self.hook_k, self.hook_v = HookPoint(), HookPoint(), HookPoint()
        self.hook_rot_q, self.hook_rot_k = HookPoint(), HookPoint()
        self.hook_pattern, self.hook_z = HookPoint(), HookPoint()

    def forward(
        self, x: Float[Tensor, "M B T D"], rotary: tuple[Tensor, Tensor]
    ) -> Float[Tensor, "M B T D"]:
        M, B, T, _ = x.shape

        def split(y: Tensor, heads: int) -> Tensor:
            return y.view(M, B, T, heads, self.head_width)

        q = self.hook_q(split(self.q(x), self.heads))  # (M, B, T, H, K)
        k = self.hook_k(split(self.k(x), self.key_heads))  # (M, B, T, G, K)
        v = self.hook_v(split(self.v(x), self.key_heads))
        q, k = self.hook_rot_q(rotate(q, *rotary)), self.hook_rot_k(rotate(k, *rotary))
        q, k, v = (part.flatten(0, 1).transpose(1, 2) for part in (q, k, v))  # (M B, heads, T, K)
        if self.hook_pattern.hooked:
            k, v = (part.repeat_interleave(self.heads // self.key_heads, 1) for part in (k, v))
            pattern = self.hook_pattern(causal_pattern(q, k).view(M, B, self.heads, T, T))
            z = pattern.flatten(0, 1) @ v
        else:
            z = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        head_outputs = self.hook_z(z.transpose(1, 2).reshape(M, B, T, self.heads, self.head_width))
        out: Tensor = self.out(head_outputs.flatten(3))
        return out


class GatedMLP(nn.Module):
    """`down(silu(gate(x)) * up(x))`."""

    def __init__(self, config: LlamaConfig, members: int) -> None:
        super().__init__()
        self.gate = Linear(members, config.width, config.hidden, bias=False)
        self.up = Linear(members, config.width, config.hidden, bias=False)
        self.down = Linear(members, config.hidden, config.width, bias=False)
        self.hook_pre, self.hook_pre_linear, self.hook_post = HookPoint(), HookPoint(), HookPoint()

    def forward(self, x: Float[Tensor, "M B T D"]) -> Float[Tensor, "M B T D"]:
        gate, up = self.hook_pre(self.gate(x)), self.hook_pre_linear(self.up(x))
        out: Tensor = self.down(self.hook_post(functional.silu(gate) * up))
        return out


class Block(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))`."""

    def __init__(self, config: LlamaConfig, members: int) -> None:
        super().__init__()
        self.hook_resid_pre = HookPoint()
        self.ln1 = RMSNorm(members, config.width, eps=config.eps)
        self.attn = Attention(config, members)
        self.hook_attn_out, self.hook_resid_mid = HookPoint(), HookPoint()
        self.ln2 = RMSNorm(members, config.width, eps=config.eps)
        self.mlp = GatedMLP(config, members)
        self.hook_mlp_out, self.hook_resid_post = HookPoint(), HookPoint()

    def forward(
        self, x: Float[Tensor, "M B T D"], rotary: tuple[Tensor, Tensor]
    ) -> Float[Tensor, "M B T D"]:
        x = self.hook_resid_pre(x)
        x = self.hook_resid_mid(x + self.hook_attn_out(self.attn(self.ln1(x), rotary)))
        out: Tensor = self.hook_resid_post(x + self.hook_mlp_out(self.mlp(self.ln2(x))))
        return out


class Llama(nn.Module):
    """Llama transformers whose weights are zero until a state dict is loaded."""

    def __init__(self, config: LlamaConfig, members: int = 1) -> None:
        super().__init__()
        self.config, self.members = config, members
        self.embed = Embedding(members, config.vocabulary, config.width)
        self.hook_embed = HookPoint()
        blocks = nn.ModuleList(Block(config, members) for _ in range(config.depth))
        self.blocks = cast("list[Block]", blocks)
        self.ln_final = RMSNorm(members, config.width, eps=config.eps)
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
        return self._rest(self.hook_embed(self.embed(tokens)), self.blocks)

    def resume(self, x: Float[Tensor, "M B T D"], after: int) -> Float[Tensor, "M B T V"]:
        """Logits from the residual stream as block `after` left it; -1: before the first block."""
        if not -1 <= after < len(self.blocks):
            raise ValueError(f"after must lie in -1..{len(self.blocks) - 1} (got {after})")
        return self._rest(x, self.blocks[after + 1 :])

    def _rest(
        self, x: Float[Tensor, "M B T D"], blocks: Iterable[Block]
    ) -> Float[Tensor, "M B T V"]:
        T = x.shape[2]
        rotary = (self.get_buffer("cos")[:T], self.get_buffer("sin")[:T])
        for block in blocks:
            x = block(x, rotary)
        final_norm = self.ln_final(x)
        M, B, _, D = x.shape
        logits = torch.bmm(final_norm.reshape(M, B * T, D), self.embed.weight.transpose(1, 2))
        return logits.view(M, B, T, -1)
