"""Figures of what prompts other than the plain one bring out: dataset in, figure out."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, key, level, over_seeds, panels, tag
from synthcore.studies.concept_space import decisions
from synthcore.studies.concept_space.figures import below, by_signal, signal_colour

NAIVE, BLUER, PALER, SMALLER = "#222222", "#2563b0", "#7a9fd4", "#b3541e"


def elicitation(data: xr.Dataset) -> Figure:
    """F4: accuracy on the held-out class by prompt, one panel per contrast of colours."""
    fig, axes = by_signal(data, 2.6)
    over, pale = data.attrs["over"], float(data.factor[0])
    small = float(data.shrink[-1]) if data.sizes["shrink"] else None
    for signal, ax in axes.items():
        one = data.sel(signal=signal)
        curves = [
            (decisions.naive(one), NAIVE, "plain prompt"),
            (one.over_joint.sel(factor=over), BLUER, f"{over:g} times as blue"),
            (one.over_joint.sel(factor=pale), PALER, f"{pale:g} times as blue"),
        ]
        if small is not None:
            curves.append((one.small_joint.sel(shrink=small), SMALLER, "smaller"))
        for curve, colour, name in curves:
            over_seeds(ax, curve.drop_vars(["signal"]), "step", colour, name)
        level(ax, 0.8, "", style=":")
        ax.set(xlabel="step", ylim=(-0.02, 1.02))
    below(fig, *ax.get_legend_handles_labels())
    return fig


def strengths(data: xr.Dataset) -> Figure:
    """Accuracy by the blue that the prompt tells, at three steps; crosses where also the drawn
    contrast and radius are those of the class."""
    fig, axes = by_signal(data, 2.4)
    chosen = [data.sizes["step"] // 3, data.sizes["step"] // 2, data.sizes["step"] - 1]
    x = np.array([*data.factor.values, 1.0])
    order = x.argsort()
    for signal, ax in axes.items():
        one = data.sel(signal=signal).mean("seed")
        for shade, k in zip((0.35, 0.65, 1.0), chosen, strict=True):
            here = one.isel(step=k)
            y = np.array([*here.over_joint.values, float(here.joint[-1])])
            strict = np.array([*here.over_within.values, float(here.within[-1])])
            ax.plot(
                x[order],
                y[order],
                "o-",
                ms=3,
                color="#2563b0",
                alpha=shade,
                label=f"step {int(data.step[k])}",
            )
            ax.plot(x[order], strict[order], "x", ms=4, color="#a01830", alpha=shade)
        ax.axvline(1, color=GREY, lw=0.8, ls=":")
        ax.set(xscale="log", xlabel="blue told / blue of the class", ylim=(-0.03, 1.03))
        ax.set_xticks(x[order], [f"{v:g}" for v in x[order]])
        ax.set_xticks([], minor=True)
    ax.plot([], [], "x", color="#a01830", label="as in the class")
    below(fig, *ax.get_legend_handles_labels())
    return fig


def as_told(data: xr.Dataset) -> Figure:
    """What the plain and the smaller prompt draw, not as shares of right values: mean contrast and
    size of the discs (0 and 1 are the class means), and how many are like those of the class.
    """
    fig, axes = panels(3, height=3.0, width=3.2)
    small = float(data.shrink[-1])
    for signal in data.signal.values:
        colour = signal_colour(data, signal)
        one = data.sel(signal=signal).drop_vars("signal")
        asked = {"-": one.continuous.isel(asked=-1), "--": one.small_continuous.sel(shrink=small)}
        for style, table in asked.items():
            for ax, concept in zip(axes, ("colour", "size"), strict=False):
                curve = table.sel(concept=concept).mean("seed")
                ax.plot(data.step, curve, style, color=colour)
        axes[2].plot(
            data.step,
            one.within.isel(asked=-1).mean("seed"),
            "-",
            color=colour,
            label=f"{signal:g}",
        )
        axes[2].plot(data.step, one.small_within.sel(shrink=small).mean("seed"), "--", color=colour)
    for ax, name in zip(
        axes, ("blue, 1 is the class", "small, 1 is the class", "share like the class"), strict=True
    ):
        ax.set(xlabel="step", ylabel=name, ylim=(-0.05, 1.25))
    axes[0].plot([], [], "-", color=INK, label="plain prompt")
    axes[0].plot([], [], "--", color=INK, label="smaller")
    key(axes[0], loc="lower right")
    handles, names = axes[2].get_legend_handles_labels()
    below(fig, handles, [f"$\\Delta_c$ = {name}" for name in names])
    return fig


def emergence(data: xr.Dataset) -> Figure:
    """F5: when a run becomes capable, and when its path turns."""
    fig, (ax,) = panels(1, height=3.4, width=5.6)
    turn = decisions.bends(data)[1].transpose("signal", "seed").values
    able = decisions.crossing(decisions.capability(data)).transpose("signal", "seed").values
    plain = decisions.crossing(decisions.naive(data)).transpose("signal", "seed").values
    horizon = float(data.step[-1])
    for i, signal in enumerate(data.signal.values):
        colour = signal_colour(data, signal)
        ax.plot(turn[i], np.minimum(able[i], horizon * 1.1), "o", color=colour, label=f"{signal:g}")
        ax.plot(turn[i], np.minimum(plain[i], horizon * 1.1), "x", color=colour, alpha=0.6)
    ax.plot([0, horizon], [0, horizon], color=GREY, lw=0.8, ls="--")
    level(ax, horizon * 1.1, "never", style=":")
    ax.plot([], [], "o", color=INK, label="bluer prompt")
    ax.plot([], [], "x", color=INK, label="plain prompt")
    ax.set(
        xlabel="step at which the path turns",
        ylabel="step of accuracy .8",
        ylim=(0, horizon * 1.15),
    )
    key(ax, title="$\\Delta_c$", bbox_to_anchor=(1.12, 1), loc="upper left")
    return fig


def gaps(data: xr.Dataset) -> Figure:
    """Mean over training of capability less plain accuracy, against the contrast of colours."""
    fig, (ax,) = panels(1, width=4.6)
    plain = decisions.naive(data)
    horizon = float(data.step[-1])
    shown = [(f"{f:g} times as blue", data.over_joint.sel(factor=f)) for f in data.factor.values]
    shown += [(f"{s:g} times as small", data.small_joint.sel(shrink=s)) for s in data.shrink.values]
    colours = [PALER] * int((data.factor < 1).sum()) + [BLUER] * int((data.factor > 1).sum())
    colours += [SMALLER] * data.sizes["shrink"]
    markers = "ov^sDP*X<>"
    for i, ((name, prompted), colour) in enumerate(zip(shown, colours, strict=True)):
        area = ((prompted - plain).integrate("step") / horizon).mean("seed")
        ax.plot(
            data.signal.values, area, marker=markers[i % 10], ms=4, color=colour, label=name, lw=1
        )
    ax.axhline(0, color=INK, lw=0.8)
    ax.set(xlabel="$\\Delta_c$", ylabel="prompted less plain accuracy,\nmean over training")
    key(ax, bbox_to_anchor=(1.02, 1), loc="upper left")
    return fig


def crossed(data: xr.Dataset) -> Figure:
    """Pixels and prompts contrasted apart from each other: plain and bluer prompts."""
    fig, axes = panels(4, height=2.3, width=3.2, rows=2, sharex=True, sharey=True)
    known = data[["crossed_joint", "crossed_over"]].dropna("seed")
    for i, pixels in enumerate(data.pixels.values):
        for j, prompts in enumerate(data.prompts.values):
            ax = axes[2 * i + j]
            cell = known.sel(pixels=pixels, prompts=prompts, drop=True)
            over_seeds(ax, cell.crossed_joint, "step", NAIVE, "plain prompt")
            over_seeds(
                ax, cell.crossed_over, "step", BLUER, f"{data.attrs['over']:g} times as blue"
            )
            tag(ax, f"pixels {pixels:g}, prompts {prompts:g}")
            ax.set_ylim(-0.02, 1.02)
        axes[2 * i].set_ylabel("accuracy, blue small")
    for ax in axes[2:]:
        ax.set_xlabel("step")
    key(axes[0])
    return fig
