"""A pair learner that is trained in the page, beside what percolation says of the pairs it saw."""

from typing import Any

import traitlets

from synthcore.explorers.base import Explorer, bundle

ENTITIES = (16, 24, 32, 48, 64, 96)
PROPERTIES = (64, 128, 256, 512, 1024)
CLASSES = (2, 4, 8)
BATCHES = (16, 32, 64, 128)


class PairTrainingExplorer(Explorer):
    """P(property | entity) as a softmax of u_e . v_k, a few thousand numbers, trained by Adam.

    The reader sets |E|, |K|, the number of classes, the density of edges and the batch, and presses
    *Train*: a worker of the browser draws a constraint graph, and pairs that it allows. A chart
    shows the probability of an entity's class, first on its plateau at chance, and how much of it
    lies on edges and on pairs that are never shown; beside it the share of pairs that a path of
    shown pairs joins, with the update at which they percolate in theory. The onset is marked, and
    the power of |K| with which onsets of the reader's runs grow is written below. For readers who
    prefer reduced motion a run is shown when it is done.

    Nothing is precomputed. `pair_training.stream` draws the same graph, weights and pairs in
    Python; a torch model trained on them has the same weights to 1e-5 after 200 updates (tested).

    Args:
        entities: |E|, one of 16, 24, 32, 48, 64, 96.
        properties: |K|, one of 64, 128 ... 1024.
        classes: |C|, 2, 4 or 8.
        density: share of same-class pairs that are edges, from .05 to .95.
        batch: pairs per update, 16, 32, 64 or 128.
        rate: Adam's learning rate, .0005 to .02.
        seed: of graph, weights and pairs, 0 to 99.

    All are traits and follow the reader when a kernel is running.

    Raises:
        ValueError: a value is not one of those.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/random.js",
        "shared/training.js",
        "pair_training/network.js",
        "pair_training/worker.js",
        "pair_training/view.js",
    )
    _css = bundle("shared/common.css", "shared/training.css", "pair_training/style.css")

    entities = traitlets.Int().tag(sync=True)
    properties = traitlets.Int().tag(sync=True)
    classes = traitlets.Int().tag(sync=True)
    density = traitlets.Float().tag(sync=True)
    batch = traitlets.Int(help="pairs per update").tag(sync=True)
    rate = traitlets.Float().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        entities: int = 32,
        properties: int = 256,
        classes: int = 4,
        density: float = 0.25,
        *,
        batch: int = 32,
        rate: float = 0.003,
        seed: int = 0,
        **traits: Any,
    ) -> None:
        for name, value, allowed in (
            ("entities", entities, ENTITIES),
            ("properties", properties, PROPERTIES),
            ("classes", classes, CLASSES),
            ("batch", batch, BATCHES),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed} (got {value})")
        for name, number, low, high in (
            ("density", density, 0.05, 0.95),
            ("rate", rate, 0.0005, 0.02),
            ("seed", seed, 0, 99),
        ):
            if not low <= number <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g} (got {number})")
        super().__init__(
            entities=entities,
            properties=properties,
            classes=classes,
            density=float(density),
            batch=batch,
            rate=float(rate),
            seed=seed,
            **traits,
        )
