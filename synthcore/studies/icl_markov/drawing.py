"""The parts that the chapter's figures share: colours, names of axes, maps, ticks."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from synthcore.studies.icl_markov import dataset

COLOURS = {"Uni-Ret": "#cf7d00", "Bi-Ret": "#a01830", "Uni-Inf": "#13a07f", "Bi-Inf": "#2563b0"}
ID, OOD, SHUFFLED = "#6b4c9a", "#222222", "#8c8c8c"
STEP, CONTEXT, DIVERSITY = "training step", "context length c [tokens]", "data diversity N [chains]"
KL = "KL(network || truth) [nats]"


def grid(ax: Axes, values: xr.DataArray, x: str, y: str, **options: Any) -> QuadMesh:
    """Heat map of a (y, x) array: one cell per recorded value, every few of them labelled."""
    table = values.transpose(y, x)
    image = ax.pcolormesh(
        np.arange(table.sizes[x] + 1), np.arange(table.sizes[y] + 1), table.values, **options
    )
    for axis, name, count in ((ax.xaxis, x, 5), (ax.yaxis, y, 10)):
        places = np.unique(
            np.linspace(0, table.sizes[name] - 1, min(count, table.sizes[name])).round().astype(int)
        )
        axis.set_ticks(places + 0.5, [str(int(v)) for v in table[name].values[places]])
    ax.set_xlabel({"step": STEP, "context": CONTEXT}[x])
    ax.set_ylabel({"diversity": DIVERSITY, "context": CONTEXT}[y])
    return image


def trained(data: xr.Dataset) -> xr.Dataset:
    """The main population at every checkpoint but the untrained one (log axes have no zero)."""
    return dataset.by_condition(data).isel(step=slice(1, None))


def step_ticks(data: xr.Dataset) -> list[int]:
    """Tick marks for a log step axis: 1, 3, 10 ... inside the range."""
    low, high = int(data.step[0]), int(data.step[-1])
    return [t for power in range(7) for t in (10**power, 3 * 10**power) if low <= t <= high]


def context_ticks(data: xr.Dataset) -> list[int]:
    """Tick marks for a log context axis inside the measured range."""
    return [c for c in (1, 2, 5, 10, 20, 40, 100, 200, 400) if c <= int(data.context[-1])]
