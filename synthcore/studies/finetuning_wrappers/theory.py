"""What is exactly known about compiled networks and their strings. float64 where it is not counts.

Axis letters: L letters of a string, N counts.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def count_of(strings: Int[Tensor, "*batch L"], letter: int) -> Int[Tensor, "*batch"]:
    """How often a letter occurs: the semantics of Counter at index 1."""
    return (strings == letter).sum(-1)


def order_statistic(strings: Int[Tensor, "*batch L"], order: int) -> Int[Tensor, "*batch"]:
    """The `order`-th letter in the alphabet: the semantics of Max-identifier at index 1."""
    return strings.sort(-1).values[..., order - 1]


def choose(n: int, k: int) -> int:
    """n over k, 0 where it makes no sense."""
    return math.comb(n, k) if 0 <= k <= n else 0


def binomial_pmf(n: int, p: float) -> Float[Tensor, "N"]:
    """P(n_a = 0..n) among n i.i.d. letters of which each is `a` with probability p."""
    terms = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    return torch.tensor(terms, dtype=torch.double)


def counting_attention(length: int, letters: int) -> float:
    """E[n / (n + 1)]: attention that a counter's selector puts on the letters it counts, over
    i.i.d. uniform strings.

    Each selected letter gets 1 / (n + 1), as does the begin symbol. Closed form, with p = 1 /
    letters: 1 - (1 - (1 - p)^(L + 1)) / ((L + 1) p).
    """
    p = 1 / letters
    return 1 - (1 - (1 - p) ** (length + 1)) / ((length + 1) * p)


def compiled_loss(outputs: int) -> float:
    """Cross-entropy (nats) of a network whose logits are the one-hot code of the right answer:
    ln(1 + (K - 1) / e). It does not start near 0.

    >>> round(compiled_loss(49), 2)
    2.93
    """
    return math.log(1 + (outputs - 1) / math.e)
