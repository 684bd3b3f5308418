"""The task, the exact algorithms, and what networks learn: over diversity, training and context."""

from collections.abc import Iterable

import numpy as np
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.figures import (
    CONCEPTS,
    GREY,
    INK,
    canvas,
    curves,
    heat,
    key,
    log_axis,
    oracle,
    over_seeds,
    tag,
)
from synthcore.studies.icl_markov import task, theory
from synthcore.studies.icl_markov.measure import scores

COLOURS = {
    "Uni-Ret": CONCEPTS["unigram retrieval"],
    "Bi-Ret": CONCEPTS["retrieval"],
    "Uni-Inf": CONCEPTS["unigram inference"],
    "Bi-Inf": CONCEPTS["inference"],
    "Hybrid-Ret": CONCEPTS["hybrid"],
}
FOUR = {name: COLOURS[name] for name in theory.FOUR}
ID, OOD = CONCEPTS["in distribution"], CONCEPTS["out of distribution"]
STEP, CONTEXT, DIVERSITY = "training step", "context length c [tokens]", "chains N"
KL = "KL(network || truth) [nats]"


def schematic(mixture: task.Mixture, tokens: Iterable[int]) -> Figure:
    """The first chain of a world, and the four predictions after a sequence of it."""
    sequence = torch.as_tensor(list(tokens))
    k = mixture.states
    names = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:k])
    fig, (left, right) = canvas(2, 2.6)
    table = xr.DataArray(
        mixture.transitions[0, 0].numpy(),
        dims=("state", "next"),
        coords={"state": names, "next": names},
    )
    heat(
        left,
        table,
        "state",
        "next",
        "probability",
        cmap="Greys",
        vmin=0,
        vmax=1,
        annot=True,
        fmt=".2f",
    )
    left.invert_yaxis()
    tag(left, "transition probabilities")
    chains = (mixture.transitions[0], mixture.stationary[0], mixture.weights[0])
    predicted = theory.predictions(sequence[None], *chains)[:, 0, -1]
    for row, (name, colour) in enumerate(FOUR.items()):
        right.bar(
            np.arange(k) + 0.18 * (row - 1.5),
            predicted[row].numpy(),
            0.17,
            color=colour,
            label=name,
        )
    truth = mixture.transitions[0, 0, sequence[-1]].numpy()
    right.plot(np.arange(k), truth, "_", color=INK, ms=26, mew=1.8, label="truth")
    right.set_xticks(range(k), names)
    right.set(xlabel=f"next state, after {len(sequence)} tokens", ylabel="probability")
    key(right, ncols=2)
    return fig


def closed_forms(data: xr.Dataset) -> Figure:
    """Simulation minus closed form, in standard errors, one dot per seed."""
    fig, (ax,) = canvas(1, 2.4)
    z = (data.simulated - data.exact) / data.error
    for seed in z.seed.values:
        ax.plot(z.sel(seed=seed), np.arange(z.sizes["quantity"]), "o", ms=4.5, color=INK, alpha=0.5)
    ax.axvspan(-3, 3, color=GREY, alpha=0.12, lw=0)
    ax.axvline(0, color=GREY, lw=0.8)
    exact = zip(data.quantity.values, data.exact.values, strict=True)
    ax.set_yticks(range(z.sizes["quantity"]), [f"{name} = {value:.4f}" for name, value in exact])
    ax.set_xlabel("simulated minus exact [standard errors]; grey: within 3")
    return fig


def algorithms_against_context(data: xr.Dataset) -> Figure:
    """What the exact algorithms score out of distribution, at the fewest and at the most chains."""
    fig, axes = canvas(2, sharey=True)
    for ax, i in zip(axes, (0, -1), strict=True):
        chosen = data.isel(diversity=i)
        curves(ax, chosen.kl_ood_algorithm, "context", COLOURS, by="algorithm")
        tag(ax, f"N = {int(chosen.diversity)}, new chains")
        log_axis(ax, ticks(data.context), CONTEXT)
    axes[0].set_ylabel("KL(algorithm || truth) [nats]")
    oracle(axes[0], theory.kl_uniform_to_row(int(data.attrs["states"])), "uniform")
    key(axes[1])
    return fig


def diversity_threshold(data: xr.Dataset) -> Figure:
    """KL against N at one step after the transition, on new and on known chains."""
    step = scores.after_transition(data)
    last = data.sel(step=step).isel(context=-1)
    fig, (ax,) = canvas(1, 3.0)
    over_seeds(ax, last.kl_ood, "diversity", OOD, "network, new chains (OOD)")
    over_seeds(ax, last.kl_id, "diversity", ID, "network, known chains (ID)")
    lines(ax, last)
    log_axis(ax, data.diversity.values[:: 1 if data.sizes["diversity"] < 9 else 2], DIVERSITY)
    ax.set_ylabel(KL)
    ax.set_ylim(bottom=0)
    key(ax, title=f"step {step}")
    return fig


def emergence(data: xr.Dataset) -> Figure:
    """The most chains over training: OOD divergence and attention to the previous token."""
    largest = data.isel(diversity=-1, step=slice(1, None))
    fig, (left, right) = canvas(2)
    over_seeds(left, largest.kl_ood.isel(context=-1), "step", OOD)
    lines(left, largest.isel(context=-1))
    over_seeds(right, largest.previous_token, "step", OOD)
    for ax, label in ((left, "OOD " + KL), (right, "attention to previous token")):
        log_axis(ax, ticks(largest.step), STEP)
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0)
    right.set_ylim(0, 1)
    return fig


