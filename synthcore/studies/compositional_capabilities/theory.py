"""What can be known before training: counts, ceilings, floors, and a network written by hand.

E: every position uses its own functions, (N + 1)^L. R: the same strings when all positions share
their functions. C: any function at any position, (L N + 1)^L. Counts are exact integers.

Axis letters: L positions, F functions of a position with the identity, A symbols.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from torch import Tensor

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.compositional_capabilities.task.documents import Format, Layout

SHARP = 20.0  # attention scores and hidden units: far from the bends of softmax and GELU

# --- counts -------------------------------------------------------------------------------------


def in_order_size(layout: Layout) -> int:
    """|E|: 3125 for L = 5, N = 4."""
    return layout.choices**layout.positions


def repeat_size(layout: Layout) -> int:
    """Different functions in R if no two products coincide, sum_k N^k: identities collapse.

    >>> repeat_size(Layout(5, 4, 10, 6))
    1365
    """
    return sum(layout.functions**k for k in range(layout.positions + 1))


def out_of_order_size(layout: Layout) -> int:
    """|C|: 4,084,101 for L = 5, N = 4."""
    return (layout.positions * layout.functions + 1) ** layout.positions


def cell_size(layout: Layout, k: int, m: int) -> int:
    """Compositions in C of k functions that are not the identity, m of them displaced.

    >>> layout = Layout(5, 4, 10, 6)
    >>> sum(cell_size(layout, k, m) for k in range(6) for m in range(k + 1))
    4084101
    """
    n, away = layout.functions, (layout.positions - 1) * layout.functions
    return math.comb(layout.positions, k) * math.comb(k, m) * n ** (k - m) * away**m


def cells(layout: Layout) -> list[tuple[int, int]]:
    """All (k, m), by k, then m."""
    return [(k, m) for k in range(layout.positions + 1) for m in range(k + 1)]


def count_functions(comps: Int[Tensor, "*n L 2"]) -> tuple[Int[Tensor, "*n"], Int[Tensor, "*n"]]:
    """(k, m) of each composition, counted from the functions themselves.

    >>> own, identity, displaced = [0, 1], [1, 0], [0, 2]
    >>> k, m = count_functions(torch.tensor([own, identity, displaced]))
    >>> int(k), int(m)
    (2, 1)
    """
    source, index = comps.unbind(-1)
    active = index > 0
    away = source != torch.arange(comps.shape[-2], device=comps.device)
    return active.sum(-1), (active & away).sum(-1)


def is_identifiable(
    comps: Int[Tensor, "n L 2"], trained: Int[Tensor, "t L 2"]
) -> Bool[Tensor, "n"]:
    """Whether each function of a composition occurs in training, at whichever slot.

    What is not can only be guessed; what is may still ask for a function at a slot where it never
    stood.
    """
    choices = int(max(comps.max(), trained.max())) + 1
    tested, known = (c[..., 0] * choices + c[..., 1] for c in (comps, trained))
    return torch.isin(tested, known).all(-1)


# --- closed forms -------------------------------------------------------------------------------


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
        number = math.factorial(positions)
        for times in Counter(missing).values():
            number //= math.factorial(times)
        for j in missing:
            number *= (-1) ** j * math.comb(q, j)
        total += number * math.comb(math.prod(q - j for j in missing), n)
    return float(Fraction(total, math.comb(q**positions, n)))


def _drawable(n: int, whole: int) -> None:
    if not 1 <= n <= whole:
        raise ValueError(f"n must be between 1 and {whole}, the size of the set (got {n})")


def memoriser_accuracy(layout: Layout) -> float:
    """Expected share of right symbols when the answer is that of another random function: two
    independent bijections agree at a symbol with probability 1 / A."""
    return 1 / layout.alphabet


def loss_floor(layout: Layout, n: int, format: Format, prompt: bool = True) -> float:
    """Smallest mean loss (nats per token) on documents of n compositions.

    The composition costs ln n, the word K ln A; everything after them follows. 0 if the loss
    counts the answer only.

    >>> layout = Layout(5, 4, 10, 6)
    >>> round(loss_floor(layout, 50, "step"), 3), round(loss_floor(layout, 50, "direct"), 3)
    (0.377, 0.933)
    """
    nats = math.log(n) + layout.word * math.log(layout.alphabet)
    return nats / (layout.document_length(format) - 1) if prompt else 0.0


def share_bounds(
    hits: ArrayLike | Sequence[float], samples: ArrayLike | Sequence[float], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Clopper and Pearson's lower and upper bound of a share, each one-sided at `level`.

    >>> low, high = share_bounds([59, 0], [59, 3])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.95, 0.0], [1.0, 0.632])
    """
    x, n = np.asarray(hits, dtype=float), np.asarray(samples, dtype=float)
    if (n < 1).any():
        raise ValueError("every share needs at least one sample")
    low = np.where(x > 0, stats.beta.ppf(1 - level, np.maximum(x, 1), n - x + 1), 0.0)
    high = np.where(x < n, stats.beta.ppf(level, x + 1, np.maximum(n - x, 1)), 1.0)
    return low, high


