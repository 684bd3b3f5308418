"""Which (beta, gamma) are safe for Adam, and how fast does a normalised layer really learn?"""

from typing import Any, Literal

import traitlets

from synthcore.explorers.base import Explorer, bundle


class AdamExplorer(Explorer):
    """A point in the (beta, gamma) square and all that follows from it, computed in the browser.

    The first panel: the square with its stable and unstable regions and the wedge between the
    continuous and the exact theory, the two bounds on the update over 200 steps, the weights of
    past gradients in both averages, and Adam on a simulated stream of gradients. The second panel
    is a calculator: the angle per step, the norm and the memory of a scale-invariant layer.

    Args:
        beta, gamma: Adam's beta_1 and beta_2, from 0.1 to 0.9999.
        stream: "dense", "sparse", "dying" (no gradient after step 20) or "worst" (attains the
            bound).
        density: share of steps with a gradient, for "sparse".
        eta, decay, momentum, dimension: of the layer: learning rate, weight decay, beta, weights.
        seed: of the stream.

    All are traits and follow the reader when a kernel is running.

    Raises:
        ValueError: a number is out of its range.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/random.js",
        "adam/model.js",
        "adam/view.js",
    )
    _css = bundle("shared/common.css", "adam/style.css")

    beta = traitlets.Float().tag(sync=True)
    gamma = traitlets.Float().tag(sync=True)
    stream = traitlets.Enum(["dense", "sparse", "dying", "worst"]).tag(sync=True)
    density = traitlets.Float().tag(sync=True)
    eta = traitlets.Float().tag(sync=True)
    decay = traitlets.Float().tag(sync=True)
    momentum = traitlets.Float().tag(sync=True)
    dimension = traitlets.Float().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        beta: float = 0.95,
        gamma: float = 0.8,
        *,
        stream: Literal["dense", "sparse", "dying", "worst"] = "dying",
        density: float = 0.05,
        eta: float = 1e-3,
        decay: float = 0.1,
        momentum: float = 0.9,
        dimension: float = 10_000,
        seed: int = 1,
        **traits: Any,
    ) -> None:
        ranges = {
            "beta": (beta, 0.1, 0.9999),
            "gamma": (gamma, 0.1, 0.9999),
            "density": (density, 0.02, 1),
            "eta": (eta, 1e-5, 0.1),
            "decay": (decay, 1e-4, 10),
            "momentum": (momentum, 0.1, 0.9999),
            "dimension": (dimension, 1, 1e8),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g} (got {value:g})")
        numbers = {name: float(value) for name, (value, _, _) in ranges.items()}
        super().__init__(**numbers, stream=stream, seed=seed, **traits)
