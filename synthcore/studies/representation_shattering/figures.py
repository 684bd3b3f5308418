"""Figures of the chapter: dataset in, matplotlib figure out."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.figures import (
    GREY,
    INK,
    band,
    half_width,
    key,
    level,
    log_axis,
    over_seeds,
    panels,
    points,
    tag,
)
from synthcore.studies.representation_shattering import theory
from synthcore.studies.representation_shattering.decisions import counterfactual, direct, total

ORDER_COLOURS = {"I": "#a01830", "II": "#2563b0", "III": "#13a07f"}
MARKS = {"I": "o", "II": "s", "III": "^"}
ROLES = {"I": "I, edited", "II": "II, seen by the editor", "III": "III, not seen"}
TASK_NAMES = {"direct": "stated facts", "logical": "inferred facts", "chain": "chains of two"}
DISTANCE_WHEEL = ("#fdbf6f", "#f08a3c", "#d1495b", "#7b2d6f", "#2d1e5f", "#111111")


def label_of(condition: int) -> str:
    """A condition as it is written below axes."""
    return "corrective" if condition == 0 else str(condition)


def schematic(places: int = 12) -> Figure:
    """F0: three circles of the same entities, a fact, and a counterfactual one."""
    fig, axes = panels(3, height=2.5, width=2.6)
    draw = np.random.default_rng(4)
    angle = np.pi / 2 - 2 * np.pi * np.arange(places) / places
    for ax, name in zip(axes, ORDER_COLOURS, strict=True):
        order = np.arange(places) if name == "I" else draw.permutation(places)
        ax.plot(
            np.cos(np.linspace(0, 7, 200)), np.sin(np.linspace(0, 7, 200)), color="0.85", zorder=0
        )
        for entity, a in zip(order, angle, strict=True):
            ax.text(
                np.cos(a),
                np.sin(a),
                str(entity),
                ha="center",
                va="center",
                fontsize=9,
                bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": ORDER_COLOURS[name]},
            )
        ax.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
        ax.set_axis_off()
        tag(ax, f"order {ROLES[name]}")
    arrow = {"arrowstyle": "-|>", "lw": 1.6, "shrinkA": 12, "shrinkB": 12}
    where = [(np.cos(a), np.sin(a)) for a in angle]
    for end, colour, style, bend in ((2, INK, "-", 0.55), (4, "#d1495b", "--", 0.5)):
        axes[0].annotate(
            "",
            where[end],
            where[0],
            arrowprops=arrow
            | {"color": colour, "ls": style, "connectionstyle": f"arc3,rad={bend}"},
        )
    axes[0].text(0.0, -0.62, "0 I_C2 = 2\nedited: 4 (d = 2)", ha="center", va="center", fontsize=8)
    return fig


def learning(data: xr.Dataset) -> Figure:
    """F1: accuracy over training by kind of question, and the loss."""
    fig, axes = panels(2, width=3.9)
    colours = {"direct": INK, "logical": "#b3541e", "chain": "#5b3a8c"}
    for task, colour in colours.items():
        curve = data.learning.sel(task=task).mean("order")
        over_seeds(axes[0], curve, "step", colour, TASK_NAMES[task])
    level(axes[0], 1 / data.attrs["entities"], "chance", style=":")
    over_seeds(axes[1], data.loss, "step", INK)
    for ax in axes:
        last = int(data.step.max())
        ticks = [n for n in (10, 30, 100, 300, 1000, 3000, 10_000, 30_000) if n <= last]
        log_axis(ax, [n for n in ticks if n >= int(data.step.min())], "step")
    axes[0].set(ylabel="accuracy", ylim=(-0.02, 1.02))
    axes[1].set(ylabel="loss (nats per answer)", ylim=(0, None))
    key(axes[0], loc="upper left")
    return fig


def spectrum(data: xr.Dataset, most: int = 16) -> Figure:
    """F2: share of each frequency along its own order, and the lowest four against chance."""
    fig, axes = panels(2, width=3.9)
    part = data.ring_spectrum.sel(frequency=slice(1, most))
    for order, colour in ORDER_COLOURS.items():
        over_seeds(axes[0], part.sel(order=order), "frequency", colour, f"order {order}")
    level(axes[0], theory.ring_chance(data.attrs["entities"], 1), "no order", style=":")
    axes[0].set(
        xlabel="frequency (turns around the circle)", ylabel="share of variance", ylim=(0, None)
    )
    key(axes[0])
    x = np.arange(3)
    points(axes[1], x, data.ring, INK, "along the order", ls="none")
    null = data.ring_null.quantile(0.99, "draw").drop_vars("quantile")
    points(axes[1], x, null, GREY, "99th percentile, random orders", ls="none", marker="_", ms=12)
    level(axes[1], theory.ring_chance(data.attrs["entities"], 4), "chance", style=":")
    axes[1].set_xticks(x, [f"order {c}" for c in ORDER_COLOURS])
    axes[1].set(ylabel="share of the lowest 4 frequencies", ylim=(0, 1), xlim=(-0.5, 2.5))
    key(axes[1], loc="upper right")
    return fig


def _scatter(ax: Axes, layout: np.ndarray, place: np.ndarray) -> None:
    """A map whose points are coloured by their place on the circle."""
    closed = np.append(np.argsort(place), np.argsort(place)[0])
    ax.plot(*layout[closed].T, color="0.8", lw=0.4, zorder=0)
    x, y = layout.T
    ax.scatter(x, y, c=place, cmap="twilight", s=7, vmin=0, vmax=len(place))
    ax.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    for side in ax.spines.values():
        side.set_color("0.85")


def rings(data: xr.Dataset) -> Figure:
    """F3 (paper's Isomap figure): maps of h(x; c_C1) before and after the first edits."""
    orders, frames = list(data.order.values), list(data.frame.values)
    fig, axes = panels(len(orders) * len(frames), height=1.5, width=1.4, rows=len(orders))
    grid = np.array(axes).reshape(len(orders), len(frames))
    for c, order in enumerate(orders):
        place = np.argsort(data.shown_circles.values[c].astype(int))[data.entity.values]
        rank = np.argsort(np.argsort(place))
        for f, frame in enumerate(frames):
            _scatter(grid[c, f], data.maps.values[c, f], rank)
            if c == 0:
                tag(grid[c, f], str(frame))
        grid[c, 0].set_ylabel(f"order {order}", fontsize=9)
    return fig


def gallery(data: xr.Dataset) -> Figure:
    """F4: a map of the unedited cloud of every relation."""
    names = [str(n) for n in data.relation.values]
    rows = len(data.order)
    fig, axes = panels(len(names), height=1.3, width=1.2, rows=rows)
    each = len(names) // rows
    for r, (ax, name) in enumerate(zip(axes, names, strict=True)):
        place = np.argsort(data.shown_circles.values[r // each].astype(int))[data.entity.values]
        _scatter(ax, data.gallery.values[r], np.argsort(np.argsort(place)))
        tag(ax, name)
    return fig


def harm(data: xr.Dataset) -> Figure:
    """F5 (paper's table of changes): change of accuracy by kind of edit, question and order."""
    tasks = [str(t) for t in data.task.values]
    fig, axes = panels(len(tasks), width=3.4, sharey=True)
    mean = 100 * data.change.mean("edit")
    x = np.arange(data.sizes["condition"])
    for ax, task in zip(axes, tasks, strict=True):
        for i, (order, colour) in enumerate(ORDER_COLOURS.items()):
            table = mean.sel(task=task, order=order).transpose("seed", "condition").values
            ax.bar(
                x + 0.27 * (i - 1),
                table.mean(0),
                0.25,
                color=colour,
                label=ROLES[order],
                yerr=half_width(table),
                error_kw={"lw": 0.8, "ecolor": "0.4"},
            )
        ax.axhline(0, color=INK, lw=0.8)
        ax.set_xticks(x, [label_of(int(c)) for c in data.condition.values], fontsize=8)
        ax.set_xlabel("corrective, or distance d")
        tag(ax, TASK_NAMES[task])
    axes[0].set_ylabel("change of accuracy (points)")
    key(axes[0], loc="lower left")
    return fig


def by_distance(data: xr.Dataset) -> Figure:
    """F6 (paper's table of R): R, inflation and shape over the distance, per order."""
    fig, axes = panels(3, width=3.1, sharey=True)
    every = counterfactual(data)
    x = np.arange(len(every))
    for ax, part in zip(axes, ("R", "inflation", "shape"), strict=True):
        values = data.shattering.sel(part=part, condition=every).mean("edit")
        for order, colour in ORDER_COLOURS.items():
            table = values.sel(order=order).transpose("seed", "condition").values
            band(ax, x, table, colour, ROLES[order])
        ax.set_xticks(x, [str(d) for d in every])
        ax.set(xlabel="distance d", ylim=(0, None))
        tag(ax, {"R": "R", "inflation": "inflation |s - 1|", "shape": "shape"}[part])
    axes[0].set_ylabel("change of distances, relative")
    key(axes[0])
    return fig


def explained(data: xr.Dataset, r_squared: xr.DataArray) -> Figure:
    """F7 (paper's figure of R against accuracy): one dot per edit and order."""
    fig, ax = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    every = counterfactual(data)
    x = data.shattering.sel(part="R", condition=every)
    y = 100 * data.change.sel(task="direct", condition=every)
    for number, d in enumerate(every):
        for order in ORDER_COLOURS:
            one = {"condition": d, "order": order}
            ax.scatter(
                x.sel(one).values.ravel(),
                y.sel(one).values.ravel(),
                s=9,
                alpha=0.55,
                lw=0,
                color=DISTANCE_WHEEL[number % 6],
                marker=MARKS[order],
                label=f"d = {d}" if order == "I" else None,
            )
    flat_x, flat_y = total(data).sel(condition=every), 100 * direct(data).sel(condition=every)
    slope, start = np.polyfit(flat_x.values.ravel(), flat_y.values.ravel(), 1)
    line = np.geomspace(float(x.where(x > 0).min()), float(x.max()), 100)
    ax.plot(line, start + slope * line, color=INK, lw=1.2)
    half = half_width(r_squared.values)
    ax.set(
        xlabel="R of the order's clouds",
        ylabel="change of recall of stated facts (points)",
        xscale="log",
        ylim=(max(-100.0, min(-5.0, float(y.min()) - 8)), 6),
    )
    tag(ax, f"r² = {float(r_squared.mean()):.2f} ± {float(half):.2f}, mean over seeds of all edits")
    key(ax, markerscale=1.6)
    return fig


def tracing(data: xr.Dataset) -> Figure:
    """F8: what putting back one clean activation recovers, by block, site and token."""
    fig, axes = panels(2, height=2.2, width=3.2)
    table = data.traced.mean("seed")
    for ax, token in zip(axes, data.token.values, strict=True):
        grid = table.sel(token=token).transpose("layer", "site").values
        ax.imshow(grid, cmap="viridis", vmin=0, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(grid):
            ax.text(
                j,
                i,
                f"{value:z.2f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if value < 0.6 else "black",
            )
        ax.set_xticks(range(3), ["attention", "MLP", "stream behind"])
        ax.set_yticks(range(len(data.layer)), [f"block {b}" for b in data.layer.values])
        tag(ax, f"put back at the {token}")
    return fig


def reach(data: xr.Dataset) -> Figure:
    """F9: how much of an edit reaches other prompts: histogram of alpha; alpha along circles."""
    fig, axes = panels(2, width=3.9)
    share = data.alpha_histogram.transpose("seed", "alpha").values
    for one in share:
        axes[0].plot(data.alpha.values, one, color="0.7", lw=0.8)
    axes[0].plot(data.alpha.values, share.mean(0), color=INK, lw=1.8)
    axes[0].axvline(1, color=ORDER_COLOURS["I"], ls="--", lw=1.1)
    axes[0].set(
        xlabel="α of every prompt x r", ylabel="share of prompts", xlim=(-1, 1.2), yscale="log"
    )
    axes[0].annotate(
        "the edited prompt",
        (1, share.max() / 3),
        fontsize=8,
        ha="right",
        xytext=(-4, 0),
        textcoords="offset points",
        color=ORDER_COLOURS["I"],
    )
    near = data.alpha_along.sel(gap=slice(0, 24))
    for order, colour in ORDER_COLOURS.items():
        over_seeds(axes[1], near.sel(order=order), "gap", colour, f"along order {order}")
    axes[1].axhline(0, color="0.7", lw=0.8)
    axes[1].set(xlabel="steps from the edited entity", ylabel="α under the edited relation")
    key(axes[1])
    return fig
