"""Figures of updates: streams, the square of (beta, gamma), the flow, growth in training."""

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, canvas, colour_bar, key, over_seeds, points, tag
from synthcore.studies.adam_continuous_time import measure, task
from synthcore.studies.adam_continuous_time.theory import bounds

FIRST, SECOND = "#c77d12", "#2b6fb5"  # orders of the equation
STABLE, WEDGE, UNSTABLE = "#1d9185", "#c77d12", "#b8432f"
DYING = "#8a63b8"
BOUND = GREY  # bounds are oracles: dashed
STEP, UPDATE = "step", "largest |u| [learning rates]"
RECIPES = {
    (0.9, 0.999): "Adam",
    (0.9, 0.95): "language models",
    (0.9, 0.98): "transformer",
    (0.95, 0.95): "equal",
}


def dying_example(beta: float, gamma: float, seed: int = 0, steps: int = 60) -> Figure:
    """One coordinate whose gradients stop at step 20: gradient and update."""
    fig, (left, right) = canvas(2, 2.5)
    pair = np.array([beta]), np.array([gamma])
    g, _ = task.stream("dying", steps, 1, seed, *pair)
    n = np.arange(1, steps + 1)
    left.vlines(n, 0, g[:, 0, 0], color=DYING, lw=1.4)
    left.axhline(0, color=GREY, lw=0.6)
    left.set(xlabel=STEP, ylabel="gradient")
    u = np.abs([float(x[0, 0]) for x in measure.updates(g, *pair)])
    right.plot(n, u, color=DYING, lw=1.6, label="update |u|")
    right.plot(n, bounds.exact_bound(beta, gamma, n), "--", color=BOUND, lw=1.2, label="bound")
    right.axvline(task.DYING_AT, color=GREY, lw=0.8, ls=":")
    right.set(yscale="log", xlabel=STEP, ylabel="|u| [learning rates]")
    key(right)
    return fig


def square() -> Figure:
    """C over the square, both frontiers, the wedge, popular settings; and a close-up."""
    fig, axes = canvas(2, 3.2)
    for ax, low in zip(axes, (0.02, 0.8), strict=True):
        axis = np.linspace(low, 0.9995, 120)
        beta, gamma = np.meshgrid(axis, axis)
        most = 1 if low < 0.5 else 0.25
        c = np.clip(bounds.exponent(beta, gamma), -most, most)
        image = ax.pcolormesh(
            beta, gamma, c, cmap="RdBu", norm=TwoSlopeNorm(0, -most, most), rasterized=True
        )
        colour_bar(image, ax, "C (clipped)", shrink=0.85)
        exact, continuous = bounds.frontier(axis), bounds.continuous_frontier(axis)
        ax.fill_between(axis, exact, continuous, color="#e8c04a", lw=0, label="wedge")
        ax.plot(axis, continuous, color="black", lw=1.3, label="C = 0")
        ax.plot(axis, exact, "--", color="black", lw=1.3, label="γ = β²")
        ax.set(xlim=(low, 1), ylim=(low, 1.004), xlabel="β", ylabel="γ")
    offsets = {"Adam": (-8, -3), "language models": (-8, -3), "transformer": (-8, -3)}
    for (beta_, gamma_), name in RECIPES.items():
        for ax in axes:
            ax.plot(beta_, gamma_, "o", ms=5, mfc="white", mec="black")
        right = name not in offsets
        axes[1].annotate(
            name, (beta_, gamma_), offsets.get(name, (8, -3)), fontsize=8, color="black",
            ha="left" if right else "right", textcoords="offset points",
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
        )  # fmt: skip
    key(axes[0], loc="lower right", labelcolor="black")
    return fig


