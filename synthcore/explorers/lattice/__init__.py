"""Are simpler compositions learned first? The lattice of all compositions, coloured by loss."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack


class LatticeExplorer(Explorer):
    """Loss of every composition of s concepts over training, on the lattice of their subsets.

    A composition is a set of concepts; its probe is the sum of their centres. Nodes stand in levels
    by size, edges join sets that differ by one concept. If learning respects the hierarchy, the
    loss never falls on the way up: u below v implies loss(u) <= loss(v). A slider picks the
    checkpoint; edges that break the order are marked, and a sentence counts how many of the
    3^s - 2^s strictly comparable pairs hold (65 for four concepts). A node can be chosen with the
    mouse or the arrow keys to read its numbers and its neighbours.

    Axis letters: E checkpoints, V = 2^s compositions by bit pattern (bit p of v: concept p).

    Args:
        losses: (E, V), loss of each composition at each checkpoint, not negative.
        epochs: (E,), ascending from 0 or later; fractions are allowed.
        mu: signal strength of each of two to four concepts, positive.
        intervals: (E, V, 2), low and high end of the 95 % interval of `losses`, if there are
            several seeds. A pair that fails is then said to fail clearly if its intervals do not
            overlap.
        checkpoint: index of the checkpoint to start from; None for the last at which the largest
            loss is still half of what it was at first.

    `explorer.checkpoint`, `.node` (a bit pattern) and `.colours` (the scale of "all" epochs or of
    "this" one) follow the reader when a kernel is running.

    Raises:
        ValueError: an array has the wrong shape, a loss is negative or missing, epochs do not
            ascend, or an interval does not contain its loss.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "lattice/model.js",
        "lattice/view.js",
    )
    _css = bundle("shared/common.css", "lattice/style.css")

    losses = traitlets.Bytes(help="(E, V) float32").tag(sync=True)
    intervals = traitlets.Bytes(help="(E, V, 2) float32").tag(sync=True)
    epochs = traitlets.List(traitlets.Float()).tag(sync=True)
    mu = traitlets.List(traitlets.Float()).tag(sync=True)
    checkpoint = traitlets.Int().tag(sync=True)
    node = traitlets.Int(help="bit p: concept p").tag(sync=True)
    colours = traitlets.Enum(["all", "this"], "all", help="epochs of their scale").tag(sync=True)

    def __init__(
        self,
        losses: ArrayLike,
        epochs: Sequence[float] | NDArray[Any],
        mu: Sequence[float] | NDArray[Any],
        intervals: ArrayLike | None = None,
        *,
        checkpoint: int | None = None,
        **traits: Any,
    ) -> None:
        signal = [float(value) for value in mu]
        if not 2 <= len(signal) <= 4 or not all(0 < value < np.inf for value in signal):
            raise ValueError(f"mu must be two to four positive numbers (got {signal})")
        times = [float(value) for value in epochs]
        if not times or not times[0] >= 0 or any(not a < b for a, b in pairwise(times)):
            raise ValueError(f"epochs must be ascending numbers from 0 up (got {times})")
        shape = (len(times), 2 ** len(signal))
        loss = checked("losses", losses, shape)
        if not (loss >= 0).all():
            raise ValueError("losses must be recorded everywhere and not be negative")
        packed = b""
        if intervals is not None:
            ends = checked("intervals", intervals, (*shape, 2))
            slack = 1e-5 * loss
            if not ((ends[..., 0] <= loss + slack) & (loss <= ends[..., 1] + slack)).all():
                raise ValueError("intervals must hold low and high ends with the loss between them")
            packed = pack(ends)
        if checkpoint is None:
            largest = loss.max(1)
            checkpoint = int(np.flatnonzero(largest >= largest[0] / 2)[-1])
        if not 0 <= checkpoint < len(times):
            raise ValueError(f"checkpoint must be an index below {len(times)} (got {checkpoint})")
        super().__init__(
            losses=pack(loss),
            intervals=packed,
            epochs=times,
            mu=signal,
            checkpoint=checkpoint,
            node=shape[1] - 1,
            **traits,
        )
