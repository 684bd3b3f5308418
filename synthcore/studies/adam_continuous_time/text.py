"""A stand-in for a corpus: symbols from an order-2 Markov source with Zipf frequencies.

Each symbol depends on the two before it. Its distribution is a softmax of the logarithm of its
Zipf(1.1) weight plus Gaussian scores of the pairs (previous, next) and (one before, next). The last
five symbols have a weight of 1e-4 only: rare tokens give intermittent gradients. The best
achievable loss, the entropy rate, is known.

Axis letters: K symbols, T time, B parallel chains.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int
from torch import Tensor

SYMBOLS = 65
RARE, RARE_WEIGHT = 5, 1e-4
ZIPF = 1.1


@dataclass(frozen=True)
class Source:
    """`table[a, b, c]` is P(next is c | the last two were a, b)."""

    table: npt.NDArray[np.float64]

    @classmethod
    def draw(cls, seed: int, symbols: int = SYMBOLS) -> "Source":
        """A source of its own for every seed.

        >>> bool(np.allclose(Source.draw(0, 8).table.sum(-1), 1))
        True
        """
        random = np.random.default_rng([seed, 3])
        weight = np.arange(1, symbols + 1) ** -ZIPF
        weight /= weight.sum()
        weight[symbols - min(RARE, symbols // 2) :] = RARE_WEIGHT
        near = 1.5 * random.standard_normal((symbols, symbols))
        far = 1.0 * random.standard_normal((symbols, symbols))
        scores = np.log(weight) + near[None, :, :] + far[:, None, :]
        exp = np.exp(scores - scores.max(-1, keepdims=True))
        return cls(exp / exp.sum(-1, keepdims=True))

    def sample(self, length: int, seed: int, chains: int = 1000) -> Int[Tensor, "T"]:
        """A text of `length` symbols, from `chains` walks laid end to end."""
        random = np.random.default_rng([seed, 4])
        cumulative = self.table.cumsum(-1)
        last = self.table.shape[0] - 1
        a, b = random.integers(last + 1, size=(2, min(chains, length)))
        steps, burn = -(-length // len(a)), 20
        out = np.empty((len(a), steps), dtype=np.int64)
        for t in range(burn + steps):
            u = random.random(len(a))
            c = np.minimum((cumulative[a, b] < u[:, None]).sum(-1), last)
            a, b = b, c
            if t >= burn:
                out[:, t - burn] = c
        return torch.from_numpy(out.ravel()[:length])

    def pair_frequencies(self, iterations: int = 200) -> npt.NDArray[np.float64]:
        """Stationary P(last two are a, b), (K, K), by power iteration."""
        k = self.table.shape[0]
        p = np.full((k, k), 1 / k**2)
        for _ in range(iterations):
            p = np.einsum("ab,abc->bc", p, self.table)
        return p

    def floor(self) -> float:
        """Entropy rate in nats: no model has a lower expected loss."""
        entropy = -(self.table * np.log(np.maximum(self.table, 1e-300))).sum(-1)
        return float((self.pair_frequencies() * entropy).sum())
