"""Figures of written ways: temperature, failures, lengths, the one-layer rule, steering; and what
the explorers show.

Mean and 95 % interval over seeds; exact levels dashed, chance dotted.
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from synthcore.explorers.base import MAX_BYTES
from synthcore.explorers.goal_field import GoalFieldExplorer
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.explorers.shared.prefix_tree import PrefixTree
from synthcore.figures import CONCEPTS, GREY, INK, canvas, key, level, over_seeds, points, tag
from synthcore.studies.stepwise_inference.experiments.sampling import answer_trees
from synthcore.studies.stepwise_inference.figures.gap import (
    COLOURS,
    log_updates,
    node_coordinates,
)
from synthcore.studies.stepwise_inference.measure.answers import FAILURES
from synthcore.studies.stepwise_inference.task.graphs import Graph
from synthcore.studies.stepwise_inference.task.lines import Vocabulary

OUTCOMES = {
    "right": CONCEPTS["unigram inference"],
    "misstep": CONCEPTS["retrieval"],
    "planning failure": CONCEPTS["inference"],
    "no walk": GREY,
}
LENGTH_NAMES = {
    "network": "network",
    "noise 0.1": "uniform, a tenth at random",
    "uniform path": "uniform path",
    "viable walk": "viable walk",
    "shortest path": "shortest path",
}


def temperature(data: xr.Dataset) -> Figure:
    """Exact accuracy and right paths found over temperature, and different answers sampled."""
    fig, axes = canvas(2, 2.9)
    network = data.sel(subject="network")
    colour = COLOURS["step"]
    over_seeds(
        axes[0], network.temperature_accuracy.mean("question"), "temperature", colour, "exact"
    )
    sampled = network.sampled_accuracy.mean(["question", "seed"])
    axes[0].plot(data.sampled_temperature, sampled, "x", color=INK, label="sampled")
    axes[0].set_ylabel("probability of a right path")
    found = network.temperature_distinct_valid.mean("question")
    over_seeds(axes[1], found, "temperature", colour, "network")
    exact = data.temperature_distinct_valid.sel(subject="noise 0.1").mean(["question", "seed"])
    axes[1].plot(data.temperature, exact, "--", color=GREY, lw=1.2, label="exact, a tenth random")
    level(axes[1], float(data.temperature_paths.mean()), "all")
    axes[1].set_ylabel(f"right paths in {data.attrs['samples']} answers")
    for ax in axes:
        ax.set(xlabel="temperature", xlim=(0, float(data.temperature[-1])))
        key(ax)
    return fig


def failures(data: xr.Dataset) -> Figure:
    """What answers are over training, each exactly one thing; and errors of single steps."""
    fig, axes = canvas(2, 2.9, sharey=True)
    stepwise = data.sel(kind="bernoulli", format="step").isel(step=slice(1, None))
    for name in FAILURES:
        over_seeds(axes[0], stepwise.failure.sel(outcome=name), "step", OUTCOMES[name], name)
    over_seeds(axes[1], stepwise.edge_error, "step", OUTCOMES["misstep"], "no edge")
    over_seeds(
        axes[1],
        stepwise.planning_error,
        "step",
        OUTCOMES["planning failure"],
        "an edge that loses the goal",
    )
    for ax, name in zip(axes, ("share of answers", "share of single steps"), strict=True):
        ax.set(ylim=(0, 1))
        log_updates(ax, stepwise.step.values)
        ax.set_ylabel(name)
        key(ax)
    return fig


def path_lengths(data: xr.Dataset) -> Figure:
    """How much longer than uniform paths answers are that happen to be right, and walks that make
    no error; of the network and of policies that are known."""
    fig, axes = canvas(2, 2.6, sharey=True)
    names = [name for name in LENGTH_NAMES if name in data.subject.values]
    y = np.arange(len(names))[::-1]
    for ax, (variable, words) in zip(
        axes,
        (("length_given_valid", "right answers"), ("length_difference", "walks without errors")),
        strict=True,
    ):
        values = data[variable].sel(subject=names, reference="uniform path")
        table = values.transpose("seed", "subject").values
        ax.plot(table.T, np.tile(y[:, None], len(table)), "o", color=GREY, ms=3, alpha=0.5)
        ax.plot(table.mean(0), y, "o", color=COLOURS["step"], ms=6)
        ax.axvline(0, color=GREY, lw=0.8)
        ax.set_xlabel("edges more than uniform paths")
        tag(ax, words)
    axes[0].set_yticks(y, [LENGTH_NAMES[name] for name in names])
    return fig


def tables(data: xr.Dataset) -> Figure:
    """The two learned tables of the first seed beside distance and adjacency."""
    fig, axes = canvas(4, 2.4)
    first = data.isel(seed=0)
    distance = first.mechanism_distance.values.astype(float).T
    distance[distance < 0] = np.nan
    heat_maps = (
        (first.goal_scores.values, "S₁, learned", "goal"),
        (-distance, "minus the distance", "goal"),
        (first.step_scores.values, "S₂, learned", "current node"),
        (first.mechanism_adjacency.values.astype(float), "edges", "current node"),
    )
    for ax, (values, name, rows) in zip(axes, heat_maps, strict=True):
        ax.imshow(values, cmap="viridis", aspect="auto", interpolation="nearest")
        ax.set(xlabel="candidate", ylabel=rows)
        tag(ax, name)
    return fig


def steering(data: xr.Dataset) -> Figure:
    """Success against motifs between the ends, and against exemplars given."""
    fig, axes = canvas(2, 2.8, sharey=True)
    network = data.sel(subject="network")
    for order, colour in (("seen", COLOURS["step"]), ("unseen", COLOURS["direct"])):
        over_seeds(axes[0], network.steering.sel(order=order), "between", colour, f"{order} orders")
    axes[0].axvline(data.attrs["between"] + 0.5, color=GREY, ls=":", lw=1.1)
    axes[0].set(xlabel="motifs between the ends (dotted: end of training)", ylim=(0, 1.02))
    axes[0].set_ylabel("share that follows the exemplars")
    axes[0].set_xticks(data.between.values)
    over_seeds(axes[1], network.steering_given, "exemplars", COLOURS["step"])
    axes[1].set_xlabel("exemplars given")
    axes[1].set_xticks(data.exemplars.values)
    key(axes[0])
    return fig


def primacy(data: xr.Dataset) -> Figure:
    """Which of two conflicting chains is followed, over both orders."""
    fig, (ax,) = canvas(1, 2.6, 5.0)
    network = data.sel(subject="network", drop=True).primacy
    rest = 1 - network.sum("position")
    shares = xr.concat([network, rest.assign_coords(position="neither")], "position")
    for length, colour in zip(data.conflict.values, COLOURS.values(), strict=False):
        place = np.arange(3) + 0.15 * (length - data.conflict.values.mean())
        label = f"{length} between the ends"
        points(ax, place, shares.sel(conflict=length), colour, label, ls="none")
    key(ax)
    ax.set_xticks(np.arange(3), ["first chain", "second chain", "neither"])
    ax.set(ylabel="share of answers", ylim=(0, 1))
    return fig


def explorer_data(
    data: xr.Dataset,
) -> tuple[Int[np.ndarray, "Q 2"], Sequence[PrefixTree], Sequence[Float[np.ndarray, "R V"]]]:
    """Pairs of the explorer, their prefix trees and their logits: as many as a page can hold."""
    pairs = data.explorer_pairs.values
    edges = torch.as_tensor(data.explorer_adjacency.values.astype(bool))
    graph = Graph(edges, torch.arange(len(edges)))
    trees = answer_trees(graph, torch.as_tensor(pairs), Vocabulary(len(edges)))
    ends = np.cumsum([len(tree.open) for tree in trees])
    logits = np.split(data.explorer_logits.values / 100.0, ends[:-1])
    size = 2 * ends * data.sizes["token"] + 8 * len(edges)  # bytes of logits and coordinates
    room = max(1, int((size <= MAX_BYTES).sum()))
    return pairs[:room], trees[:room], logits[:room]


def navigation_explorer(data: xr.Dataset) -> NavigationExplorer:
    """Paths of the first seed's network at every temperature."""
    pairs, trees, logits = explorer_data(data)
    adjacency = data.explorer_adjacency.values.astype(bool)
    return NavigationExplorer(node_coordinates(adjacency), adjacency, pairs, trees, logits)


def goal_field_explorer(data: xr.Dataset) -> GoalFieldExplorer:
    """The one-layer rule of the first seed."""
    first = data.isel(seed=0)
    edges = first.mechanism_adjacency.values.astype(bool)
    return GoalFieldExplorer(
        first.goal_scores.values, first.step_scores.values, edges, node_coordinates(edges)
    )
