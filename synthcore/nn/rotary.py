"""Rotary positions: pairs of features of queries and keys turn by an angle proportional to the
position.

The product of a query at t and a key at s then depends on t - s only. Source: Su et al. 2021
(arXiv:2104.09864), in the layout that pairs feature i with feature i + K / 2.

Axis letters: N members and batch, T time, H heads, K head width.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def rotary_tables(
    context: int, head_width: int, base: float = 10_000.0
) -> tuple[Float[Tensor, "T K"], Float[Tensor, "T K"]]:
    """Cosines and signed sines of position * base^(-2 i / K), for i < K / 2, each twice.

    The sines of the first half are negative, so that `rotate` needs no sign of its own.
    """
    rate = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angle = torch.arange(context, dtype=torch.float64)[:, None] * rate
    cos = torch.cat([angle.cos(), angle.cos()], -1)
    sin = torch.cat([-angle.sin(), angle.sin()], -1)
    return cos.float(), sin.float()


def rotate(
    x: Float[Tensor, "*N T H K"], cos: Float[Tensor, "T K"], sin: Float[Tensor, "T K"]
) -> Float[Tensor, "*N T H K"]:
    """Turn queries or keys by the angles of their T positions."""
    cos, sin = cos[:, None].to(x.dtype), sin[:, None].to(x.dtype)
    swapped = x.roll(x.shape[-1] // 2, -1)
    return torch.addcmul(x * cos, swapped, sin)
