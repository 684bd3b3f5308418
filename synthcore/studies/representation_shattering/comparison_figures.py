"""Figures of what stands beside the main experiment: editors, random changes, months, sizes."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, half_width, key, level, panels, tag
from synthcore.studies.representation_shattering.decisions import (
    METHODS,
    comparable,
    direct,
    short,
    total,
)
from synthcore.studies.representation_shattering.figures import DISTANCE_WHEEL

NAMES = {
    "rome": "ROME",
    "memit": "MEMIT",
    "pmet": "PMET",
    "alphaedit": "AlphaEdit",
    "identity": "ROME, C = 1",
    "fine-tuning": "fine-tuning",
}
METHOD_COLOURS = dict(
    zip(NAMES, ("#a01830", "#b3541e", "#8a6d00", "#13a07f", GREY, INK), strict=True)
)


def editors(data: xr.Dataset) -> Figure:
    """F10 (paper's table of editors): loss of recall and R at equal success, per distance."""
    fig, axes = panels(2, width=4.2)
    near, same = short(data), comparable(data)
    methods = [str(m) for m in data.editor.values]
    width = 0.8 / len(methods)
    for i, method in enumerate(methods):
        one = data.sel(editor=method, drop=True)
        drop = 100 * direct(one, "editor_change").where(same).mean("edit").sel(condition=near)
        R = total(one, "editor_shattering").where(same).mean("edit").sel(condition=near)
        for ax, values in zip(axes, (drop, R), strict=True):
            table = values.transpose("seed", "condition").values
            x = np.arange(len(near)) + width * (i - (len(methods) - 1) / 2)
            ax.bar(
                x,
                table.mean(0),
                0.9 * width,
                color=METHOD_COLOURS[method],
                label=NAMES[method],
                yerr=half_width(table),
                error_kw={"lw": 0.8, "ecolor": "0.4"},
            )
    for ax in axes:
        ax.set_xticks(range(len(near)), [str(d) for d in near])
        ax.set_xlabel("distance d")
        ax.axhline(0, color=INK, lw=0.8)
    axes[0].set_ylabel("change of recall (points)")
    axes[1].set_ylabel("R")
    axes[1].set_ylim(0, 1.35 * axes[1].get_ylim()[1])  # room for the key
    key(axes[1], ncol=2, loc="upper left")
    return fig


def not_the_norm(data: xr.Dataset) -> Figure:
    """F11: ROME beside random rank-one changes: R at equal norm, harm at equal R."""
    fig, axes = panels(2, width=3.7)
    near = short(data)
    R = total(data, "random_shattering").sel(condition=near)
    change = 100 * direct(data, "random_change").sel(condition=near)
    for ax, values, other, name in (
        (axes[0], R, "equal norm", "R"),
        (axes[1], change, "equal R", "change of recall (points)"),
    ):
        x = values.sel(update="rome").values.ravel()
        y = values.sel(update=other).values.ravel()
        ax.scatter(x, y, s=10, alpha=0.5, lw=0, color="#5b3a8c")
        low, high = np.nanmin([x, y]), np.nanmax([x, y])
        ax.plot([low, high], [low, high], color=INK, ls="--", lw=1)
        ax.set(xlabel=f"{name}, ROME", ylabel=f"{name}, random")
        tag(ax, f"random changes of {other}")
    axes[0].set(xscale="log", yscale="log")
    return fig


def blocks(data: xr.Dataset) -> Figure:
    """F12: ROME in each block: harm and R behind the block and behind the last one."""
    fig, axes = panels(2, width=3.7)
    near = short(data)
    x = np.arange(len(near))
    for i, block in enumerate(data.block.values):
        one = data.sel(block=block)
        harm = 100 * direct(one, "block_change").mean("edit").sel(condition=near)
        own = total(one, "block_shattering").mean("edit").sel(condition=near)
        colour = ("#2563b0", "#a01830", "#13a07f", INK)[i % 4]
        curves = [
            (axes[0], harm, "-", f"block {block}"),
            (axes[1], own, "-", f"block {block}, behind it"),
        ]
        if block != data.block.values[-1]:
            last = one.block_last.sel(part="R").mean("edit").sel(condition=near)
            curves.append((axes[1], last, ":", f"block {block}, behind the last"))
        for ax, values, style, name in curves:
            table = values.transpose("seed", "condition").values
            ax.errorbar(
                x,
                table.mean(0),
                half_width(table),
                color=colour,
                ls=style,
                marker="o",
                ms=3.5,
                capsize=2,
                label=name,
            )
    for ax in axes:
        ax.set_xticks(x, [str(d) for d in near])
        ax.set_xlabel("distance d")
    axes[0].set_ylabel("change of recall (points)")
    axes[1].set_ylabel("R")
    for ax, bottom, top in ((axes[0], None, 0.0), (axes[1], 0.0, 1.4 * axes[1].get_ylim()[1])):
        ax.set_ylim(bottom, top)
        key(ax, loc="upper left" if bottom == 0 else "best")
    return fig


def months(data: xr.Dataset) -> Figure:
    """F13: the ring of months before and after an edit, R and what other months lose, and both over
    the distance."""
    fig, axes = panels(4, width=3.9, height=3.1, rows=2)
    far = int(data.month_distance.values.argmax())  # the first month, sent as far as can be
    names = data.word.values
    planes = np.stack([data.months_plane.values, data.month_plane.values[far]])
    low, high = planes.min((0, 1)), planes.max((0, 1))
    pad = 0.15 * (high - low)
    told = f"{names[0]} followed by {names[int(data.month_target[far])]}"
    for ax, plane, title in zip(axes, planes, ("before any edit", told), strict=False):
        ax.plot(*plane[[*range(12), 0]].T, color="0.8", lw=0.8, zorder=0)
        x, y = plane.T
        ax.scatter(x, y, c=range(12), cmap="twilight", vmin=0, vmax=12, s=30)
        for name, at in zip(names, plane, strict=True):
            ax.annotate(str(name)[:3], at, fontsize=8, xytext=(4, 3), textcoords="offset points")
        ax.set(xlabel="first harmonic, cosine", ylabel="first harmonic, sine")
        ax.set(xlim=(low[0] - pad[0], high[0] + pad[0]), ylim=(low[1] - pad[1], high[1] + pad[1]))
        tag(ax, title)
    d = data.month_distance.values.astype(int)
    for one in np.unique(d):
        rows = d == one
        axes[2].scatter(
            data.month_R.values[rows],
            100 * data.month_others.values[rows],
            s=14,
            color=DISTANCE_WHEEL[(one - 1) % 6],
            label=f"d = {one}",
        )
    axes[2].set(
        xlabel="R of the twelve list prompts", ylabel="other months named right (%)", ylim=(-3, 103)
    )
    key(axes[2])
    for values, colour, name in (
        (data.month_R, INK, "R"),
        (1 - data.month_others, "#a01830", "other months lost"),
        (1 - data.weekdays, "#2563b0", "weekdays lost"),
    ):
        groups = [values.values[d == one] for one in np.unique(d)]
        axes[3].errorbar(
            np.unique(d),
            [g.mean() for g in groups],
            [float(half_width(g)) for g in groups],
            color=colour,
            marker="o",
            ms=4,
            capsize=2,
            label=name,
        )
    axes[3].set(xlabel="distance d of the new month", ylabel="share", ylim=(0, 1.02))
    key(axes[3])
    return fig


def phase(data: xr.Dataset) -> Figure:
    """F14: harm of an edit and R over the capacity ratio, by width."""
    fig, axes = panels(2, width=3.9)
    for i, width in enumerate(data.phase_width.values):
        one = data.sel(phase_width=width)
        colour = ("#2563b0", "#a01830", "#13a07f", INK)[i % 4]
        ratio = one.phase_ratio.values
        loss = -100 * one.phase_change.sel(task="direct")
        for ax, values in ((axes[0], loss), (axes[1], one.phase_R)):
            values = values.isel(phase_distance=-1)
            table = values.transpose("seed", "phase_entities").values
            ax.errorbar(
                ratio,
                table.mean(0),
                half_width(table),
                color=colour,
                marker="o",
                ms=4,
                capsize=2,
                label=f"width {width}",
            )
    for ax in axes:
        ax.set(xscale="log", xlabel="capacity ratio ρ")
    axes[0].set_ylabel("recall lost (points)")
    axes[1].set_ylabel("R")
    level(axes[0], 0, "", style=":")
    key(axes[0])
    return fig


def success_table(data: xr.Dataset) -> str:
    """Editors as a table: success as they come, strength for equal success, how many get there."""
    lines = [
        "| editor | success as it comes | strength for equal success | reaches it |",
        "|---|---|---|---|",
    ]
    for method in [*METHODS, *[str(m) for m in data.editor.values if m not in METHODS]]:
        one = data.sel(editor=method)
        strength = one.editor_strength.where(one.editor_reached > 0.5)
        lines.append(
            f"| {NAMES[method]} | {float(one.editor_native_success.mean()):.0%} "
            f"| {float(strength.median()):.2f} | {float(one.editor_reached.mean()):.0%} |"
        )
    return "\n".join(lines)
