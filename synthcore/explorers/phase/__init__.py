"""Which algorithm does the network follow? A map over diversity, training and context.

Axis letters: N data diversities, S recorded steps, C context lengths, A = 4 algorithms, R curves.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack

ALGORITHMS = ("Uni-Ret", "Bi-Ret", "Uni-Inf", "Bi-Inf")
"""Order of the last axis of `weights`: (uni|bi)gram statistics, (ret)rieval or (inf)erence."""


class PhaseExplorer(Explorer):
    """Mixture weights of four algorithms, and the error they explain, at every point of a grid.

    Sliders move a cursor over data diversity, training step and context length. A map blends the
    four algorithms' colours by weight over (diversity, step) at the cursor's context, or over
    (context, step) at the cursor's diversity. Bars give the weights at the cursor, and two panels
    the KL divergence from the truth on unseen (OOD) and on training chains (ID) over training.

    Args:
        diversities: number of training chains N, ascending.
        steps: recorded training steps, ascending; 0 is allowed.
        contexts: context lengths in symbols, ascending.
        weights: (N, S, C, 4), in the order of `ALGORITHMS`; each cell sums to 1, or is NaN where
            no fit was made, which is drawn hatched.
        kl_id: (N, S, C), KL(network || truth) on training chains in nats, mean over seeds.
        kl_ood: (N, S, C), the same on chains that were never trained on.
        kl_id_halfwidth: (N, S, C), half-width of the 95 % interval of `kl_id` over seeds.
        kl_ood_halfwidth: (N, S, C), the same for `kl_ood`.
        references: algorithm -> (kl_id, kl_ood), each (N, C): what the exact algorithm reaches.
        cursor: (diversity, step, context) to start from, values of the three grids; default the
            middle diversity, two thirds through the recorded steps, the longest context.

    The reader's position can be read and set from Python: `explorer.cursor` holds its three
    *indices*, `explorer.plane` is "diversity" or "context", the vertical axis of the map.

    Raises:
        ValueError: an array has the wrong shape, a grid is empty or not ascending, weights are no
            distribution, or the cursor is off the grid.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/algorithms.js",
        "phase/model.js",
        "phase/view.js",
    )
    _css = bundle("shared/common.css", "phase/style.css")

    diversities = traitlets.List(traitlets.Int()).tag(sync=True)
    steps = traitlets.List(traitlets.Int()).tag(sync=True)
    contexts = traitlets.List(traitlets.Int()).tag(sync=True)
    weights = traitlets.Bytes(help="(N, S, C, 4) float32").tag(sync=True)
    kl = traitlets.Bytes(help="(2, N, S, C) float32: ID, OOD, in nats").tag(sync=True)
    halfwidths = traitlets.Bytes(help="(2, N, S, C) float32").tag(sync=True)
    references = traitlets.Bytes(help="(R, 2, N, C) float32: ID, OOD").tag(sync=True)
    reference_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    cursor = traitlets.List(traitlets.Int(), minlen=3, maxlen=3).tag(sync=True)
    plane = traitlets.Enum(["diversity", "context"], default_value="diversity").tag(sync=True)

    def __init__(
        self,
        diversities: Sequence[int],
        steps: Sequence[int],
        contexts: Sequence[int],
        weights: ArrayLike,
        kl_id: ArrayLike,
        kl_ood: ArrayLike,
        *,
        kl_id_halfwidth: ArrayLike | None = None,
        kl_ood_halfwidth: ArrayLike | None = None,
        references: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        cursor: tuple[int, int, int] | None = None,
        **traits: Any,
    ) -> None:
        grids = {
            "diversities": _grid("diversities", diversities, least=1),
            "steps": _grid("steps", steps, least=0),
            "contexts": _grid("contexts", contexts, least=1),
        }
        n, s, c = shape = tuple(len(grid) for grid in grids.values())
        kl = [checked("kl_id", kl_id, shape), checked("kl_ood", kl_ood, shape)]
        half = [
            checked(name, np.full(shape, np.nan) if given is None else given, shape)
            for name, given in (
                ("kl_id_halfwidth", kl_id_halfwidth),
                ("kl_ood_halfwidth", kl_ood_halfwidth),
            )
        ]
        curves = references or {}
        unknown = set(curves) - set(ALGORITHMS)
        if unknown:
            raise ValueError(f"references must be among {ALGORITHMS} (got {sorted(unknown)})")
        packed = [
            [checked(f"references[{name!r}]", curve, (n, c)) for curve in pair]
            for name, pair in curves.items()
        ]
        super().__init__(
            **grids,
            weights=pack(_distributions(checked("weights", weights, (*shape, 4)))),
            kl=pack(kl),
            halfwidths=pack(half) if not np.isnan(half).all() else b"",
            references=pack(packed),
            reference_names=list(curves),
            cursor=[n // 2, (2 * s) // 3, c - 1] if cursor is None else _locate(grids, cursor),
            **traits,
        )

    @traitlets.validate("cursor")
    def _on_grid(self, proposal: traitlets.Bunch) -> list[int]:
        sizes = [len(self.diversities), len(self.steps), len(self.contexts)]
        cursor: list[int] = proposal["value"]
        if not all(0 <= i < size for i, size in zip(cursor, sizes, strict=True)):
            raise traitlets.TraitError(f"cursor holds indices below {sizes} (got {cursor})")
        return cursor


def _grid(name: str, values: Sequence[int], least: int) -> list[int]:
    grid = [int(value) for value in values]
    if not grid or grid[0] < least or any(b <= a for a, b in pairwise(grid)):
        raise ValueError(f"{name} must be ascending integers from {least} up (got {grid})")
    return grid


def _distributions(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    fitted = weights[~np.isnan(weights).any(-1)]
    if (fitted < -1e-3).any() or (np.abs(fitted.sum(-1) - 1) > 1e-3).any():
        raise ValueError("weights must be distributions over the four algorithms, or NaN")
    return weights


def _locate(grids: Mapping[str, list[int]], cursor: tuple[int, int, int]) -> list[int]:
    for (name, grid), value in zip(grids.items(), cursor, strict=True):
        if value not in grid:
            raise ValueError(f"cursor must lie on the grid: {value} is not in {name} {grid}")
    return [grid.index(value) for grid, value in zip(grids.values(), cursor, strict=True)]
