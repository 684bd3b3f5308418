"""GPT in plain PyTorch: one network, written to be read.

`synthcore.nn.gpt` computes the same for many networks at once; tests hold it against this file, and
this file against GPT-2 of `transformers`. Source: Radford et al. 2019; rotary: Su et al. 2021.

Letters: B batch, T time, D width, H heads, K = D / H width of a head, V vocabulary.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


def rotate(x: Float[Tensor, "B H T K"]) -> Float[Tensor, "B H T K"]:
    """Turn features i and i + K / 2 at position t, as a pair, by the angle t 10000^(-2 i / K)."""
    T, K = x.shape[-2:]
    rate = 10_000 ** (-torch.arange(0, K, 2, dtype=torch.float64) / K)
    angle = torch.arange(T)[:, None] * rate  # (T, K / 2)
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Block(nn.Module):
    """Attention, then an MLP of 4 D units: both read the normalised stream x and add to it."""

    def __init__(self, width: int, heads: int, rotary: bool, bias: bool) -> None:
        super().__init__()
        self.heads, self.rotary = heads, rotary
        self.ln1 = nn.LayerNorm(width, bias=bias)
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)
        self.ln2 = nn.LayerNorm(width, bias=bias)
        self.up = nn.Linear(width, 4 * width, bias=bias)
        self.down = nn.Linear(4 * width, width, bias=bias)

    def attention(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        B, T, D = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.heads, D // self.heads)  # (B, T, 3, H, K)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, T, K) each
        if self.rotary:
            q, k = rotate(q), rotate(k)
        scores = q @ k.mT / math.sqrt(D // self.heads)  # (B, H, T, T), queries by keys
        future = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
        pattern = scores.masked_fill(future, -math.inf).softmax(-1)
        z = (pattern @ v).transpose(1, 2).reshape(B, T, D)  # heads side by side
        out: Tensor = self.out(z)
        return out

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        x = x + self.attention(self.ln1(x))
        hidden = functional.gelu(self.up(self.ln2(x)))  # (B, T, 4 D)
        return x + self.down(hidden)


class GPT(nn.Module):
    """Positions are rotary, or learned vectors; with `tied`, input and output share one table."""

    def __init__(
        self, vocabulary: int, context: int, width: int, depth: int, heads: int,
        *, rotary: bool = True, tied: bool = True, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.pos_embed = None if rotary else nn.Parameter(torch.zeros(context, width))
        self.blocks = nn.Sequential(*[Block(width, heads, rotary, bias) for _ in range(depth)])
        self.ln_final = nn.LayerNorm(width, bias=bias)
        self.unembed = nn.Linear(width, vocabulary, bias=False)
        if tied:
            self.unembed.weight = self.embed.weight
        for name, weight in self.named_parameters():
            into_stream = name.endswith(("out.weight", "down.weight"))
            if weight.ndim > 1:  # gains stay 1
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * depth if into_stream else 1))
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        x = self.embed(tokens)  # (B, T, D)
        if self.pos_embed is not None:
            x = x + self.pos_embed[: tokens.shape[1]]
        logits: Tensor = self.unembed(self.ln_final(self.blocks(x)))  # (B, T, V)
        return logits
