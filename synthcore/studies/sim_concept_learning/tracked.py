"""Stages that follow gradient descent on samples step by step and hold it against the exact theory:
the one-layer network and the tied two-layer network.
"""

import math

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from synthcore.studies.sim_concept_learning import descent, measure, task, theory
from synthcore.studies.sim_concept_learning.parameters import Config
from synthcore.studies.sim_concept_learning.sampled import PHI, Progress, report, thinned
from synthcore.training.seeding import seeded

GAINS = (0.01, 1.0)  # of the usual initial weights of the one-layer network
ONE_LAYER = (3, 8.0)  # coordinates and clock t of the one-layer network
SLOPE_OMEGA, SLOPE_RHOS = 1e-4, (0.5, 0.8, 0.95)  # small: the phases must lie far apart
PHASES = ("both grow", "strong learned", "both learned")
ENTRIES = ("weak", "minor", "strong")


def one_layer(config: Config) -> xr.Dataset:
    """Full-batch descent on W for every condition, seed and size of W(0), against T1."""
    (d, last), rate = ONE_LAYER, config.one_layer_learning_rate
    conditions, seeds = config.conditions, list(config.seeds)
    n = max(config.points // 4, 16)
    shape = (len(GAINS), len(conditions), len(seeds))
    every = seeds * (len(GAINS) * len(conditions))
    mixture = task.Mixture.of(conditions * len(GAINS), len(seeds))
    points = mixture.draw(n, every)[0]
    unit = torch.stack([2 * torch.rand(d, 2, generator=seeded(s, 7)) - 1 for s in every])
    gain = torch.tensor(GAINS).repeat_interleave(len(conditions) * len(seeds))
    start = (gain[:, None, None] * unit).double() * d**-0.5
    steps = round(last / rate)
    at = list(range(0, steps, max(1, steps // 200)))
    path = descent.one_layer(start, points, rate, steps, at)
    time = rate * torch.tensor(at, dtype=torch.float64)

    moment = task.second_moment(points)
    probe = mixture.mu[..., None]
    looks = np.unique(np.geomspace(2, len(at) - 1, 20).round().astype(int)).tolist()
    same = torch.eye(d, 2, dtype=torch.float64)
    exact = torch.stack(
        [same + (start - same) @ torch.matrix_exp(-moment * time[i]) for i in looks]
    )
    output = (path.weights @ probe)[..., :2, 0]
    speed = measure.speed((path.weights @ probe)[..., 0], time)
    late = slice(2 * len(speed) // 3, None)
    slopes = measure.slope(time[1:][late], speed[late].log())
    arrival = measure.arrival(output / mixture.mu, PHI, time)
    deviation = (moment - torch.diag_embed(mixture.sigma**2 + mixture.mu**2 / 2)).abs()
    errors = task.moment_errors(mixture.mu, mixture.sigma, n)
    centred = task.second_moment(points - points.mean(1, keepdim=True))
    cases = [0, len(at) // 4, len(at) - 1]
    losses = [
        (
            descent.sample_loss(path.weights[i], points),
            descent.reduced_loss(path.weights[i], moment),
            descent.reduced_loss(path.weights[i], centred),
        )
        for i in cases
    ]

    def cells(values: Tensor) -> np.ndarray:
        """The member axis, which must come last or be followed by `rest`, as gain x condition x
        seed.
        """
        axis = list(values.shape).index(len(every))
        return values.unflatten(axis, shape).numpy()

    def first(kind: int) -> np.ndarray:
        return np.stack([cells(row[kind])[1, 0] for row in losses])

    cell = ("gain", "condition", "seed")
    keep = list(range(0, len(speed), 4))
    return xr.Dataset(
        {
            "one_layer_output": (("one_layer_time", *cell, "concept"), cells(output[looks])),
            "one_layer_theory": (
                ("one_layer_time", *cell, "concept"),
                cells((exact @ probe)[..., :2, 0]),
            ),
            "one_layer_arrival": ((*cell, "concept"), cells(arrival)),
            "one_layer_slope": (cell, cells(slopes)),
            "one_layer_speed": (("speed_time", *cell), cells(speed[keep])),
            "moment_error": (cell[1:], cells((deviation * math.sqrt(2 * n)).amax((-2, -1)))[0]),
            "moment_z": (cell[1:], cells((deviation / errors).amax((-2, -1)))[0]),
            "one_layer_loss_direct": (("one_layer_case", "seed"), first(0)),
            "one_layer_loss_reduced": (("one_layer_case", "seed"), first(1)),
            "one_layer_loss_centred": (("one_layer_case", "seed"), first(2)),
        },
        {
            "gain": list(GAINS),
            "one_layer_time": time[looks].numpy(),
            "speed_time": time[1:][keep].numpy(),
            "seed": seeds,
        },
    )


def tied_conditions(config: Config) -> list[tuple[str, float, float, float]]:
    """Name, rho, sigma and radius of rejection of every tied network."""
    radius = min(config.mu) / 2
    wide = config.spreads[0]
    return [
        ("swing-by", config.rho, config.sigma, 0.0),
        ("rho 0", 0.0, config.sigma, 0.0),
        ("rho -0.5", -0.5, config.sigma, 0.0),
        *((f"sigma {sigma:g}", config.rho, sigma, 0.0) for sigma in config.spreads),
        (f"rejection, sigma {config.sigma:g}", config.rho, config.sigma, radius),
        (f"rejection, sigma {wide:g}", config.rho, wide, radius),
    ]


def tied(config: Config) -> xr.Dataset:
    """Descent on U over all samples, for the swing-by network and its controls; and over batches
    for the swing-by network.
    """
    conditions, seeds = tied_conditions(config), list(config.seeds)
    every = seeds * len(conditions)
    mixture = task.Mixture.of(
        [(config.mu, (sigma, sigma)) for _, _, sigma, _ in conditions], len(seeds)
    )
    radius = [r for *_, r in conditions for _ in seeds]
    points, rejected = mixture.draw(config.points, every, radius)
    start = theory.initial(
        config.omega, torch.tensor([rho for _, rho, *_ in conditions for _ in seeds]), 2
    )
    rate = config.tied_learning_rate
    steps = round(config.tied_time / rate)
    at = sorted(set(np.linspace(0, steps - 1, config.tied_looks).round().astype(int).tolist()))
    path = descent.tied(start, points, rate, steps, at)
    n = len(seeds)
    noisy = descent.tied(start[:n], points[:n], rate, steps, at, config.batch, config.seed)
    tau = 2 * rate * torch.tensor(at, dtype=torch.float64)

    a = theory.strengths(config.mu, (config.sigma,) * 2)
    growth, suppression, interaction = theory.growth_suppression_interaction(path.weights[:, :n], a)
    scalars = summary(path.weights, config, tau)
    moment = task.second_moment(points)
    centred = task.second_moment(points - points.mean(1, keepdim=True))
    cases = [0, len(at) // 4, len(at) - 1]
    losses = [
        [
            descent.sample_loss(w, points)[:n].numpy(),
            descent.reduced_loss(w, moment)[:n].numpy(),
            descent.reduced_loss(w, centred)[:n].numpy(),
        ]
        for w in path.weights[cases]
    ]
    train = torch.stack([descent.reduced_loss(w, moment) for w in path.weights])
    rise = torch.diff(train, dim=0).amax(0) / train[0]
    speed = measure.speed((path.weights[:, :n] @ theory.as_double(config.mu)), tau)
    late = slice(2 * len(speed) // 3, None)

    def cells(values: Tensor) -> np.ndarray:
        return values.unflatten(0, (len(conditions), n)).numpy()

    keep = thinned(len(at), 150)
    cell = ("tied_condition", "seed")
    found = {
        "tied_w": (("tau", *cell, "entry"), entries(path.weights[keep]).unflatten(1, (-1, n))),
        "tied_sgd_w": (("tau", "seed", "entry"), entries(noisy.weights[keep])),
        "tied_train_loss": (("tau", *cell), train[keep].unflatten(1, (-1, n))),
        "velocity_measured": (
            ("tau", "seed", "entry"),
            entries(path.velocity(rate)[keep, :n]),
        ),
        "velocity_field": (
            ("tau", "seed", "entry"),
            2 * entries((growth - suppression - interaction)[keep]),
        ),
        "tied_slope": (("seed",), measure.slope(tau[1:][late], speed[late].log())),
        "tied_speed": (("tau", "seed"), torch.cat([speed[:1], speed])[keep]),
        **{f"tied_{name}": (cell, cells(values)) for name, values in scalars.items()},
        "tied_sgd_draw_up": (("seed",), summary(noisy.weights, config, tau)["draw_up"]),
        "tied_train_rise": (cell, cells(rise)),
        "tied_rejected": (cell, cells(rejected)),
    }
    for kind, name in enumerate(("direct", "reduced", "centred")):
        rows = np.stack([row[kind] for row in losses])
        found[f"tied_loss_{name}"] = (("tied_case", "seed"), rows)
    return xr.Dataset(
        {name: (dims, np.asarray(values)) for name, (dims, values) in found.items()},
        {
            "tau": tau[keep].numpy(),
            "seed": seeds,
            "tied_condition": [name for name, *_ in conditions],
            "tied_rho": ("tied_condition", [rho for _, rho, *_ in conditions]),
            "tied_sigma": ("tied_condition", [sigma for _, _, sigma, _ in conditions]),
            "entry": list(ENTRIES),
        },
    )


def entries(w: Tensor) -> Tensor:
    """w_weak, w_minor, w_strong of two concepts, weak first."""
    return torch.stack([w[..., 0, 0], w[..., 0, 1], w[..., 1, 1]], dim=-1)


def summary(weights: Tensor, config: Config, tau: Tensor) -> dict[str, Tensor]:
    """What happens along each path (K, M, 2, 2), in the clock tau; NaN for what does not happen."""
    output = theory.ood_output(weights, config.mu)
    loss = theory.ood_loss(weights, config.mu)
    weak = output[..., 0]
    peak, trough, lowest, highest = (torch.full_like(weak[0], torch.nan) for _ in range(4))
    for m in range(weak.shape[1]):
        up, down = measure.turning_points(-weak[:, m])
        low, high = measure.turning_points(loss[:, m])
        if up is not None and down is not None:
            peak[m], trough[m] = weak[up, m], weak[down, m]
        if low is not None and high is not None:
            lowest[m], highest[m] = tau[low], tau[high]
    ahead = output[len(tau) // 50 + 1] - output[0]
    return {
        "draw_up": measure.draw_up(loss),
        "advance": ahead.amin(-1),
        "weak_fall": 1 - trough / peak,
        "weak_end": weak[-1] / config.mu[0],
        "minor_peak_time": tau[weights[..., 0, 1].argmax(0)],
        "loss_minimum_time": lowest,
        "loss_maximum_time": highest,
        "weak_half_time": measure.arrival(weights[..., 0, 0], PHI, tau),
    }


def slopes(config: Config) -> xr.Dataset:
    """Descent on U with the data replaced by A: logarithmic slopes of the minor entry in the three
    phases, clock tau, against their limits and against T4 in the same windows.
    """
    a = theory.strengths(config.mu, (config.sigma,) * 2)
    weak, strong = a.tolist()
    start = theory.initial(SLOPE_OMEGA, SLOPE_RHOS, 2)
    seeds = theory.pivots(start, a)
    learned = theory.logistic_time(PHI, seeds, a)  # (rho, concept)
    rate = config.tied_learning_rate
    steps = math.ceil((float(learned.max()) + 9 / (2 * weak)) / (2 * rate))
    at = list(range(0, steps, 5))
    points = descent.points_with_moment(a.expand(len(SLOPE_RHOS), 2))
    path = descent.tied(start, points, rate, steps, at)
    tau = 2 * rate * torch.tensor(at, dtype=torch.float64)
    measured, closed = [], []
    for i in range(len(SLOPE_RHOS)):
        p, r, q = start[i, 1, 1], start[i, 0, 1], seeds[i, 0]
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
            minor = path.weights[:, i, 0, 1]
            measured.append(float(measure.slope(tau[inside], minor[inside].log())))
            closed.append(float(measure.slope(tau[inside], exact[inside].log())))
    alone = theory.integrate(theory.initial(config.omega, [0.0] * len(SLOPE_RHOS), 2), a, tau)
    limits = [strong + weak, -(strong - weak) / 2, -(strong + weak)]
    shape = (len(SLOPE_RHOS), len(PHASES))
    keep = thinned(len(at), 120)
    return xr.Dataset(
        {
            "slope_measured": (("slope_rho", "phase"), np.reshape(measured, shape)),
            "slope_closed_form": (("slope_rho", "phase"), np.reshape(closed, shape)),
            "slope_limit": (("phase",), limits),
            "ablation_draw_up": (
                ("slope_rho",),
                measure.draw_up(theory.ood_loss(alone, config.mu)),
            ),
            "slope_minor": (
                ("slope_tau", "slope_rho"),
                path.weights[keep][:, :, 0, 1].numpy(),
            ),
        },
        {"slope_rho": list(SLOPE_RHOS), "phase": list(PHASES), "slope_tau": tau[keep].numpy()},
    )


def track(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The one-layer network, the tied ones, and the slopes of the minor entry."""
    call = report(progress, "one-layer and tied networks")
    parts = []
    for i, stage in enumerate((one_layer, tied, slopes)):
        parts.append(stage(config))
        if call is not None:
            call(i + 1, 3)
    return xr.merge(parts, compat="no_conflicts", join="exact")
