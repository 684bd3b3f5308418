"""Networks trained by SGD on samples, in d dimensions, their axes hidden by a rotation: which
concept comes first, and are compositions learned after what they contain?
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.nn.mlp import MLP
from synthcore.stages import stage
from synthcore.studies.sim_concept_learning import measure, task
from synthcore.studies.sim_concept_learning.config import TRAINING, Config
from synthcore.studies.sim_concept_learning.model import ARCHITECTURES, build, identity_loss
from synthcore.training.fit import fit
from synthcore.training.progress import Progress

Condition = tuple[tuple[float, ...], tuple[float, ...]]  # mu and sigma

KEPT = 50  # measurements kept of a run, for figures
FOUR: Condition = ((1.0, 2.0, 3.0, 4.0), (0.5, 0.5, 0.5, 0.5))
UNITS = {
    "network_output": "signal units",
    "network_time": "clock t = step size x steps",
    "network_arrival": "clock t = step size x steps",
    "mu_1": "signal units",
    "mu_2": "signal units",
    "sigma_1": "signal units",
    "sigma_2": "signal units",
    "a_1": "signal units squared",
    "a_2": "signal units squared",
    "network_loss_over_samples": "signal units squared",
    "network_loss_from_moment": "signal units squared",
    "network_loss_from_covariance": "signal units squared",
    "composition_loss": "signal units squared",
    "composition_arrival": "epochs",
    "epoch": "epochs",
}


def conditions(diversities: Sequence[float]) -> list[Condition]:
    """(mu, sigma) of the trained networks: the sweep of sigma_1, then the other two signals."""
    base = diversities[0]
    sweep: list[Condition] = [((1.0, 2.0), (sigma, base)) for sigma in diversities]
    return [*sweep, ((2.0, 2.0), (base, base)), ((3.0, 2.0), (base, base))]


def thinned(count: int, keep: int = KEPT) -> list[int]:
    """About `keep` of `count` indices, denser at the start, with the first and the last."""
    share = np.linspace(0, 1, keep) ** 2
    return sorted(set((share * (count - 1)).round().astype(int).tolist()))


@stage(reads=(*TRAINING, "diversities"))
def order(config: Config, progress: Progress) -> xr.Dataset:
    """Three architectures on every signal and diversity: outputs at x^, arrivals and losses."""
    found = []
    for name in ARCHITECTURES:
        found.append(_order(name, config, progress))
    data = xr.concat(found, "architecture", data_vars="all", coords="minimal", compat="equals")
    return labelled(data.assign_coords(architecture=list(ARCHITECTURES)), UNITS)


def _order(architecture: str, config: Config, progress: Progress) -> xr.Dataset:
    chosen, seeds = conditions(config.diversities), list(config.seeds)
    every = seeds * len(chosen)
    mixture = task.Mixture.of(chosen, len(seeds))
    points = mixture.draw(config.points, every)[0]
    rotation = task.rotations(every, config.dimension)
    model = build(architecture, config.dimension, config.hidden, every).to(config.torch_device)
    device, linear = config.torch_device, "linear" in architecture
    turned = rotation.float().to(device)
    batches = task.Epochs(points.float().to(device), config.batch, every)
    probe = task.embed(mixture.mu[:, None, :], rotation).float().to(device)  # (M, 1, d)
    steps = config.epochs * batches.per_epoch
    first = len(seeds)  # members of the first condition, whose losses are held against moments

    def look(step: int, network: nn.Module) -> dict[str, np.ndarray]:
        with torch.no_grad():
            output = network(probe)
        rows = {
            "output": (output @ turned[:, :, :2])[:, 0].cpu().numpy(),
            "loss": ((output - probe).square().sum((-2, -1)) / 2).cpu().numpy(),
        }
        if linear and step in (0, steps):
            assert isinstance(network, MLP)
            rows["product"] = network.product()[:first].detach().double().cpu().numpy()
        return rows

    history = fit(
        model,
        lambda step: task.embed(batches(step), turned),
        steps=steps,
        optimizer=torch.optim.SGD(model.parameters(), lr=config.learning_rate),
        checkpoints={*range(0, steps, config.stride), steps},
        on_checkpoint=look,
        loss=identity_loss,
        progress=progress,
        name=architecture,
    )
    at = list(history.measured)
    time = torch.tensor(at) * config.learning_rate
    output = torch.from_numpy(np.stack([history.measured[step]["output"] for step in at]))
    output = output.unflatten(1, (len(chosen), len(seeds)))  # (K, condition, seed, concept)
    loss = torch.from_numpy(np.stack([history.measured[step]["loss"] for step in at]))
    mu = torch.tensor([centres for centres, _ in chosen])[:, None]
    speed = measure.speed(output, time)
    late = speed[2 * len(speed) // 3 :].mean(0)
    cell, keep = ("condition", "seed"), thinned(len(at))
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "network_output": (("network_time", *cell, "concept"), output[keep].numpy()),
        "network_arrival": (
            (*cell, "concept"),
            measure.arrival(output / mu, measure.PHI, time).numpy(),
        ),
        "network_speed_ratio": (cell, (speed.amax(0) / late).numpy()),
        "network_draw_up": (cell, measure.draw_up(loss).view(output.shape[1:3]).numpy()),
    }
    nothing = torch.full((first, config.dimension, config.dimension), torch.nan).double()
    products = [
        torch.from_numpy(history.measured[step]["product"]) if linear else nothing
        for step in (0, steps)
    ]
    variables |= _losses(products, task.embed(points[:first], rotation[:first]))
    coordinates = {"network_time": time[keep].numpy(), "seed": seeds, **_strengths(chosen)}
    return xr.Dataset(variables, coordinates)


def _losses(
    products: Sequence[Tensor], points: Tensor
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Loss over the samples, from their second moment, and from their covariance (which is wrong)
    before and after training; NaN for a network that is no matrix.
    """
    moment = task.second_moment(points)
    covariance = task.second_moment(points - points.mean(1, keepdim=True))
    dims = ("case", "seed")
    over = [measure.loss_over_samples(matrix, points) for matrix in products]
    return {
        "network_loss_over_samples": (dims, torch.stack(over).numpy()),
        "network_loss_from_moment": (dims, _from(moment, products)),
        "network_loss_from_covariance": (dims, _from(covariance, products)),
    }


