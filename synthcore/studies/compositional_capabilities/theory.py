"""What can be known before training: ceilings, floors, shortcuts, and counts with an interval."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from synthcore.studies.compositional_capabilities.task import Layout, Style


def identifiable_share(layout: Layout, n: int, unseen: bool = False) -> float:
    """Expected share of E whose functions all occur among n different random in-order compositions.

    By inclusion and exclusion over the functions that are missing,
    sum_j (-1)^j C(L, j) C(q^(L-j) (q-1)^j, n) / C(q^L, n) with q = N + 1. `unseen`: among the
    compositions that were not drawn.

    >>> layout = Layout(positions=5, functions=4, alphabet=10, word=6)
    >>> [round(identifiable_share(layout, n), 4) for n in (5, 10, 25)]
    [0.1376, 0.5678, 0.9817]

    Raises:
        ValueError: n is not 1 .. q^L.
    """
    q, positions = layout.choices, layout.positions
    whole = q**positions
    _drawable(n, whole)
    total = sum(
        (-1) ** j * math.comb(positions, j) * math.comb(q ** (positions - j) * (q - 1) ** j, n)
        for j in range(positions + 1)
    )
    share = Fraction(total, math.comb(whole, n))
    if unseen:
        return float((share * whole - n) / (whole - n)) if n < whole else math.nan
    return float(share)


def all_seen(layout: Layout, n: int) -> float:
    """Probability that n different random in-order compositions show every function.

    >>> round(all_seen(Layout(5, 4, 10, 6), 25), 3)
    0.911
    """
    q, positions = layout.choices, layout.positions
    _drawable(n, q**positions)
    total = 0
    for missing in itertools.combinations_with_replacement(range(q), positions):
        ways = math.factorial(positions)
        for times in Counter(missing).values():
            ways //= math.factorial(times)
        for j in missing:
            ways *= (-1) ** j * math.comb(q, j)
        total += ways * math.comb(math.prod(q - j for j in missing), n)
    return float(Fraction(total, math.comb(q**positions, n)))


def _drawable(n: int, whole: int) -> None:
    if not 1 <= n <= whole:
        raise ValueError(f"n must be between 1 and {whole}, the size of the set (got {n})")


def memoriser_accuracy(layout: Layout) -> float:
    """Expected share of right symbols when the answer is that of another random function: two
    independent bijections agree at a symbol with probability 1 / A."""
    return 1 / layout.alphabet


def loss_floor(layout: Layout, n: int, style: Style, prompt: bool = True) -> float:
    """Smallest mean loss (nats per token) on documents of n compositions.

    The composition costs ln n, the word K ln A; everything after them follows. 0 if the loss
    counts the answer only.

    >>> layout = Layout(5, 4, 10, 6)
    >>> round(loss_floor(layout, 50, "step"), 3), round(loss_floor(layout, 50, "direct"), 3)
    (0.377, 0.933)
    """
    nats = math.log(n) + layout.word * math.log(layout.alphabet)
    return nats / (layout.length(style) - 1) if prompt else 0.0


def estimated_count(
    sizes: Sequence[int], share: ArrayLike, samples: ArrayLike
) -> tuple[float, float]:
    """Number of compositions with a property, from a sample of every cell, and its standard error.

    G = sum_c size_c p_c with variance sum_c size_c^2 p_c (1 - p_c) / s_c. Cells that were looked
    at in full contribute no variance.

    Args:
        sizes: compositions in each cell.
        share: share p_c of the sample that has the property.
        samples: s_c, at least 1.
    """
    size = np.asarray(sizes, dtype=float)
    p, s = np.asarray(share, dtype=float), np.asarray(samples, dtype=float)
    if (s < 1).any():
        raise ValueError("every cell needs at least one sample")
    variance = np.where(s >= size, 0.0, size**2 * p * (1 - p) / s)
    return float((size * p).sum()), float(math.sqrt(variance.sum()))