def envelopes(data: xr.Dataset) -> Figure:
    """Largest update against steps for four points: streams below both envelopes."""
    chosen = [(0.9, 0.999), (0.9, 0.815), (0.99, 0.95), (0.95, 0.8)]
    fig, axes = canvas(4, 2.2)
    n = data.stream_step.values
    colours = {"worst case": UNSTABLE, "dying": DYING, "sparse 0.02": FIRST, "dense": SECOND}
    for ax, (beta, gamma) in zip(axes, chosen, strict=True):
        hit = (data.point_beta == beta) & (data.point_gamma == gamma)
        part = data.stream_update.isel(point=int(np.flatnonzero(hit)[0]))
        for name, colour in colours.items():
            over_seeds(ax, part.sel(stream=name), "stream_step", colour, name)
        ax.plot(n, bounds.exact_bound(beta, gamma, n), "--", color=INK, lw=1.1, label="exact")
        ax.plot(n, bounds.continuous_bound(beta, gamma, n), ":", color=INK, lw=1.5,
                label="continuous")  # fmt: skip
        ax.set(yscale="log")
        ax.set_ylim(bottom=0.3)
        tag(ax, f"({beta:g}, {gamma:g}): {bounds.region(beta, gamma)}")
    for ax in axes[2:]:
        ax.set_xlabel(STEP)
    for ax in axes[::2]:
        ax.set_ylabel(UPDATE)
    key(axes[0], ncols=2, loc="upper right")
    axes[0].set_ylim(top=400)
    return fig


def growth_map(data: xr.Dataset) -> Figure:
    """The bound within the map's steps, and what streams of falling density reach of it."""
    fig, axes = canvas(1 + data.sizes["map_density"], 2.6, sharex=True, sharey=True)
    edges = np.arange(data.sizes["map_beta"] + 1)
    tables = [("bound", data.map_bound)]
    tables += [
        (f"gradients in {d:.0%} of steps", data.map_update.sel(map_density=d))
        for d in data.map_density.values
    ]
    axis = data.map_beta.values
    marks = (0.5, 0.9, 0.99, 0.999)
    ticks = [float(np.abs(axis - v).argmin()) + 0.5 for v in marks]
    for ax, (name, table) in zip(axes, tables, strict=True):
        values = np.clip(table.transpose("map_gamma", "map_beta").values, 1, 1e4)
        image = ax.pcolormesh(edges, edges, values, norm=LogNorm(1, 1e4), cmap="magma_r")
        step = np.interp(axis**2, axis, np.arange(len(axis)) + 0.5)
        ax.plot(np.arange(len(axis)) + 0.5, step, "--", color="black", lw=1)
        ax.set_xticks(ticks, [f"{v:g}" for v in marks])
        ax.set_yticks(ticks, [f"{v:g}" for v in marks])
        tag(ax, name)
        colour_bar(image, ax, "|u|, clipped")
    for ax in axes[-2:]:
        ax.set_xlabel("β")
    for ax in axes[::2]:
        ax.set_ylabel("γ")
    return fig


def flow(toy: xr.Dataset, words: xr.Dataset) -> Figure:
    """Error of the equations against eta; distance of the flow from a transformer."""
    fig, (left, right) = canvas(2, 2.8)
    kinds = {"first order": FIRST, "second order": SECOND, "second order, decay rate": GREY}
    for name, colour in kinds.items():
        part = toy.toy_error.sel(equation=name).sortby("eta")
        over_seeds(left, part, "eta", colour, name)
    x = np.sort(toy.eta.values)
    left.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="largest |flow - Adam|")
    left.set_xticks(x, [f"{v:g}" for v in x])
    left.set_xticks([], minor=True)
    key(left)
    error = words.flow_error.assign_coords(flow_step=np.arange(words.sizes["flow_step"]))
    styles = (("first order", FIRST, "first order"), ("second order", SECOND, "second order"))
    for name, colour, label in styles:
        over_seeds(right, error.sel(driven_by=name), "flow_step", colour, label)
    other = error.sel(driven_by="second order, other order of gradients")
    over_seeds(right, other, "flow_step", GREY, "gradients reversed")
    right.axhline(0.05, color=GREY, ls=":", lw=1)
    right.set(xlabel=f"{STEP} of a transformer", ylabel="distance over path")
    key(right)
    return fig


CONDITION_COLOURS = ("#1d9185", "#2b6fb5", "#8a63b8", "#b8432f", "#c77d12", "#a83c7e")


