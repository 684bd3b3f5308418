"""How often does it happen? Draw-ups of deep linear networks over random initial weights, by depth,
dimension and width, and of the tied network with Gaussian U, by width. No noise: the data are
replaced by their second moment.
"""

import numpy as np
import torch
import xarray as xr
from torch import nn
from torch.nn.functional import pad

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.sim_concept_learning import measure, task, theory
from synthcore.studies.sim_concept_learning.config import Config
from synthcore.studies.sim_concept_learning.model import identity_loss, linear_or_relu
from synthcore.training.fit import fit
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

LOOKS = 300
HIDDEN, SIZES = (2, 4, 16, 64), (0.01, 0.1)


@stage(
    reads=(
        *("mu", "sigma", "initialisations", "deep_dimensions", "deep_depths"),
        *("deep_learning_rate", "deep_time"),
    )
)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Draw-up of the OOD loss, and the share of it that is left, from PyTorch's usual weights.

    Every dimension is met with hidden layers as wide as the fewest dimensions and as the most, so
    that dimension and width are told apart. A network of one layer has no width.
    """
    dimensions, depths, seeds = config.deep_dimensions, config.deep_depths, list(config.seeds)
    widths = (dimensions[0], dimensions[-1])
    shape = (len(dimensions), len(widths), len(depths), len(seeds), config.initialisations)
    rise, left = np.empty((2, *shape), np.float32)
    for i, j, k in np.ndindex(shape[:3]):
        if depths[k] == 1 and j > 0:
            rise[i, j, k], left[i, j, k] = rise[i, 0, k], left[i, 0, k]
            continue
        loss = _descend(dimensions[i], widths[j], depths[k], config, progress)
        rise[i, j, k] = measure.draw_up(loss).view(shape[3:]).numpy()
        left[i, j, k] = (loss[-1] / loss[0]).view(shape[3:]).numpy()
    cell = ("dimension", "width", "depth", "seed", "initialisation")
    data = xr.Dataset(
        {"draw_up": (cell, rise), "remaining": (cell, left)},
        {
            "dimension": list(dimensions),
            "width": list(widths),
            "depth": list(depths),
            "seed": seeds,
        },
    )
    return labelled(data, {})


def _descend(d: int, width: int, layers: int, config: Config, progress: Progress) -> torch.Tensor:
    """OOD loss over training of every start, (K, M)."""
    members = [
        1000 * seed + start for seed in config.seeds for start in range(config.initialisations)
    ]
    a = theory.strengths(config.mu, (config.sigma,) * 2)
    points = task.points_with_moment(a[None], d).float().expand(len(members), -1, -1)
    probe = pad(torch.tensor(config.mu), (0, d - 2)).expand(len(members), 1, d)
    steps = round(config.deep_time / config.deep_learning_rate)
    model = linear_or_relu(layers, d, width, members)

    def look(_: int, network: nn.Module) -> dict[str, np.ndarray]:
        with torch.no_grad():
            return {"loss": identity_loss(network, probe).numpy()}

    history = fit(
        model,
        lambda _: points,
        steps=steps,
        optimizer=torch.optim.SGD(model.parameters(), lr=config.deep_learning_rate),
        checkpoints={*range(0, steps, max(1, steps // LOOKS)), steps},
        on_checkpoint=look,
        loss=identity_loss,
        progress=progress,
        name=f"{layers} layers, d = {d}, width {width}",
    )
    return torch.from_numpy(np.stack([row["loss"] for row in history.measured.values()]))


@stage(reads=("mu", "sigma", "initialisations"))
def widths(config: Config, progress: Progress) -> xr.Dataset:
    """Draw-up of the tied network's exact flow from Gaussian U(0) without alike rows, by the number
    of its columns and the size of the start."""
    shape = (len(HIDDEN), len(SIZES), len(config.seeds), config.initialisations)
    rise = np.empty(shape, np.float32)
    a = theory.strengths(config.mu, (config.sigma,) * 2)
    tau = theory.log_times(0.02, 40.0, 300)
    for i, hidden in enumerate(HIDDEN):
        for j, omega in enumerate(SIZES):
            generators = [
                seeded(seed, "width", draw)
                for seed in config.seeds
                for draw in range(config.initialisations)
            ]
            start = theory.random_factor(omega, 0.0, 2, hidden, generators)
            w = theory.integrate_factor(start, a, tau, step=theory.COARSE)
            rise[i, j] = measure.draw_up(theory.ood_loss(w, config.mu)).view(shape[2:]).numpy()
            progress("widths", i * len(SIZES) + j + 1, len(HIDDEN) * len(SIZES))
    data = xr.Dataset(
        {"draw_up": (("hidden", "size", "seed", "initialisation"), rise)},
        {"hidden": list(HIDDEN), "size": list(SIZES), "seed": list(config.seeds)},
    )
    return labelled(data, {})
