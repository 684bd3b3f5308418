"""What the networks generalise to: figures of the task and of accuracy, and what explorers show.

Mean and 95 % interval over seeds; what is identifiable is dashed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from synthcore.explorers.composition_grid import CompositionGridExplorer
from synthcore.explorers.reachable import ReachableExplorer
from synthcore.figures import (
    CONCEPTS,
    GREY,
    INK,
    canvas,
    colour_bar,
    half_width,
    key,
    log_axis,
    over_seeds,
    points,
    shades,
    tag,
)
from synthcore.nn.gpt import GPT
from synthcore.nn.population import named_weights
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.experiments.formats import COMMUTING, IN_TURN
from synthcore.studies.compositional_capabilities.model import transformer_shape
from synthcore.studies.compositional_capabilities.task.documents import (
    FORMATS,
    Functions,
    Layout,
    documents,
)
from synthcore.studies.compositional_capabilities.task.subsets import largest_subset

STEP, DIRECT = CONCEPTS["retrieval"], CONCEPTS["inference"]
BASE, CONTROL = CONCEPTS["hybrid"], CONCEPTS["unigram retrieval"]
SETS = "ABCDEFGH"
MISTAKE_COLOURS = {
    "none": CONCEPTS["unigram inference"],
    "own position": CONCEPTS["retrieval"],
    "other function": CONCEPTS["unigram retrieval"],
    "partly right": CONCEPTS["hybrid"],
    "something else": GREY,
}


def spell_documents(
    layout: Layout, functions: Functions, comps: Tensor, words: Tensor
) -> list[tuple[str, str]]:
    """The first document of each format in letters: S begins, _ separates."""
    letters = list("abcdefghijklmnopqrstuvwxyzABCDEF"[: layout.alphabet])
    letters += [f" {SETS[d]}{i}" for d, i in np.ndindex(layout.positions, layout.choices)]
    letters += ["_", ".", "S"]
    lines = [documents(layout, functions, words, comps, one)[0].tolist() for one in FORMATS]
    text = ["".join(letters[token] for token in line) for line in lines]
    return list(zip(("step by step", "direct"), text, strict=True))


def schematic(layout: Layout) -> Figure:
    """Functions at their positions, and an in-order and a displaced composition."""
    fig, (ax,) = canvas(1, 2.5, 4.6)
    for d, i in np.ndindex(layout.positions, layout.choices):
        name = "id" if i == 0 else f"{SETS[d]}{i}"
        ax.text(d, -i, name, ha="center", va="center", fontsize=9, color=INK if i else GREY)
    x = np.arange(layout.positions)
    style: dict[str, Any] = {"ms": 17, "mfc": "none"}
    ax.plot(x, -np.ones(len(x)), "o-", color=STEP, label="in order", **style)
    rows = -(x % layout.choices)
    ax.plot(x[::-1], rows, "o:", color=DIRECT, label="displaced, read from the right", **style)
    ax.set(xlim=(-0.6, layout.positions - 0.4), ylim=(-layout.functions - 0.7, 1.6))
    ax.set_axis_off()
    key(ax, loc="upper center", ncol=2, markerscale=0.4)
    return fig


def subset_colours(data: xr.Dataset) -> dict[str, object]:
    """A colour for every training subset."""
    names = list(map(str, data.subset.values))
    return dict(zip(names, shades(len(names)), strict=True))


def step_axis(ax: Axes, data: xr.Dataset) -> None:
    """Steps on a log axis, with ticks at a few whole numbers."""
    last = int(data.step.max())
    log_axis(ax, [n for n in (10, 30, 100, 300, 1000, 3000, 10000, 30000) if n <= last], "update")
    ax.set_xlim(max(int(data.step.values[1]), 1), last)


def unseen(data: xr.Dataset, direct: xr.Dataset) -> Figure:
    """Exact match on unseen compositions: after every subset step by step, and directly."""
    fig, (ax,) = canvas(1, 0.9 + 0.32 * (data.sizes["subset"] + direct.sizes["n"]))
    names = list(map(str, data.subset.values))
    rows = [(f"step by step: {name}", data.unseen.sel(subset=name), STEP) for name in names]
    sizes = direct.n.values.tolist()
    rows += [(f"direct: random {n}", direct.direct_unseen.sel(n=n), DIRECT) for n in sizes]
    for place, (_, values, colour) in enumerate(rows):
        table = values.values.astype(float)
        ax.plot(table, np.full(len(table), place), "o", ms=4, alpha=0.4, color=colour)
        ax.errorbar(table.mean(), place, xerr=half_width(table), fmt="s", ms=5, color=colour)
    for place, name in enumerate(names):
        ax.plot(data.ceiling.sel(subset=name).mean(), place, "|", ms=14, mew=2, color=INK)
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    ax.set(xlabel="unseen compositions answered right", xlim=(-0.05, 1.05))
    ax.invert_yaxis()
    return fig


def over_training(data: xr.Dataset) -> Figure:
    """Symbols of the last word that are right, by k, for a base and a random subset."""
    names = [
        largest_subset(data.subset.values, "base"),
        largest_subset(data.subset.values, "random", 100),
    ]
    there = [name for name in names if name is not None]
    fig, axes = canvas(len(there), 3.0, sharey=True)
    for ax, name in zip(axes, there, strict=True):
        for colour, k in zip(shades(data.sizes["k"]), data.k.values, strict=True):
            curve = data.k_accuracy.sel(subset=name, k=k).isel(step=slice(1, None))
            over_seeds(ax, curve, "step", colour, f"k = {k}")
        step_axis(ax, data)
        tag(ax, name)
    axes[0].set(ylabel="symbols of the last word right", ylim=(0, 1.04))
    key(axes[-1])
    return fig


def by_functions(data: xr.Dataset) -> Figure:
    """Exact match by k after training, per subset."""
    fig, (ax,) = canvas(1, 2.9, 5.6)
    for name, colour in subset_colours(data).items():
        points(ax, data.k.values, data.by_k.sel(subset=name), colour, name)
    ax.set(xlabel="k, functions that are not the identity", ylabel="exact match", ylim=(-0.05, 1.1))
    ax.set_xticks(data.k.values)
    key(ax, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


def cells(data: xr.Dataset) -> Figure:
    """Accuracy over (k, m), one panel per subset; the loss on all tokens is left out."""
    names = [name for name in map(str, data.subset.values) if "all tokens" not in name]
    fig, axes = canvas(len(names), 2.5, sharex=True, sharey=True)
    image = None
    for ax, name in zip(axes, names, strict=True):
        grid = data.cell_accuracy.sel(subset=name).mean("seed").transpose("m", "k").values
        image = ax.imshow(grid, origin="lower", vmin=0, vmax=1, cmap="viridis", aspect="auto")
        ax.set(xlabel="k, functions", ylabel="m, displaced")
        ax.set_xticks(data.k.values)
        ax.set_yticks(data.m.values)
        tag(ax, name)
        colour_bar(image, ax, "exact match")
    return fig


def mistakes(data: xr.Dataset) -> Figure:
    """What displaced prompts get: shares of answers by their first mistake, per subset."""
    names = list(map(str, data.subset.values))
    fig, (ax,) = canvas(1, 0.9 + 0.35 * len(names))
    left = np.zeros(len(names))
    for kind, colour in MISTAKE_COLOURS.items():
        share = data.mistakes.sel(subset=names, mistake=kind).mean("seed").values
        label = "right" if kind == "none" else kind
        ax.barh(names, share, left=left, color=colour, label=label, height=0.7)
        left += share
    ax.set(xlabel="share of answers to displaced prompts", xlim=(0, 1))
    ax.invert_yaxis()
    key(ax, ncol=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return fig


def two_slots(data: xr.Dataset) -> Figure:
    """Accuracy on unseen pairs of two functions, answered directly, against the trained ones."""
    fig, (ax,) = canvas(1, 2.8, 5.6)
    for family, colour in ((COMMUTING, STEP), (IN_TURN, CONTROL)):
        one = data.slot_unseen.sel(family=family).dropna("pairs", how="all")
        points(ax, one.pairs.values, one, colour, family)
    ceiling = data.slot_ceiling.sel(family=COMMUTING).mean("seed")
    ax.plot(ceiling.pairs, ceiling, "--", color=INK, lw=1.2, label="identifiable")
    ax.set(xlabel="trained pairs", ylabel="exact match, unseen pairs", ylim=(-0.05, 1.1))
    key(ax, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


def training_sets(data: xr.Dataset) -> Figure:
    """Accuracy on unseen compositions against the number of trained ones, and against the share of
    the unseen that these identify."""
    fig, (left, right) = canvas(2, 3.0, sharey=True)
    for colour, functions in zip(shades(data.sizes["functions"]), data.functions, strict=True):
        one = data.sel(functions=functions).dropna("n", how="all")
        label = f"N = {int(functions)}: {int(one.whole)}"
        points(left, one.n.values, one.sweep_unseen, colour, label)
        known = one.sweep_identifiable.mean("seed")
        left.plot(one.n, known, "--", color=colour, lw=1.1)
        points(right, known.values, one.sweep_unseen, colour, ls="none")
    log_axis(left, data.n.values.tolist(), "trained compositions")
    left.set_ylabel("exact match, unseen")
    right.plot([0, 1], [0, 1], "--", color=INK, lw=1.1)
    right.set(xlabel="identifiable share of the unseen", ylim=(-0.05, 1.1))
    key(left)
    return fig


# --- what explorers show ------------------------------------------------------------------------


def composer_weights(config: Config, data: xr.Dataset) -> dict[str, NDArray[np.float32]]:
    """The kept network's weights by name: one member, no member axis."""
    shape = transformer_shape(config.network(config.steps), config.layout, "step")
    return named_weights(GPT(shape, [0]), data.shown_weights.values.astype(np.float32))


