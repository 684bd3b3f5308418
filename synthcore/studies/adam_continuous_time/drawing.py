"""The parts that the chapter's figures share: colours, bands over seeds, axes."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

INK, GREY = "#222222", "#777777"
ADAM, FLOW, SLOW = "#222222", "#2563b0", "#cf7d00"  # Adam, second order, first order
STABLE, WEDGE, UNSTABLE = "#13a07f", "#d9a400", "#a01830"
WITH, WITHOUT = "#2563b0", "#a01830"  # normalised, not normalised
STEP = "step"
UPDATE = "largest update |u| [learning rates]"
ANGLE = "angular step [rad]"


def panels(
    count: int, height: float = 3.0, width: float = 3.8, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Panels side by side, in `rows` rows."""
    columns = -(-count // rows)
    size = (width * columns, height * rows)
    fig, axes = plt.subplots(
        rows, columns, figsize=size, squeeze=False, layout="constrained", **options
    )
    return fig, list(axes.flat)


def over_seeds(
    ax: Axes, values: xr.DataArray, along: str, colour: str, label: str = "", style: str = "-"
) -> None:
    """Mean as a line, its 95 % interval as a band, every seed thin behind it.

    For positive values the band ends at half the lowest seed, so that log axes can show it.
    """
    table = values.transpose("seed", along)
    x, y = table[along].values, table.values.astype(float)
    mean, count = y.mean(0), len(y)
    for one in y:
        ax.plot(x, one, color=colour, lw=0.6, alpha=0.3)
    if count > 1:
        half = stats.t.ppf(0.975, count - 1) * y.std(0, ddof=1) / np.sqrt(count)
        low = np.maximum(mean - half, y.min(0) / 2) if (y > 0).all() else mean - half
        ax.fill_between(x, low, mean + half, color=colour, alpha=0.15, lw=0)
    ax.plot(x, mean, color=colour, lw=1.8, ls=style, label=label or None)


def points(
    ax: Axes, x: Any, values: xr.DataArray, along: str, colour: Any, label: str = "", **options: Any
) -> None:
    """Mean and 95 % interval over seeds at every place along a dimension."""
    y = values.transpose("seed", along).values.astype(float)
    half = stats.t.ppf(0.975, len(y) - 1) * y.std(0, ddof=1) / np.sqrt(len(y)) if len(y) > 1 else 0
    ax.errorbar(
        x,
        y.mean(0),
        half,
        color=colour,
        label=label or None,
        marker="o",
        ms=4,
        capsize=2,
        **options,
    )


def tag(ax: Axes, text: str) -> None:
    """A small heading above a panel."""
    ax.set_title(text, fontsize=9)


def key(ax: Axes, **options: Any) -> None:
    """The legend, small and without a frame."""
    ax.legend(frameon=False, fontsize=8, **options)
