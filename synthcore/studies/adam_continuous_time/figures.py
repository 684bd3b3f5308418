"""Figures about Adam's updates: flow, square of (beta, gamma), growth. Dataset -> figure."""

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, key, over_seeds, panels, points, tag
from synthcore.studies.adam_continuous_time import task, theory
from synthcore.studies.adam_continuous_time.dataset import tuned
from synthcore.studies.adam_continuous_time.drawing import (
    ADAM,
    FLOW,
    SLOW,
    STABLE,
    STEP,
    UNSTABLE,
    UPDATE,
    WEDGE,
)
from synthcore.studies.adam_continuous_time.streams import updates

RECIPES = {
    (0.9, 0.999): "Adam, PyTorch",
    (0.9, 0.95): "language models",
    (0.9, 0.98): "first transformer",
    (0.95, 0.95): "equal betas",
}


def dying_example(beta: float, gamma: float, seed: int = 0, steps: int = 60) -> Figure:
    """One coordinate whose gradients stop at step 20: gradient, averages, update."""
    fig, (left, right) = panels(2, 2.7, 4.4)
    pair = np.array([beta]), np.array([gamma])
    g, _ = task.stream("dying", steps, 1, np.random.default_rng(seed), *pair)
    n = np.arange(1, steps + 1)
    left.vlines(n, 0, g[:, 0, 0], color=GREY, lw=1.2)
    left.axhline(0, color=INK, lw=0.6)
    left.set_xlabel(STEP)
    left.set_ylabel("gradient")
    u = np.abs([float(x[0, 0]) for x in updates(g, *pair)])
    right.plot(n, u, color=INK, lw=1.6, label="update |u|")
    right.plot(n, theory.exact_bound(beta, gamma, n), "--", color=UNSTABLE, lw=1.2, label="bound")
    right.axvline(task.DYING_AT, color=GREY, lw=0.8, ls=":")
    right.set_yscale("log")
    right.set_xlabel(STEP)
    right.set_ylabel("[learning rates]")
    key(right)
    return fig


def flow_figure(data: xr.Dataset) -> Figure:
    """Toy weights under Adam and both equations, and the error against eta."""
    fig, (left, right) = panels(2, 3.1, 4.4)
    eta = float(data.eta.max())
    start = data.toy_path.sel(toy_curve="Adam").isel(toy_step=0)
    styles = {"Adam": (ADAM, "-"), "first order": (SLOW, ":"), "second order": (FLOW, "--")}
    for name, (colour, style) in styles.items():
        path = data.toy_path.sel(toy_curve=name) - start
        for i in range(path.sizes["weight"]):
            left.plot(
                path.toy_step, path.isel(weight=i), style, color=colour, lw=1.5,
                label=name if i == 0 else None,
            )  # fmt: skip
    left.set_xlabel(f"step (eta = {eta:g})")
    left.set_ylabel("weight minus its start")
    key(left)
    kinds = {"first order": SLOW, "second order": FLOW, "second order, decay rate": GREY}
    for name, colour in kinds.items():
        for decay, style in ((0.0, "-"), (0.5, ":")):
            label = name if decay == 0 else ""
            part = data.toy_error.sel(equation=name, toy_decay=decay)
            over_seeds(right, part.sortby("eta"), "eta", colour, label, style)
    x = np.sort(data.eta.values)
    low = float(data.toy_error.sel(toy_decay=0.0, equation="second order").mean("seed").max())
    right.plot(x, low * (x / x[-1]) ** 2, color=INK, lw=0.8, ls="--", label="slope 2")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xticks(x, [f"{v:g}" for v in x])
    right.set_xticks([], minor=True)
    right.set_xlabel("learning rate eta (dotted curves: with weight decay)")
    right.set_ylabel("largest |flow - Adam|")
    key(right)
    return fig


