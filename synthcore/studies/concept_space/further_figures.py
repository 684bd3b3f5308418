"""Figures of masked prompts, three concepts, real digits, U-Nets, other ways to enter a prompt, and
the classifier: dataset in, figure out.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, key, level, over_seeds, panels, points, tag
from synthcore.studies.concept_space import further_decisions
from synthcore.studies.concept_space.decisions import crossing, mean_paths
from synthcore.studies.concept_space.figures import (
    CONCEPT_COLOURS,
    below,
    concept_axes,
    signal_colour,
)
from synthcore.studies.concept_space.ink import paint
from synthcore.studies.concept_space.task import TARGET, TRAINED
from synthcore.studies.concept_space.three import HIDDEN, SHOWN

PLAIN, BLUER, PUSHED = INK, "#2563b0", "#7a3fa0"
GROUND = "#4b7a4b"


def masked(data: xr.Dataset) -> Figure:
    """Speed and end of the held-out class against the probability of a mask, and what is drawn."""
    fig, (left, middle, right) = panels(3)
    speed = 1e3 / further_decisions.mask_times(data).transpose("seed", "alpha")
    for row in speed.values:
        left.plot(data.alpha, row, ".", color=BLUER, alpha=0.4)
    left.plot(data.alpha, np.median(speed.values, axis=0), "-o", ms=4, color=BLUER)
    left.set(ylabel="1 / learning time of blue\n[per 1000 steps]", ylim=(0, None))
    known = data[["mask_joint", "mask_over", "mask_coordinates"]].dropna("seed", how="all")
    ends = known.isel(step=further_decisions.LAST).mean("step")
    for concept, colour in CONCEPT_COLOURS.items():
        name = "blue" if concept == "colour" else "small"
        share = ends.mask_coordinates.sel(concept=concept)
        points(middle, data.alpha, share, colour, name, ls="-")
    middle.set(ylabel="share in the end, blue small asked")
    points(right, data.alpha, ends.mask_joint, PLAIN, "plain prompt", ls="-")
    points(
        right, data.alpha, ends.mask_over, BLUER, f"{data.attrs['over']:g} times as blue", ls="-"
    )
    right.set(ylabel="accuracy in the end, blue small")
    for ax in (left, middle, right):
        ax.set_xlabel(r"$\alpha$, share of red prompts masked")
    for ax in (middle, right):
        ax.set_ylim(-0.03, 1.03)
        key(ax)
    return fig


def three(data: xr.Dataset) -> Figure:
    """Learning time of every concept against its signal, and of classes against distance."""
    fig, (left, right) = panels(2, width=4.2, height=3.4)
    hidden = data.three_right.isel(kind=slice(len(SHOWN), None)).dropna("seed")
    when = crossing(hidden)
    horizon = float(data.step[-1])
    colours = (*CONCEPT_COLOURS.values(), GROUND)
    for axis, colour in zip(data.axis.values, colours, strict=True):
        signal = data.three_signal.sel(axis=axis)
        times = (
            when.sel(axis=axis).transpose("trio", "seed", "kind").values.reshape(len(signal), -1)
        )
        x = np.repeat(signal.values, times.shape[1])
        shown = np.minimum(times.ravel(), 1.5 * horizon)
        left.plot(x, shown, "o", ms=3, alpha=0.5, color=colour, label=str(axis))
    left.set(xscale="log", yscale="log", xlabel="pixel signal [squared intensity]")
    left.set(ylabel="learning time, held-out classes [steps]")
    far = further_decisions.class_distances(data)
    late = further_decisions.class_times(data).transpose(*far.dims)
    for k in range(len(HIDDEN)):
        y = np.minimum(late.isel(kind=k).values.ravel(), 1.5 * horizon)
        name = str(data.kind.values[len(SHOWN) + k])
        shade = colormaps["viridis"](k / len(HIDDEN))
        right.plot(far.isel(kind=k).values.ravel(), y, "o", ms=4, color=shade, label=name)
    right.set(xlabel="distance from its corner at train convergence", yscale="log")
    right.set(ylabel="learning time of the class [steps]")
    for ax in (left, right):
        ax.axhline(1.5 * horizon, color=GREY, ls=":", lw=0.8)
        ax.annotate("never", (0.02, 1.5 * horizon), xycoords=("axes fraction", "data"), fontsize=8)
        key(ax)
    return fig


def digits(contrast: float, count: int = 6) -> Figure:
    """Training images of the check on real digits, one row per class; the last row is held out."""
    kinds = (*TRAINED, TARGET)
    fig, axes = plt.subplots(4, count, figsize=(0.8 * count, 3.4), layout="constrained")
    generator = torch.Generator().manual_seed(0)
    for row, kind in zip(axes, kinds, strict=True):
        images, _ = paint(torch.tensor([kind] * count), contrast, generator)
        for ax, image in zip(row, images, strict=True):
            ax.imshow(image.clamp(0, 1).movedim(0, -1).numpy(), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"{('red', 'blue')[kind[0]]} {kind[1]}", fontsize=8)
    return fig


def inks(data: xr.Dataset) -> Figure:
    """The held-out digit in concept space, and its accuracy by prompt."""
    fig, axes = panels(1 + data.sizes["ink"], width=3.4, height=3.2)
    concept_axes(axes[0])
    for text in axes[0].texts:
        text.set_text(text.get_text().replace("large", "0").replace("small", "1"))
    axes[0].set(xlabel="share drawn blue", ylabel="share drawn as one")
    target = data.ink_coordinates.isel(asked=-1).dropna("seed", how="all").mean("seed")
    shades = colormaps["viridis"](np.linspace(0, 0.9, data.sizes["ink"]))
    for ink, shade, ax in zip(data.ink.values, shades, axes[1:], strict=True):
        path = target.sel(ink=ink).transpose("step", "concept").values
        axes[0].plot(path[:, 0], path[:, 1], "-", color=shade, label=f"{ink:g}")
        plain = data.ink_joint.isel(asked=-1, drop=True)
        for values, colour, name in (
            (plain, PLAIN, "plain prompt"),
            (data.ink_over, BLUER, f"{data.attrs['over']:g} times as blue"),
            (data.ink_push, PUSHED, "pushed inside"),
        ):
            over_seeds(ax, values.sel(ink=ink, drop=True).dropna("seed"), "step", colour, name)
        tag(ax, f"ink contrast {ink:g}")
        ax.set(xlabel="step", ylim=(-0.03, 1.03), ylabel="accuracy, blue 1")
    key(axes[0], title="ink contrast", loc="center")
    key(axes[1])
    return fig


def unets(data: xr.Dataset) -> Figure:
    """U-Nets: the held-out class in concept space, and its accuracy by prompt."""
    fig, axes = panels(1 + data.sizes["unet_signal"], width=3.2, height=3.2)
    concept_axes(axes[0])
    target = data.unet_coordinates.isel(asked=-1).dropna("seed", how="all").mean("seed")
    shades = colormaps["viridis"](np.linspace(0, 0.9, data.sizes["unet_signal"]))
    plain = data.unet_joint.isel(asked=-1, drop=True)
    blues = colormaps["cool"](np.linspace(0, 1, data.sizes["factor"]))
    for signal, shade, ax in zip(data.unet_signal.values, shades, axes[1:], strict=True):
        path = target.sel(unet_signal=signal).transpose("unet_step", "concept").values
        axes[0].plot(path[:, 0], path[:, 1], "-", color=shade, label=f"{signal:g}")
        own = plain.sel(unet_signal=signal, drop=True).dropna("seed")
        over_seeds(ax, own, "unet_step", PLAIN, "plain prompt")
        for factor, colour in zip(data.factor.values, blues, strict=True):
            more = data.unet_over.sel(unet_signal=signal, factor=factor, drop=True)
            mean = more.dropna("seed").mean("seed")
            ax.plot(mean.unet_step, mean, color=colour, lw=1, label=f"{factor:g} times as blue")
        tag(ax, f"$\\Delta_c$ = {signal:g}")
        ax.set(xlabel="step", ylim=(-0.03, 1.03), ylabel="accuracy, blue small")
    key(axes[0], title="$\\Delta_c$", loc="center")
    key(axes[-1], fontsize=7)
    return fig


def ways(data: xr.Dataset) -> Figure:
    """Accuracy on the held-out class by the way in which prompts enter, one panel per contrast."""
    fig, axes = panels(data.sizes["way_signal"], width=4.0, height=3.2)
    colours = {"own": "#222222", "linear": "#c2571a", "shared": "#2b6cb0"}
    for signal, ax in zip(data.way_signal.values, axes, strict=True):
        for way in data.way.values:
            kind = str(way).replace(",", "").split()[0]
            curve = data.way_joint.sel(way=way, way_signal=signal, drop=True).dropna("seed")
            style = "-" if way == kind else "--"
            mean = curve.mean("seed")
            ax.plot(mean.step, mean, style, color=colours[kind], lw=1.6, label=str(way))
            for row in curve.transpose("seed", "step").values:
                ax.plot(mean.step, row, style, color=colours[kind], lw=0.5, alpha=0.35)
        level(ax, 0.8, "", style=":")
        tag(ax, f"$\\Delta_c$ = {signal:g}")
        ax.set(xlabel="step", ylim=(-0.03, 1.03), ylabel="accuracy, blue small")
    below(fig, *axes[0].get_legend_handles_labels())
    return fig


def classifier(data: xr.Dataset) -> Figure:
    """Decoder and classifier: mean paths of the held-out class, and agreement image by image."""
    fig, (left, right) = panels(2, width=4.2, height=3.6)
    concept_axes(left)
    read = further_decisions.readings(data)
    for reader, style in zip(read, ("-", "--"), strict=True):
        for signal, path in mean_paths(read[reader]).groupby("signal"):
            x, y = path.squeeze("signal").transpose("concept", "step").values
            name = f"{signal:g}" if style == "-" else None
            left.plot(x, y, style, color=signal_colour(data, signal), label=name)
    for reader, style in zip(read, ("-", "--"), strict=True):
        left.plot([], [], style, color=INK, label=reader)
    key(left, title=r"$\Delta_c$", loc=(0.5, 0.25))
    place = np.arange(data.sizes["clearness"])
    for concept, colour in CONCEPT_COLOURS.items():
        table = data.classified_alike.sel(concept=concept).dropna("seed", how="all")
        points(right, place, table, colour, str(concept), ls="-")
    right.set_xticks(place, [str(c) for c in data.clearness.values], rotation=20)
    level(right, 0.5, "chance", style=":")
    right.set(xlabel="share of variance that the best disc explains", ylim=(0, 1.03))
    right.set(ylabel="images named alike, share")
    key(right)
    return fig
