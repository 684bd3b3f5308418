"""Adam on gradient streams, in float64 and without epsilon: how large do updates get?

Axis letters: N step, P point (beta, gamma), D coordinate, S stream.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from synthcore.studies.adam_continuous_time import task, theory

Array = npt.NDArray[np.float64]

POINTS = (
    *((0.9, 0.999), (0.9, 0.98), (0.9, 0.95), (0.95, 0.95), (0.9, 0.9)),  # stable in both theories
    *((0.5, 0.3), (0.9, 0.815)),  # in the wedge
    *((0.999, 0.99), (0.99, 0.95), (0.99, 0.9), (0.95, 0.8), (0.9, 0.5)),  # unstable
)
STREAMS: tuple[tuple[task.Kind, float], ...] = (
    ("dense", 0.0),
    ("worst case", 0.0),
    ("dying", 0.0),
    *(("decaying", rate) for rate in (0.0, 0.1, 0.2, 0.35, 0.5)),
    *(("sparse", density) for density in (0.3, 0.1, 0.02)),
    ("correlated", 0.0),
)


def updates(gradients: Array, beta: Array, gamma: Array, corrected: bool = True) -> Iterator[Array]:
    """u_1, u_2, ... (P, D) of Adam with epsilon 0; u = 0 where no gradient has come yet.

    gradients: (N, P or 1, D); beta, gamma: (P,).
    """
    beta, gamma = np.asarray(beta)[:, None], np.asarray(gamma)[:, None]
    m = v = np.zeros((len(beta), gradients.shape[2]))
    for n, g in enumerate(gradients, start=1):
        m = beta * m + (1 - beta) * g
        v = gamma * v + (1 - gamma) * g**2
        u = np.divide(m, np.sqrt(v), out=np.zeros_like(m), where=v > 0)
        yield u * theory.bias_factor(beta, gamma, n) if corrected else u


def names() -> list[str]:
    """Labels of the streams, such as `sparse 0.1`."""
    return [
        f"{kind} {value:g}" if kind in ("decaying", "sparse") else kind for kind, value in STREAMS
    ]


def measure(seeds: Sequence[int], size: int, steps: int) -> xr.Dataset:
    """Largest update over coordinates at every step, and its largest ratio to the exact bound.

    `stream_rate` is the slope of ln |u| per step, bias factors taken out, over the last quarter of
    the worst case and over all steps after the end of a dying coordinate's gradients.
    """
    beta, gamma = np.array(POINTS).T
    n = np.arange(1, steps + 1)
    exact = theory.exact_bound(beta[:, None], gamma[:, None], n)
    factor = theory.bias_factor(beta[:, None], gamma[:, None], n)
    largest = np.empty((len(seeds), len(STREAMS), len(POINTS), steps))
    dying = np.empty((len(seeds), len(POINTS)))
    for i, seed in enumerate(seeds):
        for j, (kind, value) in enumerate(STREAMS):
            random = np.random.default_rng([seed, j])
            g = task.stream(kind, steps, size, random, beta, gamma, value)
            for k, u in enumerate(updates(g, beta, gamma)):
                largest[i, j, :, k] = np.abs(u).max(-1)
                if kind == "dying" and k == steps - 1:
                    end = np.log(np.abs(u) / factor[:, -1:])
                elif kind == "dying" and k == task.DYING_AT:
                    begin = np.log(np.abs(u) / factor[:, k : k + 1])
            if kind == "dying":
                dying[i] = ((end - begin) / (steps - 1 - task.DYING_AT)).mean(-1)
    worst = np.log(largest[:, names().index("worst case")] / factor)
    first = max(1, 3 * steps // 4)
    worst_rate = (worst[..., -1] - worst[..., first - 1]) / (steps - first)
    early = (worst[..., min(60, first) - 1] - worst[..., 4]) / (min(60, first) - 5)
    ratio = largest / exact
    shown = np.unique(np.r_[np.arange(0, min(steps, 20)), np.arange(20, steps, 4), steps - 1])
    data = xr.Dataset(
        {
            "stream_update": (("seed", "stream", "point", "stream_step"), largest[..., shown]),
            "stream_ratio": (("seed", "stream", "point"), ratio.max(-1)),
            "stream_ratio_least": (("seed", "stream", "point"), ratio.min(-1)),
            "dying_rate": (("seed", "point"), dying),
            "worst_rate": (("seed", "point"), worst_rate),
            "worst_rate_early": (("seed", "point"), early),
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
    data.stream_update.attrs = {"long_name": "largest update |u|", "units": "learning rates"}
    return data


def growth_map(
    densities: Sequence[float], steps: int, size: int, cells: int, seed: int
) -> xr.Dataset:
    """Largest update within `steps` steps over a grid of (beta, gamma) and densities of gradients.

    The grid is even in -log10(1 - beta) and -log10(1 - gamma), from 0.5 to 0.999.
    """
    axis = 1 - np.geomspace(0.5, 0.001, cells)
    beta, gamma = (values.ravel() for values in np.meshgrid(axis, axis, indexing="ij"))
    found = []
    for density in densities:
        random = np.random.default_rng([seed, 99])
        g = task.stream("sparse", steps, size, random, beta, gamma, density)
        top = np.zeros(len(beta))
        for u in updates(g, beta, gamma):
            top = np.maximum(top, np.abs(u).max(-1))
        found.append(top.reshape(cells, cells))
    bound = theory.exact_bound(beta[:, None], gamma[:, None], np.arange(1, steps + 1)).max(-1)
    return xr.Dataset(
        {
            "map_update": (("map_density", "map_beta", "map_gamma"), found),
            "map_bound": (("map_beta", "map_gamma"), bound.reshape(cells, cells)),
        },
        {"map_density": list(densities), "map_beta": axis, "map_gamma": axis},
    )
