"""Figures of the tied network and the exact flow: the swing-by, its parts, its stages, its size.

Networks trained on samples are lines or points; closed forms and exact flows are dashed.
"""

import numpy as np
import torch
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import (
    CONCEPTS,
    GREY,
    canvas,
    colour_bar,
    key,
    over_seeds,
    points,
    shades,
    tag,
)
from synthcore.studies.sim_concept_learning import theory
from synthcore.studies.sim_concept_learning.experiments import flow, tied
from synthcore.studies.sim_concept_learning.figures.networks import MINOR, STRONG, THIRD, WEAK

OOD, ID = CONCEPTS["out of distribution"], CONCEPTS["in distribution"]
ENTRY_COLOURS = {"weak": WEAK, "minor": MINOR, "strong": STRONG}
NAMES = {"weak": "$w_{11}$, weak", "minor": "$w_{12}$, minor", "strong": "$w_{22}$, strong"}
TAU = "clock τ = 2 × step size × steps"


def _path(data: xr.Dataset, condition: str, mu: tuple[float, float]) -> xr.DataArray:
    """Mean output at x^ over training, (tau, 2)."""
    w = data.w.sel(condition=condition).mean("seed")
    weak, minor, strong = (w.sel(entry=name, drop=True) for name in tied.ENTRIES)
    outputs = [weak * mu[0] + minor * mu[1], minor * mu[0] + strong * mu[1]]
    return xr.concat(outputs, "concept").transpose("tau", "concept")


def swing_by(data: xr.Dataset, mu: tuple[float, float]) -> Figure:
    """The path of the output and the OOD loss, with alike rows and without minor entries."""
    fig, (path, losses) = canvas(2, 3.0)
    styles = {tied.ALIKE: (OOD, "rows start alike"), tied.WITHOUT: (THIRD, "no minor entries")}
    for name, (colour, label) in styles.items():
        f = _path(data, name, mu).values
        path.plot(*f.T, color=colour, lw=1.8, label=label)
        loss = data.ood_loss.sel(condition=name).reset_coords(drop=True)
        over_seeds(losses, loss, "tau", colour, label)
    path.plot(*mu, "*", ms=13, color=MINOR)
    path.annotate(
        "test", mu, xytext=(-8, -14), textcoords="offset points", fontsize=8.5, ha="right"
    )
    path.plot([0, mu[0]], [0, mu[1]], ":", color=GREY, lw=0.8)
    path.set(xlabel="$f_1$, weak concept", ylabel="$f_2$, strong concept")
    losses.set(xlabel=TAU, ylabel="loss at the unseen test point")
    key(path, loc="lower right")
    return fig


def entries(data: xr.Dataset, full: xr.Dataset) -> Figure:
    """The entries of W over training, and the minor entry's rate of change in its parts."""
    fig, (left, right) = canvas(2, 3.0)
    w = data.w.sel(condition=tied.ALIKE).reset_coords(drop=True)
    for name, colour in ENTRY_COLOURS.items():
        over_seeds(left, w.sel(entry=name, drop=True), "tau", colour, NAMES[name])
    left.set(xlabel=TAU, ylabel="entry of W")
    key(left)
    minor = full.sel(entry="minor").mean("seed")
    tau = full.tau.values
    right.fill_between(tau, 0, minor.growth, color=THIRD, alpha=0.35, lw=0, label="growth G")
    right.fill_between(tau, 0, -minor.suppression, color=STRONG, alpha=0.35, lw=0,
                       label="suppression -S")  # fmt: skip
    right.plot(tau, minor.velocity_measured, color=OOD, lw=1.6, label="measured")
    right.plot(tau, minor.velocity_field, "--", color=MINOR, lw=1.2, label="G - S - N")
    right.axhline(0, color=GREY, lw=0.6)
    right.set(xlabel=TAU, ylabel="rate of the minor entry [1/τ]")
    key(right)
    return fig


def foretold(data: xr.Dataset) -> Figure:
    """Draw-up and time of the loss maximum of every seed against the exact flow from its start."""
    fig, (size, time) = canvas(2, 2.9)
    main = data.sel(condition=tied.ALIKE)
    pairs = (
        (size, main.flow_draw_up, main.draw_up, "draw-up"),
        (
            time,
            main.flow_time.sel(event="loss maximum"),
            main.time.sel(event="loss maximum"),
            "τ of the loss maximum",
        ),
    )
    for ax, predicted, measured, name in pairs:
        ax.plot(predicted, measured, "o", ms=4, color=OOD, alpha=0.6, label="one seed")
        both = np.concatenate([predicted.values, measured.values])
        ends = [np.nanmin(both), np.nanmax(both)]
        ax.plot(ends, ends, "--", color=GREY, lw=1, label="as foretold")
        ax.set(xlabel=f"{name}, exact flow", ylabel=f"{name}, network")
    size.plot(main.closed_form_draw_up, main.draw_up, "x", ms=4, color=MINOR, label="by T4")
    key(size)
    return fig