def _from(moment: Tensor, products: Sequence[Tensor]) -> np.ndarray:
    return torch.stack([measure.loss_from_moment(matrix, moment) for matrix in products]).numpy()


def _strengths(chosen: Sequence[Condition]) -> dict[str, tuple[str, list[float]]]:
    """mu, sigma and a of every condition, by concept."""
    (mu_1, mu_2), (sigma_1, sigma_2) = (
        [[condition[i][p] for condition in chosen] for p in (0, 1)] for i in (0, 1)
    )
    a_1, a_2 = (
        [s**2 + m**2 / 2 for m, s in zip(mu, sigma, strict=True)]
        for mu, sigma in ((mu_1, sigma_1), (mu_2, sigma_2))
    )
    values = {"mu_1": mu_1, "mu_2": mu_2, "sigma_1": sigma_1, "sigma_2": sigma_2}
    return {name: ("condition", v) for name, v in (values | {"a_1": a_1, "a_2": a_2}).items()}


@stage(reads=TRAINING)
def compositions(config: Config, progress: Progress) -> xr.Dataset:
    """A ReLU network on four concepts: loss of all sixteen compositions over training, and when
    each is right in all its concepts."""
    seeds = list(config.seeds)
    mixture = task.Mixture.of([FOUR], len(seeds))
    device = config.torch_device
    rotation = task.rotations(seeds, config.dimension).float().to(device)
    model = build("2-layer ReLU", config.dimension, config.hidden, seeds).to(device)
    points = mixture.draw(config.points, seeds)[0].float().to(device)
    batches = task.Epochs(points, config.batch, seeds)
    probes = task.embed(mixture.probes().float().to(device), rotation)
    steps = config.epochs * batches.per_epoch

    def look(_: int, network: nn.Module) -> dict[str, np.ndarray]:
        with torch.no_grad():
            output = network(probes)
        loss = (output - probes).square().sum(-1) / 2
        own = (output @ rotation[:, :, :4]).cpu()
        right = measure.correct(own, mixture.mu.float())
        return {"loss": loss.cpu().numpy(), "right": right.numpy()}

    history = fit(
        model,
        lambda step: task.embed(batches(step), rotation),
        steps=steps,
        optimizer=torch.optim.SGD(model.parameters(), lr=config.learning_rate),
        checkpoints={*range(0, steps, config.stride), steps},
        on_checkpoint=look,
        loss=identity_loss,
        progress=progress,
        name="four concepts",
    )
    at = list(history.measured)
    epochs = np.array(at) / batches.per_epoch
    right = torch.from_numpy(np.stack([history.measured[step]["right"] for step in at]))
    loss = np.stack([history.measured[step]["loss"] for step in at])
    wanted = {int(np.abs(epochs - epoch).argmin()) for epoch in (1, 3, 5)}
    keep = sorted({*thinned(len(at)), *wanted})
    arrival = measure.arrival(right, 0.0, torch.from_numpy(epochs).float())
    data = xr.Dataset(
        {
            "composition_loss": (("epoch", "seed", "composition"), loss[keep]),
            "composition_arrival": (("seed", "composition"), arrival.numpy()),
        },
        {"epoch": epochs[keep], "seed": seeds, "composition": range(16)},
    )
    return labelled(data, UNITS)
