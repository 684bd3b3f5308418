"""Stages that train networks by stochastic gradient descent on samples: the order in which concepts
are learned, and the hierarchy of compositions.
"""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from synthcore.studies.sim_concept_learning import descent, measure, networks, task
from synthcore.studies.sim_concept_learning.parameters import Config

Progress = Callable[[str, int, int], None]
PHI = 0.5  # a concept counts as learned from this fraction of its signal on
KEPT = 90  # looks kept of a run, for figures
HIERARCHY = ((1.0, 2.0, 3.0, 4.0), (0.5, 0.5, 0.5, 0.5))  # mu and sigma of four concepts


def training(config: Config) -> networks.Training:
    """How this chapter's networks are trained."""
    names = ("dimension", "hidden", "points", "batch", "learning_rate", "epochs", "stride")
    return networks.Training(
        **{name: getattr(config, name) for name in names}, device=config.torch_device
    )


def report(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    """The progress call of one stage."""
    return None if progress is None else lambda done, total: progress(stage, done, total)


def thinned(count: int, keep: int = KEPT) -> list[int]:
    """About `keep` of `count` indices, denser at the start, with the first and the last."""
    share = np.linspace(0, 1, keep) ** 2
    return sorted(set((share * (count - 1)).round().astype(int).tolist()))


def order(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Three architectures on every condition: outputs at x^, times of arrival, speeds, losses."""
    seeds, conditions = list(config.seeds), config.conditions
    extra = [997 * config.seed + 10_000 + i for i in range(config.balanced_seeds)]
    mu = torch.tensor([centres for centres, _ in conditions])[:, None]
    parts: dict[str, list[Tensor]] = {
        name: [] for name in ("output", "arrival", "speed_ratio", "draw_up", "balanced")
    }
    reduction = []
    for name in networks.ARCHITECTURES:
        run = networks.train(name, conditions, seeds, training(config), report(progress, name))
        time = torch.tensor(run.step) * config.learning_rate
        path = run.output[:, :, -1].unflatten(1, (len(conditions), len(seeds)))
        speed = measure.speed(path, time)
        late = speed[2 * len(speed) // 3 :].mean(0)
        parts["output"].append(path)
        parts["arrival"].append(measure.arrival(path / mu, PHI, time))
        parts["speed_ratio"].append(speed.amax(0) / late)
        parts["draw_up"].append(measure.draw_up(run.probe_loss[:, :, -1]).view(path.shape[1:3]))
        balanced = networks.train(
            name, conditions[-2:-1], extra, training(config), report(progress, f"{name}, equal")
        )
        ratio = balanced.output[:, :, -1] / mu[-2]
        parts["balanced"].append(measure.arrival(ratio, PHI, time))
        if run.products:
            reduction.append(reductions(run, len(seeds)))
    keep = thinned(len(run.step))
    cell = ("architecture", "condition", "seed")
    stacked = {name: torch.stack(values).numpy() for name, values in parts.items()}
    outputs = stacked["output"][:, keep]
    both = np.concatenate(reduction, axis=1)
    return xr.Dataset(
        {
            "network_output": (("architecture", "network_time", *cell[1:], "concept"), outputs),
            "network_arrival": ((*cell, "concept"), stacked["arrival"]),
            "network_speed_ratio": (cell, stacked["speed_ratio"]),
            "network_draw_up": (cell, stacked["draw_up"]),
            "balanced_arrival": (("architecture", "balanced", "concept"), stacked["balanced"]),
            "network_loss_direct": (("network_case", "seed"), both[0]),
            "network_loss_reduced": (("network_case", "seed"), both[1]),
            "network_loss_centred": (("network_case", "seed"), both[2]),
        },
        {
            "architecture": list(networks.ARCHITECTURES),
            "network_time": time.numpy()[keep],
            "seed": seeds,
            "balanced": extra,
            **condition_coordinates(config),
        },
    )


def condition_coordinates(config: Config) -> dict[str, tuple[str, list[float]]]:
    """mu, sigma and a of every condition, by concept."""
    found: dict[str, tuple[str, list[float]]] = {}
    for p in range(2):
        mu = [condition[0][p] for condition in config.conditions]
        sigma = [condition[1][p] for condition in config.conditions]
        found[f"mu_{p + 1}"] = ("condition", mu)
        found[f"sigma_{p + 1}"] = ("condition", sigma)
        found[f"a_{p + 1}"] = (
            "condition",
            [s**2 + m**2 / 2 for m, s in zip(mu, sigma, strict=True)],
        )
    return found


def reductions(run: networks.Run, members: int) -> np.ndarray:
    """Loss over the points, from their second moment, and from their covariance (which is wrong):
    (3, milestone, seed) for the members of the first condition.
    """
    points = run.points[:members].double()
    rotation = run.rotation[:members].double()
    embedded = task.embed(points, rotation)
    moment = task.second_moment(embedded)
    centred = task.second_moment(embedded - embedded.mean(1, keepdim=True))
    rows = [
        [
            descent.sample_loss(matrix.mT, embedded),
            descent.reduced_loss(matrix.mT, moment),
            descent.reduced_loss(matrix.mT, centred),
        ]
        for matrix in (product[:members] for product in run.products)
    ]
    return np.array([[row[kind].numpy() for row in rows] for kind in range(3)])


def hierarchy(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """A ReLU network on four concepts: the loss of every composition over training."""
    seeds = list(config.seeds)
    run = networks.train(
        "2-layer ReLU", [HIERARCHY], seeds, training(config), report(progress, "four concepts")
    )
    per_epoch = 4 * config.points // config.batch
    epochs = np.array(run.step) / per_epoch
    wanted = {int(np.abs(epochs - epoch).argmin()) for epoch in (1, 3, 5)}
    keep = sorted({*thinned(len(run.step), 60), *wanted})
    return xr.Dataset(
        {
            "composition_loss": (("epoch", "seed", "composition"), run.probe_loss.numpy()[keep]),
            "hierarchy_loss": (("epoch", "seed"), run.loss.numpy()[keep]),
        },
        {"epoch": epochs[keep], "seed": seeds, "composition": range(16)},
    )
