"""What the figures of all chapters share: theme, panels, seeds as bands, levels, axes.

Values over seeds are drawn in one way everywhere: their mean as a line, its 95 % interval (t) as a
band or bar, every seed thin behind it. An oracle is dashed, chance is dotted, both are named.

`canvas` makes a figure in the book's theme: as wide as the page's column, at most two panels in a
row, letters of at least 8 points. Its colours stand out from white and from a dark page alike::

    fig, (left, right) = canvas(2)
    colours = {name: CONCEPTS[name] for name in ("retrieval", "inference")}
    curves(left, data.distance, "step", colours, by="algorithm")
    oracle(left, data.entropy.item(), "Bayes")
    heat(right, data.share, "diversity", "step", "share of seeds")
"""

from collections.abc import Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import xarray as xr
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy import stats

INK, GREY = "#222222", "#777777"
WIDTH = 7.0  # inches; 700 pixels on the page, the width of its column

# One colour per concept in the whole book: retrieval is warm, inference cold, within each the
# simpler statistic is the lighter. Contrast with white and with the dark page is at least 3.
CONCEPTS = {
    "retrieval": "#b8432f",
    "unigram retrieval": "#c77d12",
    "inference": "#2b6fb5",
    "unigram inference": "#1d9185",
    "hybrid": "#8a63b8",
    "in distribution": "#a83c7e",
    "out of distribution": INK,
    "network": INK,
    "untrained": GREY,
}

_THEME = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same letters everywhere
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "text.color": INK,
    "axes.labelcolor": INK,
}
_TICKS: dict[str, Any] = {
    "labelsize": 8.5,
    "color": "#555555",
    "labelcolor": INK,
    "width": 0.8,
    "length": 3.5,
}


def theme() -> AbstractContextManager[None]:
    """The book's theme, for what is drawn inside `with theme():`; `canvas` uses it by itself."""
    own = cycler(color=[*dict.fromkeys(CONCEPTS.values())])
    settings = sns.axes_style("ticks") | sns.plotting_context("paper") | _THEME
    return plt.rc_context(settings | {"axes.prop_cycle": own})


def canvas(
    count: int = 1, height: float = 2.8, width: float = WIDTH, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure in the book's theme with `count` panels, two in a row, and their axes, row by row.

    `height` is that of a row, `width` that of the whole figure [inches, at most 7].
    """
    if not 0 < width <= WIDTH:
        raise ValueError(f"A figure is at most {WIDTH:g} inches wide (got {width:g}).")
    columns = min(count, 2)
    rows = -(-count // columns)
    with theme():
        fig, axes = plt.subplots(
            rows,
            columns,
            figsize=(width, height * rows),
            squeeze=False,
            layout="constrained",
            **options,
        )
        fig.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
        for ax in axes.flat:  # ticks are made when they are drawn, and would forget the theme
            ax.tick_params(**_TICKS)
        for ax in axes.flat[count:]:
            ax.set_visible(False)
    return fig, list(axes.flat)[:count]


def shades(count: int, start: str = "#8a63b8", end: str = "#c77d12") -> list[Any]:
    """Colours for ordered conditions such as numbers of chains, from `start` to `end`.

    >>> len(shades(3))
    3
    """
    return list(sns.blend_palette([start, "#b8508a", end], count))


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


def _interval(values: Any) -> tuple[float, float]:
    mean, half = float(np.mean(values)), float(half_width(values))
    return mean - half, mean + half


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

    For positive values the band ends at half the lowest seed, so that log axes can show it. Two
    seeds have no band: their interval says nothing.
    """
    for one in values[:thin]:
        ax.plot(x, one, color=colour, lw=0.6, alpha=0.3)
    mean = values.mean(0)
    if len(values) > 2:
        half = half_width(values)
        low = np.maximum(mean - half, values.min(0) / 2) if (values > 0).all() else mean - half
        ax.fill_between(np.asarray(x), low, mean + half, color=colour, alpha=0.18, lw=0)
    ax.plot(x, mean, color=colour, lw=1.8, ls=style, label=label or None)


def over_seeds(
    ax: Axes, values: xr.DataArray, along: str, colour: Any, label: str = "", style: str = "-"
) -> None:
    """`band` of an array with the dimensions `seed` and `along`, over the coordinate of `along`."""
    table = values.transpose("seed", along)
    band(ax, table[along].values, table.values.astype(float), colour, label, style)


def curves(
    ax: Axes,
    values: xr.DataArray,
    along: str,
    colours: Mapping[Any, Any],
    by: str,
    labels: Mapping[Any, str] | None = None,
    **options: Any,
) -> None:
    """`over_seeds` for every entry of `colours`, a value of the coordinate `by`, with its name."""
    for value, colour in colours.items():
        label = (labels or {}).get(value, str(value))
        over_seeds(ax, values.sel({by: value}), along, colour, label, **options)


def strips(
    ax: Axes, values: xr.DataArray, across: Hashable, palette: Mapping[Any, Any] | None = None
) -> None:
    """Every seed as a dot, and mean with interval beside it, for every value of `across`."""
    table = values.rename("value").to_dataframe().reset_index()
    table[across] = table[across].astype(str)  # names, not places on an axis
    colours = {str(key): colour for key, colour in palette.items()} if palette else None
    shared: dict[str, Any] = {"data": table, "x": across, "y": "value", "ax": ax}
    shared |= {"hue": across, "palette": colours, "legend": False}
    sns.stripplot(**shared, size=3.5, alpha=0.45, jitter=0.12)
    sns.pointplot(
        **shared,
        errorbar=_interval,
        linestyle="none",
        markersize=5,
        capsize=0.12,
        err_kws={"linewidth": 1.4},
    )
    ax.set(xlabel="", ylabel="")


def heat(
    ax: Axes, table: xr.DataArray, y: Hashable, x: Hashable, label: str, **options: Any
) -> None:
    """Heat map of an array over `y` and `x`, its first row below, with a named colour bar.

    Coordinates name the cells; `options` go to seaborn's `heatmap`.
    """
    frame = table.transpose(y, x).to_pandas()
    style: dict[str, Any] = {"cmap": "viridis", "cbar_kws": {"label": label}} | options
    with theme():
        sns.heatmap(frame, ax=ax, **style)
    ax.invert_yaxis()
    ax.tick_params(**_TICKS)
    for text in ax.texts:
        text.set_fontsize(8)
    for bar in ax.figure.axes:
        if bar.get_label() == "<colorbar>":
            bar.tick_params(**_TICKS)


def colour_bar(mesh: Any, ax: Axes, label: str, **options: Any) -> None:
    """The colours of `mesh` beside its panel, in the theme's letters."""
    bar = ax.figure.colorbar(mesh, ax=ax, **options)
    bar.set_label(label, fontsize=_THEME["axes.labelsize"])
    bar.ax.tick_params(**_TICKS)
    bar.outline.set_visible(False)


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


def oracle(ax: Axes, value: float, name: str, colour: Any = "#555555") -> None:
    """The level that an exact algorithm reaches: dashed, and named."""
    level(ax, value, name, colour, "--")


def chance(ax: Axes, value: float, name: str = "chance", colour: Any = GREY) -> None:
    """The level that needs no learning: dotted, and named."""
    level(ax, value, name, colour, ":")


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
