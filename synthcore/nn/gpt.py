"""Populations of decoder-only transformers (pre-norm, GELU).

Every weight has a leading member axis, so that seeds and conditions train as one batched model; a
single model is a population of one. Source of layout and initialisation: GPT-2 (Radford et al.
2019): weights N(0, 0.02^2), projections into the residual stream N(0, (0.02 / sqrt(2 L))^2) for L
blocks. Rotary positions: Su et al. 2021, base 10000.

Axis letters: M member, B batch, T time, S time attended to, D width, H heads, K head width, V
vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.hooks import HookPoint
from synthcore.nn.population import Embedding, LayerNorm, Linear, RMSNorm, normal_
from synthcore.nn.rotary import rotary_tables, rotate


@dataclass(frozen=True)
class GPTConfig:
    """Shape of one member. `mlp_ratio` is hidden width / width; 0 leaves attention only.

    `initial_std` replaces the 0.02 of the initialisation; narrow models learn faster with about
    0.5 / sqrt(width).
    """

    vocabulary: int
    context: int
    width: int
    depth: int
    heads: int
    mlp_ratio: float = 4.0
    positions: Literal["rotary", "learned", "none"] = "rotary"
    tied: bool = True
    norm: Literal["layer", "rms"] = "layer"
    bias: bool = True
    initial_std: float = 0.02

    def __post_init__(self) -> None:
        for name in ("vocabulary", "context", "width", "depth", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be divisible by heads {self.heads}")
        if self.positions not in ("rotary", "learned", "none"):
            raise ValueError(f"positions must be rotary, learned or none (got {self.positions!r})")
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise ValueError(
                f"rotary positions need an even head width (got {self.width // self.heads})"
            )
        if self.norm not in ("layer", "rms"):
            raise ValueError(f"norm must be layer or rms (got {self.norm!r})")
        if self.initial_std <= 0:
            raise ValueError(f"initial_std must be positive (got {self.initial_std})")
        if self.mlp_ratio < 0:
            raise ValueError(f"mlp_ratio must be at least 0 (got {self.mlp_ratio})")

    @property
    def hidden(self) -> int:
        """Width of the hidden layer of an MLP; 0 means that blocks have none."""
        return round(self.mlp_ratio * self.width)


class Cache:
    """Keys and values of the tokens seen so far, so that generation pays for each token once.

    Starts empty; `GPT.forward(tokens, cache=cache)` appends `tokens` to what the cache holds.
    """

    def __init__(self, model: "GPT", batch: int) -> None:
        config, weight = model.config, model.embed.weight
        shape = (
            config.depth,
            2,
            model.members * batch,
            config.heads,
            config.context,
            config.width // config.heads,
        )
        self.store = torch.empty(shape, device=weight.device, dtype=weight.dtype)
        self.length = 0

    def extend(self, block: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append the new keys and values of a block; returns all of them so far."""
        end = self.length + key.shape[2]
        self.store[block, 0, :, :, self.length : end] = key
        self.store[block, 1, :, :, self.length : end] = value
        return self.store[block, 0, :, :, :end], self.store[block, 1, :, :, :end]


