"""What the networks generalise to: figures of the task and of accuracy, and what explorers show."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from synthcore.figures import (
    GREY,
    INK,
    half_width,
    key,
    level,
    log_axis,
    over_seeds,
    panels,
    points,
    tag,
)
from synthcore.nn.gpt import GPT
from synthcore.nn.population import named_weights
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.claims.decisions import largest_subset
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.model import transformer_shape
from synthcore.studies.compositional_capabilities.task.documents import (
    FORMATS,
    Functions,
    Layout,
    documents,
)

if TYPE_CHECKING:
    import pandas as pd

COLOURS = {"step": "#b3541e", "direct": "#2563b0", "base": "#5b3a8c", "control": "#a01830"}
SUBSET_COLOURS = (
    *("#5b3a8c", "#a0468b", "#2563b0", "#b3541e"),
    *("#8a6d00", "#13a07f", "#a01830", "#555555"),
)


def subset_colour(index: int) -> str:
    """The colour of a training subset."""
    return SUBSET_COLOURS[index % len(SUBSET_COLOURS)]


def spell_documents(
    layout: Layout, functions: Functions, comps: Tensor, words: Tensor
) -> list[tuple[str, str]]:
    """The first document of each format in letters: S begins, _ separates."""
    letters = list("abcdefghijklmnopqrstuvwxyzABCDEF"[: layout.alphabet])
    letters += [f" {'ABCDEFGH'[d]}{i}" for d, i in np.ndindex(layout.positions, layout.choices)]
    letters += ["_", ".", "S"]
    lines = [documents(layout, functions, words, comps, one)[0].tolist() for one in FORMATS]
    text = ["".join(letters[token] for token in line) for line in lines]
    return list(zip(("step by step", "at once"), text, strict=True))


def schematic(layout: Layout, lines: list[tuple[str, str]]) -> Figure:
    """F1: functions at their positions, an in-order and a displaced composition, documents."""
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(8.4, 2.8), layout="constrained", width_ratios=[1, 1.5]
    )
    indices = [i % layout.choices for i in range(layout.positions)]
    for d in range(layout.positions):
        for i in range(layout.choices):
            name = "id" if i == 0 else f"{'ABCDEFGH'[d]}{i}"
            left.text(d, -i, name, ha="center", va="center", fontsize=9, color=INK if i else GREY)
    x = np.arange(layout.positions)
    left.plot(
        x, [-1] * layout.positions, "o-", ms=18, mfc="none", color=COLOURS["step"], label="in order"
    )
    columns = [layout.positions - 1 - d for d in range(layout.positions)]
    left.plot(
        columns,
        [-i for i in indices],
        "o:",
        ms=16,
        mfc="none",
        color=COLOURS["direct"],
        label="displaced (any column first)",
    )
    left.set(xlim=(-0.6, layout.positions - 0.4), ylim=(-layout.functions - 0.7, 1.6))
    left.set_axis_off()
    key(left, loc="upper center", ncol=2, markerscale=0.4)
    right.set_axis_off()
    for i, (name, line) in enumerate(lines):
        right.text(0, 0.9 - 0.28 * i, name, fontsize=9, color=GREY)
        right.text(0, 0.79 - 0.28 * i, line, fontsize=7.5, family="monospace", color=INK)
    return fig


def step_axis(ax: Axes, data: xr.Dataset) -> None:
    """Steps on a log axis, with ticks at a few whole numbers."""
    last = int(data.step.max())
    log_axis(ax, [n for n in (10, 30, 100, 300, 1000, 3000, 10000, 30000) if n <= last], "step")
    ax.set_xlim(max(int(data.step.values[1]), 1), last)


def over_training(data: xr.Dataset) -> Figure:
    """F2: exact match on some in-order compositions over training, one curve per subset."""
    fig, axes = panels(2, sharey=True)
    plain = [s for s in data.subset.values if "repeat" not in s and "," not in s]
    rest = [s for s in data.subset.values if s not in plain]
    for ax, names in zip(axes, (plain, rest), strict=True):
        for name in names:
            curve = data.k_accuracy.sel(subset=name).mean("k").isel(step=slice(1, None))
            over_seeds(
                ax, curve, "step", subset_colour(list(data.subset.values).index(name)), str(name)
            )
        step_axis(ax, data)
        ax.set(ylim=(-0.02, 1.02))
        key(ax)
    axes[0].set_ylabel("exact match, mean over k")
    return fig


def cells(data: xr.Dataset) -> Figure:
    """F3: accuracy over (k, m), one panel per subset."""
    names = [str(s) for s in data.subset.values if "," not in str(s)]
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(2.2 * columns, 2.1 * rows), layout="constrained", squeeze=False
    )
    image = None
    for ax, name in zip(axes.flat, names, strict=False):
        grid = data.cell_accuracy.sel(subset=name).mean("seed").transpose("m", "k").values
        image = ax.imshow(grid, origin="lower", vmin=0, vmax=1, cmap="viridis")
        ax.set(xlabel="k, functions", ylabel="m, displaced")
        tag(ax, name)
    for ax in list(axes.flat)[len(names) :]:
        ax.set_axis_off()
    if image is not None:
        fig.colorbar(image, ax=axes, label="exact match", shrink=0.7)
    return fig


def random_subset_sizes(data: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Sizes and names of the plain random subsets, rising."""
    by_size = sorted(
        (int(s.split()[1]), s)
        for s in map(str, data.subset.values)
        if s.startswith("random ") and "," not in s
    )
    return np.array([n for n, _ in by_size]), [s for _, s in by_size]