def slopes(data: xr.Dataset, mu: tuple[float, float], sigma: float) -> Figure:
    """The minor entry on a log axis: three phases with their limiting slopes."""
    weak, strong = theory.strengths(mu, (sigma,) * 2).tolist()
    fig, (ax,) = canvas(1, 2.9, 5.6)
    tau = data.slope_tau.values
    alike = data.slope_rho.values.tolist()
    for rho, colour in zip(alike, shades(len(alike)), strict=True):
        ax.plot(tau, data.slope_minor.sel(slope_rho=rho), color=colour, label=f"ρ = {rho:g}")
    second, first = data.learned.isel(slope_rho=-1).values.tolist()
    minor = data.slope_minor.isel(slope_rho=-1).values
    guides = (
        (0.2 * first, strong + weak, (0, first)),
        ((first + second) / 2, -(strong - weak) / 2, (first, second)),
        (second + 3 / weak, -(strong + weak), (second, tau[-1])),
    )
    for middle, slope, (low, high) in guides:
        at = np.exp(np.interp(middle, tau, np.log(minor)))
        inside = np.linspace(low, high, 20)
        ax.plot(inside, at * np.exp(slope * (inside - middle)), "--", color=GREY, lw=1.1)
        ax.annotate(f"{slope:+.2f}", (middle, at), xytext=(12, 4), textcoords="offset points",
                    fontsize=8.5)  # fmt: skip
    ax.set_yscale("log")
    ax.set(ylim=(max(float(minor.min()), 1e-12), 1), xlabel=TAU, ylabel="minor entry $w_{12}$")
    key(ax)
    return fig


def spreads(data: xr.Dataset) -> Figure:
    """Draw-up against sigma; open: points near the test rejected."""
    fig, (ax,) = canvas(1, 2.7, 5.2)
    names = data.condition.values.tolist()
    rows = [tied.ALIKE, *(name for name in names if name.startswith("sigma "))]
    wide = data.draw_up.sel(condition=rows)
    points(ax, wide.spread, wide.reset_coords(drop=True), OOD, "all samples")
    near = data.draw_up.sel(condition=[tied.REJECTED])
    label = "samples near the test rejected"
    points(ax, near.spread, near.reset_coords(drop=True), MINOR, label, marker="D", mfc="none")
    ax.set(ylim=(-0.003, None), xlabel="spread σ of the clusters")
    ax.set_ylabel("draw-up of the OOD loss")
    key(ax)
    return fig


def draw_up_maps(data: xr.Dataset) -> Figure:
    """DU over (omega, rho) and (a_weak / a_strong, rho), integrated; 2 % by T4 dashed."""
    fig, (left, right) = canvas(2, 3.0, sharey=True)
    high = float(max(data.by_size.max(), data.by_ratio.max()))
    panels = (
        (left, data.map_omega, data.by_size, data.by_size_closed_form, "size ω of W(0)"),
        (right, data.map_ratio, data.by_ratio, data.by_ratio_closed_form, "$a_{1}/a_{2}$"),
    )
    for ax, x, table, closed, label in panels:
        image = ax.pcolormesh(
            x, data.map_rho, table.T, cmap="magma_r", vmin=0, vmax=high, shading="nearest"
        )
        ax.contour(x, data.map_rho, table.T, levels=[0.02], colors=[THIRD])
        ax.contour(x, data.map_rho, closed.T, levels=[0.02], colors=[THIRD], linestyles="--")
        ax.set_xlabel(label)
    left.set_xscale("log")
    left.set_ylabel("alikeness ρ of the rows")
    colour_bar(image, right, "draw-up of the OOD loss")
    return fig


def multiple_descents(data: xr.Dataset) -> Figure:
    """OOD loss of the draw with the most descents, three and four concepts; how often each number
    of descents occurs.
    """
    fig, (left, right) = canvas(2, 2.8)
    for s, colour in zip(data.concepts.values.tolist(), (WEAK, MINOR), strict=True):
        found = data.descents.sel(concepts=s)
        best = found.max("draw").argmax("seed")
        loss = data.best_loss.sel(concepts=s).isel(seed=best)
        most = int(found.max())
        left.plot(data.search_tau[1:], loss[1:], color=colour, label=f"{s} concepts: {most}")
        count = np.bincount(found.values.ravel(), minlength=7)[1:7] / found.size
        right.bar(np.arange(1, 7) + 0.4 * (s - 3.5), count, 0.38, color=colour,
                  label=f"{s} concepts")  # fmt: skip
    left.set_xscale("log")
    left.set(xlabel=TAU, ylabel="OOD loss, share of its start")
    right.set_yscale("log")
    right.set(ylim=(1e-4, 1), xlabel="descents of the OOD loss", ylabel="share of random W(0)")
    key(left, title="descents", title_fontsize=8)
    key(right)
    return fig


