"""Figures of learning: the grid of (beta, gamma), normalised layers, the tournament."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, canvas, key, over_seeds, points, shades, tag
from synthcore.studies.adam_continuous_time.theory.layers import amplification

WITH, WITHOUT = "#2b6fb5", "#b8432f"
OTHER = "#c77d12"
COLOURS = {
    "Adam": INK,
    "AdamW": GREY,
    "2-Adam": "#2b6fb5",
    "5-Adam": "#1d9185",
    "SGD": "#c77d12",
    "Muon": "#b8432f",
}
STEP, ANGLE = "step", "angle per step [rad]"


def loss_over_frontier(data: xr.Dataset) -> Figure:
    """Tuned test loss against how far gamma is from the frontier, a line per beta; and the gap of
    crossing it beside that of a placebo frontier."""
    fig, (left, right) = canvas(2, 2.9)
    betas = data.beta.values.tolist()
    inside = data.margin.values > 0
    loss = data.grid_test_loss
    for beta, colour in zip(betas, shades(len(betas)), strict=True):
        one = loss.sel(beta=beta, drop=True).reset_coords(drop=True)
        points(left, data.margin.values, one, colour, f"β = {beta:g}")
    left.axvline(0, color=GREY, ls="--", lw=1)
    left.set(xlabel="C / 2a; the flow is unstable left of 0", ylabel="tuned test loss [nats]")
    left.margins(y=0.3)
    key(left, loc="upper right", ncols=2)
    stable = loss.isel(margin=np.flatnonzero(inside)).sortby("margin")
    half = stable.sizes["margin"] // 2
    gaps = {
        "frontier": loss.isel(margin=~inside).mean("margin")
        - loss.isel(margin=inside).mean("margin"),
        "placebo": stable.isel(margin=slice(half)).mean("margin")
        - stable.isel(margin=slice(half, None)).mean("margin"),
    }
    place = np.arange(len(betas))
    for (name, gap), colour, shift in zip(
        gaps.items(), (WITHOUT, GREY), (-0.08, 0.08), strict=True
    ):
        points(right, place + shift, gap.reset_coords(drop=True), colour, name, ls="none")
    right.axhline(0.027, color=GREY, ls=":", lw=1)
    right.axhline(0, color=GREY, lw=0.6)
    right.set_xticks(place, [f"{beta:g}" for beta in betas])
    right.set(xlabel="β", ylabel="loss outside - inside [nats]")
    key(right)
    return fig


def norm_law(simulated: xr.Dataset, networks: xr.Dataset) -> Figure:
    """|W|^2 of a simulated layer against both laws; of trained ones over each law."""
    fig, (left, right) = canvas(2, 2.8)
    part = simulated.sel(layer="twice the initial norm")
    over_seeds(left, part.layer_norm2, "layer_step", INK, "measured")
    for name, colour, label in (
        ("momentum", WITH, "with the momentum term"),
        ("none", WITHOUT, "without"),
    ):
        law = part.layer_norm2_predicted.sel(correction=name).mean("seed")
        left.plot(law.layer_step, law, "--", color=colour, lw=1.6, label=label)
    left.set(yscale="log", xlabel=STEP, ylabel="|W|², simulated layer")
    key(left)
    base = networks.sel(norm="layer", setting="base")
    for i, (name, colour) in enumerate((("none", WITHOUT), ("momentum", WITH))):
        ratio = base.net_norm2 / base.net_norm2_predicted.sel(correction=name)
        ratio = ratio.reset_coords(drop=True).expand_dims(at=[i])
        points(right, [i], ratio, colour, ls="none")
        right.plot(
            np.full(ratio.size, i + 0.08), ratio.values.ravel(), ".", color=colour, alpha=0.5
        )
    right.axhline(1, color=GREY, ls="--", lw=1)
    right.set(yscale="log", ylabel="|W|² of a network over the law", xlim=(-0.6, 1.6))
    right.set_xticks([0, 1], ["without", "with the term"])
    return fig


def angular_steps(networks: xr.Dataset) -> Figure:
    """Angle per step over training by what is changed: normalised, and not."""
    fig, axes = canvas(2, 2.9, sharey=True)
    shown = {
        "base": INK,
        "twice the initial norm": OTHER,
        "no decay": WITH,
        "no decay, twice the initial norm": "#8a63b8",
    }
    formula = np.sqrt(2 * float(networks.net_product.sel(setting="base")) / amplification(0.9))
    for ax, norm, words in (
        (axes[0], "layer", "layer norm"),
        (axes[1], "none", "no normalisation"),
    ):
        for name, colour in shown.items():
            path = networks.net_angle_path.sel(norm=norm, setting=name)
            over_seeds(ax, path, "net_step", colour, name)
        ax.axhline(formula, color=GREY, ls="--", lw=1.1)
        ax.set(yscale="log", xlabel=STEP)
        tag(ax, words)
    axes[0].set_ylabel(ANGLE)
    key(axes[1], loc="lower left")
    return fig


def equal_products(networks: xr.Dataset) -> Figure:
    """Angle per step when eta and lambda change but not their product, and when it does."""
    fig, (ax,) = canvas(1, 2.8, 5.4)
    shown = {
        "base": INK,
        "half the rate, twice the decay": WITH,
        "twice the rate, half the decay": OTHER,
        "twice the rate": WITHOUT,
    }
    for name, colour in shown.items():
        path = networks.net_angle_path.sel(norm="layer", setting=name)
        over_seeds(ax, path, "net_step", colour, name)
    ax.set(yscale="log", xlabel=STEP, ylabel=ANGLE)
    key(ax)
    return fig


def tournament(data: xr.Dataset) -> Figure:
    """Tuned test loss of every optimiser over Adam's, by arena."""
    fig, (ax,) = canvas(1, 3.2)
    names = data.arena.values.tolist()
    others = [name for name in data.optimizer.values.tolist() if name != "Adam"]
    ratio = data.test_loss / data.test_loss.sel(optimizer="Adam", drop=True)
    place = np.arange(len(names))
    for i, name in enumerate(others):
        shift = 0.12 * (i - (len(others) - 1) / 2)
        one = ratio.sel(optimizer=name, drop=True)
        points(ax, place + shift, one, COLOURS.get(name, GREY), name, ls="none")
    ax.axhline(1, color=INK, lw=1)
    ax.set(yscale="log", ylabel="test loss over Adam's")
    marks = [0.5, 0.7, 1, 1.4, 2, 3, 5]
    low, high = ax.get_ylim()
    ax.set_yticks([m for m in marks if low <= m <= high], [f"{m:g}" for m in marks
                  if low <= m <= high])  # fmt: skip
    ax.set_yticks([], minor=True)
    ax.set_xticks(place, [name.replace(", ", "\n") for name in names])
    key(ax, ncols=3)
    return fig


def tuning(data: xr.Dataset) -> Figure:
    """Validation loss over the learning rate, and training loss at the best: the first arena."""
    fig, (left, right) = canvas(2, 2.9)
    arena = data.isel(arena=0)
    stretch = np.arange(data.sizes["stretch"]) + 1
    for name in data.optimizer.values.tolist():
        one = arena.sel(optimizer=name)
        middle = one.validation_loss.median("seed")
        left.plot(data.rate, middle, "o-", ms=3, lw=1.3, color=COLOURS.get(name, GREY), label=name)
        curve = one.training_loss.mean("seed")
        right.plot(stretch / len(stretch), curve, lw=1.5, color=COLOURS.get(name, GREY), label=name)
    best = float(data.test_loss.isel(arena=0).min())
    left.set(xscale="log", yscale="log", ylim=(best / 2, 5))
    left.set(xlabel="learning rate", ylabel="validation loss [nats]")
    right.set(yscale="log", xlabel="share of the training", ylabel="training loss [nats]")
    tag(left, str(arena.arena.values))
    key(right, loc="lower left", ncols=2)
    return fig
