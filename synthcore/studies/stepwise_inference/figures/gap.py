"""Figures of the task and of the gap: a graph and its lines, accuracy over training, stitching, one
factor at a time; and where the nodes of a graph are drawn.

Mean and 95 % interval over seeds; exact levels dashed, chance dotted.
"""

from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from synthcore.figures import (
    CONCEPTS,
    GREY,
    INK,
    canvas,
    half_width,
    key,
    over_seeds,
    points,
    tag,
)
from synthcore.studies.stepwise_inference import measure
from synthcore.studies.stepwise_inference.task.graphs import Graph

COLOURS = {
    "step": CONCEPTS["retrieval"],
    "walk": CONCEPTS["unigram retrieval"],
    "direct": CONCEPTS["inference"],
}
NAMES = {"step": "stepwise", "walk": "stepwise, dead ends written", "direct": "direct"}
KINDS = {"bernoulli": "Bernoulli graphs", "layered": "layered graphs"}


def node_coordinates(edges: ArrayLike) -> NDArray[np.float64]:
    """(N, 2) where to draw the nodes of a graph: to the right by depth, spread within each depth.

    Depth is the longest path from a source; nodes of one depth keep the order of the mean height
    of their parents, so that edges cross less.
    """
    adjacency = np.asarray(edges, dtype=bool)
    n = len(adjacency)
    depth = np.zeros(n)
    for node in range(n):  # topological order
        parents = np.flatnonzero(adjacency[:, node])
        if len(parents):
            depth[node] = depth[parents].max() + 1
    height = np.zeros(n)
    for one_depth in np.unique(depth):
        nodes = np.flatnonzero(depth == one_depth)
        of_parents = [
            height[np.flatnonzero(adjacency[:, i])].mean() if adjacency[:, i].any() else 0.0
            for i in nodes
        ]
        order = nodes[np.argsort(of_parents, kind="stable")]
        height[order] = np.linspace(-1, 1, len(nodes) + 2)[1:-1]
    return np.stack([depth, height * 4], -1)


def draw_graph(ax: Axes, graph: Graph, path: list[int]) -> None:
    """A small graph with numbered nodes and one path in colour."""
    coordinates = node_coordinates(graph.adjacency)
    for a, b in graph.adjacency.nonzero().tolist():
        on_path = (a, b) in pairwise(path)
        ax.annotate(
            "",
            coordinates[b],
            coordinates[a],
            arrowprops={
                "arrowstyle": "-|>",
                "color": COLOURS["step"] if on_path else GREY,
                "lw": 2.0 if on_path else 0.5,
                "shrinkA": 6,
                "shrinkB": 6,
                "alpha": 1.0 if on_path else 0.5,
            },
        )
    ax.scatter(coordinates[:, 0], coordinates[:, 1], s=110, color="white", edgecolor=INK, zorder=3)
    for i, (x, y) in enumerate(coordinates):
        ax.text(x, y, str(i), ha="center", va="center", fontsize=8, zorder=4, color="#222222")
    ax.set_axis_off()


def question(graph: Graph, path: list[int]) -> Figure:
    """A graph and one way through it."""
    fig, (ax,) = canvas(1, 2.6, 5.0)
    draw_graph(ax, graph, path)
    return fig


def log_updates(ax: Axes, steps: NDArray[np.int64]) -> None:
    """A logarithmic axis of updates with labels at 1, 3, 10, 30, ... from the first step on."""
    first, last = int(steps[0]), int(steps[-1])
    places = [v for e in range(7) for v in (10**e, 3 * 10**e) if 0.8 * first <= v <= 1.2 * last]
    ax.set(xscale="log", xlabel="updates")
    ax.set_xticks(places, [f"{v:,}" for v in places])
    ax.set_xticks([], minor=True)


def accuracy_over_training(data: xr.Dataset) -> Figure:
    """Held-out accuracy on hard negatives over training, per format and graph type, and the
    shortcuts fitted on such negatives."""
    fig, axes = canvas(2, 3.0, sharey=True)
    for ax, (kind, name) in zip(axes, KINDS.items(), strict=True):
        for written in np.atleast_1d(data.attrs["formats"]).tolist():
            recall = data.recall.sel(kind=kind, format=written).isel(step=slice(1, None))
            over_seeds(ax, measure.accuracy(recall), "step", COLOURS[written], NAMES[written])
        best = measure.best_shortcut(data.baseline_accuracy.sel(kind=kind, drop=True))
        ax.axhline(float(best.mean()), color=GREY, ls="--", lw=1.2, label="best shortcut")
        ax.axhline(0.5, color=GREY, ls=":", lw=1.1, label="order only")
        ax.set(ylim=(0.45, 1))
        log_updates(ax, data.step.values[1:])
        tag(ax, name)
    axes[0].set_ylabel("accuracy, hard negatives")
    key(axes[1], loc="lower right")
    return fig


def stitching(data: xr.Dataset) -> Figure:
    """The far gap against Delta, and the accuracies and right paths behind it."""
    fig, axes = canvas(2, 2.9)
    near = data.near.values
    x = np.arange(len(near))
    names = [f"{d}" if d else "all" for d in near]
    points(axes[0], x, measure.far_gap(data), INK)
    axes[0].axhline(0, color=GREY, lw=0.8)
    axes[0].set_ylabel("gap on far pairs")
    for written in ("step", "direct"):
        far = measure.far_accuracy(data, written)
        points(axes[1], x, far, COLOURS[written], NAMES[written])
    right = data.far_valid.sel(format="step").isel(step=-1)
    points(axes[1], x, right, COLOURS["walk"], "right paths", marker="^")
    best = measure.best_shortcut(data.far_baseline)
    points(axes[1], x, best, GREY, "best shortcut", ls="--", marker="s")
    axes[1].set_ylabel("accuracy, far pairs")
    key(axes[1], loc="lower right")
    for ax in axes:
        ax.set_xticks(x, names)
        ax.set_xlabel("Δ, layers of training pairs")
    return fig


def factors(data: xr.Dataset) -> Figure:
    """The gap for every setting that differs from ours by one factor, on hard negatives and on the
    paper's."""
    fig, axes = canvas(2, 0.9 + 0.3 * data.sizes["factor"], sharey=True)
    y = np.arange(data.sizes["factor"])[::-1]
    for ax, (kind, name) in zip(axes, KINDS.items(), strict=True):
        for test, colour, marker in (("hard", INK, "o"), ("paper", COLOURS["walk"], "s")):
            gaps = factor_gaps(data, kind, test)
            mean = gaps.mean("seed").values
            half = half_width(gaps.transpose("seed", "factor").values)
            label = "hard negatives" if test == "hard" else "the paper's negatives"
            ax.errorbar(mean, y, xerr=half, color=colour, marker=marker, ls="none", ms=4,
                        capsize=2, label=label)  # fmt: skip
        ax.axvline(0, color=GREY, lw=0.8)
        ax.set_xlabel("gap")
        tag(ax, name)
    axes[0].set_yticks(y, [str(factor) for factor in data.factor.values])
    axes[0].set_ylim(-2.2, len(y) - 0.5)  # room for the key
    key(axes[1], loc="lower right")
    return fig


def factor_gaps(data: xr.Dataset, kind: str, test: str) -> xr.DataArray:
    """The gap of every factor and seed."""
    some = [
        measure.accuracy_gap(data.isel(factor=i, drop=True), kind, test)
        for i in range(data.sizes["factor"])
    ]
    return xr.concat(some, "factor").assign_coords(factor=data.factor.values)