def positions(data: xr.Dataset) -> Figure:
    """Rotary against learned positions: OOD divergence over training."""
    fig, (ax,) = canvas(1, 2.8)
    trained = data.isel(context=-1, step=slice(1, None))
    kinds = {"rotary": OOD, "learned": CONCEPTS["unigram retrieval"]}
    curves(ax, trained.kl_ood, "step", kinds, by="positions")
    lines(ax, trained.isel(positions=0))
    log_axis(ax, ticks(trained.step), STEP)
    ax.set_ylabel("OOD " + KL)
    ax.set_ylim(bottom=0)
    key(ax, title="positions")
    return fig


def over_training(data: xr.Dataset, diversities: Iterable[int]) -> Figure:
    """ID and OOD divergence over training with what LIA foretells OOD."""
    chosen = [n for n in diversities if n in data.diversity.values]
    fig, axes = canvas(len(chosen), sharey=True)
    for ax, n in zip(axes, chosen, strict=True):
        transient(ax, data.sel(diversity=n))
        tag(ax, f"N = {n}")
    for ax in axes[::2]:
        ax.set_ylabel(KL)
    key(axes[0])
    return fig


def transient(ax: Axes, data: xr.Dataset) -> None:
    """One condition over training: OOD, its forecast from ID predictions, and ID."""
    one = data.isel(context=-1, step=slice(1, None))
    over_seeds(ax, one.kl_ood, "step", OOD, "new chains (OOD)")
    over_seeds(ax, one.kl_ood_foretold, "step", GREY, "forecast of it", "--")
    over_seeds(ax, one.kl_id, "step", ID, "known chains (ID)")
    lines(ax, one)
    log_axis(ax, ticks(one.step), STEP)
    ax.set_ylim(bottom=0)


def step_context_plane(data: xr.Dataset) -> Figure:
    """OOD divergence over training and context, at the fewest and at the most chains."""
    fig, axes = canvas(2, 2.8)
    values = data.kl_ood.isel(step=slice(1, None)).mean("seed")
    for ax, i in zip(axes, (0, -1), strict=True):
        table = values.isel(diversity=i)
        scale = {"vmin": 0, "vmax": float(values.isel(diversity=[0, -1]).max())}
        heat(
            ax, table, "context", "step", "OOD KL [nats]", cmap="viridis_r", xticklabels=4, **scale
        )
        ax.set(xlabel=STEP, ylabel=CONTEXT)
        tag(ax, f"N = {int(table.diversity)}")
    return fig


def against_context(data: xr.Dataset) -> Figure:
    """The end of training: ID and OOD at the fewest chains; order and disorder at the most."""
    last = data.isel(step=-1)
    few, many = last.isel(diversity=0), last.isel(diversity=-1)
    fig, (left, right) = canvas(2)
    over_seeds(left, few.kl_ood, "context", OOD, "new chains (OOD)")
    over_seeds(left, few.kl_id, "context", ID, "known chains (ID)")
    over_seeds(right, many.kl_ood_ordered, "shuffled_context", OOD, "context as it is")
    over_seeds(right, many.kl_ood_shuffled, "shuffled_context", GREY, "context shuffled")
    for ax, part, at in ((left, few, data.context), (right, many, data.shuffled_context)):
        log_axis(ax, ticks(at), CONTEXT)
        tag(ax, f"N = {int(part.diversity)}")
        ax.set_ylim(bottom=0)
        key(ax)
    left.set_ylabel(KL)
    return fig


def regret(data: xr.Dataset) -> Figure:
    """Cross-entropy above the exact Bayes predictor at each context length, at the end."""
    last = data.isel(step=-1, context=slice(0, -1))
    fig, (ax,) = canvas(1, 2.8)
    ends = {int(data.diversity[i]): colour for i, colour in ((0, ID), (-1, OOD))}
    curves(ax, last.regret, "context", ends, "diversity", {n: f"N = {n}" for n in ends})
    oracle(ax, 0, "Bayes")
    log_axis(ax, ticks(last.context), CONTEXT)
    ax.set_ylabel("cross-entropy above Bayes [nats]")
    key(ax)
    return fig


def lines(ax: Axes, data: xr.Dataset) -> None:
    """The levels of the two counting algorithms on new chains."""
    mean = data.kl_ood_algorithm.mean(
        [dim for dim in data.kl_ood_algorithm.dims if dim != "algorithm"]
    )
    for name in ("Uni-Inf", "Bi-Inf"):
        oracle(ax, float(mean.sel(algorithm=name)), name, COLOURS[name])


def ticks(along: xr.DataArray) -> list[int]:
    """Round places for a logarithmic axis within the range of a coordinate: 1, 3, 10, 30, ...; its
    ends where fewer than two of them lie inside."""
    low, high = int(along[0]), int(along[-1])
    inside = [t for power in range(7) for t in (10**power, 3 * 10**power) if low <= t <= high]
    return inside if len(inside) > 1 else [low, high]
