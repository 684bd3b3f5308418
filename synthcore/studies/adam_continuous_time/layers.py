"""What is measured on simulated scale-invariant layers: growth of the norm, its memory, angular
steps, and the equivalence with an explicit second normalisation.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from synthcore.studies.adam_continuous_time.invariance import (
    Condition,
    Kind,
    Moment,
    amplification,
    equivalent_direction,
    predicted_norm2,
    simulate,
)

Array = npt.NDArray[np.float64]
KINDS: tuple[Kind, ...] = ("noise", "mixed", "full batch")
MOMENTS: tuple[Moment, ...] = ("scalar", "coordinate")
BETAS = (0.0, 0.5, 0.9)
SETTLING = 100  # steps until the averages have forgotten that they started at zero
LAST = 200  # steps averaged for what a run settles at

BASE = Condition(decay=1.0)
EQUILIBRIA = {
    "base": BASE,
    "twice the initial norm": replace(BASE, norm=2.0),
    "loss x 100": replace(BASE, loss_scale=100.0),
    "half the rate, twice the decay": replace(BASE, eta=5e-4, decay=2.0),
    "twice the rate, half the decay": replace(BASE, eta=2e-3, decay=0.5),
    "no momentum": replace(BASE, beta=0.0, norm=2.0),
    "mixed gradients": replace(BASE, kind="mixed"),
    "full batch": replace(BASE, kind="full batch"),
    "not invariant": replace(BASE, invariant=False),
    "not invariant, twice the initial norm": replace(BASE, invariant=False, norm=2.0),
}


def measure(
    seeds: Sequence[int],
    dimension: int,
    steps: int,
    equivalence_steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """All conditions with all seeds, as one batched simulation."""
    growth = [
        Condition(kind, moment, beta) for kind in KINDS for moment in MOMENTS for beta in BETAS
    ]
    conditions = [*growth, *EQUILIBRIA.values()]
    runs = [c for c in conditions for _ in seeds]
    paths = simulate(runs, list(seeds) * len(conditions), dimension, steps, progress)
    shape = (-1, len(conditions), len(seeds))
    norm2, update2, angle = (x.reshape(shape) for x in (paths.norm2, paths.update2, paths.angle))
    begin = min(SETTLING, steps // 2)
    gained = norm2[-1] - norm2[begin]
    eta = np.array([c.eta for c in conditions])[:, None]
    ratio = gained / (eta**2 * update2[begin:].sum(0))
    many = len(growth)
    design = (len(KINDS), len(MOMENTS), len(BETAS), len(seeds))

    last = min(LAST, steps // 2)
    decay = np.array([c.decay for c in conditions])[:, None]
    amplified = np.array([amplification(c.beta) for c in conditions])[:, None]
    expected = eta * np.sqrt(update2) / np.sqrt(norm2[:-1])
    gain = eta**2 * amplified * update2
    predictions = [
        predicted_norm2(update2, norm2[0], eta, decay, k)
        for k in (np.ones_like(amplified), amplified)
    ]
    shown = np.unique(np.r_[0 : steps : max(1, steps // 100), steps])
    cells = ("layer", "seed")
    data = xr.Dataset(
        {
            "growth_ratio": (
                ("gradient", "moment", "layer_beta", "seed"),
                ratio[:many].reshape(design),
            ),
            "layer_angle": (cells, angle[-last:, many:].mean(0)),
            "layer_angle_expected": (cells, expected[-last:, many:].mean(0)),
            "layer_angle_error": (
                cells,
                np.abs(angle / expected - 1)[begin:, many:].mean(0),
            ),
            "layer_memory": (cells, _memory(norm2, gain)[many:]),
            "layer_norm2": (("layer_step", *cells), norm2[shown][:, many:]),
            "layer_norm2_predicted": (
                ("correction", "layer_step", *cells),
                np.stack([p[shown][:, many:] for p in predictions]),
            ),
            "layer_angle_path": (
                ("layer_step", *cells),
                angle[np.minimum(shown, steps - 1)][:, many:],
            ),
        },
        {
            "gradient": list(KINDS),
            "moment": list(MOMENTS),
            "layer_beta": list(BETAS),
            "layer": list(EQUILIBRIA),
            "correction": ["none", "momentum"],
            "layer_step": shown,
            "seed": list(seeds),
            "layer_eta": ("layer", [c.eta for c in EQUILIBRIA.values()]),
            "layer_decay": ("layer", [c.decay for c in EQUILIBRIA.values()]),
        },
    )
    data.layer_angle.attrs = {"long_name": "angular step at the end", "units": "rad"}
    return xr.merge([data, equivalence(seeds, dimension, equivalence_steps)])


def _memory(norm2: Array, gained: Array) -> Array:
    """1 - gamma_2 by least squares of |W_(n+1)|^2 = gamma_2 |W_n|^2 + gained_n over all steps.

    norm2: (N + 1, L, S); gained: (N, L, S), eta^2 K |u|^2 as recorded. A fit of an exponential
    would take the gain for constant; it is not while v still remembers the smaller gradients of a
    larger norm.
    """
    before, after = norm2[:-1], norm2[1:]
    return np.asarray(1 - ((after - gained) * before).sum(0) / (before**2).sum(0))


EQUIVALENCE = tuple((beta, decay) for beta in (0.0, 0.9) for decay in (0.1, 1.0))


def equivalence(
    seeds: Sequence[int], dimension: int, steps: int, norm: float = 0.3, eta: float = 1e-3
) -> xr.Dataset:
    """Cosine between (A), AdamW on a scale-invariant layer, and (B), an explicit second
    normalisation, on identical noise; with K and with the uncorrected K = 1.
    """
    cosines = np.empty((len(EQUIVALENCE), 2, len(seeds)))
    moved = np.empty((len(EQUIVALENCE), len(seeds)))
    for i, (beta, decay) in enumerate(EQUIVALENCE):
        layer = Condition(beta=beta, decay=decay, norm=norm, eta=eta)
        run = simulate([layer] * len(seeds), list(seeds), dimension, steps)
        start = simulate([layer] * len(seeds), list(seeds), dimension, 0).direction
        moved[i] = (start * run.direction).sum(-1)
        for j, k in enumerate((1.0, float(amplification(beta)))):
            unit = equivalent_direction(
                "noise", list(seeds), beta, eta, decay, dimension, steps, norm, k
            )
            cosines[i, j] = (unit * run.direction).sum(-1)
    return xr.Dataset(
        {
            "equivalence": (("pair", "correction", "seed"), cosines),
            "equivalence_start": (("pair", "seed"), moved),
        },
        {
            "pair": [f"beta {beta:g}, decay {decay:g}" for beta, decay in EQUIVALENCE],
            "correction": ["none", "momentum"],
            "seed": list(seeds),
        },
    )