def pivot_law(laws: xr.Dataset, searches: xr.Dataset) -> Figure:
    """Predicted against measured arrival: by the pivot (coloured), by the diagonal entry (grey); on
    a grid of starts, and of the weakest concept from random ones.
    """
    fig, (left, right) = canvas(2, 3.0)
    known = searches.failure_diagonal.notnull() & searches.failure_measured.notnull()
    some = np.flatnonzero(known.values.ravel())[:600]

    def of(values: xr.DataArray) -> np.ndarray:
        return np.asarray(values.values.ravel()[some])

    panels = (
        (left, laws.pivot_measured.values, laws.pivot_law.values, laws.pivot_diagonal.values, 0.8),
        (
            right,
            of(searches.failure_measured),
            of(searches.failure_law),
            of(searches.failure_diagonal),
            flow.FAILURE_PHI,
        ),
    )
    for ax, measured, law, naive, phi in panels:
        ax.plot(measured, naive, ".", ms=4, color=GREY, alpha=0.6, label="diagonal entry")
        ax.plot(measured, law, ".", ms=4, color=STRONG, alpha=0.7, label="pivot")
        ends = [measured.min() * 0.9, measured.max() * 1.1]
        ax.plot(ends, ends, "--", color=GREY, lw=0.9)
        ax.set(xscale="log", yscale="log", xlabel=f"measured τ({phi:g})")
    left.set_ylabel("predicted τ")
    tag(left, "two to four concepts, grid of starts")
    tag(right, "weakest of three, random starts")
    key(left)
    return fig


def slow_down(one: xr.Dataset, full: xr.Dataset) -> Figure:
    """Speed of f(x^): one layer (clock t) and tied (clock tau), with exact slopes dashed."""
    fig, (left, right) = canvas(2, 2.7)
    time = one.speed_time.values
    for name, index, colour in (("(1, 2)", 0, WEAK), ("(2, 2)", -2, THIRD), ("(3, 2)", -1, MINOR)):
        speed = one.one_layer_speed.sel(gain=1.0).isel(condition=index)
        mean = np.exp(np.log(speed).mean("seed")).values
        slowest = float(min(one.a_1[index], one.a_2[index]))
        left.plot(time, mean, color=colour, label=f"μ = {name}")
        left.plot(time, mean[-1] * np.exp(-slowest * (time - time[-1])), "--", color=colour, lw=1)
    tau = full.tau.values
    mean = np.exp(np.log(full.speed).mean("seed")).values
    exact = mean[-1] * np.exp(-2 * full.attrs["a_weak"] * (tau - tau[-1]))
    right.plot(tau, mean, color=OOD, label="tied network")
    right.plot(tau, exact, "--", color=GREY, label="slope $-2a_{min}$")
    for ax in (left, right):
        ax.set_yscale("log")
        key(ax)
    right.set_ylim(mean[-1] / 2, None)
    left.set(xlabel="clock t = step size × steps", ylabel="speed of the output")
    right.set_xlabel(TAU)
    return fig


def failure() -> Figure:
    """A concept that seems lost: three concepts from a start whose last pivot is tiny."""
    mu, sigma = flow.FAILURE
    a = theory.strengths(mu, sigma)
    u = torch.tensor([0.3, 0.35, 0.3], dtype=torch.float64)
    w0 = u[:, None] * u + 2e-5 * torch.eye(3, dtype=torch.float64)
    weakest = int(a.argmin())
    phi = flow.FAILURE_PHI
    naive = float(theory.logistic_time(phi, w0[weakest, weakest], a[weakest]))
    law = float(theory.logistic_time(phi, theory.pivots(w0, a)[weakest], a[weakest]))
    tau = theory.log_times(0.02, 1.6 * law, 400)
    w = theory.integrate(w0, a, tau)
    fig, (ax,) = canvas(1, 2.7, 5.6)
    for p, colour in enumerate((WEAK, THIRD, STRONG)):
        ax.plot(tau[1:], w[1:, p, p], color=colour, label=f"$w$ of μ = {mu[p]:g}")
    loss = theory.ood_loss(w, mu)
    ax.plot(tau[1:], loss[1:] / loss[0], color=OOD, lw=1.2, label="OOD loss")
    for at, name, colour in ((abs(naive), "diagonal", GREY), (law, "pivot", WEAK)):
        ax.axvline(at, color=colour, ls="--", lw=1.1)
        ax.annotate(name, (at, 1.02), xytext=(3, 0), textcoords="offset points", fontsize=8.5)
    ax.set_xscale("log")
    ax.set(xlabel=TAU, ylabel="entry of W; loss")
    key(ax)
    return fig
