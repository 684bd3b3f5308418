"""Layers that a normalisation follows: simulated, where the law is exact, and in networks.

Axis letters: M member, N step, R run (condition and seed), D coordinate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.nn.invariant import Norm, NormalisedMLP
from synthcore.stages import stage
from synthcore.studies.adam_continuous_time import task
from synthcore.studies.adam_continuous_time.config import LAYERS, Config
from synthcore.studies.adam_continuous_time.experiments.arenas import ImageArena, cross_entropy
from synthcore.studies.adam_continuous_time.measure import LayerMonitor, finite
from synthcore.studies.adam_continuous_time.theory.layers import (
    Condition,
    Kind,
    Moment,
    amplification,
    equivalent_direction,
    predicted_norm2,
    simulate,
)
from synthcore.training.fit import fit
from synthcore.training.k_adam import KAdam
from synthcore.training.progress import Progress

KINDS: tuple[Kind, ...] = ("noise", "mixed", "full batch")
MOMENTS: tuple[Moment, ...] = ("scalar", "coordinate")
BETAS = (0.0, 0.5, 0.9)
SETTLING = 100  # steps until the averages have forgotten that they started at zero
KEPT = 100  # points kept of a path, for figures
BASE = Condition(decay=1.0)
EQUILIBRIA = {
    "base": BASE,
    "twice the initial norm": replace(BASE, norm=2.0),
    "no momentum": replace(BASE, beta=0.0, norm=2.0),
}
UNITS = {
    "layer_angle": "rad",
    "layer_angle_path": "rad",
    "net_angle": "rad",
    "net_angle_early": "rad",
    "net_angle_path": "rad",
    "layer_step": "updates",
    "net_step": "updates",
    "layer_memory": "1/step",
}


@stage(reads=LAYERS)
def simulated(config: Config, progress: Progress) -> xr.Dataset:
    """Growth of the norm by kind of gradient, and layers with weight decay."""
    seeds, steps = list(config.seeds), config.layer_steps
    growth = [Condition(kind, m, beta) for kind in KINDS for m in MOMENTS for beta in BETAS]
    conditions = [*growth, *EQUILIBRIA.values()]
    runs = [c for c in conditions for _ in seeds]
    paths = simulate(
        runs,
        seeds * len(conditions),
        config.layer_dimension,
        steps,
        lambda done, total: progress("simulated layers", done, total),
    )
    shape = (-1, len(conditions), len(seeds))
    norm2, update2, angle = (x.reshape(shape) for x in (paths.norm2, paths.update2, paths.angle))
    begin, many = min(SETTLING, steps // 2), len(growth)
    eta = np.array([c.eta for c in conditions])[:, None]
    ratio = (norm2[-1] - norm2[begin]) / (eta**2 * update2[begin:].sum(0))
    decay = np.array([c.decay for c in conditions])[:, None]
    amplified = np.array([amplification(c.beta) for c in conditions])[:, None]
    gain = eta**2 * amplified * update2
    predictions = [
        predicted_norm2(update2, norm2[0], eta, decay, k)
        for k in (np.ones_like(amplified), amplified)
    ]
    shown = _shown(steps + 1)
    cells = ("layer", "seed")
    data = xr.Dataset(
        {
            "growth_ratio": (
                ("gradient", "moment", "layer_beta", "seed"),
                ratio[:many].reshape(len(KINDS), len(MOMENTS), len(BETAS), len(seeds)),
            ),
            "layer_angle": (cells, angle[steps // 2 :, many:].mean(0)),
            "layer_memory": (cells, _memory(norm2, gain)[many:]),
            "layer_norm2": (("layer_step", *cells), norm2[shown][:, many:].astype("float32")),
            "layer_norm2_predicted": (
                ("correction", "layer_step", *cells),
                np.stack([p[shown][:, many:] for p in predictions]).astype("float32"),
            ),
            "layer_angle_path": (
                ("layer_step", *cells),
                angle[np.minimum(shown, steps - 1)][:, many:].astype("float32"),
            ),
        },
        {
            "gradient": list(KINDS),
            "moment": list(MOMENTS),
            "layer_beta": list(BETAS),
            "layer": list(EQUILIBRIA),
            "correction": ["none", "momentum"],
            "layer_step": shown,
            "seed": seeds,
            "layer_eta": ("layer", [c.eta for c in EQUILIBRIA.values()]),
            "layer_decay": ("layer", [c.decay for c in EQUILIBRIA.values()]),
        },
    )
    return labelled(data, UNITS)


def _shown(steps: int) -> np.ndarray:
    return np.unique(np.linspace(0, steps - 1, KEPT).round().astype(int))


def _memory(norm2: np.ndarray, gained: np.ndarray) -> np.ndarray:
    """1 - gamma_2 by least squares of |W_(n+1)|^2 = gamma_2 |W_n|^2 + gained_n over all steps.

    norm2: (N + 1, L, S); gained: (N, L, S), eta^2 K |u|^2 as recorded. A fit of an exponential
    would take the gain for constant; it is not while v still remembers the smaller gradients of a
    larger norm.
    """
    before, after = norm2[:-1], norm2[1:]
    return np.asarray(1 - ((after - gained) * before).sum(0) / (before**2).sum(0))


EQUIVALENCE = tuple((beta, decay) for beta in (0.0, 0.9) for decay in (0.1, 1.0))
NORM, ETA = 0.3, 1e-3


@stage(reads=("layer_dimension", "equivalence_steps"))
def equivalence(config: Config, progress: Progress) -> xr.Dataset:
    """Cosine between (A), AdamW on a scale-invariant layer, and (B), an explicit second
    normalisation, on identical noise; with K and with the uncorrected K = 1."""
    seeds, d, steps = list(config.seeds), config.layer_dimension, config.equivalence_steps
    cosines = np.empty((len(EQUIVALENCE), 2, len(seeds)))
    moved = np.empty((len(EQUIVALENCE), len(seeds)))
    for i, (beta, decay) in enumerate(EQUIVALENCE):
        layer = [Condition(beta=beta, decay=decay, norm=NORM, eta=ETA)] * len(seeds)
        run, start = (simulate(layer, seeds, d, n).direction for n in (steps, 0))
        moved[i] = (start * run).sum(-1)
        for j, k in enumerate((1.0, amplification(beta))):
            unit = equivalent_direction("noise", seeds, beta, ETA, decay, d, steps, NORM, k)
            cosines[i, j] = (unit * run).sum(-1)
    data = xr.Dataset(
        {
            "equivalence": (("pair", "correction", "seed"), cosines),
            "equivalence_start": (("pair", "seed"), moved),
        },
        {
            "pair": [f"beta {beta:g}, decay {decay:g}" for beta, decay in EQUIVALENCE],
            "correction": ["none", "momentum"],
            "seed": seeds,
        },
    )
    return labelled(data, UNITS)


@stage(reads=("hidden", "image_batch"))
def agreement(config: Config, progress: Progress) -> xr.Dataset:
    """Largest difference of weights after 100 updates between KAdam with k = 1 (and k = 2) and
    torch's AdamW on the same networks and digits."""
    found = []
    for name in ("AdamW", "k = 1", "k = 2"):
        arena = ImageArena("digits", "none", _keys(config.seeds), config.hidden, 0)
        model = arena.model.to(config.torch_device)
        if name == "AdamW":
            optimizer: torch.optim.Optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        else:
            optimizer = KAdam(model.parameters(), 1e-3, k=int(name[-1]))
        fit(
            model,
            lambda step, arena=arena: arena.sample(step, config.image_batch),  # type: ignore[misc]
            steps=100,
            optimizer=optimizer,
            loss=cross_entropy,
            progress=progress,
            name=name,
        )
        weights = [p.detach().flatten(1) for p in model.parameters()]
        found.append(torch.cat(weights, 1).double().cpu())
    apart = [(x - found[0]).abs().amax(1).numpy() for x in found[1:]]
    data = xr.Dataset(
        {"agreement": (("compared_k", "seed"), np.stack(apart))},
        {"compared_k": [1, 2], "seed": list(config.seeds)},
    )
    return labelled(data, UNITS)