def grid_explorer(data: xr.Dataset) -> CompositionGridExplorer:
    """Accuracy and examples of every cell, of the first seed; subsets that share its functions."""
    names = [s for s in map(str, data.subset.values) if "repeat" not in s and "," not in s]
    first = data.sel(subset=names).isel(seed=0)
    cell = ("subset", "k", "m", "example")
    return CompositionGridExplorer(
        names,
        first.cell_accuracy.transpose("subset", "k", "m").values,
        first.tables.isel(subset=0).transpose("slot", "function", "symbol").values.astype(int),
        first.example_comps.transpose(*cell, "slot", "pair").values.astype(int),
        first.example_words.transpose(*cell, "letter").values.astype(int),
        first.example_wrote.transpose(*cell, "slot", "letter").values.astype(int),
        [int(n) for n in first.n_train.values],
        measure="share of words whose whole answer is right",
    )


def _rows(n: NDArray[np.int64], values: xr.DataArray, highest: float) -> NDArray[np.float64]:
    """(Q, 4) rows n, mean, and ends of the 95 % interval over seeds, cut at 0 and `highest`."""
    table = values.transpose("seed", ...).values.astype(float)
    mean, half = table.mean(0), half_width(table)
    return np.stack([n, mean, np.maximum(mean - half, 0), np.minimum(mean + half, highest)], -1)


