"""Does it really swing by? A small network that is trained in the page, beside its exact flow."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import traitlets

from synthcore.explorers.base import Explorer, bundle

Network = Literal["tied", "linear", "relu"]
Start = Literal["alike", "random"]

RANGES = {
    "mu": (0.5, 4.0),
    "sigma": (0.0, 2.0),
    "omega": (1e-4, 0.5),
    "rho": (-0.99, 0.99),
    "rate": (1e-3, 0.1),
    "width": (2, 16),
    "seed": (0, 99),
}
"""What the sliders reach."""
BATCHES = (8, 32, 0)
"""Points per update to choose from; 0 stands for all of them."""


class SwingByTrainingExplorer(Explorer):
    """A two-layer network f(x) = W2 act(W1 x) on two clusters of the structured identity map.

    The reader sets signals, spreads, start, width and learning rate and presses *Train*: gradient
    descent runs in a worker of the browser, on samples, and the output at the sum of the centres,
    where no point is, moves in the plane of the two concepts beside the exact flow: gradient flow
    of the linear network on the mixture itself, from the same weights. Charts show the loss at that
    point (held out) and on the training points, and what the weaker coordinate is lent by the other
    cluster's entry of the map. The draw-up of the held-out loss is measured while it happens, next
    to its predicted size and times. Train, pause, make one update, restart, take another seed; a
    line counts how many seeds swung by. For readers who prefer reduced motion a run is shown when
    it is done.

    Nothing is precomputed. `swing_by_training.stream` draws the same weights, points and batches in
    Python; a torch network trained on them has the same weights to 1e-5 after 200 updates (tested).

    Args:
        mu: signal strength of both concepts, from .5 to 4.
        sigma: spread along both concepts' axes, from 0 to 2.
        network: "tied", the theory's U U^T x; "linear", W2 W1 x; "relu", W2 max(0, W1 x).
        start: "alike", a map omega [[1, rho], [rho, 1]]; "random", every weight on its own, of
            variance omega / width.
        omega: size of the start, 1e-4 to .5.
        rho: how alike the start's rows are, -.99 to .99.
        width: directions of the hidden layer, 2 to 16. A ReLU network has each twice, once with
            both signs turned, so that all three networks start as the same map.
        rate: learning rate, .001 to .1.
        batch: points per update: 8, 32, or 0 for all 200.
        seed: of weights, points and batches, 0 to 99.

    All are traits and follow the reader when a kernel is running.

    Raises:
        ValueError: a number is out of its range.
        traitlets.TraitError: `network`, `start` or `batch` is none of these.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/random.js",
        "shared/training.js",
        "shared/swing.js",
        "swing_by_training/network.js",
        "swing_by_training/worker.js",
        "swing_by_training/flow.js",
        "swing_by_training/words.js",
        "swing_by_training/views.js",
        "swing_by_training/view.js",
    )
    _css = bundle("shared/common.css", "shared/training.css", "swing_by_training/style.css")

    mu = traitlets.List(traitlets.Float()).tag(sync=True)
    sigma = traitlets.List(traitlets.Float()).tag(sync=True)
    network = traitlets.Enum(get_args(Network)).tag(sync=True)
    start = traitlets.Enum(get_args(Start)).tag(sync=True)
    omega = traitlets.Float().tag(sync=True)
    rho = traitlets.Float().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    rate = traitlets.Float().tag(sync=True)
    batch = traitlets.Enum(BATCHES, help="points per update; 0: all").tag(sync=True)
    seed = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        mu: Sequence[float] = (1.0, 2.0),
        sigma: Sequence[float] = (0.05, 0.05),
        *,
        network: Network = "linear",
        start: Start = "alike",
        omega: float = 0.1,
        rho: float = 0.95,
        width: int = 8,
        rate: float = 0.01,
        batch: int = 32,
        seed: int = 0,
        **traits: Any,
    ) -> None:
        numbers = {"omega": omega, "rho": rho, "rate": rate}
        whole = {"width": width, "seed": seed}
        for name, values in ({"mu": mu, "sigma": sigma} | numbers | whole).items():
            low, high = RANGES[name]
            given = np.asarray(values, dtype=float)
            if not ((given >= low) & (given <= high)).all():
                raise ValueError(f"{name} must be between {low:g} and {high:g} (got {values})")
        for name, pair in (("mu", mu), ("sigma", sigma)):
            if len(pair) != 2:
                raise ValueError(
                    f"{name} must have one number for each of two concepts (got {pair})"
                )
        super().__init__(
            mu=[float(m) for m in mu],
            sigma=[float(spread) for spread in sigma],
            network=network,
            start=start,
            **{name: float(value) for name, value in numbers.items()},
            **whole,
            batch=batch,
            **traits,
        )
