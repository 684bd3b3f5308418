"""How far does a training set of compositions reach? Accuracy by functions and displaced functions.

Axis letters: S training subsets, L positions, F functions of a position with the identity, A
symbols, K word length, E examples of a cell, B blocks of the answer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack
from synthcore.explorers.shared.compositions import cell, checked_compositions, checked_tables


class CompositionGridExplorer(Explorer):
    """Accuracy over (k, m) for each training subset, with examples of every cell.

    k is the number of functions that are not the identity, m how many of them are displaced (stand
    at a position that is not their own). Choose a subset and a cell, by a click or with sliders:
    its examples show the prompt, the chain that the network generated and the true one, with the
    first error marked. Where another function of the tables would have given what the network
    wrote, a line names it: a displaced function is often taken for the one of the same index that
    belongs to the position. Cell sizes C(k, m) = binom(L, k) binom(k, m) N^(k-m) ((L-1) N)^m with
    N = F - 1 are computed in the browser and weight the total.

    Args:
        subsets: S names of training subsets, such as "random 50".
        accuracy: (S, L + 1, L + 1) by k, then m, between 0 and 1; NaN where m > k or unmeasured.
        tables: (L, F, A) integers, row 0 of each position the identity.
        compositions: (S, L + 1, L + 1, E, L, 2) pairs (d, i) of the examples; -1 throughout where a
            cell has fewer than E.
        words: (S, L + 1, L + 1, E, K) the words x.
        generated: (S, L + 1, L + 1, E, B, K) what the network wrote, by greedy free generation:
            B = L for step-by-step, B = 1 for direct answers. A token that is no symbol is -1.
        n_train: S sizes of the training subsets.
        subset: index to start from.
        cell: (k, m) to start from; None for the cell with k = L and the lowest accuracy.
        measure: what the accuracy counts, in words.
        symbols: A characters to write the symbols with.

    `explorer.subset`, `.cell` and `.example` follow the reader when a kernel is running.

    Raises:
        ValueError: an array has the wrong shape, an accuracy or symbol is out of range, or an
            example does not belong to its cell.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/select.js",
        "shared/chart.js",
        "shared/compositions.js",
        "composition_grid/model.js",
        "composition_grid/view.js",
    )
    _css = bundle("shared/common.css", "shared/select.css", "composition_grid/style.css")

    subsets = traitlets.List(traitlets.Unicode()).tag(sync=True)
    n_train = traitlets.List(traitlets.Int()).tag(sync=True)
    accuracy = traitlets.Bytes(help="(S, L + 1, L + 1) float32").tag(sync=True)
    tables = traitlets.List(traitlets.Any(), help="(L, F, A)").tag(sync=True)
    examples = traitlets.Bytes(help="int8: per example L pairs, K word, B K generated").tag(
        sync=True
    )
    sizes = traitlets.List(traitlets.Int(), help="E, K, B").tag(sync=True)
    measure = traitlets.Unicode().tag(sync=True)
    symbols = traitlets.Unicode().tag(sync=True)
    subset = traitlets.Int().tag(sync=True)
    cell = traitlets.List(traitlets.Int(), minlen=2, maxlen=2).tag(sync=True)
    example = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        subsets: Sequence[str],
        accuracy: ArrayLike,
        tables: ArrayLike,
        compositions: ArrayLike,
        words: ArrayLike,
        generated: ArrayLike,
        n_train: Sequence[int],
        *,
        subset: int = 0,
        cell: tuple[int, int] | None = None,
        measure: str = "share of compositions whose last block is right",
        symbols: str | None = None,
        **traits: Any,
    ) -> None:
        table = checked_tables(tables)
        positions, _, alphabet = table.shape
        side = positions + 1
        if not subsets or len(n_train) != len(subsets):
            raise ValueError(f"n_train must hold one size for each of {len(subsets)} subsets")
        grid = checked("accuracy", accuracy, (len(subsets), side, side))
        measured = grid[~np.isnan(grid)]
        if ((measured < 0) | (measured > 1)).any():
            raise ValueError("accuracy must be between 0 and 1, or NaN")
        if not np.isnan(grid[:, *np.triu_indices(side, 1)]).all():
            raise ValueError(
                "accuracy must be NaN where more functions are displaced than there are"
            )
        packed, sizes = _examples(len(subsets), table, compositions, words, generated)
        letters = "abcdefghijklmnopqrstuvwxyz"[:alphabet] if symbols is None else symbols
        if len(letters) != alphabet or len(set(letters)) != alphabet:
            raise ValueError(f"symbols must be {alphabet} distinct characters (got {letters!r})")
        if not 0 <= subset < len(subsets):
            raise ValueError(f"subset must be an index below {len(subsets)} (got {subset})")
        if cell is None:
            last = np.where(np.isnan(grid[subset, -1]), np.inf, grid[subset, -1])
            cell = (positions, int(last.argmin()))
        k, m = cell
        if not 0 <= m <= k <= positions:
            raise ValueError(f"cell must be (k, m) with 0 <= m <= k <= {positions} (got {cell})")
        super().__init__(
            subsets=list(subsets),
            n_train=[int(n) for n in n_train],
            accuracy=pack(grid),
            tables=table.tolist(),
            examples=packed.tobytes(),
            sizes=sizes,
            measure=measure,
            symbols=letters,
            subset=subset,
            cell=[k, m],
            example=0,
            **traits,
        )


def _examples(
    subsets: int,
    tables: NDArray[np.int64],
    compositions: ArrayLike,
    words: ArrayLike,
    generated: ArrayLike,
) -> tuple[NDArray[np.int8], list[int]]:
    """All examples as one int8 array (S, L + 1, L + 1, E, 2 L + K + B K), and [E, K, B]."""
    positions, _, alphabet = tables.shape
    chosen, asked, wrote = (np.asarray(a) for a in (compositions, words, generated))
    if chosen.ndim != 6 or asked.ndim != 5 or wrote.ndim != 6:
        raise ValueError(
            "compositions, words and generated must have 6, 5 and 6 axes "
            f"(got {chosen.ndim}, {asked.ndim} and {wrote.ndim})"
        )
    cells = (subsets, positions + 1, positions + 1, chosen.shape[3])
    shapes = {
        "compositions": (chosen, (*cells, positions, 2)),
        "words": (asked, (*cells, asked.shape[4])),
        "generated": (wrote, (*cells, wrote.shape[4], asked.shape[4])),
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape} (got {array.shape})")
    if wrote.shape[4] not in (1, positions):
        raise ValueError(f"generated must have 1 or {positions} blocks (got {wrote.shape[4]})")
    there = (chosen >= 0).all((-1, -2))
    checked_compositions("compositions", chosen[there], tables)
    if not ((asked[there] >= 0) & (asked[there] < alphabet)).all():
        raise ValueError(f"words must hold symbols below {alphabet}")
    if not (wrote[there] < alphabet).all():
        raise ValueError(f"generated must hold symbols below {alphabet}, or -1")
    for s, k, m, e in np.argwhere(there).tolist():
        if cell(chosen[s, k, m, e]) != (k, m):
            raise ValueError(
                f"example {e} of subset {s} stands in cell {(k, m)} but belongs to "
                f"{cell(chosen[s, k, m, e])}"
            )
    parts = [a.reshape(*cells, -1) for a in (chosen, asked, wrote)]
    packed = np.concatenate(parts, -1).clip(-1, 127).astype(np.int8)
    return packed, [cells[3], asked.shape[4], wrote.shape[4]]
