"""What is exactly known about strings, compiled networks and the grammar; float64 but for counts.

Axis letters: L letters of a string, N counts, S symbols.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.finetuning_wrappers.task.grammar import LETTERS, LEVELS, RULES


def count_of(strings: Int[Tensor, "*batch L"], letter: int) -> Int[Tensor, "*batch"]:
    """How often a letter occurs: the semantics of Counter at index 1."""
    return (strings == letter).sum(-1)


def order_statistic(strings: Int[Tensor, "*batch L"], order: int) -> Int[Tensor, "*batch"]:
    """The `order`-th letter in the alphabet: the semantics of Max-identifier at index 1."""
    return strings.sort(-1).values[..., order - 1]


def choose(n: int, k: int) -> int:
    """n over k; 0 unless 0 <= k <= n."""
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


# --- the grammar --------------------------------------------------------------------------------


def length_distribution(start: str = "s") -> Float[Tensor, "N"]:
    """P(a string from this symbol has n letters), n = 0, 1, ..., by dynamic programming.

    A right side's length is a sum of independent lengths; a symbol mixes its two right sides.

    >>> law = length_distribution()
    >>> n = torch.arange(len(law))
    >>> round(float((law * n).sum()), 1), int(n[law > 0].min()), int(n[law > 0].max())
    (275.6, 138, 432)
    """
    lengths = {letter: torch.tensor([0.0, 1.0], dtype=torch.double) for letter in LETTERS}
    for symbols in reversed(LEVELS[:-1]):
        for symbol in symbols:
            sides = []
            for right in RULES[symbol]:
                law = torch.ones(1, dtype=torch.double)
                for part in right:
                    law = _convolve(law, lengths[part])
                sides.append(law)
            size = max(len(side) for side in sides)
            padded = [torch.nn.functional.pad(side, (0, size - len(side))) for side in sides]
            lengths[symbol] = torch.stack(padded).mean(0)
    return lengths[start]


def expected_letters(start: str = "s") -> Float[Tensor, "3"]:
    """Expected number of each letter in a string from this symbol; equal, from the start symbol."""
    counts = {letter: torch.eye(3, dtype=torch.double)[i] for i, letter in enumerate(LETTERS)}
    for symbols in reversed(LEVELS[:-1]):
        for symbol in symbols:
            sides = [
                torch.stack([counts[part] for part in right]).sum(0) for right in RULES[symbol]
            ]
            counts[symbol] = torch.stack(sides).mean(0)
    return counts[start]


def _convolve(a: Float[Tensor, "S"], b: Float[Tensor, "S2"]) -> Float[Tensor, "S3"]:
    """Law of the sum of two independent numbers."""
    out = torch.zeros(len(a) + len(b) - 1, dtype=torch.double)
    for i, share in enumerate(a):
        out[i : i + len(b)] += share * b
    return out


def majority_accuracy(answers: Int[Tensor, "B"]) -> float:
    """Accuracy of the best constant answer."""
    return float(answers.unique(return_counts=True)[1].max()) / len(answers)
