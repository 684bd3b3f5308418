"""The tied two-layer network f(x) = U U^T x, trained on samples from random starts with alike rows:
the swing-by, its controls, and what the exact flow foretells for each start.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.sim_concept_learning import measure, task, theory
from synthcore.studies.sim_concept_learning.config import TIED, Config
from synthcore.studies.sim_concept_learning.experiments.networks import thinned
from synthcore.studies.sim_concept_learning.model import Tied, identity_loss
from synthcore.training.fit import fit
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

ALIKE, APART, OPPOSED, WITHOUT = "alike rows", "rho 0", "rho -0.5", "no minor entries"
REJECTED = "rejection"
SLOPE_OMEGA, SLOPE_RHOS = 1e-4, (0.5, 0.8, 0.95)  # small: the phases must lie far apart
PHASES = ("both grow", "strong learned", "both learned")
ENTRIES = ("weak", "minor", "strong")
KEPT = 100  # measurements kept for figures
CLOCK = "clock tau = 2 t"
UNITS = {
    "tau": CLOCK,
    "time": CLOCK,
    "flow_time": CLOCK,
    "slope_tau": CLOCK,
    "train_loss": "signal units squared",
    "ood_loss": "signal units squared",
    "velocity_measured": "1 / tau",
    "velocity_field": "1 / tau",
    "speed": "signal units / tau",
    "slope": "1 / tau",
    "slope_measured": "1 / tau",
    "slope_closed_form": "1 / tau",
    "slope_limit": "1 / tau",
    "loss_over_samples": "signal units squared",
    "loss_from_moment": "signal units squared",
    "loss_from_covariance": "signal units squared",
    "spread": "signal units",
}


def starts(config: Config, rho: float) -> Float[Tensor, "M 2 h"]:
    """U(0) of every seed: Gaussian rows of correlation rho, the same draw for every rho."""
    generators = [seeded(seed, "tied start") for seed in config.seeds]
    return theory.random_factor(config.omega, rho, 2, config.tied_hidden, generators)


def without_minor(start: Float[Tensor, "M s h"]) -> Float[Tensor, "M s h"]:
    """U(0) with the same diagonal of W(0), whose other entries are exactly zero."""
    s, h = start.shape[-2:]
    return start.square().sum(-1).sqrt()[..., None] * torch.eye(s, h, dtype=start.dtype)


def fields(config: Config) -> list[tuple[str, float, float, float]]:
    """Name, rho, sigma and radius of rejection of every condition."""
    radius, wide = min(config.mu) / 2, config.spreads[0]
    return [
        (ALIKE, config.rho, config.sigma, 0.0),
        (WITHOUT, config.rho, config.sigma, 0.0),
        (APART, 0.0, config.sigma, 0.0),
        (OPPOSED, -0.5, config.sigma, 0.0),
        *((f"sigma {sigma:g}", config.rho, sigma, 0.0) for sigma in config.spreads),
        (REJECTED, config.rho, wide, radius),
    ]


@stage(reads=(*TIED, "batch", "spreads"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """SGD on batches for every condition and seed, and the exact flow from the same U(0) under the
    sample's own second moment."""
    conditions, seeds = fields(config), list(config.seeds)
    every = seeds * len(conditions)
    mixture = task.Mixture.of([(config.mu, (s, s)) for _, _, s, _ in conditions], len(seeds))
    radius = [r for *_, r in conditions for _ in seeds]
    points, rejected = mixture.draw(config.points, every, radius)
    start = torch.cat([_start(config, name, rho) for name, rho, *_ in conditions])
    model = Tied(start)
    at, rate = _looks(config), config.tied_learning_rate
    history = fit(
        model,
        task.Epochs(points, config.batch, every),
        steps=at[-1],
        optimizer=torch.optim.SGD(model.parameters(), lr=rate),
        checkpoints=at,
        on_checkpoint=_weights,
        loss=identity_loss,
        progress=progress,
        name="tied networks",
    )
    weights = torch.from_numpy(np.stack([history.measured[step]["w"] for step in at]))
    tau = 2 * rate * torch.tensor(at, dtype=torch.float64)
    flow = theory.integrate_on(start, task.second_moment(points), tau)
    found, foretold = (measure.swing(w, config.mu, tau) for w in (weights, flow))
    shape = (len(conditions), len(seeds))
    a = theory.strengths(config.mu, (config.sigma,) * 2)
    first = start[: len(seeds)]
    by_closed_form = theory.closed_form_loss(first @ first.mT, config.mu, a, tau)
    keep = thinned(len(at), KEPT)
    cell = ("condition", "seed")

    def cells(values: Tensor) -> np.ndarray:
        return values.view(shape).numpy()

    def times(of: dict[str, Tensor]) -> np.ndarray:
        return np.stack([cells(of[event]) for event in measure.EVENTS], -1)

    data = xr.Dataset(
        {
            "w": (
                ("tau", *cell, "entry"),
                entries(weights[keep]).unflatten(1, shape).float().numpy(),
            ),
            "ood_loss": (
                ("tau", *cell),
                theory.ood_loss(weights[keep], config.mu).unflatten(1, shape).float().numpy(),
            ),
            "draw_up": (cell, cells(found["draw_up"])),
            "approach": (cell, cells(found["approach"])),
            "fall": (cell, cells(found["fall"])),
            "end": (cell, cells(found["end"])),
            "time": ((*cell, "event"), times(found)),
            "flow_draw_up": (cell, cells(foretold["draw_up"])),
            "flow_approach": (cell, cells(foretold["approach"])),
            "flow_fall": (cell, cells(foretold["fall"])),
            "flow_end": (cell, cells(foretold["end"])),
            "flow_time": ((*cell, "event"), times(foretold)),
            "closed_form_draw_up": (("seed",), measure.draw_up(by_closed_form).numpy()),
            "rejected": (cell, cells(rejected)),
            "start": (
                ("seed", "entry"),
                entries(first @ first.mT).numpy(),
            ),
        },
        {
            "tau": tau[keep].numpy(),
            "seed": seeds,
            "condition": [name for name, *_ in conditions],
            "rho": ("condition", [rho for _, rho, *_ in conditions]),
            "spread": ("condition", [sigma for _, _, sigma, _ in conditions]),
            "entry": list(ENTRIES),
            "event": list(measure.EVENTS),
        },
    )
    return labelled(data, UNITS)