def flow_of_transformer(data: xr.Dataset) -> Figure:
    """A few weights of a transformer, the flow under its gradients, and the distance."""
    fig, (left, right) = panels(2, 3.0, 4.4)
    shown = ((0, ADAM, "-", "Adam"), (1, SLOW, ":", "first order"), (2, FLOW, "--", "second order"))
    for row, colour, style, name in shown:
        path = data.flow_path.isel(path=row) - data.flow_path.isel(path=0, flow_step=0)
        lines = left.plot(path.values, style, color=colour, lw=1.3)
        lines[0].set_label(name)
    left.set_xlabel(STEP)
    left.set_ylabel("weight minus its start")
    key(left)
    steps = data.flow_error.assign_coords(flow_step=np.arange(data.sizes["flow_step"]))
    for order, (name, colour) in enumerate((("first order", SLOW), ("second order", FLOW))):
        over_seeds(right, steps.isel(order=order), "flow_step", colour, name)
    right.axhline(0.05, color=GREY, ls=":", lw=1)
    right.annotate("5 %", (0, 0.05), xytext=(2, 2), textcoords="offset points", fontsize=8)
    right.set_xlabel(STEP)
    right.set_ylabel("distance over length of path")
    key(right)
    return fig


def square() -> Figure:
    """C over the square, both frontiers, the wedge, popular settings; and a close-up."""
    fig, axes = panels(2, 3.9, 4.4)
    for ax, low in zip(axes, (0.02, 0.8), strict=True):
        axis = np.linspace(low, 0.9995, 300)
        beta, gamma = np.meshgrid(axis, axis)
        c = np.clip(theory.exponent(beta, gamma), -1, 1)
        norm = TwoSlopeNorm(0, -1 if low < 0.5 else -0.25, 1 if low < 0.5 else 0.25)
        image = ax.pcolormesh(beta, gamma, c, cmap="RdBu", norm=norm, rasterized=True)
        fig.colorbar(image, ax=ax, label="C (clipped)", shrink=0.85)
        ax.fill_between(
            axis, theory.frontier(axis), theory.continuous_frontier(axis), color=WEDGE, alpha=0.8,
            lw=0, label="wedge",
        )  # fmt: skip
        ax.plot(axis, theory.continuous_frontier(axis), color=INK, lw=1.3, label="C = 0")
        ax.plot(axis, theory.frontier(axis), "--", color=INK, lw=1.3, label="gamma = beta²")
        ax.set_xlim(low, 1)
        ax.set_ylim(low, 1.004)
        ax.set_xlabel("beta (beta_1)")
        ax.set_ylabel("gamma (beta_2)")
    for (beta_, gamma_), name in RECIPES.items():
        for ax in axes:
            ax.plot(beta_, gamma_, "o", ms=5, mfc="white", mec=INK)
        offset, side = ((-7, -3), "right") if beta_ < 0.95 else ((7, -3), "left")
        axes[1].annotate(
            name, (beta_, gamma_), (-7, -10) if gamma_ > 0.99 else offset, fontsize=7.5, ha=side,
            textcoords="offset points",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
        )  # fmt: skip
    axes[0].legend(fontsize=8, loc="lower right", facecolor="white", framealpha=0.9, labelcolor=INK)
    return fig


def envelopes(data: xr.Dataset) -> Figure:
    """Largest update against steps for four points: streams below both envelopes."""
    chosen = [(0.9, 0.999), (0.9, 0.815), (0.99, 0.95), (0.95, 0.8)]
    fig, axes = panels(4, 2.6, 4.3, rows=2)
    n = data.stream_step.values
    colours = {"worst case": UNSTABLE, "dying": "#7a4fa3", "sparse 0.02": SLOW, "dense": FLOW}
    for ax, (beta, gamma) in zip(axes, chosen, strict=True):
        hit = (data.point_beta == beta) & (data.point_gamma == gamma)
        part = data.stream_update.isel(point=int(np.flatnonzero(hit)[0]))
        for name, colour in colours.items():
            over_seeds(ax, part.sel(stream=name), "stream_step", colour, name)
        ax.plot(n, theory.exact_bound(beta, gamma, n), "--", color=INK, lw=1.1, label="T3, exact")
        ax.plot(n, theory.continuous_bound(beta, gamma, n), ":", color=INK, lw=1.5, label="T2")
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.3)
        tag(ax, f"({beta:g}, {gamma:g}): {theory.region(beta, gamma)}")
    for ax in axes[2:]:
        ax.set_xlabel(STEP)
    for ax in axes[::2]:
        ax.set_ylabel(UPDATE, fontsize=8)
    key(axes[0], ncols=2)
    return fig


