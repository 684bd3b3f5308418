"""What happens inside: figures of attention, lens, ablation, architectures and order bias."""

from itertools import product

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, key, panels, points, tag
from synthcore.studies.compositional_capabilities.figures.generalisation import COLOURS


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


def lens(data: xr.Dataset) -> Figure:
    """F7: what the output reads after every sub-layer, and a fitted probe, per network."""
    fig, axes = panels(data.sizes["network"], width=3.2, height=3.2, sharey=True)
    names = list(map(str, data.sublayer.values))
    x = np.arange(len(names))
    for ax, network in zip(axes, data.network.values, strict=True):
        one = data.sel(network=network)
        for i in x[1:]:
            if names[i].startswith("MLP"):
                ax.axvspan(i - 0.5, i + 0.5, color=GREY, alpha=0.12, lw=0)
        points(ax, x, one.probe, GREY, "fitted probe", ls=":", marker="^")
        for known, hue in (("seen", COLOURS["base"]), ("unseen", COLOURS["step"])):
            points(ax, x, one.lens.sel(known=known), hue, f"lens, {known}", ls="-")
        ax.axvline(len(names) // 2 + 0.5, color=INK, lw=0.8, ls="--")
        ticks = x[1::2]
        ax.set_xticks(ticks + 0.5, [names[i].split()[1] for i in ticks])
        ax.set(xlabel="layer", ylim=(-0.02, 1.04))
        tag(ax, str(network))
    axes[0].set_ylabel("symbols right")
    key(axes[0], loc="upper left", fontsize=7.5)
    return fig


def ablation(data: xr.Dataset) -> Figure:
    """F9: symbols lost when one sub-layer's output is at its mean, per network."""
    fig, axes = panels(data.sizes["network"], width=3.2, sharey=True)
    layers = data.layer.values
    for ax, network in zip(axes, data.network.values, strict=True):
        one = data.sel(network=network)
        loss = (one.deep_symbols - one.ablated_symbols).transpose("part", "known", "layer", "seed")
        for i, (part, known) in enumerate(product(data.part.values, data.known.values)):
            values = loss.sel(part=part, known=known)
            hue = COLOURS["direct"] if part == "attention" else COLOURS["step"]
            ax.bar(
                layers + 0.2 * (i - 1.5),
                values.mean("seed"),
                0.2,
                color=hue,
                alpha=1 if known == "unseen" else 0.45,
                label=f"{part}, {known}",
            )
            ax.errorbar(
                layers + 0.2 * (i - 1.5),
                values.mean("seed"),
                values.std("seed", ddof=1) / np.sqrt(data.sizes["seed"]),
                color=INK,
                lw=0.8,
                ls="none",
            )
        ax.axvline(len(layers) / 2 + 0.5, color=INK, lw=0.8, ls="--")
        ax.set_xticks(layers)
        ax.set(xlabel="layer")
        tag(ax, str(network))
    axes[0].set_ylabel("symbols lost (share)")
    key(axes[0], fontsize=7.5)
    return fig


def architectures(data: xr.Dataset) -> Figure:
    """F10: an LSTM beside a transformer; layers and heads step by step; depth at once."""
    fig, axes = panels(3, width=3.2)
    left, middle, right = axes
    for i, hue in enumerate((COLOURS["step"], COLOURS["control"])):
        seen, unseen = data.recurrent_seen.isel(model=[i]), data.recurrent_unseen.isel(model=[i])
        points(left, [i - 0.15], seen, hue, marker="o", mfc=hue)
        points(left, [i + 0.15], unseen, hue, marker="s", mfc="none")
    left.set_xticks([0, 1], data.model.values)
    left.set(ylabel="exact match", ylim=(-0.02, 1.04), xlim=(-0.5, 1.5))
    tag(left, "seen (●) and unseen (□)")
    table = data.depth_unseen.sel(format="step").mean("seed").transpose("heads", "depth").values
    image = middle.imshow(table, vmin=0, vmax=1, cmap="viridis", origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        middle.text(
            column,
            row,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if value < 0.6 else INK,
        )
    middle.set_xticks(range(table.shape[1]), data.depth.values)
    middle.set_yticks(range(table.shape[0]), data.heads.values)
    middle.set(xlabel="layers", ylabel="heads")
    tag(middle, "step by step, unseen")
    fig.colorbar(image, ax=middle, label="exact match")
    heads = data.attrs["heads"]
    for format, hue in (("step", COLOURS["step"]), ("direct", COLOURS["direct"])):
        name = "step by step" if format == "step" else "at once"
        one = data.sel(format=format, heads=heads)
        points(right, data.depth.values, one.depth_unseen, hue, f"{name}, unseen", ls="-")
        points(right, data.depth.values, one.depth_seen, hue, f"{name}, seen", ls=":")
    right.set(xlabel="layers", ylabel="exact match", ylim=(-0.02, 1.04))
    key(right, fontsize=7.5)
    return fig


def order_bias(data: xr.Dataset) -> Figure:
    """Displaced accuracy, and what a decoder names right, against displaced training, by places."""
    fig, axes = panels(2, sharey=True)
    measured = {"bias_far": "exact match, all displaced", "bias_decoded": "decoded at its slot"}
    for ax, (name, what) in zip(axes, measured.items(), strict=True):
        for places, hue in (("learned", COLOURS["step"]), ("rotary", COLOURS["direct"])):
            values = data[name].sel(places=places)
            points(ax, data.displaced.values, values, hue, f"{places} places", ls="-")
        covered = data.covered.mean("seed")
        ax.plot(data.displaced, covered, "--", color=INK, label="pairs covered in training")
        ax.set(xlabel="all-displaced compositions trained on", ylim=(-0.02, 1.04))
        tag(ax, what)
    axes[0].set_ylabel("share")
    key(axes[1])
    return fig
