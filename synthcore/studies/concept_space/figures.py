"""Figures of concepts and paths: dataset in, matplotlib figure out.

Prompts other than the plain one are in `prompt_figures`.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, band, half_width, key, panels, tag
from synthcore.studies.concept_space import decisions, theory, times
from synthcore.studies.concept_space.scenes import render
from synthcore.studies.concept_space.task import LIMITS, TARGET, TRAINED, World, words

CONCEPT_COLOURS = {"colour": "#2563b0", "size": "#b3541e"}
CORNERS = {"red large": (0, 0), "red small": (0, 1), "blue large": (1, 0), "blue small": (1, 1)}


def signal_colour(data: xr.Dataset, signal: float) -> tuple[float, ...]:
    """One colour per Delta_c, the same in every figure."""
    place = list(data.signal.values).index(signal) / max(data.sizes["signal"] - 1, 1)
    return tuple(colormaps["viridis"](0.9 * place))


def below(fig: Figure, handles: list[Any], names: list[str]) -> None:
    """One legend for all panels, under them."""
    fig.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=8)


def by_signal(data: xr.Dataset, height: float) -> tuple[Figure, dict[float, Axes]]:
    """Panels in two rows, one per contrast of colours, for accuracies on the held-out class."""
    count = data.sizes["signal"]
    fig, axes = panels(count, height=height, width=2.9, rows=2, sharey=True)
    for ax, signal in zip(axes, data.signal.values, strict=False):
        tag(ax, f"$\\Delta_c$ = {signal:g}")
    for ax in axes[:: -(-count // 2)]:
        ax.set_ylabel("accuracy, blue small")
    for ax in axes[count:]:
        ax.set_axis_off()
    return fig, dict(zip(data.signal.values, axes, strict=False))


def concept_axes(ax: Axes) -> None:
    """The square of concept space with its four corners named."""
    for name, (x, y) in CORNERS.items():
        ax.plot(x, y, "s", ms=7, mfc="none", color=INK if name != "blue small" else "#a01830")
        ax.annotate(
            name,
            (x, y),
            xytext=(6 if x == 0 else -6, 8 if y else -14),
            textcoords="offset points",
            ha="left" if x == 0 else "right",
            fontsize=8,
            color=GREY,
        )
    ax.set(xlim=(-0.09, 1.09), ylim=(-0.15, 1.13), xlabel="share drawn blue", ylabel="share small")


def classes(colours: Sequence[float], size: float, side: int, spread: float) -> Figure:
    """F1: the four classes at the weakest and strongest colour, and both signals."""
    fig = plt.figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = fig.subfigures(1, 2, squeeze=False, width_ratios=[1.15, 1])[0]
    grid = left.subplots(2, 4)
    kinds = (*TRAINED, TARGET)
    world = World.of([colours[0], colours[-1]], [size] * 2, spread=spread)
    scenes = world.mean(world.bits(kinds))
    for row, images in enumerate(render(scenes, side)):
        for ax, image, kind in zip(grid[row], images, kinds, strict=True):
            ax.imshow(image.movedim(0, -1).numpy(), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            if row == 0:
                tag(ax, words(kind) + ("\n(never shown)" if kind == TARGET else "\n"))
        grid[row][0].set_ylabel(f"$\\Delta_c$ = {(colours[0], colours[-1])[row]:g}")
    ax = right.subplots()
    x = np.linspace(0.05, LIMITS["colour"], 60)
    both = np.array([theory.signals(float(c), size, side, spread) for c in x])
    for column, name in enumerate(CONCEPT_COLOURS):
        ax.plot(x, both[:, column], color=CONCEPT_COLOURS[name], label=name)
    for c in colours:
        ax.axvline(c, color=GREY, lw=0.5, ls=":")
    ax.set(xlabel="$\\Delta_c$, contrast of colours", ylabel="pixel signal [squared intensity]")
    key(ax)
    return fig


def fan(data: xr.Dataset) -> Figure:
    """F2: the held-out class in concept space, and what one path looks like."""
    fig = plt.figure(figsize=(9, 4.4), layout="constrained")
    left, right = fig.subfigures(1, 2, squeeze=False)[0]
    ax = left.subplots()
    concept_axes(ax)
    means = decisions.mean_paths(data)
    when = decisions.converged(data)
    for signal in data.signal.values:
        colour = signal_colour(data, signal)
        p = means.sel(signal=signal).transpose("step", "concept").values
        ax.plot(p[:, 0], p[:, 1], "-", color=colour, lw=1.8, label=f"{signal:g}")
        at = times.median(when.sel(signal=signal))
        if np.isfinite(at):
            star = p[int(np.searchsorted(data.step.values, at))]
            ax.plot(*star, "*", ms=12, color=colour, mec="white", mew=0.6)
        trained = data.coordinates.sel(signal=signal).isel(asked=slice(0, 3)).mean("seed")
        for kind in trained.transpose("asked", "step", "concept").values:
            ax.plot(kind[:, 0], kind[:, 1], ":", color=colour, lw=0.7)
    key(ax, title="$\\Delta_c$", loc="center", bbox_to_anchor=(0.72, 0.45))
    ends = (float(data.signal[0]), float(data.signal[-1]))
    pictures(right, data, ends)
    return fig


def pictures(where: object, data: xr.Dataset, signals: Sequence[float], columns: int = 7) -> None:
    """Two drawn images of the held-out class per signal at evenly spread checkpoints."""
    chosen = np.linspace(3, data.sizes["step"] - 1, columns).round().astype(int)
    grid = where.subplots(2 * len(signals), columns)  # type: ignore[attr-defined]
    for i, signal in enumerate(signals):
        drawn = data.drawn.sel(signal=signal)
        for row in range(2):
            for ax, k in zip(grid[2 * i + row], chosen, strict=True):
                image = drawn.isel(step=k, picture=row).values
                ax.imshow(np.nan_to_num(image).astype(np.uint8), interpolation="nearest")
                ax.set(xticks=[], yticks=[])
                if row == 0:
                    tag(ax, f"{int(data.step[k])}")
        grid[2 * i][0].set_ylabel(f"$\\Delta_c$ = {signal:g}", fontsize=8)


def speeds(data: xr.Dataset) -> Figure:
    """F3: learning speed of each concept on the held-out class, against its own signal."""
    fig, axes = panels(2)
    when = decisions.learned(data)
    for ax, (table, along, label) in zip(
        axes,
        (
            (when, "signal", "$\\Delta_c$, contrast of colours"),
            (_size_times(data), "size", "$\\Delta_s$, contrast of sizes"),
        ),
        strict=True,
    ):
        for name, colour in CONCEPT_COLOURS.items():
            speed = 1e3 / table.sel(concept=name).transpose("seed", along)
            x = speed[along].values
            for row in speed.values:
                ax.plot(x, row, ".", color=colour, alpha=0.35, ms=5)
            ax.plot(x, np.median(speed.values, axis=0), "-o", color=colour, ms=4, label=name)
        ax.set(xlabel=label, ylabel="1 / learning time [per 1000 steps]", ylim=(0, None))
    key(axes[0])
    return fig


def _size_times(data: xr.Dataset) -> xr.DataArray:
    return decisions.crossing(data.size_right.dropna("seed"))


def velocity(data: xr.Dataset) -> Figure:
    """F9: how fast the held-out class moves through concept space."""
    fig, (ax,) = panels(1, width=5.6)
    steps = data.step.values.astype(float)
    middle = (steps[1:] + steps[:-1]) / 2
    for signal in data.signal.values:
        p = decisions.path(data).sel(signal=signal).transpose("seed", "step", "concept").values
        speed = np.linalg.norm(np.diff(times.smooth(p.swapaxes(0, 1)), axis=0), axis=-1)
        speed = speed / np.diff(steps)[:, None] * 1e3
        known = np.isfinite(speed).all(1)
        band(ax, middle[known], speed[known].T, signal_colour(data, signal), f"{signal:g}", thin=0)
    ax.set(xlabel="step", ylabel="|dC/dt| [per 1000 steps]", ylim=(0, None))
    key(ax, title="$\\Delta_c$")
    return fig


def toy_overlay(data: xr.Dataset) -> Figure:
    """F10: measured paths and the toy dynamics fitted to them."""
    fig, (ax, right) = panels(2, height=3.6, width=4.0)
    concept_axes(ax)
    found = decisions.toys(data)
    for signal, toy in zip(data.signal.values, found, strict=True):
        colour = signal_colour(data, signal)
        p = decisions.mean_paths(data).sel(signal=signal).transpose("step", "concept").values
        ax.plot(p[:, 0], p[:, 1], "o", ms=3, color=colour, label=f"{signal:g}")
        ax.plot(toy.path[:, 0], toy.path[:, 1], "--", color=colour)
        right.plot(signal, toy.a, "o", color=colour, mec=GREY)
    ratio = [
        theory.signals(float(c), data.attrs["size"], data.attrs["side"], data.attrs["spread"])
        for c in data.signal.values
    ]
    right.plot(
        data.signal.values,
        [np.sqrt(c / s) for c, s in ratio],
        color=GREY,
        ls="--",
        label="root of the ratio of signals",
    )
    right.plot([], [], "o", color=INK, label="fitted a")
    right.set(xlabel="$\\Delta_c$", ylabel="a, pull of colour against size", yscale="log")
    key(right)
    return fig


def share_at_convergence(data: xr.Dataset) -> Figure:
    """The held-out class at train convergence, against the contrast of colours."""
    fig, (ax,) = panels(1, width=4.4)
    there = decisions.at_convergence(data)
    for name, colour in CONCEPT_COLOURS.items():
        table = there.sel(concept=name).transpose("seed", "signal").values
        known = np.isfinite(table).all(0)
        ax.errorbar(
            data.signal.values[known],
            table[:, known].mean(0),
            half_width(table[:, known]),
            color=colour,
            marker="o",
            ms=4,
            capsize=2,
            label="blue" if name == "colour" else "small",
        )
    ax.set(xlabel="$\\Delta_c$", ylabel="share at train convergence", ylim=(-0.05, 1.05))
    key(ax)
    return fig