def growth_map(data: xr.Dataset) -> Figure:
    """The bound within the map's steps, and what streams of falling density reach of it."""
    fig, axes = panels(1 + data.sizes["map_density"], 3.0, 3.1, sharey=True)
    norm = LogNorm(1, 1e4)
    edges = np.arange(data.sizes["map_beta"] + 1)
    tables = [("bound (T3)", data.map_bound)]
    tables += [
        (f"gradients in {d:.0%} of steps", data.map_update.sel(map_density=d))
        for d in data.map_density.values
    ]
    axis = data.map_beta.values
    ticks = [float(np.abs(axis - v).argmin()) + 0.5 for v in (0.5, 0.9, 0.99, 0.999)]
    for ax, (name, table) in zip(axes, tables, strict=True):
        values = np.clip(table.transpose("map_gamma", "map_beta").values, 1, 1e4)
        image = ax.pcolormesh(edges, edges, values, norm=norm, cmap="magma_r", rasterized=True)
        step = np.interp(axis**2, axis, np.arange(len(axis)) + 0.5)
        ax.plot(np.arange(len(axis)) + 0.5, step, "--", color=INK, lw=1)
        ax.set_xticks(ticks, ["0.5", "0.9", "0.99", "0.999"], fontsize=8)
        ax.set_yticks(ticks, ["0.5", "0.9", "0.99", "0.999"], fontsize=8)
        ax.set_xlabel("beta")
        tag(ax, name)
    axes[0].set_ylabel("gamma")
    fig.colorbar(image, ax=axes, label="largest |u|, clipped")
    return fig


def growth_rates(data: xr.Dataset) -> Figure:
    """Measured against predicted growth rate: streams on the line, networks below it."""
    fig, (left, right) = panels(2, 3.3, 4.4)
    exact = theory.exact_rate(data.point_beta.values, data.point_gamma.values)
    left.axline((0, 0), slope=1, color=GREY, lw=0.8)
    points(left, exact, data.dying_rate, "#7a4fa3", "dying coordinate", ls="none")
    points(left, np.maximum(exact, 0), data.worst_rate, UNSTABLE, "worst case", ls="none")
    left.set_xlabel("predicted rate r_d [per step]")
    left.set_ylabel("measured rate [per step]")
    key(left)
    colours = dict(zip(data.regime.values, (STABLE, FLOW, "#7a4fa3", SLOW, UNSTABLE), strict=True))
    predicted = theory.exact_rate(data.growth_beta.values, data.growth_gamma.values)
    shift = np.linspace(-0.006, 0.006, len(colours))
    right.axline((0, 0), slope=1, color=GREY, lw=0.8)
    for (name, colour), dx in zip(colours.items(), shift, strict=True):
        rate = data.growth_rate.sel(regime=name)
        points(right, predicted + dx, rate, colour, str(name), ls="none")
    right.set_xlabel("predicted rate r_d [per step]")
    right.set_ylabel("fitted rate, steps 5 to 60")
    key(right)
    return fig


