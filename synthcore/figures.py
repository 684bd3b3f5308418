"""What the figures of all chapters share: panels, seeds as bands, levels, axes.

Values over seeds are drawn in one way everywhere: their mean as a line, its 95 % interval (t) as a
band or bar, every seed thin behind it.
"""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy import stats

INK, GREY = "#222222", "#777777"


def panels(
    count: int, height: float = 3.0, width: float = 3.6, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Panels of this height and width [inches] in `rows` rows, and their axes, row by row."""
    columns = -(-count // rows)
    size = (width * columns, height * rows)
    fig, axes = plt.subplots(
        rows, columns, figsize=size, squeeze=False, layout="constrained", **options
    )
    return fig, list(axes.flat)


def half_width(values: ArrayLike) -> NDArray[np.float64]:
    """Half of the 95 % interval of the mean over the first axis; 0 for a single value.

    >>> half_width([1.0, 3.0, 5.0]).round(3).item()
    4.968
    """
    table = np.asarray(values, dtype=float)
    count = len(table)
    if count < 2:
        return np.zeros(table.shape[1:])
    return np.asarray(stats.t.ppf(0.975, count - 1) * stats.sem(table))


def band(
    ax: Axes,
    x: ArrayLike,
    values: NDArray[Any],
    colour: Any,
    label: str = "",
    style: str = "-",
    thin: int | None = None,
) -> None:
    """Mean of `values` (seed, x) as a line, its interval as a band, the first `thin` seeds behind.

    For positive values the band ends at half the lowest seed, so that log axes can show it.
    """
    for one in values[:thin]:
        ax.plot(x, one, color=colour, lw=0.6, alpha=0.3)
    mean, half = values.mean(0), half_width(values)
    low = np.maximum(mean - half, values.min(0) / 2) if (values > 0).all() else mean - half
    ax.fill_between(np.asarray(x), low, mean + half, color=colour, alpha=0.18, lw=0)
    ax.plot(x, mean, color=colour, lw=1.8, ls=style, label=label or None)


def over_seeds(
    ax: Axes, values: xr.DataArray, along: str, colour: Any, label: str = "", style: str = "-"
) -> None:
    """`band` of an array with the dimensions `seed` and `along`, over the coordinate of `along`."""
    table = values.transpose("seed", along)
    band(ax, table[along].values, table.values.astype(float), colour, label, style)


def points(
    ax: Axes, x: ArrayLike, values: xr.DataArray, colour: Any, label: str = "", **options: Any
) -> None:
    """Mean and interval over `seed` as a marker with a bar, at every `x` of the other dimension."""
    table = values.transpose("seed", ...).values.astype(float)
    style: dict[str, Any] = {"marker": "o", "ms": 4, "capsize": 2} | options
    ax.errorbar(x, table.mean(0), half_width(table), color=colour, label=label or None, **style)


def level(ax: Axes, value: float, name: str, colour: Any = "#555555", style: str = "--") -> None:
    """An oracle (dashed) or chance level (dotted, `style=":"`), named at its right end."""
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
    """Logarithmic axis ("x" or "y") with whole numbers at these places, and its label."""
    places = list(ticks)
    names = [str(place) for place in places]
    ax.set(**{f"{axis}scale": "log", f"{axis}label": label})
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    chosen.set_ticks(places, names)
    chosen.set_ticks([], minor=True)


def tag(ax: Axes, text: str, **options: Any) -> None:
    """A small heading above a panel, which says what tells it from the others."""
    ax.set_title(text, fontsize=9, **options)


def key(ax: Axes, **options: Any) -> None:
    """The legend: small, without a frame."""
    ax.legend(**({"frameon": False, "fontsize": 8} | options))
