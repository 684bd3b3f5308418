"""Figures of the chapter in its order, F1 to F9; and where the nodes of a graph are drawn."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from synthcore.figures import GREY, INK, band, key, level, over_seeds, panels, points, tag
from synthcore.studies.stepwise_inference.measure import accuracy, far_accuracy_gap
from synthcore.studies.stepwise_inference.task.graphs import Graph

COLOURS = {"step": "#b3541e", "walk": "#8a6d00", "direct": "#2563b0"}
NAMES = {"step": "stepwise", "walk": "stepwise, with dead ends", "direct": "direct"}
DELTAS = ("#5b3a8c", "#a0468b", "#d9757a", GREY)


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
    ax.scatter(coordinates[:, 0], coordinates[:, 1], s=90, color="white", edgecolor=INK, zorder=3)
    for i, (x, y) in enumerate(coordinates):
        ax.text(x, y, str(i), ha="center", va="center", fontsize=7, zorder=4, color=INK)
    ax.set_axis_off()


def question(graph: Graph, path: list[int], lines: list[str]) -> Figure:
    """F1: a graph, a path, and the lines that are made of it."""
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(8, 2.8), layout="constrained", width_ratios=[1, 1.2]
    )
    draw_graph(left, graph, path)
    right.set_axis_off()
    for i, line in enumerate(lines):
        right.text(0, 0.85 - 0.2 * i, line, fontsize=9, family="monospace", color=INK)
    return fig


def accuracy_over_training(data: xr.Dataset) -> Figure:
    """F2: held-out accuracy on hard negatives, per format and graph type."""
    fig, axes = panels(2, sharey=True)
    for ax, kind in zip(axes, ("bernoulli", "layered"), strict=True):
        for line_format in data.attrs["formats"]:
            recall = data.recall.sel(kind=kind, format=line_format).isel(step=slice(1, None))
            colour, label = COLOURS[line_format], NAMES[line_format]
            over_seeds(ax, accuracy(recall), "step", colour, label)
        baselines = data.baseline_accuracy.sel(kind=kind, test="hard").mean("seed")
        for name, line in (("start + goal + gap", ":"), ("reach product (oracle)", "--")):
            ax.axhline(float(baselines.sel(baseline=name)), color=INK, ls=line, lw=1.1, label=name)
        level(ax, float(baselines.sel(baseline="order")), "order", style=":")
        ax.set(xscale="log", xlabel="step", ylim=(0.45, 1))
        tag(ax, kind)
    axes[0].set_ylabel("accuracy, hard negatives")
    handles, _ = axes[0].get_legend_handles_labels()
    curves = len(data.attrs["formats"])
    key(axes[0], handles=handles[:curves], loc="lower right")
    key(axes[1], handles=handles[curves:], loc="lower right")
    return fig


def stitching(data: xr.Dataset) -> Figure:
    """F3: the gap against Delta, accuracies, and recall by test distance."""
    fig, axes = panels(3, width=3.3)
    near = data.near.values
    x = np.arange(len(near))
    names = [f"{d}" if d else "all" for d in near]
    far = accuracy(data.far_recall)
    points(axes[0], x, far_accuracy_gap(data), INK)
    axes[0].axhline(0, color=GREY, lw=0.8)
    axes[0].set_ylabel("stepwise less direct, far pairs")
    for line_format in ("step", "direct"):
        colour, label = COLOURS[line_format], NAMES[line_format]
        points(axes[1], x, far.sel(format=line_format), colour, label)
    points(axes[1], x, data.far_valid.sel(format="step"), COLOURS["walk"], "right path", marker="^")
    level(axes[1], 0.5, "order", style=":")
    axes[1].set_ylabel("accuracy, far pairs")
    key(axes[1])
    for ax in axes[:2]:
        ax.set_xticks(x, names)
        ax.set_xlabel("Δ, layers of training pairs")
    for i, d in enumerate(near):
        for line_format, line in (("step", "-"), ("direct", ":")):
            values = data.far_recall_distance.sel(near=d, format=line_format).transpose(
                "seed", "distance"
            )
            colour = DELTAS[i % len(DELTAS)]
            name = f"Δ = {names[i]}" if line == "-" else ""
            band(axes[2], data.distance.values, values.values, colour, name, line)
    axes[2].set(xlabel="layers between start and goal", ylabel="recall of connected pairs")
    axes[2].set_xticks(data.distance.values)
    key(axes[2])
    return fig


def temperature(data: xr.Dataset) -> Figure:
    """F4: exact accuracy and paths found over temperature; samples as crosses."""
    fig, axes = panels(3, width=3.3)
    t = data.temperature.values
    over_seeds(axes[0], data.temperature_accuracy.mean("question"), "temperature", COLOURS["step"])
    sampled = data.sampled_accuracy.mean(["question", "seed"])
    axes[0].plot(data.sampled_temperature, sampled, "x", color=INK, label="sampled")
    axes[0].set_ylabel("probability of a right path")
    over_seeds(
        axes[1], data.temperature_distinct_valid.mean("question"), "temperature", COLOURS["step"]
    )
    level(axes[1], float(data.temperature_paths.mean()), "all paths")
    axes[1].set_ylabel(f"right paths among {data.attrs['samples']} answers")
    over_seeds(axes[2], data.sampled_distinct.mean("question"), "sampled_temperature", GREY)
    axes[2].set_ylabel("different answers, sampled")
    for ax in axes:
        ax.set(xlabel="temperature", xlim=(t[0], t[-1]))
    key(axes[0])
    return fig


def failures(data: xr.Dataset) -> Figure:
    """F5: shares of sampled answers with a misstep, and that miss the goal, over training."""
    fig, axes = panels(2, sharey=True)
    colours = {"misstep": "#a01830", "astray": "#2563b0", "planning": "#13a07f", "edge_error": GREY}
    words = {
        "misstep": "some step off the graph",
        "astray": "goal missed",
        "planning": "goal missed on valid steps",
        "edge_error": "steps off the graph",
    }
    for ax, kind in zip(axes, ("bernoulli", "layered"), strict=True):
        stepwise = data.sel(kind=kind, format="step").isel(step=slice(1, None))
        for name, colour in colours.items():
            over_seeds(ax, stepwise[name], "step", colour, words[name])
        ax.set(xscale="log", xlabel="step", ylim=(0, 1))
        tag(ax, kind)
    axes[0].set_ylabel("share of answers (of steps, grey)")
    key(axes[1])
    return fig


def path_lengths(data: xr.Dataset) -> Figure:
    """F6: lengths of valid answers, and their difference from four walkers."""
    fig, axes = panels(2)
    share = data.length_share.transpose("seed", "edges").values
    band(axes[0], data.edges.values, share, COLOURS["step"])
    axes[0].set(xlabel="edges of a right answer", ylabel="share")
    x = np.arange(data.sizes["reference"])
    points(axes[1], x, data.length_difference, COLOURS["step"], ls="none")
    axes[1].axhline(0, color=GREY, lw=0.8)
    axes[1].set_xticks(x, [str(n).replace(" ", "\n", 1) for n in data.reference.values], fontsize=8)
    axes[1].set_ylabel("network less this walker (edges)")
    return fig


def tables(data: xr.Dataset) -> Figure:
    """F7: the two learned tables beside distance and adjacency."""
    fig, axes = panels(4, width=2.6, height=2.6)
    distance = data.mechanism_distance.values.astype(float).T
    distance[distance < 0] = np.nan
    heat_maps = (
        (data.goal_scores.values, "S1: goal, candidate", "goal"),
        (-distance, "minus distance to the goal", "goal"),
        (data.step_scores.values, "S2: node, candidate", "current node"),
        (data.mechanism_adjacency.values.astype(float), "edges", "current node"),
    )
    for ax, (values, name, rows) in zip(axes, heat_maps, strict=True):
        ax.imshow(values, cmap="viridis", aspect="auto", interpolation="nearest")
        ax.set(xlabel="candidate", ylabel=rows)
        tag(ax, name)
    return fig


def steering(data: xr.Dataset) -> Figure:
    """F8: success against motifs between the ends, and against exemplars given."""
    fig, axes = panels(2, sharey=True)
    for order, colour in (("seen", COLOURS["step"]), ("unseen", COLOURS["direct"])):
        over_seeds(axes[0], data.steering.sel(order=order), "between", colour, f"{order} orders")
    axes[0].axvline(data.attrs["between"] + 0.5, color=GREY, ls=":", lw=1.1)
    axes[0].set(xlabel="motifs between the ends (dotted: end of training)", ylim=(0, 1))
    axes[0].set_ylabel("share that follows the exemplars")
    axes[0].set_xticks(data.between.values)
    over_seeds(axes[1], data.steering_given, "exemplars", COLOURS["step"])
    axes[1].set_xlabel("exemplars given")
    axes[1].set_xticks(data.exemplars.values)
    key(axes[0])
    return fig


def primacy(data: xr.Dataset) -> Figure:
    """F9: which of two conflicting chains is followed, over both orders."""
    fig, (ax,) = panels(1, width=4)
    rest = 1 - data.primacy.sum("position")
    shares = xr.concat([data.primacy, rest.assign_coords(position="neither")], "position")
    for length, colour in zip(data.conflict.values, COLOURS.values(), strict=False):
        place = np.arange(3) + 0.15 * (length - data.conflict.values.mean())
        label = f"{length} between the ends"
        points(ax, place, shares.sel(conflict=length), colour, label, ls="none")
    key(ax)
    ax.set_xticks(np.arange(3), ["first chain", "second chain", "neither"])
    ax.set(ylabel="share of answers", ylim=(0, 1))
    return fig
