"""How many compositions there are, and which of them are the same function.

E: every position uses its own functions, (N + 1)^L. R: the same strings when all positions share
their functions. C: any function at any position, (L N + 1)^L. Exact integers throughout.
"""

from math import comb

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.compositional_capabilities.task import Functions, Layout, keys


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
    return comb(layout.positions, k) * comb(k, m) * n ** (k - m) * away**m


def cells(layout: Layout) -> list[tuple[int, int]]:
    """All (k, m), by k, then m."""
    return [(k, m) for k in range(layout.positions + 1) for m in range(k + 1)]


def label(comps: Int[Tensor, "*n L 2"]) -> tuple[Int[Tensor, "*n"], Int[Tensor, "*n"]]:
    """(k, m) of each composition, counted from the functions themselves.

    >>> k, m = label(torch.tensor([[0, 1], [1, 0], [0, 2]]))  # own, identity, that of position 0
    >>> int(k), int(m)
    (2, 1)
    """
    source, index = comps.unbind(-1)
    active = index > 0
    away = source != torch.arange(comps.shape[-2], device=comps.device)
    return active.sum(-1), (active & away).sum(-1)


def distinct(functions: Functions, comps: Int[Tensor, "n L 2"]) -> int:
    """Different functions among these compositions."""
    return len(keys(functions, comps).unique(dim=0))


def same_function(
    functions: Functions, comps: Int[Tensor, "n L 2"], trained: Int[Tensor, "t L 2"]
) -> Bool[Tensor, "n"]:
    """Whether what a composition does is also done by a trained one, whatever its tokens."""
    both = torch.cat([keys(functions, comps), keys(functions, trained)])
    _, number = both.unique(dim=0, return_inverse=True)
    return torch.isin(number[: len(comps)], number[len(comps) :])


def identifiable(comps: Int[Tensor, "n L 2"], trained: Int[Tensor, "t L 2"]) -> Bool[Tensor, "n"]:
    """Whether each function of a composition occurs in training, at that slot."""
    slots, pairs = comps.shape[1], int(max(comps.max(), trained.max())) + 1
    asked, shown = (c[..., 0] * pairs + c[..., 1] for c in (comps, trained))
    return torch.stack([torch.isin(asked[:, s], shown[:, s]) for s in range(slots)], -1).all(-1)