def _start(config: Config, name: str, rho: float) -> Tensor:
    start = starts(config, rho)
    return without_minor(start) if name == WITHOUT else start


def _looks(config: Config) -> list[int]:
    """Steps at which the tied network is measured, evenly spaced, the last included."""
    steps = round(config.tied_time / config.tied_learning_rate)
    return sorted(set(np.linspace(0, steps, config.tied_looks).round().astype(int).tolist()))


def _weights(_: int, network: nn.Module) -> dict[str, np.ndarray]:
    assert isinstance(network, Tied)
    return {"w": network.matrix().numpy()}


def entries(w: Float[Tensor, "*batch 2 2"]) -> Float[Tensor, "*batch 3"]:
    """w_weak, w_minor, w_strong of two concepts, weak first."""
    return torch.stack([w[..., 0, 0], w[..., 0, 1], w[..., 1, 1]], dim=-1)


@stage(reads=TIED)
def full_batch(config: Config, progress: Progress) -> xr.Dataset:
    """Descent on all samples at once from the starts with alike rows: velocities against the
    paper's field, losses against the second moment, and the speed at the end."""
    seeds, rate = list(config.seeds), config.tied_learning_rate
    mixture = task.Mixture.of([(config.mu, (config.sigma,) * 2)], len(seeds))
    points = mixture.draw(config.points, seeds)[0]
    model = Tied(starts(config, config.rho))
    at = _looks(config)[:-1]
    history = fit(
        model,
        lambda _: points,
        steps=at[-1] + 1,
        optimizer=torch.optim.SGD(model.parameters(), lr=rate),
        checkpoints={step + more for step in at for more in (0, 1)},
        on_checkpoint=_weights,
        loss=identity_loss,
        progress=progress,
        name="tied networks, all samples",
    )
    now, after = (
        torch.from_numpy(np.stack([history.measured[step + more]["w"] for step in at]))
        for more in (0, 1)
    )
    tau = 2 * rate * torch.tensor(at, dtype=torch.float64)
    a = theory.strengths(config.mu, (config.sigma,) * 2)
    growth, suppression, interaction = theory.growth_suppression_interaction(now, a)
    moment = task.second_moment(points)
    covariance = task.second_moment(points - points.mean(1, keepdim=True))
    train = torch.stack([measure.loss_from_moment(w, moment) for w in now])
    speed = measure.speed(now @ theory.as_double(config.mu), tau)
    late = slice(2 * len(speed) // 3, None)
    cases = now[[0, len(at) // 4, -1]]
    over, by_moment, by_covariance = (
        torch.stack([by(w, kind) for w in cases]).numpy()
        for by, kind in (
            (measure.loss_over_samples, points),
            (measure.loss_from_moment, moment),
            (measure.loss_from_moment, covariance),
        )
    )
    keep = thinned(len(at), KEPT)
    rates = entries(after - now) / (2 * rate)
    along = ("tau", "seed")
    data = xr.Dataset(
        {
            "velocity_measured": ((*along, "entry"), rates[keep].numpy()),
            "velocity_field": (
                (*along, "entry"),
                entries(growth - suppression - interaction)[keep].numpy(),
            ),
            "growth": ((*along, "entry"), entries(growth)[keep].float().numpy()),
            "suppression": ((*along, "entry"), entries(suppression)[keep].float().numpy()),
            "interaction": ((*along, "entry"), entries(interaction)[keep].float().numpy()),
            "train_loss": (along, train[keep].float().numpy()),
            "train_rise": ("seed", (torch.diff(train, dim=0).amax(0) / train[0]).numpy()),
            "speed": (along, torch.cat([speed[:1], speed])[keep].float().numpy()),
            "slope": ("seed", measure.slope(tau[1:][late], speed[late].log()).numpy()),
            "loss_over_samples": (("case", "seed"), over),
            "loss_from_moment": (("case", "seed"), by_moment),
            "loss_from_covariance": (("case", "seed"), by_covariance),
        },
        {"tau": tau[keep].numpy(), "seed": seeds, "entry": list(ENTRIES)},
        {"a_weak": float(a[0]), "a_strong": float(a[1])},
    )
    return labelled(data, UNITS)


@stage(reads=("mu", "sigma", "tied_learning_rate"), per_seed=False)
def slopes(config: Config, progress: Progress) -> xr.Dataset:
    """Descent on U with the data replaced by A, from small fixed starts: logarithmic slopes of the
    minor entry in the three phases, against their limits and against T4 in the same windows.
    """
    a = theory.strengths(config.mu, (config.sigma,) * 2)
    weak, strong = a.tolist()
    start = theory.initial(SLOPE_OMEGA, SLOPE_RHOS, 2)
    first_pivots = theory.pivots(start, a)
    learned = theory.logistic_time(measure.PHI, first_pivots, a)  # (rho, concept)
    rate = config.tied_learning_rate
    steps = math.ceil((float(learned.max()) + 9 / (2 * weak)) / (2 * rate))
    at = list(range(0, steps, 5))
    model = Tied(theory.square_root(start))
    points = task.points_with_moment(a.expand(len(SLOPE_RHOS), 2), 2)
    history = fit(
        model,
        lambda _: points,
        steps=at[-1],
        optimizer=torch.optim.SGD(model.parameters(), lr=rate),
        checkpoints=at,
        on_checkpoint=_weights,
        loss=identity_loss,
        progress=progress,
        name="slopes",
    )
    path = torch.from_numpy(np.stack([history.measured[step]["w"] for step in at]))
    tau = 2 * rate * torch.tensor(at, dtype=torch.float64)
    measured, closed = [], []
    for i in range(len(SLOPE_RHOS)):
        p, r, q = start[i, 1, 1], start[i, 0, 1], first_pivots[i, 0]
        exact = theory.two_concepts(tau, strong, weak, p, r, q)[1]
        second, first = learned[i].tolist()
        middle, gap = (first + second) / 2, second - first
        windows = (
            (0.0, 0.4 * first),
            (middle - 0.05 * gap, middle + 0.05 * gap),
            (second + 5 / (2 * weak), second + 7 / (2 * weak)),
        )
        for low, high in windows:
            inside = (tau >= low) & (tau <= high)
            minor = path[:, i, 0, 1]
            measured.append(float(measure.slope(tau[inside], minor[inside].log())))
            closed.append(float(measure.slope(tau[inside], exact[inside].log())))
    shape = (len(SLOPE_RHOS), len(PHASES))
    keep = thinned(len(at), KEPT)
    data = xr.Dataset(
        {
            "slope_measured": (("slope_rho", "phase"), _table(measured, shape)),
            "slope_closed_form": (("slope_rho", "phase"), _table(closed, shape)),
            "slope_limit": (
                ("phase",),
                [strong + weak, -(strong - weak) / 2, -(strong + weak)],
            ),
            "slope_minor": (("slope_tau", "slope_rho"), path[keep][:, :, 0, 1].numpy()),
            "learned": (("slope_rho", "concept"), learned.numpy()),
        },
        {"slope_rho": list(SLOPE_RHOS), "phase": list(PHASES), "slope_tau": tau[keep].numpy()},
    )
    return labelled(data, {**UNITS, "learned": CLOCK})


def _table(values: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    return np.reshape(np.array(values), shape)
