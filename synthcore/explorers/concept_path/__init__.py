"""Follow a generated class through concept space while the model learns, and overlay a toy model.

Axis letters: C contrasts, K recorded steps, G classes (the held-out one last), N pictures, S side.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from synthcore.explorers.base import Explorer, bundle, checked, pack


class ConceptPathExplorer(Explorer):
    """Sliders for the contrast of colour and for the step of training.

    The held-out class moves through a square whose corners are the four classes; a star marks the
    step at which the trained classes have arrived. Beside it are pictures drawn at that step and
    both coordinates over training. The toy dynamics (two linear equations that share a gate) are
    integrated in the browser, for a strength and an opening time that the reader sets.

    Args:
        contrasts: (C,) rising.
        steps: (K,) rising.
        paths: (C, K, G, 2), shares of blue and small; NaN where too few images were clear.
        pictures: (C, K, N, S, S, 3), uint8.
        converged: (C,) step of the star; NaN where the trained classes never arrive.
        toys: (C, 2), fitted strength a of colour against size and opening time t0.
        unit: steps per unit of the toy's time.
        contrast: index to start from; `step` likewise.

    `explorer.contrast`, `.step`, `.strength` and `.opening` follow the reader when a kernel is
    running; a strength of 0 stands for the fitted toy.

    Raises:
        ValueError: arrays do not fit or do not rise.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/pixels.js",
        "concept_path/model.js",
        "concept_path/view.js",
    )
    _css = bundle("shared/common.css", "shared/pixels.css", "concept_path/style.css")

    contrasts = traitlets.List(traitlets.Float()).tag(sync=True)
    steps = traitlets.List(traitlets.Int()).tag(sync=True)
    paths = traitlets.Bytes(help="(C, K, G, 2) float32").tag(sync=True)
    pictures = traitlets.Bytes(help="(C, K, N, S, S, 3) uint8").tag(sync=True)
    shape = traitlets.List(traitlets.Int(), help="G, N and S").tag(sync=True)
    converged = traitlets.List(traitlets.Int(), help="index of a step; -1: never").tag(sync=True)
    toys = traitlets.List(traitlets.Any(), help="(C, 2)").tag(sync=True)
    unit = traitlets.Float().tag(sync=True)
    contrast = traitlets.Int().tag(sync=True)
    step = traitlets.Int().tag(sync=True)
    strength = traitlets.Float(help="a; 0: as fitted").tag(sync=True)
    opening = traitlets.Float(help="t0").tag(sync=True)

    def __init__(
        self,
        contrasts: Sequence[float],
        steps: Sequence[int],
        paths: ArrayLike,
        pictures: ArrayLike,
        *,
        converged: ArrayLike,
        toys: ArrayLike,
        unit: float,
        contrast: int = -1,
        step: int = -1,
        **traits: Any,
    ) -> None:
        count, recorded = len(contrasts), len(steps)
        for name, values in (("contrasts", contrasts), ("steps", steps)):
            if len(values) < 2 or (np.diff(values) <= 0).any():
                raise ValueError(f"{name} must be two or more rising numbers")
        table = np.asarray(paths)
        classes = table.shape[2] if table.ndim == 4 else 4
        images = np.asarray(pictures)
        if images.dtype != np.uint8 or images.ndim != 6 or images.shape[:2] != (count, recorded):
            raise ValueError(
                f"pictures must be uint8 of shape ({count}, {recorded}, N, S, S, 3) "
                f"(got {images.dtype} of {images.shape})"
            )
        fits = checked("toys", toys, (count, 2))
        if not (fits[:, 0] > 0).all() or unit <= 0:
            raise ValueError("strengths of toys and the unit of their time must be positive")
        reached = np.asarray(converged, dtype=float)
        if reached.shape != (count,):
            raise ValueError(f"converged must have shape ({count},) (got {reached.shape})")
        for name, index, size in (("contrast", contrast, count), ("step", step, recorded)):
            if not -size <= index < size:
                raise ValueError(f"{name} must be an index below {size} (got {index})")
        super().__init__(
            contrasts=[float(c) for c in contrasts],
            steps=[int(s) for s in steps],
            paths=pack(checked("paths", table, (count, recorded, classes, 2))),
            pictures=images.tobytes(),
            shape=[classes, images.shape[2], images.shape[3]],
            converged=[int(np.searchsorted(steps, r)) if np.isfinite(r) else -1 for r in reached],
            toys=[[float(a), float(t)] for a, t in fits],
            unit=float(unit),
            contrast=contrast % count,
            step=step % recorded,
            strength=0.0,
            opening=0.0,
            **traits,
        )
