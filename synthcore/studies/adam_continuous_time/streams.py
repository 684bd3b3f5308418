"""Adam on gradient streams, in float64 and without epsilon: how large do updates get?

Axis letters: N step, P point (beta, gamma), D coordinate, S stream.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from synthcore.studies.adam_continuous_time import task, theory

Array = npt.NDArray[np.float64]
Exponent = npt.NDArray[np.int_]
NO_GROWTH = np.zeros(1)

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


def updates(
    gradients: Array, beta: Array, gamma: Array, growth: Array = NO_GROWTH, corrected: bool = True
) -> Iterator[Array]:
    """u_1, u_2, ... (P, D) of Adam with epsilon 0; u = 0 where no gradient has come yet, infinite
    where it is too large for a number.

    gradients: (N, 1, D), times e^(growth n); beta, gamma: (P,); growth: (P or 1,).
    """
    for u, exponent in _scaled_updates(gradients, beta, gamma, growth, corrected):
        with np.errstate(over="ignore"):
            yield np.ldexp(u, exponent)


def log_updates(
    gradients: Array, beta: Array, gamma: Array, growth: Array = NO_GROWTH, corrected: bool = True
) -> Iterator[Array]:
    """ln |u_1|, ln |u_2|, ..., which are finite at any length; minus infinity where u = 0."""
    for u, exponent in _scaled_updates(gradients, beta, gamma, growth, corrected):
        with np.errstate(divide="ignore"):
            yield np.log(np.abs(u)) + exponent * np.log(2)


def _scaled_updates(
    gradients: Array, beta: Array, gamma: Array, growth: Array, corrected: bool
) -> Iterator[tuple[Array, Exponent]]:
    """u as x 2^e. The averages too have an exponent of their own, since a coordinate without
    gradients leaves the range of floats within a thousand steps; powers of two are exact.
    """
    beta, gamma, growth = (np.asarray(each)[:, None] for each in (beta, gamma, growth))
    shape = (len(beta), gradients.shape[2])
    m, v = _Scaled.zeros(shape), _Scaled.zeros(shape)
    for n, g in enumerate(gradients, start=1):
        # both relative to the present e^(growth n)
        m = m.averaged(beta * np.exp(-growth), (1 - beta) * g)
        v = v.averaged(gamma * np.exp(-2 * growth), (1 - gamma) * g**2)
        root = np.sqrt(np.ldexp(v.value, v.exponent % 2))
        u = np.divide(m.value, root, out=np.zeros(shape), where=root > 0)
        if corrected:
            u = u * theory.bias_factor(beta, gamma, n)
        yield u, m.exponent - v.exponent // 2


class _Scaled(NamedTuple):
    """value 2^exponent, with |value| in [1/2, 1), or 0."""

    value: Array
    exponent: Exponent

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> "_Scaled":
        return cls(np.zeros(shape), np.zeros(shape, dtype=int))

    def averaged(self, keep: Array, new: Array) -> "_Scaled":
        """keep x this + new; `new` is an ordinary number."""
        shared = np.where(new == 0, self.exponent, np.maximum(self.exponent, 0))
        kept = np.ldexp(keep * self.value, self.exponent - shared)
        value, exponent = np.frexp(kept + np.ldexp(new, -shared))
        return _Scaled(value, exponent + shared)


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
    exact = theory.log_exact_bound(beta[:, None], gamma[:, None], n)
    factor = np.log(theory.bias_factor(beta[:, None], gamma[:, None], n))
    largest = np.empty((len(seeds), len(STREAMS), len(POINTS), steps))  # ln |u|
    dying = np.empty((len(seeds), len(POINTS)))
    for i, seed in enumerate(seeds):
        for j, (kind, value) in enumerate(STREAMS):
            random = np.random.default_rng([seed, j])
            g, growth = task.stream(kind, steps, size, random, beta, gamma, value)
            for k, u in enumerate(log_updates(g, beta, gamma, growth)):
                largest[i, j, :, k] = u.max(-1)
                if kind == "dying" and k == steps - 1:
                    end = u - factor[:, -1:]
                elif kind == "dying" and k == task.DYING_AT:
                    begin = u - factor[:, k : k + 1]
            if kind == "dying":
                dying[i] = ((end - begin) / (steps - 1 - task.DYING_AT)).mean(-1)
    worst = largest[:, names().index("worst case")] - factor
    first = max(1, 3 * steps // 4)
    worst_rate = (worst[..., -1] - worst[..., first - 1]) / (steps - first)
    early = (worst[..., min(60, first) - 1] - worst[..., 4]) / (min(60, first) - 5)
    ratio = np.exp(largest - exact)
    shown = np.unique(np.r_[np.arange(0, min(steps, 20)), np.arange(20, steps, 4), steps - 1])
    with np.errstate(over="ignore"):
        update = np.exp(largest[..., shown])
    data = xr.Dataset(
        {
            "stream_update": (("seed", "stream", "point", "stream_step"), update),
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
        g, _ = task.stream("sparse", steps, size, random, beta, gamma, density)
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
