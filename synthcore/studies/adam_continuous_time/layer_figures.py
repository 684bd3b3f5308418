"""Figures about normalised layers and k-Adam, and the explorer."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, key, over_seeds, panels, points, tag
from synthcore.studies.adam_continuous_time.dataset import tuned
from synthcore.studies.adam_continuous_time.drawing import (
    ANGLE,
    SLOW,
    STEP,
    WITH,
    WITHOUT,
)
from synthcore.studies.adam_continuous_time.invariance import amplification


def norm_law(data: xr.Dataset) -> Figure:
    """|W|^2 against both laws, and its growth ratio against beta."""
    fig, (left, right) = panels(2, 3.1, 4.5)
    part = data.sel(layer="twice the initial norm")
    over_seeds(left, part.layer_norm2, "layer_step", INK, "measured")
    for name, colour, label in (
        ("momentum", WITH, "corrected law"),
        ("none", WITHOUT, "without the momentum term"),
    ):
        law = part.layer_norm2_predicted.sel(correction=name).mean("seed")
        left.plot(law.layer_step, law, "--", color=colour, lw=1.6, label=label)
    left.set_yscale("log")
    left.set_xlabel(STEP)
    left.set_ylabel("|W|²")
    key(left)
    beta = np.linspace(0, 0.92, 100)
    right.plot(beta, [amplification(b) for b in beta], "--", color=INK, lw=1, label="(1+β)/(1−β)")
    shades = {"noise": WITH, "mixed": SLOW, "full batch": GREY}
    for gradient, colour in shades.items():
        for moment, marker, dx in (("scalar", "o", -0.008), ("coordinate", "^", 0.008)):
            ratio = data.growth_ratio.sel(gradient=gradient, moment=moment)
            mean = ratio.mean("seed")
            label = f"{gradient}, v per {'layer' if moment == 'scalar' else moment}"
            right.plot(
                data.layer_beta + dx, mean.where(mean > 0), marker, color=colour, ms=5, label=label
            )
    right.set_yscale("log")
    right.set_xlabel("beta")
    right.set_ylabel("growth of |W|² over η²|u|²")
    key(right)
    return fig


def angular_steps(data: xr.Dataset) -> Figure:
    """Angular step over training: simulated layer, network with and without normalisation."""
    fig, axes = panels(3, 3.0, 3.7)
    shown = {"base": INK, "twice the initial norm": SLOW, "loss x 100": WITH}
    for name, colour in shown.items():
        over_seeds(axes[0], data.layer_angle_path.sel(layer=name), "layer_step", colour, name)
    base = data.sel(layer="base")
    formula = np.sqrt(2 * float(base.layer_eta) * float(base.layer_decay) / amplification(0.9))
    axes[0].axhline(formula, color=GREY, ls="--", lw=1.1)
    tag(axes[0], "simulated layer, noise")
    for ax, norm, words in (
        (axes[1], "layer", "layer norm"),
        (axes[2], "none", "no normalisation"),
    ):
        for name, colour in shown.items():
            path = data.net_angle_path.sel(norm=norm, setting=name)
            over_seeds(ax, path, "net_step", colour, name)
        tag(ax, f"network, {words}")
    for ax in axes:
        ax.set_yscale("log")
        ax.set_xlabel(STEP)
    axes[0].set_ylabel(ANGLE)
    key(axes[2])
    return fig


def equal_products(data: xr.Dataset) -> Figure:
    """Angular step over training when eta and lambda change but not their product."""
    fig, axes = panels(4, 2.7, 3.0)
    shown = {
        "base": INK,
        "half the rate, twice the decay": WITH,
        "twice the rate, half the decay": SLOW,
    }
    for ax, norm in zip(axes, data.norm.values, strict=True):
        for name, colour in shown.items():
            path = data.net_angle_path.sel(norm=norm, setting=name)
            over_seeds(ax, path, "net_step", colour, name)
        ax.set_yscale("log")
        ax.set_xlabel(STEP)
        tag(ax, {"none": "no normalisation"}.get(str(norm), f"{norm} norm"))
    axes[0].set_ylabel(ANGLE)
    key(axes[0])
    return fig


def k_adam(data: xr.Dataset) -> Figure:
    """Tuned test loss against k by strategy; one panel per image set and norm."""
    loss = tuned(data.k_test_loss, data.k_validation_loss, "k_learning_rate")
    cells = [(i, n) for i in data.images.values for n in data.k_norm.values]
    fig, axes = panels(len(cells), 2.8, 4.2, rows=max(1, len(cells) // 2))
    colours = ("#a01830", "#2563b0", "#cf7d00", "#13a07f", "#7a4fa3")
    ks = data.k.values
    for ax, (name, norm) in zip(axes, cells, strict=True):
        for i, (strategy, colour) in enumerate(zip(data.strategy.values, colours, strict=True)):
            part = loss.sel(images=name, k_norm=norm, strategy=strategy)
            points(ax, ks + 0.04 * (i - 2), part, colour, str(strategy), lw=1.2)
        ax.set_yscale("log")
        ax.set_xticks(ks)
        ax.set_xlabel("k")
        tag(ax, f"{name}, {'no' if norm == 'none' else norm} normalisation")
    for ax in axes[::2]:
        ax.set_ylabel("test loss [nats]")
    key(axes[0])
    return fig