def by_size(data: xr.Dataset, layout: Layout) -> Figure:
    """F4 and F5: accuracy on unseen compositions against n, both formats, with ceiling and
    memoriser; and the two-slot task."""
    fig, (left, right) = panels(2, sharey=True)
    n, names = random_subset_sizes(data)
    every = np.unique(np.geomspace(2, layout.choices**layout.positions - 1, 60).astype(int))
    ceiling = [theory.identifiable_share(layout, int(one), unseen=True) for one in every]
    left.plot(every, ceiling, "--", color=INK, label="identifiable")
    points(left, n, data.unseen.sel(subset=names), COLOURS["step"], "step by step, narrow")
    sizes = data.n.values
    for format, name, shift in (("step", "step by step", 0.95), ("direct", "at once", 1.05)):
        hue = COLOURS["base" if format == "step" else "direct"]
        unseen = data.format_unseen.sel(format=format)
        points(left, sizes * shift, unseen, hue, f"{name}, same shape")
    points(
        left, sizes, data.format_tokens.sel(format="direct"), GREY, "at once, symbols", marker="^"
    )
    level(left, theory.memoriser_accuracy(layout), "memoriser, symbols", style=":")
    left.set(xscale="log", xlabel="trained compositions")
    for family, hue in (
        ("permutation, bijection", COLOURS["step"]),
        ("bijection, bijection", COLOURS["control"]),
    ):
        one = data.slot_unseen.sel(family=family).dropna("pairs", how="all")
        points(right, one.pairs.values, one, hue, family)
    one = data.slot_ceiling.sel(family="permutation, bijection").mean("seed")
    right.plot(one.pairs, one, "--", color=INK, label="identifiable")
    right.set(xlabel="trained pairs of two slots, at once")
    left.set(ylabel="exact match, unseen", ylim=(-0.02, 1.04))
    for ax in (left, right):
        key(ax, fontsize=7.5)
    return fig


def by_set(sweep: "pd.DataFrame") -> Figure:
    """Accuracy on unseen compositions against their number and against their share of the set, by
    the number of functions per position; dashed, what is identifiable."""
    fig, axes = panels(2, sharey=True)
    for i, (functions, part) in enumerate(sweep.sort_values("trained").groupby("functions")):
        row = part.iloc[0]
        layout = Layout(
            *(int(row[name]) for name in ("positions", "functions", "alphabet", "word"))
        )
        whole = layout.choices**layout.positions
        every = np.unique(np.geomspace(2, 0.9 * whole, 60).astype(int))
        ceiling = [theory.identifiable_share(layout, int(n), unseen=True) for n in every]
        for ax, scale in zip(axes, (1, 1 / whole), strict=True):
            ax.plot(every * scale, ceiling, "--", color=subset_colour(i), lw=1.1)
            ax.errorbar(
                part.trained * scale * 1.06 ** (i - 1),  # side by side
                part.unseen,
                np.minimum(part.unseen_half_width, [part.unseen, 1 - part.unseen]),
                fmt="o-",
                ms=4,
                lw=1.1,
                elinewidth=0.8,
                capsize=2,
                color=subset_colour(i),
                label=f"N = {functions}: {whole} compositions",
            )
    axes[0].set(
        xscale="log",
        xlabel="trained compositions",
        ylabel="exact match, unseen",
        ylim=(-0.02, 1.04),
    )
    axes[1].set(xscale="log", xlabel="share of all compositions")
    key(axes[0], fontsize=7.5, loc="lower right")
    return fig