def _keys(seeds: Sequence[int]) -> list[task.Key]:
    return [(seed, "layers", 0) for seed in seeds]


# --- networks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One condition of the normalised networks: multiples of the base values."""

    initial: float = 1.0
    loss: float = 1.0
    rate: float = 1.0
    decay: float = 1.0


SETTINGS = {
    "base": Setting(),
    "twice the initial norm": Setting(initial=2.0),
    "loss x 100": Setting(loss=100.0),
    "half the rate, twice the decay": Setting(rate=0.5, decay=2.0),
    "twice the rate, half the decay": Setting(rate=2.0, decay=0.5),
    "twice the rate": Setting(rate=2.0),
    "no decay": Setting(decay=0.0),
    "no decay, twice the initial norm": Setting(decay=0.0, initial=2.0),
}
NORMS: tuple[Norm, ...] = ("layer", "none")
RATE, DECAY, BETA = 2e-3, 2.0, 0.9
INITIAL = 0.25  # of the usual weights: nearer to where decay lets the norm settle
EARLY = 0.05  # of the relaxation 1 / (2 eta lambda): decay has erased less than that of a norm


@stage(reads=("hidden", "image_batch", "angular_steps"))
def networks(config: Config, progress: Progress) -> xr.Dataset:
    """Perceptrons on digits, the first layer normalised or not: the angle by which it turns, and
    its norm beside what the law makes of the recorded updates."""
    steps, seeds = config.angular_steps, list(config.seeds)
    cells = [(c, s) for c in SETTINGS.values() for s in seeds]
    device = config.torch_device

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values).to(device)

    rates = column([RATE * c.rate for c, _ in cells])
    decays = column([DECAY * c.decay for c, _ in cells])
    scale, initial = column([c.loss for c, _ in cells]), [INITIAL * c.initial for c, _ in cells]
    found = []
    for norm in NORMS:
        arena = ImageArena("digits", norm, _keys([s for _, s in cells]), config.hidden, 0, initial)
        model = arena.model.to(device)
        optimizer = KAdam(model.parameters(), rates, k=1, eps=1e-15, weight_decay=decays)
        assert isinstance(model, NormalisedMLP)
        weight = model.hidden[0].weight
        assert isinstance(weight, nn.Parameter)
        monitor = LayerMonitor(weight, optimizer, rates, decays)
        history = fit(
            model,
            lambda step, arena=arena: arena.sample(step, config.image_batch),  # type: ignore[misc]
            steps=steps,
            optimizer=optimizer,
            checkpoints=range(1, steps + 1),
            on_checkpoint=lambda _, __, monitor=monitor: monitor.look(),  # type: ignore[misc]
            loss=lambda model, batch: scale * finite(cross_entropy(model, batch)),
            progress=progress,
            name=f"networks, {norm}",
        )
        rows = [history.measured[n] for n in range(1, steps + 1)]
        found.append({name: np.stack([row[name] for row in rows]) for name in rows[0]})
    shape = (len(NORMS), steps, len(SETTINGS), len(seeds))
    angle, moved, before, after = (
        np.stack([rows[name] for rows in found]).reshape(shape).astype(float)
        for name in ("angle", "moved", "norm", "after")
    )
    shrink = 1 - RATE * np.array([c.rate for c in SETTINGS.values()]) * DECAY * np.array(
        [c.decay for c in SETTINGS.values()]
    )
    begin = min(SETTLING, steps // 2)
    laws = [_law(before, moved, shrink[:, None], begin, k) for k in (1.0, amplification(BETA))]
    shown, late = _shown(steps), slice(steps // 2, None)
    early = slice(0, max(1, round(EARLY / (2 * RATE * DECAY))))
    names = ("norm", "setting", "seed")
    path = ("norm", "net_step", "setting", "seed")
    data = xr.Dataset(
        {
            "net_angle": (names, angle[:, late].mean(1)),
            "net_angle_early": (names, angle[:, early].mean(1)),
            "net_angle_error": (names, np.abs(angle / (moved / before) - 1)[:, late].mean(1)),
            "net_angle_path": (path, angle[:, shown].astype("float32")),
            "net_norm2": (names, after[:, -1] ** 2),
            "net_norm2_predicted": (("correction", *names), np.stack(laws)),
        },
        {
            "norm": list(NORMS),
            "setting": list(SETTINGS),
            "correction": ["none", "momentum"],
            "net_step": shown + 1,
            "seed": seeds,
            "net_product": (
                "setting",
                [RATE * c.rate * DECAY * c.decay for c in SETTINGS.values()],
            ),
        },
    )
    return labelled(data, UNITS)


def _law(
    norm: np.ndarray, moved: np.ndarray, shrink: np.ndarray, begin: int, amplify: float
) -> np.ndarray:
    """|W|^2 at the end by the norm law, from |W| after `begin` steps and the recorded updates."""
    value = norm[:, begin] ** 2
    for n in range(begin, norm.shape[1]):
        value = shrink**2 * value + amplify * moved[:, n] ** 2
    return np.asarray(value)
