"""Adam without a network: on streams of gradients, and on a smooth toy loss beside its equations.

Axis letters: N step, P point (beta, gamma), D coordinate.
"""

from typing import Literal

import numpy as np
import xarray as xr

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.adam_continuous_time import measure, task
from synthcore.studies.adam_continuous_time.config import STREAMS, Config
from synthcore.studies.adam_continuous_time.theory import bounds, flow
from synthcore.training.progress import Progress

POINTS = (
    *((0.9, 0.999), (0.9, 0.98), (0.9, 0.95), (0.95, 0.95), (0.9, 0.9)),  # stable in both theories
    *((0.5, 0.3), (0.9, 0.815)),  # in the wedge
    *((0.999, 0.99), (0.99, 0.95), (0.99, 0.9), (0.95, 0.8), (0.9, 0.5)),  # unstable
)
KINDS: tuple[tuple[task.Kind, float], ...] = (
    ("dense", 0.0),
    ("worst case", 0.0),
    ("dying", 0.0),
    *(("decaying", rate) for rate in (0.0, 0.1, 0.5)),
    *(("sparse", density) for density in (0.1, 0.02)),
    ("correlated", 0.0),
)
DENSITIES = (1.0, 0.1, 0.02)
EQUATIONS: tuple[tuple[str, Literal[1, 2], flow.Matching], ...] = (
    ("first order", 1, "lag"),
    ("second order", 2, "lag"),
    ("second order, decay rate", 2, "decay"),
)
UNITS = {
    "stream_update": "learning rates",
    "map_update": "learning rates",
    "map_bound": "learning rates",
    "dying_rate": "1/step",
    "worst_rate": "1/step",
    "stream_step": "updates",
    "toy_step": "updates",
}


def names() -> list[str]:
    """Labels of the streams, such as `sparse 0.1`."""
    labelled_by_value = ("decaying", "sparse")
    return [f"{kind} {value:g}" if kind in labelled_by_value else kind for kind, value in KINDS]


@stage(reads=STREAMS)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Largest update over coordinates at every step, its largest ratio to the exact bound, and the
    slope of ln |u| per step, bias factors taken out: over the last quarter of the worst case, and
    over all steps after the end of a dying coordinate's gradients."""
    steps, seeds = config.stream_steps, config.seeds
    beta, gamma = np.array(POINTS).T
    n = np.arange(1, steps + 1)
    exact = bounds.log_exact_bound(beta[:, None], gamma[:, None], n)
    factor = np.log(bounds.bias_factor(beta[:, None], gamma[:, None], n))
    largest = np.empty((len(seeds), len(KINDS), len(POINTS), steps))  # ln |u|
    dying = np.empty((len(seeds), len(POINTS)))
    for i, seed in enumerate(seeds):
        for j, (kind, value) in enumerate(KINDS):
            size = config.stream_coordinates
            g, growth = task.stream(kind, steps, size, seed, beta, gamma, value)
            for k, u in enumerate(measure.log_updates(g, beta, gamma, growth)):
                largest[i, j, :, k] = u.max(-1)
                if kind == "dying" and k == task.DYING_AT:
                    begin = u - factor[:, k : k + 1]
            if kind == "dying":
                silent = steps - 1 - task.DYING_AT
                dying[i] = ((u - factor[:, -1:] - begin) / silent).mean(-1)
        progress("streams", i + 1, len(seeds))
    worst = largest[:, names().index("worst case")] - factor
    first = max(1, 3 * steps // 4)
    ratio = np.exp(largest - exact)
    shown = np.unique(np.r_[np.arange(0, min(steps, 20)), np.arange(20, steps, 8), steps - 1])
    with np.errstate(over="ignore"):
        update = np.exp(largest[..., shown]).astype("float32")
    cell = ("seed", "stream", "point")
    data = xr.Dataset(
        {
            "stream_update": ((*cell, "stream_step"), update),
            "stream_ratio": (cell, ratio.max(-1)),
            "stream_ratio_least": (cell, ratio.min(-1)),
            "dying_rate": (("seed", "point"), dying),
            "worst_rate": (
                ("seed", "point"),
                (worst[..., -1] - worst[..., first - 1]) / (steps - first),
            ),
        },
        {
            "seed": list(seeds),
            "stream": names(),
            "point": np.arange(len(POINTS)),
            "stream_step": n[shown],
            "point_beta": ("point", beta),
            "point_gamma": ("point", gamma),
        },
    )
    return labelled(data, UNITS)


@stage(reads=(*STREAMS, "map_cells"), per_seed=False)
def growth_map(config: Config, progress: Progress) -> xr.Dataset:
    """Largest update over a grid of (beta, gamma) and densities of gradients, of the first seed.

    The grid is even in -log10(1 - beta) and -log10(1 - gamma), from 0.5 to 0.999.
    """
    steps, cells = min(400, config.stream_steps), config.map_cells
    axis = 1 - np.geomspace(0.5, 0.001, cells)
    beta, gamma = (values.ravel() for values in np.meshgrid(axis, axis, indexing="ij"))
    found = []
    for density in DENSITIES:
        size = min(64, config.stream_coordinates)
        g, _ = task.stream("sparse", steps, size, config.seed, beta, gamma, density)
        top = np.zeros(len(beta))
        for u in measure.updates(g, beta, gamma):
            top = np.maximum(top, np.abs(u).max(-1))
        found.append(top.reshape(cells, cells))
    bound = bounds.exact_bound(beta[:, None], gamma[:, None], np.arange(1, steps + 1)).max(-1)
    data = xr.Dataset(
        {
            "map_update": (("map_density", "map_beta", "map_gamma"), found),
            "map_bound": (("map_beta", "map_gamma"), bound.reshape(cells, cells)),
        },
        {"map_density": list(DENSITIES), "map_beta": axis, "map_gamma": axis},
    )
    return labelled(data, UNITS)


@stage(reads=("etas",))
def toy(config: Config, progress: Progress) -> xr.Dataset:
    """Largest distance of Adam from three equations on a smooth loss, by eta, over a time of 1."""
    start = np.stack([task.toy_start(seed) for seed in config.seeds])  # (S, 3)
    error = np.empty((len(EQUATIONS), len(config.etas), len(config.seeds)))
    paths = {}
    for i, eta in enumerate(config.etas):
        steps, adam = round(1 / eta), flow.AdamW(eta)
        discrete = adam.trajectory(task.toy_gradient, start, steps)
        solutions = [
            flow.flow(adam, lambda _, x: task.toy_gradient(x), start, steps, order, matching)
            for _, order, matching in EQUATIONS
        ]
        error[:, i] = [np.abs(x - discrete).max((0, 2)) for x in solutions]
        if eta == max(config.etas):
            paths = {"Adam": discrete} | {
                name: x for (name, _, _), x in zip(EQUATIONS, solutions, strict=True)
            }
    data = xr.Dataset(
        {
            "toy_error": (("equation", "eta", "seed"), error),
            "toy_path": (
                ("toy_curve", "toy_step", "seed", "weight"),
                np.stack(list(paths.values())).astype("float32"),
            ),
        },
        {
            "equation": [name for name, _, _ in EQUATIONS],
            "eta": list(config.etas),
            "seed": list(config.seeds),
            "toy_curve": list(paths),
            "toy_step": np.arange(len(paths["Adam"])),
        },
    )
    return labelled(data, UNITS)
