"""What drives the optimiser: streams of gradients that need no network, toy losses, images, texts.

Everything random is drawn from streams that a key names: (seed, use, draw). Two keys share nothing
but the digits themselves, of which there is one set: a key draws which of them train and test.

Axis letters: N step or image, P point (beta, gamma), D coordinate, T time, K symbols.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from sklearn import datasets
from torch import Tensor

from synthcore.studies.adam_continuous_time.theory import bounds
from synthcore.training.seeding import seeded

Array = npt.NDArray[np.float64]
Kind = Literal["dense", "worst case", "dying", "decaying", "sparse", "correlated"]
ImageSet = Literal["digits", "textures"]
Key = tuple[int, str, int]  # seed, use, draw
DYING_AT = 20
CORRELATION = 0.95


# --- streams --------------------------------------------------------------------------------------


def stream(
    kind: Kind, steps: int, size: int, seed: int, beta: Array, gamma: Array, value: float = 0.0
) -> tuple[Array, Array]:
    """Gradients (N, 1, D or 1), and by how much their logarithm grows per step besides, (P or 1,).

    - dense: i.i.d. N(0, 1);
    - worst case: grow so that they attain the exact bound of each point;
    - dying: N(0, 1) for 20 steps, then exactly 0;
    - decaying: e^(-value n);
    - sparse: N(0, 1) with probability `value`, else 0;
    - correlated: AR(1) with correlation 0.95 and unit variance.

    A dying coordinate has no gradient after step 20:

    >>> g, _ = stream("dying", 30, 4, 0, np.array([0.9]), np.array([0.99]))
    >>> (g[:20] != 0).all(), (g[20:] == 0).all()
    (np.True_, np.True_)
    """
    if kind == "worst case":
        return np.ones((steps, 1, 1)), bounds.worst_growth(beta, gamma)
    if kind == "decaying":
        return np.ones((steps, 1, 1)), np.array([-value])
    generator = seeded(seed, "stream", kind, round(1000 * value))
    drawn = torch.randn(steps, 1, size, generator=generator, dtype=torch.float64)
    if kind == "dying":
        drawn[DYING_AT:] = 0
    elif kind == "sparse":
        drawn *= torch.rand(drawn.shape, generator=generator) < value
    elif kind == "correlated":
        for n in range(1, steps):
            drawn[n] = CORRELATION * drawn[n - 1] + (1 - CORRELATION**2) ** 0.5 * drawn[n]
    return drawn.numpy(), np.zeros(1)


# --- toy losses -----------------------------------------------------------------------------------

CURVATURE = np.array([1.0, 0.3, 3.0])


def toy_gradient(x: Array) -> Array:
    """Gradient of the smooth loss sum_i (H_i x_i^2 / 2 - 0.15 cos(2 x_i)), H = (1, .3, 3)."""
    return np.asarray(CURVATURE * x + 0.3 * np.sin(2 * x))


def toy_start(seed: int) -> Array:
    """Three coordinates at a distance of 1 to 2 from the minimum, on either side of it, so far that
    no path of length 1 ends there."""
    drawn = torch.rand(2, 3, generator=seeded(seed, "toy start"), dtype=torch.float64).numpy()
    return np.asarray((1 + drawn[0]) * np.where(drawn[1] < 0.5, -1, 1))


def symmetric_matrix(dimension: int, seed: int) -> Array:
    """A of the scale-invariant loss f(W) = W'AW / |W|^2: Gaussian, eigenvalues within (-1, 1)."""
    generator = seeded(seed, "scale-invariant loss")
    normal = torch.randn(dimension, dimension, generator=generator, dtype=torch.float64).numpy()
    return np.asarray((normal + normal.T) / np.sqrt(8 * dimension))


# --- images ---------------------------------------------------------------------------------------

SIDES: dict[ImageSet, int] = {"digits": 8, "textures": 16}
CLASSES, NOISE = 10, 1.0
SHARES = (0.7, 0.15, 0.15)


@dataclass(frozen=True)
class Split:
    """Images (N, D) with unit variance over the set, labels (N,), and rows of the three parts."""

    images: Float[Tensor, "N D"]
    labels: Int[Tensor, "N"]
    train: Int[Tensor, "N1"]
    validation: Int[Tensor, "N2"]
    test: Int[Tensor, "N3"]


def images(name: ImageSet, key: Key, textures: int = 4000) -> Split:
    """A set with its parts: scikit-learn's 1797 digits of 8 x 8, or textures of 16 x 16.

    >>> split = images("textures", (0, "run", 0), textures=100)
    >>> split.images.shape, len(split.train), len(split.test)
    (torch.Size([100, 256]), 70, 15)
    """
    pixels, labels = _digits() if name == "digits" else gratings(textures, key)
    order = torch.randperm(len(labels), generator=seeded(*key, "split"))
    ends = [round(len(labels) * share) for share in (SHARES[0], SHARES[0] + SHARES[1])]
    return Split(pixels, labels, order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :])


@cache
def _digits() -> tuple[Tensor, Tensor]:
    raw = datasets.load_digits()
    return _scaled(torch.tensor(raw.data, dtype=torch.float32)), torch.tensor(raw.target)


def _scaled(pixels: Tensor) -> Tensor:
    return (pixels - pixels.mean()) / pixels.std()


def gratings(count: int, key: Key) -> tuple[Float[Tensor, "N D"], Int[Tensor, "N"]]:
    """Gratings whose class is their orientation, of 2 to 4 periods per image and any phase, plus
    noise: no single pixel tells the class, and the error stays away from zero."""
    generator, side = seeded(*key, "textures"), SIDES["textures"]
    labels = torch.randint(CLASSES, (count,), generator=generator)
    angle = torch.pi * labels / CLASSES
    periods = 2 + 2 * torch.rand(count, generator=generator)
    phase = 2 * torch.pi * torch.rand(count, generator=generator)
    at = torch.arange(side) / side
    y, x = torch.meshgrid(at, at, indexing="ij")
    along = x.flatten() * angle.cos()[:, None] + y.flatten() * angle.sin()[:, None]
    clean = (2 * torch.pi * periods[:, None] * along + phase[:, None]).sin()
    return _scaled(clean + NOISE * torch.randn(clean.shape, generator=generator)), labels


# --- text -----------------------------------------------------------------------------------------

SYMBOLS = 65
RARE, RARE_WEIGHT = 5, 1e-4
ZIPF = 1.1


@dataclass(frozen=True)
class Source:
    """A stand-in for a corpus: `table[a, b, c]` is P(next is c | the last two were a, b).

    The logits are the logarithm of a symbol's Zipf(1.1) weight plus Gaussian scores of the pairs
    (previous, next) and (one before, next). The last five symbols have a weight of 1e-4 only: rare
    tokens give intermittent gradients. The best achievable loss, the entropy rate, is known.
    """

    table: Array

    @classmethod
    def draw(cls, key: Key, symbols: int = SYMBOLS) -> "Source":
        """A source of its own for every key.

        >>> bool(np.allclose(Source.draw((0, "run", 0), 8).table.sum(-1), 1))
        True
        """
        weight = np.arange(1, symbols + 1) ** -ZIPF
        weight /= weight.sum()
        weight[symbols - min(RARE, symbols // 2) :] = RARE_WEIGHT
        shape, generator = (2, symbols, symbols), seeded(*key, "source")
        near, far = torch.randn(*shape, generator=generator, dtype=torch.float64).numpy()
        scores = np.log(weight) + 1.5 * near[None, :, :] + far[:, None, :]
        exp = np.exp(scores - scores.max(-1, keepdims=True))
        return cls(exp / exp.sum(-1, keepdims=True))

    def sample(self, length: int, key: Key, chains: int = 1000) -> Int[Tensor, "T"]:
        """A text of `length` symbols, from `chains` walks laid end to end."""
        generator, last = seeded(*key, "text"), self.table.shape[0] - 1
        cumulative = self.table.cumsum(-1)
        count, burn = min(chains, length), 20
        a, b = torch.randint(last + 1, (2, count), generator=generator).numpy()
        steps = -(-length // count)
        out = np.empty((count, steps), dtype=np.int64)
        for t in range(burn + steps):
            u = torch.rand(count, 1, generator=generator, dtype=torch.float64).numpy()
            c = np.minimum((cumulative[a, b] < u).sum(-1), last)
            a, b = b, c
            if t >= burn:
                out[:, t - burn] = c
        return torch.from_numpy(out.ravel()[:length])

    def pair_frequencies(self, iterations: int = 200) -> Array:
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