class Attention(nn.Module):
    """Causal self-attention of all members at once, over the folded axis N = M * B.

    Hooks see queries, keys and values before the rotation, those of rotary positions also after it.
    """

    def __init__(self, config: GPTConfig, members: int, block: int) -> None:
        super().__init__()
        self.heads, self.block = config.heads, block
        self.qkv = Linear(members, config.width, 3 * config.width, bias=config.bias)
        self.out = Linear(members, config.width, config.width, bias=config.bias)
        self.hook_q, self.hook_k, self.hook_v = HookPoint(), HookPoint(), HookPoint()
        if config.positions == "rotary":
            self.hook_rot_q, self.hook_rot_k = HookPoint(), HookPoint()
        self.hook_pattern, self.hook_z = HookPoint(), HookPoint()

    def forward(
        self,
        x: Float[Tensor, "M B T D"],
        rotary: tuple[Tensor, Tensor] | None,
        cache: Cache | None,
    ) -> Float[Tensor, "M B T D"]:
        M, B, T, D = x.shape
        q, k, v = self.qkv(x).view(M, B, T, 3, self.heads, D // self.heads).unbind(3)
        q, k, v = self.hook_q(q), self.hook_k(k), self.hook_v(v)  # (M, B, T, H, K) each
        if rotary is not None:
            q, k = self.hook_rot_q(rotate(q, *rotary)), self.hook_rot_k(rotate(k, *rotary))
        q, k, v = (part.flatten(0, 1).transpose(1, 2) for part in (q, k, v))  # (N, H, T, K)
        if cache is not None:
            k, v = cache.extend(self.block, k, v)
        S = k.shape[2]
        if self.hook_pattern.hooked:
            pattern = self.hook_pattern(causal_pattern(q, k).view(M, B, self.heads, T, S))
            z = pattern.view(M * B, self.heads, T, S) @ v
        elif T == S:
            z = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif T == 1:
            # One query sees all keys; plain products beat the fused CPU kernel.
            z = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v
        else:
            mask = _causal(T, S, x.device)
            z = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        head_outputs = self.hook_z(z.transpose(1, 2).reshape(M, B, T, self.heads, D // self.heads))
        out: Tensor = self.out(head_outputs.flatten(3))
        return out


def _causal(T: int, S: int, device: torch.device) -> Tensor:
    """Mask (T, S): query t is position S - T + t and sees what is not after it."""
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)


def causal_pattern(
    q: Float[Tensor, "N H T K"], k: Float[Tensor, "N H S K"]
) -> Float[Tensor, "N H T S"]:
    """Attention weights written out, for when someone looks at them."""
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    mask = _causal(q.shape[2], k.shape[2], q.device)
    return scores.masked_fill(~mask, -math.inf).softmax(-1)


class MLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, config: GPTConfig, members: int) -> None:
        super().__init__()
        self.up = Linear(members, config.width, config.hidden, bias=config.bias)
        self.down = Linear(members, config.hidden, config.width, bias=config.bias)
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(self, x: Float[Tensor, "M B T D"]) -> Float[Tensor, "M B T D"]:
        hidden = self.hook_post(functional.gelu(self.hook_pre(self.up(x))))
        out: Tensor = self.down(hidden)
        return out


class Block(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))` unless the model is attention only."""

    def __init__(self, config: GPTConfig, members: int, index: int) -> None:
        super().__init__()
        self.hook_resid_pre = HookPoint()
        self.ln1 = _norm(config, members)
        self.attn = Attention(config, members, index)
        self.hook_attn_out = HookPoint()
        self.ln2 = _norm(config, members) if config.hidden else None
        self.mlp = MLP(config, members) if config.hidden else None
        if config.hidden:
            self.hook_resid_mid, self.hook_mlp_out = HookPoint(), HookPoint()
        self.hook_resid_post = HookPoint()

    def forward(
        self,
        x: Float[Tensor, "M B T D"],
        rotary: tuple[Tensor, Tensor] | None,
        cache: Cache | None,
    ) -> Float[Tensor, "M B T D"]:
        x = self.hook_resid_pre(x)
        x = x + self.hook_attn_out(self.attn(self.ln1(x), rotary, cache))
        if self.mlp is not None and self.ln2 is not None:
            x = self.hook_resid_mid(x)
            x = x + self.hook_mlp_out(self.mlp(self.ln2(x)))
        out: Tensor = self.hook_resid_post(x)
        return out


def _norm(config: GPTConfig, members: int) -> LayerNorm | RMSNorm:
    if config.norm == "layer":
        return LayerNorm(members, config.width, bias=config.bias)
    return RMSNorm(members, config.width)


class GPT(nn.Module):
    """One decoder-only transformer per seed.

    A member's initial weights depend on the config and its own seed only, not on its place or its
    neighbours. Equal seeds are allowed (the same initial weights under several conditions).
    """

    def __init__(self, config: GPTConfig, seeds: Sequence[int]) -> None:
        super().__init__()
        if len(seeds) == 0:
            raise ValueError("a population needs at least one seed")
        members = len(seeds)
        self.config, self.seeds, self.members = config, tuple(int(seed) for seed in seeds), members
        self.embed = Embedding(members, config.vocabulary, config.width)
        self.hook_embed = HookPoint()
        self.pos_embed: nn.Parameter | None = None
        if config.positions == "learned":
            self.pos_embed = nn.Parameter(torch.zeros(members, 1, config.context, config.width))
            self.hook_pos_embed = HookPoint()
        blocks = nn.ModuleList(Block(config, members, index) for index in range(config.depth))
        self.blocks = cast("list[Block]", blocks)
        self.ln_final = _norm(config, members)
        self.unembed = (
            None if config.tied else Linear(members, config.width, config.vocabulary, bias=False)
        )
        if config.positions == "rotary":
            cos, sin = rotary_tables(config.context, config.width // config.heads)
            self.register_buffer("cos", cos, persistent=False)
            self.register_buffer("sin", sin, persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        normal_(self.embed.weight, self.config.initial_std, generators)
        if self.pos_embed is not None:
            normal_(self.pos_embed, self.config.initial_std, generators)
        residual = self.config.initial_std / math.sqrt(2 * self.config.depth)
        for block in self.blocks:
            normal_(block.attn.qkv.weight, self.config.initial_std, generators)
            normal_(block.attn.out.weight, residual, generators)
            if block.mlp is not None:
                normal_(block.mlp.up.weight, self.config.initial_std, generators)
                normal_(block.mlp.down.weight, residual, generators)
        if self.unembed is not None:
            normal_(self.unembed.weight, self.config.initial_std, generators)

    @property
    def parameters_per_member(self) -> int:
        """Number of trained numbers of one member (a tied table counts once)."""
        return sum(p.numel() for p in self.parameters()) // self.members

    def forward(
        self, tokens: Int[Tensor, "M B T"], *, cache: Cache | None = None
    ) -> Float[Tensor, "M B T V"]:
        """Logits of the next token after each of `tokens`.

        With a cache, `tokens` continue what the cache holds. `ValueError` if the tokens belong to
        another number of members or exceed the context.
        """
        start = 0 if cache is None else cache.length
        end = start + tokens.shape[2]
        if tokens.shape[0] != self.members:
            raise ValueError(f"tokens have {tokens.shape[0]} members, the model has {self.members}")
        if end > self.config.context:
            raise ValueError(
                f"{end} tokens exceed the context of {self.config.context}; "
                "shorten the sequences or raise GPTConfig.context"
            )
        x = self.hook_embed(self.embed(tokens))
        if self.pos_embed is not None:
            x = x + self.hook_pos_embed(self.pos_embed[:, :, start:end])
        rotary = self._rotary(start, end)
        for block in self.blocks:
            x = block(x, rotary, cache)
        if cache is not None:
            cache.length = end
        return self._unembedded(self.ln_final(x))

    def resume(self, x: Float[Tensor, "M B T D"], after: int) -> Float[Tensor, "M B T V"]:
        """Logits from the residual stream of whole sequences as block `after` left it.

        The same as `forward` from there on, hooks included:
        `model.resume(seen["blocks.0.hook_resid_post"], after=0)`. `after=-1` is the stream before
        the first block. ValueError for a block that the model does not have.
        """
        if not -1 <= after < len(self.blocks):
            raise ValueError(f"after must lie in -1..{len(self.blocks) - 1} (got {after})")
        rotary = self._rotary(0, x.shape[2])
        for block in self.blocks[after + 1 :]:
            x = block(x, rotary, None)
        return self._unembedded(self.ln_final(x))

    def _rotary(self, start: int, end: int) -> tuple[Tensor, Tensor] | None:
        """Cosines and sines of these positions, if positions are rotary."""
        if self.config.positions != "rotary":
            return None
        return self.get_buffer("cos")[start:end], self.get_buffer("sin")[start:end]

    def _unembedded(self, final_norm: Float[Tensor, "M B T D"]) -> Float[Tensor, "M B T V"]:
        """Logits, from a table of their own or the embedding's."""
        if self.unembed is not None:
            logits: Tensor = self.unembed(final_norm)
            return logits
        M, B, T, D = final_norm.shape
        tied = torch.bmm(final_norm.view(M, B * T, D), self.embed.weight.transpose(1, 2))
        return tied.view(M, B, T, -1)