def by_functions(data: xr.Dataset) -> Figure:
    """F6: accuracy by k at the end, and over training for a base and a random subset."""
    fig, axes = panels(3, width=3.2, sharey=True)
    names = [str(s) for s in data.subset.values if "repeat" not in str(s) and "," not in str(s)]
    for name in names:
        hue = subset_colour(list(data.subset.values).index(name))
        points(axes[0], data.k.values, data.by_k.sel(subset=name), hue, name)
    axes[0].set(xlabel="k, functions that are not the identity", ylabel="exact match")
    axes[0].set(ylim=(-0.02, 1.04))  # shared; intervals of three seeds reach beyond shares
    key(axes[0], fontsize=7.5)
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.9, data.sizes["k"]))
    for ax, kind in zip(axes[1:], ("base", "random"), strict=True):
        subset = largest_subset(data, kind)
        if subset is None:
            continue
        for i, k in enumerate(data.k.values):
            curve = data.k_accuracy.sel(subset=subset, k=k).isel(step=slice(1, None))
            over_seeds(ax, curve, "step", shades[i], f"k = {k}")
        step_axis(ax, data)
        tag(ax, subset)
    key(axes[2], fontsize=7.5)
    return fig


def mistakes(data: xr.Dataset) -> Figure:
    """What displaced prompts get: shares of answers by their first mistake, per subset."""
    names = [str(s) for s in data.subset.values if "repeat" not in str(s) and "," not in str(s)]
    fig, (ax,) = panels(1, width=7)
    x, bottom = np.arange(len(names)), np.zeros(len(names))
    shades = ("#13a07f", "#a01830", "#d9757a", "#c9b037", "#999999")
    for shade, kind in zip(shades, data.mistake.values, strict=True):
        share = data.mistakes.sel(subset=names, mistake=kind).mean("seed").values
        name = "right" if kind == "none" else str(kind)
        ax.bar(x, share, bottom=bottom, color=shade, label=name, width=0.7)
        bottom += share
    ax.set_xticks(x, [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    ax.set(ylabel="share of answers to displaced prompts", ylim=(0, 1))
    key(ax, ncol=3, loc="upper center", bbox_to_anchor=(0.5, 1.25))
    return fig


# --- what explorers show ------------------------------------------------------------------------


def composer_weights(config: Config, data: xr.Dataset) -> dict[str, NDArray[np.float32]]:
    """The kept network's weights by name: one member, no member axis."""
    shape = transformer_shape(config.step_network, config.layout, "step")
    return named_weights(GPT(shape, [0]), data.shown_weights.values)


def composition_grid(data: xr.Dataset) -> dict[str, object]:
    """Arguments of the grid explorer: subsets that share the first seed's functions."""
    names = [str(s) for s in data.subset.values if "repeat" not in s and "," not in s]
    first = data.sel(subset=names).isel(seed=0)
    cell = ("subset", "k", "m", "example")
    return {
        "subsets": names,
        "accuracy": first.cell_accuracy.transpose("subset", "k", "m").values,
        "tables": data.shown_tables.values.astype(int),
        "compositions": first.example_comps.transpose(*cell, "slot", "pair").values.astype(int),
        "words": first.example_words.transpose(*cell, "letter").values.astype(int),
        "generated": first.example_wrote.transpose(*cell, "slot", "letter").values.astype(int),
        "n_train": [int(n) for n in first.n_train.values],
    }


def _rows(n: NDArray[np.int64], values: xr.DataArray, highest: float) -> NDArray[np.float64]:
    """(Q, 4) rows n, mean, and ends of the 95 % interval over seeds, cut at 0 and `highest`."""
    table = values.transpose("seed", ...).values.astype(float)
    mean, half = table.mean(0), half_width(table)
    return np.stack([n, mean, np.maximum(mean - half, 0), np.minimum(mean + half, highest)], -1)


def reachable_series(
    data: xr.Dataset,
) -> tuple[Mapping[str, NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]:
    """Measured points of the reachable explorer: accuracy on unseen ones, and numbers mastered."""
    n, names = random_subset_sizes(data)
    one = data.sel(subset=names)
    sizes = data.n.values.astype(int)
    direct = data.sel(format="direct")
    accuracy = {
        "step by step": _rows(n, one.unseen, 1),
        "at once": _rows(sizes, direct.format_unseen, 1),
    }
    reached = {
        "step by step": _rows(n, one.reached, np.inf),
        "at once": _rows(sizes, direct.format_reached, np.inf),
        "step by step, displaced too": _rows(n, one.reached_far, np.inf),
    }
    return accuracy, reached
