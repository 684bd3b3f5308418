"""What happens inside: figures of attention, lens, ablation, architectures and order bias.

Mean and 95 % interval over seeds.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import CONCEPTS, GREY, INK, canvas, colour_bar, key, points, tag
from synthcore.studies.compositional_capabilities.claims import inside

STEP, DIRECT = CONCEPTS["retrieval"], CONCEPTS["inference"]


def attention(data: xr.Dataset) -> Figure:
    """Where the one-layer network looks while it writes, first seed."""
    fig, (ax,) = canvas(1, 3.2)
    table = data.attention.sel(model="trained").isel(seed=0)
    grid = table.stack(query=("slot", "letter")).transpose("query", "key").values
    image = ax.imshow(grid, cmap="viridis", aspect="auto", interpolation="nearest")
    letters = data.sizes["letter"]
    ax.set(xlabel="place that is looked at", ylabel="symbol that is written")
    ticks = np.arange(data.sizes["slot"]) * letters
    ax.set_yticks(ticks, [f"block {b + 1}" for b in range(len(ticks))])
    colour_bar(image, ax, "attention")
    return fig


def lens(data: xr.Dataset) -> Figure:
    """What the output reads after every sub-layer, in the deepest networks."""
    fig, axes = canvas(2, 3.0, sharey=True)
    for ax, network in zip(axes, (inside.STEP, inside.DIRECT), strict=True):
        one = inside.deepest(xr.DataTree.from_dict({"deep": data}), network)
        names = list(map(str, one.sublayer.values))
        x = np.arange(len(names))
        points(ax, x, one.probe, GREY, "fitted probe", ls=":", marker="^")
        for known, colour in (("seen", DIRECT), ("unseen", STEP)):
            points(ax, x, one.lens.sel(known=known), colour, f"lens, {known}", ls="-")
        ax.axvline(len(names) // 2 + 0.5, color=INK, lw=0.8, ls="--")
        places = x[1::2][:: max(len(x) // 16, 1)]
        ax.set_xticks(places + 0.5, [names[i].split()[1] for i in places])
        ax.set(xlabel="layer", ylim=(-0.05, 1.1))
        tag(ax, network)
    axes[0].set_ylabel("symbols right")
    key(axes[0], loc="upper left")
    return fig


def ablation(data: xr.Dataset) -> Figure:
    """Symbols lost when the attention or the MLP of a layer is at its mean, deepest networks."""
    fig, axes = canvas(2, 2.8, sharey=True)
    for ax, (network, known) in zip(
        axes, ((inside.STEP, "unseen"), (inside.DIRECT, "seen")), strict=True
    ):
        one = inside.deepest(xr.DataTree.from_dict({"deep": data}), network).sel(known=known)
        lost = one.deep_symbols - one.ablated_symbols
        for part, colour, shift in (("attention", DIRECT, -0.12), ("MLP", STEP, 0.12)):
            values = lost.sel(part=part)
            points(ax, one.layer.values + shift, values, colour, part, ls="none")
        ax.axvline(one.sizes["layer"] / 2 + 0.5, color=INK, lw=0.8, ls="--")
        ax.set_xticks(one.layer.values)
        ax.set(xlabel="layer", ylim=(-0.05, 1.05))
        tag(ax, f"{network}, {known}")
    axes[0].set_ylabel("symbols lost (share)")
    key(axes[0])
    return fig


def by_depth(data: xr.Dataset) -> Figure:
    """Share of what ablated attention costs that falls on the second half, by depth."""
    fig, (ax,) = canvas(1, 2.6, 5.0)
    for network, known, colour in ((inside.STEP, "unseen", STEP), (inside.DIRECT, "seen", DIRECT)):
        shares = []
        for depth in data.layers.values:
            one = data.sel(network=network, layers=depth)
            there = one.isel(layer=slice(int(depth))).reset_coords(drop=True)
            shares.append(inside.late_share(there, known))
        values = xr.concat(shares, "layers").transpose("seed", "layers")
        points(ax, data.layers.values, values, colour, f"{network}, {known}", ls="-")
    ax.axhline(0.5, color=GREY, lw=1, ls=":")
    ax.set(xlabel="layers of the network", ylabel="cost in the second half", ylim=(-0.05, 1.05))
    ax.set_xticks(data.layers.values)
    key(ax, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


def architectures(lstm: xr.Dataset, depth: xr.Dataset) -> Figure:
    """An LSTM beside a transformer; depth in both formats."""
    fig, (left, right) = canvas(2, 2.9, sharey=True)
    names = ["Transformer", "LSTM"]
    for shift, variable, colour, label in (
        (-0.1, "recurrent_seen", DIRECT, "seen"),
        (0.1, "recurrent_unseen", STEP, "unseen"),
    ):
        values = lstm[variable].sel(model=names)
        points(left, np.arange(2) + shift, values, colour, label, ls="none")
    left.set_xticks([0, 1], names)
    left.set(ylabel="exact match", ylim=(-0.05, 1.1), xlim=(-0.5, 1.5))
    tag(left, "step by step")
    for format, colour in (("step", STEP), ("direct", DIRECT)):
        one = depth.sel(format=format, heads=depth.attrs["heads"])
        name = "step by step" if format == "step" else "direct"
        points(right, depth.depth.values, one.depth_unseen, colour, f"{name}, unseen", ls="-")
        points(right, depth.depth.values, one.depth_seen, colour, f"{name}, seen", ls=":")
    right.set(xlabel="layers")
    right.set_xticks(depth.depth.values)
    tag(right, "by depth")
    key(left)
    key(right)
    return fig


def order_bias(data: xr.Dataset) -> Figure:
    """Displaced accuracy, and what a decoder names right, against displaced training, by places."""
    fig, axes = canvas(2, 2.8, sharey=True)
    measured = {"bias_far": "exact match, all displaced", "bias_decoded": "decoded at its slot"}
    for ax, (name, what) in zip(axes, measured.items(), strict=True):
        for places, colour in (("learned", STEP), ("rotary", DIRECT)):
            values = data[name].sel(places=places)
            points(ax, data.displaced.values, values, colour, f"{places} places", ls="-")
        covered = data.covered.mean("seed")
        ax.plot(data.displaced, covered, "--", color=INK, lw=1.2, label="pairs shown in training")
        ax.set(xlabel="all-displaced compositions trained on", ylim=(-0.05, 1.1))
        tag(ax, what)
    axes[0].set_ylabel("share")
    key(axes[1])
    return fig