class Count(NamedTuple):
    """How many have a property: an estimate, and bounds that hold together with 95 %."""

    estimate: float
    at_least: float
    at_most: float


def estimated_count(sizes: Sequence[int], hits: Sequence[float], samples: Sequence[float]) -> Count:
    """Number of compositions with a property, from a sample of every cell.

    The estimate is sum_c size_c hits_c / s_c. Each bound adds the cells' exact bounds, at a level
    that makes all of them hold at once; it is never below what was found, nor above what is left.
    Cells that were looked at in full are known.

    Args:
        sizes: compositions in each cell.
        hits: how many of the sample have the property.
        samples: s_c, at least 1.
    """
    size = np.asarray(sizes, dtype=float)
    x, s = np.asarray(hits, dtype=float), np.asarray(samples, dtype=float)
    sampled = s < size
    low, high = share_bounds(x, s, 1 - 0.05 / (2 * max(int(sampled.sum()), 1)))
    found, missed = x, s - x
    least = np.where(sampled, np.maximum(low * size, found), found)
    most = np.where(sampled, np.minimum(high * size, size - missed), found)
    estimate = np.where(sampled, size * x / s, found)
    return Count(float(estimate.sum()), float(least.sum()), float(most.sum()))


# --- a network written by hand ------------------------------------------------------------------


@torch.no_grad()
def construct_one_layer(layout: Layout, tables: Int[Tensor, "L F A"]) -> GPT:
    """A network of one layer, its weights written by hand, that answers every composition of these
    bijections right, step by step; a population of one.

    It shows that one layer is enough, for displaced functions too: what a trained network does not
    reach is not out of reach of its architecture. The residual stream holds codes: position, token,
    the task token that head 0 fetches from slot b, the symbol that head 1 fetches from the block
    before, the answer. A hidden unit of the MLP is the conjunction of a task token and a symbol; it
    writes the image.
    """
    P, V = layout.document_length("step"), layout.vocabulary
    half = max(P, V, (P + 4 * V + 1) // 2)  # of the width: one head
    D = 2 * half
    units = layout.positions * layout.choices * layout.alphabet
    shape = GPTConfig(V, P, D, 1, 2, (units + 1) / D, "learned", tied=False, norm="rms")
    model = GPT(shape, [0]).requires_grad_(False)
    for name, value in model.named_parameters():
        value.fill_(1.0 if ".ln" in f".{name}" else 0.0)
    w = {name: value[0] for name, value in model.named_parameters()}
    token, task, symbol, answer = (P + V * part for part in range(4))
    w["pos_embed"][0, :, :P] = torch.eye(P)
    w["embed.weight"][:, token : token + V] = torch.eye(V)

    # A norm multiplies by sqrt(D / number of ones): two before attention, four before the MLP.
    first, second = (D / 2) ** 0.5, (D / 4) ** 0.5
    project, output = w["blocks.0.attn.qkv.weight"], w["blocks.0.attn.out.weight"]
    for query in range(layout.prompt_length - 1, P - 1):
        block = min((query + 1 - layout.start(0)) // (layout.word + 1), layout.positions)
        for head, place in enumerate((layout.slot(block), layout.source(query + 1))):
            project[query, head * half + place] = SHARP * half**0.5 / first**2
    for head, to in enumerate((task, symbol)):
        project[:P, D + head * half : D + head * half + P] = torch.eye(P)
        values = 2 * D + head * half
        project[token : token + V, values : values + V] = torch.eye(V) / first
        output[head * half : head * half + V, to : to + V] = torch.eye(V)

    up, bias = w["blocks.0.mlp.up.weight"], w["blocks.0.mlp.up.bias"][0]
    down = w["blocks.0.mlp.down.weight"]
    pairs = torch.cartesian_prod(*(torch.arange(size) for size in tables.shape))
    for unit, (d, i, a) in enumerate(pairs.tolist()):
        named = layout.alphabet + d * layout.choices + i
        up[task + named, unit] = up[symbol + a, unit] = SHARP / second
        bias[unit] = -1.5 * SHARP
        down[unit, answer + int(tables[d, i, a])] = 1
    up[symbol + layout.separator, units], bias[units] = SHARP / second, -SHARP / 2
    down[units, answer + layout.separator] = 1
    w["unembed.weight"][answer : answer + V] = torch.eye(V)
    return model


@torch.no_grad()
def stacked_below(model: GPT, idle: int) -> GPT:
    """The same network with `idle` blocks below its own that add nothing."""
    shape = replace(model.config, depth=model.config.depth + idle)
    deep = GPT(shape, model.seeds).requires_grad_(False)
    below = {name: torch.zeros_like(value) for name, value in deep.state_dict().items()}
    for name, value in model.state_dict().items():
        head, _, rest = name.partition("blocks.")
        number, _, part = rest.partition(".")
        own = f"{head}blocks.{int(number) + idle}.{part}" if rest else name
        below[own] = value
    deep.load_state_dict(below)
    return deep
