"""Why does the loss go up on the way? Two or three concepts, integrated live in the browser."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from synthcore.explorers.base import Explorer, bundle

RANGES = {"mu": (0.5, 4.0), "sigma": (0.0, 2.0), "omega": (1e-4, 0.5), "clock": (0.0, 1e4)}
"""What the sliders reach; `rho` reaches to .01 from where W(0) stops being positive definite."""


class SwingByExplorer(Explorer):
    """The tied two-layer linear network f(x) = U U^T x on the structured identity map.

    W = U U^T starts at omega [(1 - rho) I + rho 1 1^T] and follows gradient flow on the mixture's
    loss. Sliders set signals, spreads, omega, rho and a clock. The output at the sum of the centres
    moves in the plane of two concepts; below one another, on the clock's axis, stand the loss at
    that point (OOD) and on the training mixture, the major entries of W and the minor ones, with
    the closed form for two concepts dashed. The interval in which a minor entry is withdrawn is
    shaded, and a sentence says how much of the bump in the OOD loss it accounts for. The minor
    entries can be held at zero.

    Nothing is precomputed: the formulas run in `swing_by/model.js` and `swing_by/words.js`, where
    tests hold them against the oracles of the study. Times are in the paper's clock tau, which
    runs twice as fast as gradient flow (t = tau / 2).

    Args:
        mu: signal strength of each concept, two or three numbers from .5 to 4.
        sigma: spread along each concept's axis, as many numbers from 0 to 2.
        omega: size of the diagonal of W(0), 1e-4 to .5.
        rho: off-diagonal of W(0) over its diagonal, from -1 / (s - 1) + .01 to .99 for s concepts.
        clock: tau to start at; None for the top of the bump.
        minor: whether the minor entries learn; False holds them at zero.

    `explorer.mu`, `.sigma`, `.omega`, `.rho`, `.clock`, `.minor`, `.measured` (outputs as they are,
    or as a share of their target) and `.plane` (which of three concepts are drawn) follow the
    reader when a kernel is running. A clock of 0 stands for "the top of the bump".

    Raises:
        ValueError: `mu` and `sigma` differ in length or are not two or three numbers, or a number
            is out of its range.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/swing.js",
        "swing_by/model.js",
        "swing_by/words.js",
        "swing_by/views.js",
        "swing_by/view.js",
    )
    _css = bundle("shared/common.css", "swing_by/style.css")

    mu = traitlets.List(traitlets.Float()).tag(sync=True)
    sigma = traitlets.List(traitlets.Float()).tag(sync=True)
    omega = traitlets.Float().tag(sync=True)
    rho = traitlets.Float().tag(sync=True)
    clock = traitlets.Float(help="tau; 0: the top of the bump").tag(sync=True)
    minor = traitlets.Bool(help="whether minor entries learn").tag(sync=True)
    measured = traitlets.Enum(["signal", "share"], "signal", help="of an output").tag(sync=True)
    plane = traitlets.Enum(["0-1", "0-2", "1-2"], "0-1", help="of concepts").tag(sync=True)

    def __init__(
        self,
        mu: Sequence[float] = (1.0, 2.0),
        sigma: Sequence[float] = (0.05, 0.05),
        omega: float = 0.1,
        rho: float = 0.95,
        *,
        clock: float | None = None,
        minor: bool = True,
        **traits: Any,
    ) -> None:
        signal, spread = _in_range("mu", mu), _in_range("sigma", sigma)
        if len(signal) not in (2, 3) or len(spread) != len(signal):
            raise ValueError(
                "mu and sigma must have one number for each of two or three concepts "
                f"(got {len(signal)} and {len(spread)})"
            )
        lowest = lowest_rho(len(signal))
        if not lowest <= rho <= 0.99:
            raise ValueError(
                f"rho must be between {lowest} and 0.99 for {len(signal)} concepts, so that "
                f"W(0) is positive definite (got {rho})"
            )
        super().__init__(
            mu=signal,
            sigma=spread,
            omega=_in_range("omega", [omega])[0],
            rho=float(rho),
            clock=_in_range("clock", [0.0 if clock is None else clock])[0],
            minor=minor,
            **traits,
        )


def lowest_rho(concepts: int) -> float:
    """The lowest rho on the slider: .01 above -1 / (s - 1), where W(0) becomes singular.

    >>> lowest_rho(2), lowest_rho(3)
    (-0.99, -0.49)
    """
    return round(0.01 - 1 / (concepts - 1), 2)


def _in_range(name: str, values: Sequence[float]) -> list[float]:
    low, high = RANGES[name]
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or not ((numbers >= low) & (numbers <= high)).all():
        raise ValueError(f"{name} must be between {low:g} and {high:g} (got {values})")
    return [float(number) for number in numbers]
