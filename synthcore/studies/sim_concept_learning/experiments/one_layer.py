"""The one-layer network, trained on all samples at once and held against its closed form."""

import math

import numpy as np
import torch
import xarray as xr
from torch import nn
from torch.nn.functional import pad

from synthcore.evidence.dataset import labelled
from synthcore.nn.mlp import MLP
from synthcore.stages import stage
from synthcore.studies.sim_concept_learning import measure, task, theory
from synthcore.studies.sim_concept_learning.config import Config
from synthcore.studies.sim_concept_learning.experiments.networks import conditions, thinned
from synthcore.studies.sim_concept_learning.model import identity_loss, linear_or_relu
from synthcore.training.fit import fit
from synthcore.training.progress import Progress

GAINS = (0.01, 1.0)  # of the usual initial weights
COORDINATES, LAST = 3, 8.0  # d, and clock t at the end
LOOKS, COMPARED = 200, 20
UNITS = {
    "one_layer_error": "share of |x^|",
    "one_layer_arrival": "clock t = step size x steps",
    "one_layer_slope": "1 / t",
    "one_layer_speed": "signal units / t",
    "speed_time": "clock t = step size x steps",
    "one_layer_loss_over_samples": "signal units squared",
    "one_layer_loss_from_moment": "signal units squared",
    "one_layer_loss_from_covariance": "signal units squared",
}


@stage(reads=("points", "one_layer_learning_rate", "diversities"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Full-batch descent for every condition, seed and size of the initial weights, against T1 with
    the sample's own second moment."""
    chosen, seeds = conditions(config.diversities), list(config.seeds)
    shape = (len(GAINS), len(chosen), len(seeds))
    every = seeds * (shape[0] * shape[1])
    mixture = task.Mixture.of(chosen * shape[0], len(seeds))
    n = max(config.points // 4, 16)
    points = pad(mixture.draw(n, every)[0], (0, COORDINATES - 2))  # (M, N, d)
    probe = pad(mixture.mu, (0, COORDINATES - 2))[:, None]  # (M, 1, d)
    model = linear_or_relu(1, COORDINATES, COORDINATES, every).double()
    gain = torch.tensor(GAINS).repeat_interleave(shape[1] * shape[2]).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(gain[:, None, None])
    start = model.product().detach().clone()
    rate = config.one_layer_learning_rate
    steps = round(LAST / rate)

    def look(_: int, network: nn.Module) -> dict[str, np.ndarray]:
        assert isinstance(network, MLP)
        return {"product": network.product().detach().numpy()}

    history = fit(
        model,
        lambda _: points,
        steps=steps,
        optimizer=torch.optim.SGD(model.parameters(), lr=rate),
        checkpoints=range(0, steps + 1, max(1, steps // LOOKS)),
        on_checkpoint=look,
        loss=identity_loss,
        progress=progress,
        name="one layer",
    )
    at = list(history.measured)
    time = rate * torch.tensor(at, dtype=torch.float64)
    path = torch.from_numpy(np.stack([history.measured[step]["product"] for step in at]))
    output = (probe @ path)[..., 0, :]  # (K, M, d)
    looks = np.unique(np.geomspace(1, len(at) - 1, COMPARED).round().astype(int)).tolist()
    moment = task.second_moment(points)
    exact = (probe @ theory.one_layer(time[looks], start, moment))[..., 0, :]
    error = (output[looks] - exact).norm(dim=-1).amax(0) / probe[:, 0].norm(dim=-1)
    speed = measure.speed(output, time)
    late = slice(2 * len(speed) // 3, None)
    deviation = (moment[:, :2, :2] - torch.diag_embed(mixture.sigma**2 + mixture.mu**2 / 2)).abs()
    z = (deviation / task.moment_errors(mixture.mu, mixture.sigma, n)).amax((-2, -1))
    covariance = task.second_moment(points - points.mean(1, keepdim=True))
    cases = path[[0, len(at) // 4, -1]]
    arrival = measure.arrival(output[..., :2] / mixture.mu, measure.PHI, time)
    keep = thinned(len(speed))

    def losses(kind: torch.Tensor, of: str) -> np.ndarray:
        by = measure.loss_over_samples if of == "samples" else measure.loss_from_moment
        rows = torch.stack([by(matrix, kind) for matrix in cases]).unflatten(1, shape)
        return rows[:, 1, 0].numpy()  # the usual weights, first condition

    cell = ("gain", "condition", "seed")
    data = xr.Dataset(
        {
            "one_layer_error": (cell, error.view(shape).numpy()),
            "one_layer_arrival": ((*cell, "concept"), arrival.view(*shape, 2).numpy()),
            "one_layer_slope": (
                cell,
                measure.slope(time[1:][late], speed[late].log()).view(shape).numpy(),
            ),
            "one_layer_speed": (
                ("speed_time", *cell),
                speed[keep].float().unflatten(1, shape).numpy(),
            ),
            "moment_z": (("condition", "seed"), z.view(shape)[0].numpy()),
            "one_layer_loss_over_samples": (("case", "seed"), losses(points, "samples")),
            "one_layer_loss_from_moment": (("case", "seed"), losses(moment, "moment")),
            "one_layer_loss_from_covariance": (("case", "seed"), losses(covariance, "moment")),
        },
        {
            "gain": list(GAINS),
            "speed_time": time[1:][keep].numpy(),
            "seed": seeds,
            "a_1": ("condition", [s[0] ** 2 + m[0] ** 2 / 2 for m, s in chosen]),
            "a_2": ("condition", [s[1] ** 2 + m[1] ** 2 / 2 for m, s in chosen]),
        },
    )
    return labelled(data, UNITS)


def crossing(data: xr.Dataset, base: float) -> xr.DataArray:
    """sigma_1 at which both concepts take equally long, over its exact value, per seed; from the
    conditions of the sweep and small initial weights. NaN if they never do.

    Between two conditions the closed form is a straight line in ln a_1, so interpolate there.
    """
    sweep = data.one_layer_arrival.isel(condition=slice(None, -2), gain=0, drop=True)
    lag = -measure.log_ratio(sweep).transpose("seed", "condition").values
    x = np.log(data.a_1.values[:-2])
    exact = theory.crossing_diversity((1.0, 2.0), base)
    found = [_falls_through_zero(x, y) for y in lag]
    ratio = np.sqrt(np.exp(found) - 0.5) / exact
    return xr.DataArray(ratio, dims="seed", coords={"seed": data.seed})


def _falls_through_zero(x: np.ndarray, y: np.ndarray) -> float:
    finite = np.isfinite(y[:-1]) & np.isfinite(y[1:])
    falls = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0) & finite)
    if not falls.size:
        return math.nan
    i = falls[0]
    return float(x[i] + (x[i + 1] - x[i]) * y[i] / (y[i] - y[i + 1]))