def random_subset_sizes(data: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Sizes and names of the plain random subsets, rising."""
    by_size = sorted(
        (int(s.split()[1]), s)
        for s in map(str, data.subset.values)
        if s.startswith("random ") and "," not in s
    )
    return np.array([n for n, _ in by_size]), [s for _, s in by_size]


def reachable_explorer(layout: Layout, data: xr.Dataset, direct: xr.Dataset) -> ReachableExplorer:
    """Ceiling and measured points against the number of training compositions: accuracy on unseen
    ones, and numbers mastered with what they are at least and at most."""
    n, names = random_subset_sizes(data)
    one = data.sel(subset=names)

    def counted(*names: str) -> NDArray[np.float64]:
        estimate, low, high = (one[name].mean("seed").values.astype(float) for name in names)
        return np.stack([n, estimate, low, high], -1)

    accuracy: Mapping[str, NDArray[np.float64]] = {
        "step by step": _rows(n, one.unseen, 1),
        "direct": _rows(direct.n.values.astype(int), direct.direct_unseen, 1),
    }
    reached = {
        "step by step": counted("reached", "reached_at_least", "reached_at_most"),
        "step by step, displaced too": counted(
            "reached_far", "reached_far_at_least", "reached_far_at_most"
        ),
    }
    return ReachableExplorer(layout.functions, layout.positions, accuracy, reached)


def ceiling(layout: Layout, data: xr.Dataset, direct: xr.Dataset) -> Figure:
    """Accuracy on unseen compositions against n, both formats, with what is identifiable."""
    fig, (ax,) = canvas(1, 2.8, 5.6)
    n, names = random_subset_sizes(data)
    every = np.unique(np.geomspace(2, layout.choices**layout.positions - 1, 60).astype(int))
    known = [theory.identifiable_share(layout, int(one), unseen=True) for one in every]
    ax.plot(every, known, "--", color=INK, lw=1.2, label="identifiable")
    points(ax, n, data.unseen.sel(subset=names), STEP, "step by step")
    points(ax, direct.n.values, direct.direct_unseen, DIRECT, "direct")
    marks = [n for n in (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if n <= every[-1]]
    log_axis(ax, marks, "trained compositions")
    ax.set(ylabel="exact match, unseen", ylim=(-0.05, 1.1))
    key(ax, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig
