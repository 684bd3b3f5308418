"""What can be known without training: concept signals, the law of the bare task, the toy dynamics.

float64 throughout. Axis letters: T times.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import special

from synthcore.studies.concept_space.scenes import mask
from synthcore.studies.concept_space.task import MIDDLE

BACKGROUND = 0.9  # mean of the nuisance, uniform on [.8, 1]
BACKGROUND_VARIANCE = 0.2**2 / 12
PLACES = 21  # quadrature points per axis


@lru_cache(maxsize=256)
def mask_moments(first: float, second: float, side: int, spread: float) -> tuple[float, float]:
    """Means over pixels and places of m1^2 and of (m1 - m2)^2, for discs of these two radii.

    The place is averaged by a midpoint rule on a grid of 21 x 21.
    """
    where = (torch.arange(PLACES, dtype=torch.float64) + 0.5) / PLACES * 2 * spread - spread
    x, y = torch.meshgrid(where, where, indexing="ij")
    one, two = (mask(x, y, torch.full_like(x, r), side) for r in (first, second))
    return float(one.square().mean()), float((one - two).square().mean())


def colour_signal(colour: float, radius: float, side: int = 32, spread: float = 0.5) -> float:
    """Pixel mean squared error between a red and a blue disc: 2/3 Delta_c^2 <m^2>.

    Two of three channels differ, by Delta_c.

    >>> round(colour_signal(0.2, 0.65), 4), round(colour_signal(0.2, 0.25), 5)
    (0.0074, 0.00095)
    """
    return 2 / 3 * colour**2 * mask_moments(radius, radius, side, spread)[0]


def size_signal(
    colour: float, size: float, side: int = 32, spread: float = 0.5, blue: bool = False
) -> float:
    """Pixel mean squared error between a large and a small disc of one mean colour.

    <(m1 - m2)^2> times the mean over channels and backgrounds of (c - b)^2.

    >>> 0.043 < size_signal(0.2, 0.4) < 0.0445
    True
    """
    high, low = 0.5 + colour / 2, 0.5 - colour / 2
    channels = np.array([low, low, high] if blue else [high, low, low])
    contrast = float(((channels - BACKGROUND) ** 2).mean()) + BACKGROUND_VARIANCE
    return contrast * mask_moments(MIDDLE + size / 2, MIDDLE - size / 2, side, spread)[1]


def signals(colour: float, size: float, side: int, spread: float) -> tuple[float, float]:
    """Signals of colour and size, at the training compositions: colour between the large discs,
    size between the red ones."""
    return (
        colour_signal(colour, MIDDLE + size / 2, side, spread),
        size_signal(colour, size, side, spread),
    )


def bare_strengths(colour: float, size: float, side: int, spread: float) -> tuple[float, float]:
    """a = sigma^2 + mu^2 / s of both concepts in the bare task of identity mapping, s = 2.

    mu is the distance between the two means and sigma the spread along it, both in pixels. Colours
    are uniform within a width of Delta_c / 4, radii within 3/4 Delta_s, so sigma^2 / mu^2 is
    (1/4)^2 / 12 and (3/4)^2 / 12.
    """
    tint, area = signals(colour, size, side, spread)
    return tint * (1 / 2 + (1 / 4) ** 2 / 12), area * (1 / 2 + (3 / 4) ** 2 / 12)


def bare_loss(strength: ArrayLike, time: ArrayLike) -> NDArray[np.float64]:
    """Share of a concept's squared error left at a time: exp(-2 a t) (one layer, from zero).

    Source: Yang et al. (2410.08309), Theorem 4.1.
    """
    return np.asarray(np.exp(-2 * np.asarray(strength, float) * np.asarray(time, float)))


# --- the toy dynamics -----------------------------------------------------------------------------


def gate(time: ArrayLike, t0: float, k: float) -> NDArray[np.float64]:
    """lambda(t) = 1 / (1 + exp(-k (t - t0))): how far the two concepts are told apart."""
    return np.asarray(special.expit(k * (np.asarray(time, dtype=float) - t0)))


def _lagged(time: NDArray[np.float64], rate: float, t0: float, k: float) -> NDArray[np.float64]:
    """The integral of exp(-rate (t - s)) lambda(s) over s from 0 to t."""
    since_ever = _average_gate(k * (time - t0), rate / k)
    before_zero = _average_gate(np.asarray(-k * t0), rate / k)
    return np.asarray((since_ever - np.exp(-rate * time) * before_zero) / k)


def _average_gate(x: NDArray[np.float64], r: float) -> NDArray[np.float64]:
    """The integral of exp(r y) / (1 + exp(-x - y)) over y <= 0.

    It is z / b 2F1(1, 1; b + 1; z) with b = r + 1 and z = 1 / (1 + exp(-x)): a short series for
    large b. Where z is next to 1 its digits are kept by u / b 2F1(1, b; b + 1; -u), u = exp(x).
    """
    b, z = r + 1, special.expit(x)
    if b > 60:
        n = np.arange(20)
        terms = np.cumprod(np.append(1.0, (n + 1) / (b + 1 + n)))
        return np.asarray(z * np.polynomial.polynomial.polyval(z, terms) / b)
    u = np.exp(np.minimum(x, 700.0))
    below = z * special.hyp2f1(1, 1, b + 1, np.minimum(z, special.expit(10.0)))
    return np.asarray(np.where(x < 10, below, u * special.hyp2f1(1, b, b + 1, -u)) / b)


def toy_path(
    time: ArrayLike, a: float, t0: float, k: float = 0.1, v: float = 3.0
) -> NDArray[np.float64]:
    """(T, 2): the path of the held-out class in concept space, in closed form, from (.5, .5).

    The coordinates are (strong, weak) for a > 1: the first is drawn to 1 at rate v a / 2 and to the
    gate at rate v / (2 a), the second the other way round. Both equations are linear with the same
    rate v (a + 1 / a) / 2. Source: the exploratory notebook of the official code, axes swapped.

    >>> toy_path([0.0, 1e4], a=3.0, t0=10.0).round(6).tolist()
    [[0.5, 0.5], [1.0, 1.0]]
    """
    if a <= 0 or k <= 0 or v <= 0:
        raise ValueError(f"a, k and v must be positive (got {a}, {k}, {v})")
    t = np.asarray(time, dtype=float)
    own, other = v * a / 2, v / (2 * a)
    rate = own + other
    fade, lagged = np.exp(-rate * t), _lagged(t, rate, t0, k)
    strong = 0.5 * fade + own / rate * (1 - fade) + other * lagged
    weak = 0.5 * fade + other / rate * (1 - fade) + own * lagged
    return np.stack([strong, weak], -1)
