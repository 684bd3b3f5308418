"""Figures of the chapter: dataset in, matplotlib figure out."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from synthcore.figures import GREY, INK, key, level, log_axis, over_seeds, panels, points, tag
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.decisions import subset_of
from synthcore.studies.compositional_capabilities.task import STYLES, Functions, Layout, documents

if TYPE_CHECKING:
    import pandas as pd

COLOURS = {"step": "#b3541e", "direct": "#2563b0", "base": "#5b3a8c", "control": "#a01830"}
WHEEL = ("#5b3a8c", "#a0468b", "#2563b0", "#b3541e", "#8a6d00", "#13a07f", "#a01830", "#555555")


def colour(index: int) -> str:
    """The colour of a training subset."""
    return WHEEL[index % len(WHEEL)]


def spelled(
    layout: Layout, functions: Functions, comps: Tensor, words: Tensor
) -> list[tuple[str, str]]:
    """The first document of each format in letters: S begins, _ separates."""
    letters = list("abcdefghijklmnopqrstuvwxyzABCDEF"[: layout.alphabet])
    letters += [f" {'ABCDEFGH'[d]}{i}" for d, i in np.ndindex(layout.positions, layout.choices)]
    letters += ["_", ".", "S"]
    lines = [documents(layout, functions, words, comps, style)[0].tolist() for style in STYLES]
    text = ["".join(letters[token] for token in line) for line in lines]
    return list(zip(("step by step", "at once"), text, strict=True))


def schematic(layout: Layout, lines: list[tuple[str, str]]) -> Figure:
    """F1: functions at their positions, an in-order and a displaced composition, documents."""
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(8.4, 2.8), layout="constrained", width_ratios=[1, 1.5]
    )
    own, away = [1] * layout.positions, [i % layout.choices for i in range(layout.positions)]
    for d in range(layout.positions):
        for i in range(layout.choices):
            name = "id" if i == 0 else f"{'ABCDEFGH'[d]}{i}"
            left.text(d, -i, name, ha="center", va="center", fontsize=9, color=INK if i else GREY)
    x = np.arange(layout.positions)
    left.plot(
        x, [-i for i in own], "o-", ms=18, mfc="none", color=COLOURS["step"], label="in order"
    )
    moved = [layout.positions - 1 - d for d in range(layout.positions)]
    left.plot(
        moved,
        [-i for i in away],
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
    """F2: exact match of the watched in-order compositions over training, one curve per subset."""
    fig, axes = panels(2, sharey=True)
    plain = [s for s in data.subset.values if "repeat" not in s and "," not in s]
    rest = [s for s in data.subset.values if s not in plain]
    for ax, names in zip(axes, (plain, rest), strict=True):
        for name in names:
            curve = data.k_accuracy.sel(subset=name).mean("k").isel(step=slice(1, None))
            over_seeds(ax, curve, "step", colour(list(data.subset.values).index(name)), str(name))
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


def sizes_of(data: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Sizes and names of the plain random subsets, rising."""
    found = sorted(
        (int(s.split()[1]), s)
        for s in map(str, data.subset.values)
        if s.startswith("random ") and "," not in s
    )
    return np.array([n for n, _ in found]), [s for _, s in found]


def by_size(data: xr.Dataset, layout: Layout) -> Figure:
    """F4 and F5: accuracy on unseen compositions against n, both formats, with ceiling and
    memoriser; and the two-slot task."""
    fig, (left, right) = panels(2, sharey=True)
    n, names = sizes_of(data)
    every = np.unique(np.geomspace(2, layout.choices**layout.positions - 1, 60).astype(int))
    ceiling = [theory.identifiable_share(layout, int(one), unseen=True) for one in every]
    left.plot(every, ceiling, "--", color=INK, label="identifiable")
    points(left, n, data.unseen.sel(subset=names), COLOURS["step"], "step by step, narrow")
    sizes = data.n.values
    for style, word in (("step", "step by step"), ("direct", "at once")):
        where = sizes * (0.95 if style == "step" else 1.05)
        shown = COLOURS["base"] if style == "step" else COLOURS["direct"]
        points(left, where, data.format_unseen.sel(format=style), shown, f"{word}, same shape")
    points(
        left, sizes, data.format_tokens.sel(format="direct"), GREY, "at once, symbols", marker="^"
    )
    level(left, theory.memoriser_accuracy(layout), "memoriser, symbols", style=":")
    left.set(xscale="log", xlabel="trained compositions")
    for family, shown in (
        ("permutation, bijection", COLOURS["step"]),
        ("bijection, bijection", COLOURS["control"]),
    ):
        one = data.slot_unseen.sel(family=family).dropna("pairs", how="all")
        points(right, one.pairs.values, one, shown, family)
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
        own = Layout(*(int(row[name]) for name in ("positions", "functions", "alphabet", "word")))
        whole = own.choices**own.positions
        every = np.unique(np.geomspace(2, 0.9 * whole, 60).astype(int))
        ceiling = [theory.identifiable_share(own, int(n), unseen=True) for n in every]
        for ax, scale in zip(axes, (1, 1 / whole), strict=True):
            ax.plot(every * scale, ceiling, "--", color=colour(i), lw=1.1)
            ax.errorbar(
                part.trained * scale * 1.06 ** (i - 1),  # side by side
                part.unseen,
                np.minimum(part.unseen_half_width, [part.unseen, 1 - part.unseen]),
                fmt="o-",
                ms=4,
                lw=1.1,
                elinewidth=0.8,
                capsize=2,
                color=colour(i),
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
        shown = colour(list(data.subset.values).index(name))
        points(axes[0], data.k.values, data.by_k.sel(subset=name), shown, name)
    axes[0].set(xlabel="k, functions that are not the identity", ylabel="exact match")
    axes[0].set(ylim=(-0.02, 1.04))  # shared; intervals of three seeds reach beyond shares
    key(axes[0], fontsize=7.5)
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.9, data.sizes["k"]))
    for ax, kind in zip(axes[1:], ("base", "random"), strict=True):
        found = subset_of(data, kind)
        if found is None:
            continue
        for i, k in enumerate(data.k.values):
            curve = data.k_accuracy.sel(subset=found, k=k).isel(step=slice(1, None))
            over_seeds(ax, curve, "step", shades[i], f"k = {k}")
        step_axis(ax, data)
        tag(ax, found)
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


def attention(data: xr.Dataset) -> Figure:
    """F8: where the one-layer network looks while it writes, first seed."""
    fig, (ax,) = panels(1, width=7.5, height=3.4)
    table = data.attention.isel(seed=0)
    grid = table.stack(query=("slot", "letter")).transpose("query", "key").values
    image = ax.imshow(grid, cmap="viridis", aspect="auto", interpolation="nearest")
    letters = data.sizes["letter"]
    ax.set(xlabel="place that is looked at", ylabel="symbol that is written")
    ticks = np.arange(data.sizes["slot"]) * letters
    ax.set_yticks(ticks, [f"block {b + 1}" for b in range(len(ticks))])
    fig.colorbar(image, ax=ax, label="attention")
    return fig
