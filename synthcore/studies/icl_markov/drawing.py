"""The parts that the chapter's figures share: colours, bands over seeds, levels, axes, maps."""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from scipy import stats

from synthcore.studies.icl_markov import dataset

COLOURS = {"Uni-Ret": "#cf7d00", "Bi-Ret": "#a01830", "Uni-Inf": "#13a07f", "Bi-Inf": "#2563b0"}
ID, OOD, SHUFFLED = "#6b4c9a", "#222222", "#8c8c8c"
STEP, CONTEXT, DIVERSITY = "training step", "context length c [tokens]", "data diversity N [chains]"
KL = "KL(network || truth) [nats]"


def over_seeds(
    ax: Axes, values: xr.DataArray, along: str, colour: str, label: str, style: str = "-"
) -> None:
    """Mean as a line, its 95 % interval as a band, every seed thin behind it."""
    values = values.transpose("seed", along)
    x = values[along].values
    count = values.sizes["seed"]
    mean = values.mean("seed").values
    for one in values.values:
        ax.plot(x, one, color=colour, lw=0.6, alpha=0.35)
    if count > 1:
        half = stats.t.ppf(0.975, count - 1) * values.std("seed", ddof=1).values / np.sqrt(count)
        ax.fill_between(x, mean - half, mean + half, color=colour, alpha=0.18, lw=0)
    ax.plot(x, mean, color=colour, lw=1.8, ls=style, label=label)


def level(ax: Axes, value: float, name: str, style: str = "--") -> None:
    """An oracle or chance level, named at its right end."""
    colour = COLOURS.get(name, "#555555")
    ax.axhline(value, color=colour, ls=style, lw=1.1)
    ax.annotate(
        name,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(3, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=8,
    )


def log_axis(ax: Axes, ticks: Iterable[int], label: str, axis: str = "x") -> None:
    """Logarithmic axis with whole numbers at these places."""
    places = list(ticks)
    if axis == "x":
        ax.set_xscale("log")
        ax.set_xticks(places, [str(p) for p in places])
        ax.set_xticks([], minor=True)
        ax.set_xlabel(label)
    else:
        ax.set_yscale("log")
        ax.set_yticks(places, [str(p) for p in places])
        ax.set_yticks([], minor=True)
        ax.set_ylabel(label)


def panels(
    count: int, height: float = 3.0, width: float = 3.6, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Panels side by side, in `rows` rows."""
    columns = -(-count // rows)
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows),
        squeeze=False,
        layout="constrained",
        **options,
    )
    return fig, list(axes.flat)


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
