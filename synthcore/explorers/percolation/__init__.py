"""A bipartite graph that percolates: entities and properties, joined pair by pair as they are
mentioned."""

from typing import Any

import traitlets

from synthcore.explorers.base import Explorer, bundle

ENTITIES = (16, 32, 64, 128, 256)
PROPERTIES = (32, 64, 128, 256, 512, 1024)
CLASSES = (1, 2, 4, 8)


class PercolationExplorer(Explorer):
    """Sliders for |E|, |K| and the number of mentions, lists for |C| and n.

    Pairs (entity, property) of one class are possible with probability `density`, and a mention
    shows one possible pair at random. A pair counts from its n-th mention on. Drawn are the matrix
    of pairs, sorted by component, and the share of same-class pairs that counted pairs join,
    against the number of mentions: simulated for |K|, 2 |K| and 4 |K|, and in theory,
    S_E S_K with q = density P(Poisson(mentions per possible pair) >= n). On the rescaled axis,
    mentions over the root of |E||K|, the thresholds of n = 1 fall together.

    Everything is computed in the browser.

    Args:
        entities: |E| to start from, one of 16, 32 ... 256.
        properties: |K| to start from, one of 32, 64 ... 1024.
        classes: |C| to start from, 1, 2, 4 or 8.
        density: share of same-class pairs that are possible, above 0 and at most 1.
        exposures: n to start from, 1, 2 or 3.

    Raises:
        ValueError: a value is not one of those.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/select.js",
        "percolation/model.js",
        "percolation/view.js",
    )
    _css = bundle("shared/common.css", "shared/select.css", "percolation/style.css")

    entities = traitlets.Int().tag(sync=True)
    properties = traitlets.Int().tag(sync=True)
    classes = traitlets.Int().tag(sync=True)
    density = traitlets.Float().tag(sync=True)
    exposures = traitlets.Int().tag(sync=True)
    mentions = traitlets.Float(help="0: three times the critical number").tag(sync=True)
    clock = traitlets.Unicode(help="mentions, or rescaled").tag(sync=True)
    seed = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        entities: int = 64,
        properties: int = 256,
        classes: int = 4,
        density: float = 0.15,
        exposures: int = 1,
        **traits: Any,
    ) -> None:
        for name, value, allowed in (
            ("entities", entities, ENTITIES),
            ("properties", properties, PROPERTIES),
            ("classes", classes, CLASSES),
            ("exposures", exposures, (1, 2, 3)),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed} (got {value})")
        if not 0 < density <= 1:
            raise ValueError(f"density must be above 0 and at most 1 (got {density})")
        state = {"mentions": 0.0, "clock": "mentions", "seed": 1} | traits
        super().__init__(
            entities=entities,
            properties=properties,
            classes=classes,
            density=density,
            exposures=exposures,
            **state,
        )