def growth_in_training(data: xr.Dataset) -> Figure:
    """Largest update at the most unstable point, and the loss beside it, by learning rate: full
    batch above, mini-batch below."""
    fig, axes = canvas(4, 2.4)
    n = data.growth_step.values
    part = data.isel(growth_point=-1)
    beta, gamma = float(part.growth_beta), float(part.growth_gamma)
    for row, regime in enumerate(data.regime.values[:2]):
        one = part.sel(regime=regime)
        for name, colour in zip(data.condition.values, CONDITION_COLOURS, strict=False):
            for ax, values in ((axes[2 * row], one.growth_update), (axes[2 * row + 1],
                               one.growth_loss)):  # fmt: skip
                middle = values.sel(condition=name).median("seed", skipna=True)
                ax.plot(n, middle, color=colour, lw=1.6, label=str(name))
        axes[2 * row].plot(n, bounds.exact_bound(beta, gamma, n), "--", color=INK, lw=1)
        axes[2 * row].set(ylim=(0.3, 1e9), ylabel=UPDATE)
        axes[2 * row + 1].set(ylabel="loss [nats]")
        for ax in axes[2 * row : 2 * row + 2]:
            ax.set(yscale="log", xscale="log", xlabel=STEP)
            tag(ax, str(regime))
    key(axes[1], title="learning rate", title_fontsize=8, loc="lower left")
    return fig


def silence(data: xr.Dataset) -> Figure:
    """ln of the largest update of every run against r_d times the silence of its weight."""
    fig, (ax,) = canvas(1, 3.0, 5.2)
    rate = bounds.exact_rate(data.growth_beta.values, data.growth_gamma.values)
    for p, colour in ((1, SECOND), (2, UNSTABLE)):
        one = data.isel(growth_point=p)
        label = f"({float(one.growth_beta):g}, {float(one.growth_gamma):g})"
        x = rate[p] * one.growth_silence.values.ravel()
        y = np.log(np.maximum(one.growth_most.values.ravel(), 1))
        ax.plot(x, y, "o", ms=4, alpha=0.6, color=colour, label=label)
        other = rate[p] * one.growth_elsewhere.values.ravel()
        ax.plot(other, y, "x", ms=4, alpha=0.5, color=GREY, label="another weight" * (p == 1))
    top = max(ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot([0, top], [0, top], "--", color=GREY, lw=1, label="as predicted")
    ax.set(xlabel="$r_d$ × steps without a gradient", ylabel="ln of the largest update")
    key(ax)
    return fig


def transformer_updates(data: xr.Dataset) -> Figure:
    """Largest update of transformers along the curve, and its rate against the predicted one."""
    fig, (left, right) = canvas(2, 2.8)
    n = data.language_step.values
    shown = (0, data.sizes["curve"] - 1)
    for i, colour in zip(shown, (UNSTABLE, STABLE), strict=True):
        part = data.isel(curve=i)
        beta, gamma = float(part.curve_beta), float(part.curve_gamma)
        over_seeds(left, part.language_update, "language_step", colour,
                   f"C = {float(part.curve_exponent):.3f}")  # fmt: skip
        left.plot(n, bounds.exact_bound(beta, gamma, n), "--", color=colour, lw=1)
    left.set(yscale="log", xlabel=STEP, ylabel=UPDATE)
    key(left)
    outside = data.isel(curve=np.flatnonzero(data.curve_exponent.values < 0))
    rate = outside.bound_rate.values
    measured = outside.language_rate.reset_coords(drop=True)
    points(right, rate, measured, UNSTABLE, "transformer", ls="none")
    ends = np.array([0, rate.max() * 1.1])
    right.plot(ends, ends, "--", color=GREY, lw=1, label="as predicted")
    right.plot(ends, 0.75 * ends, ":", color=GREY, lw=1, label="margin")
    right.set(xlabel="rate of the bound [1/step]", ylabel="measured rate [1/step]")
    key(right)
    return fig


def dashboard(data: xr.Dataset) -> Figure:
    """Largest update of every tensor, at the least stable point."""
    fig, (ax,) = canvas(1, 3.4, 6.2)
    part = data.layer_update.isel(curve=0).mean("seed").transpose("parameter", "language_step")
    image = ax.pcolormesh(
        part.language_step, np.arange(part.sizes["parameter"]), part, norm=LogNorm(0.5, 10),
        cmap="magma_r", shading="nearest",
    )  # fmt: skip
    ax.set_xlabel(STEP)
    ax.set_yticks(range(part.sizes["parameter"]), [str(n) for n in part.parameter.values])
    ax.tick_params(axis="y", labelsize=8)
    colour_bar(image, ax, UPDATE)
    return fig