def growth_in_training(data: xr.Dataset) -> Figure:
    """Largest update of image networks against steps, one panel per point."""
    fig, axes = panels(data.sizes["growth_point"], 2.8, 3.0)
    colours = (STABLE, FLOW, "#7a4fa3", SLOW, UNSTABLE)
    n = data.growth_step.values
    for i, ax in enumerate(axes):
        part = data.isel(growth_point=i)
        beta, gamma = float(part.growth_beta), float(part.growth_gamma)
        for name, colour in zip(data.regime.values, colours, strict=True):
            over_seeds(ax, part.growth_update.sel(regime=name), "growth_step", colour, str(name))
        ax.plot(n, theory.exact_bound(beta, gamma, n), "--", color=INK, lw=1, label="bound")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(0.3, 1e6)
        ax.set_xlabel(STEP)
        tag(ax, f"({beta:g}, {gamma:g})")
    axes[0].set_ylabel(UPDATE)
    key(axes[0])
    return fig


def curve_updates(data: xr.Dataset) -> Figure:
    """Largest update of the transformer along the normal curve, with both envelopes."""
    chosen = [0, data.sizes["curve"] // 3, data.sizes["curve"] - 1]
    fig, axes = panels(3, 2.8, 3.6, sharey=True)
    n = data.language_step.values
    for ax, i in zip(axes, chosen, strict=True):
        part = data.isel(curve=i)
        beta, gamma = float(part.curve_beta), float(part.curve_gamma)
        over_seeds(
            ax, part.language_update.isel(learning_rate=0), "language_step", FLOW, "training"
        )
        ax.plot(n, theory.exact_bound(beta, gamma, n), "--", color=INK, lw=1.1, label="T3, exact")
        ax.plot(n, theory.continuous_bound(beta, gamma, n), ":", color=INK, lw=1.5, label="T2")
        ax.set_yscale("log")
        ax.set_xlabel(STEP)
        tag(ax, f"C = {float(part.curve_exponent):.3f}: ({beta:.3f}, {gamma:.3f})")
    axes[0].set_ylabel(UPDATE)
    key(axes[0])
    return fig


def dashboard(data: xr.Dataset) -> Figure:
    """Largest update of every tensor of the transformer, least and most stable point."""
    fig, axes = panels(2, 3.4, 4.8, sharey=True)
    for ax, i in zip(axes, (0, -1), strict=True):
        part = data.layer_update.isel(curve=i).transpose("parameter", "language_step")
        image = ax.pcolormesh(
            part.language_step, np.arange(part.sizes["parameter"] + 1)[:-1], part,
            norm=LogNorm(0.5, 10), cmap="magma_r", rasterized=True, shading="nearest",
        )  # fmt: skip
        ax.set_xlabel(STEP)
        tag(ax, f"C = {float(data.curve_exponent[i]):.3f}")
    names = [str(name) for name in data.parameter.values]
    axes[0].set_yticks(range(len(names)), names, fontsize=6.5)
    fig.colorbar(image, ax=axes, label=UPDATE)
    return fig


def loss_against_exponent(data: xr.Dataset) -> Figure:
    """Tuned test loss of the transformer against C, with every learning rate behind it."""
    fig, (ax,) = panels(1, 3.2, 5.6)
    x = data.curve_exponent.values
    for rate in data.learning_rate.values:
        mean = data.test_loss.sel(learning_rate=rate).mean("seed")
        ax.plot(x, mean, lw=0.9, color=GREY, alpha=0.7)
        ax.annotate(
            f"{rate:g}", (x[-1], float(mean[-1])), xytext=(5, -3), textcoords="offset points",
            fontsize=7, color=GREY,
        )  # fmt: skip
    loss = tuned(data.test_loss, data.validation_loss, "learning_rate")
    points(ax, x, loss, FLOW, "best rate by validation")
    ax.axvline(0, color=INK, lw=0.8, ls="--")
    ax.set_xlabel("C(β, γ); the flow is unstable left of 0")
    ax.set_ylabel("test loss [nats per symbol]")
    key(ax)
    return fig
