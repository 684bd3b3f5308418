"""Figures of maps: draw-ups over initialisations, multiple descents, and the law of the pivots."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, key, panels, tag
from synthcore.studies.sim_concept_learning import decisions, exact, frequencies, maps, theory
from synthcore.studies.sim_concept_learning.drawing import (
    MINOR,
    OOD,
    STRONG,
    TAU,
    WEAK,
)

if TYPE_CHECKING:
    import pandas as pd


def draw_up_maps(data: xr.Dataset) -> Figure:
    """DU over (omega, rho) and (a_weak / a_strong, rho): integrated left, T4 right."""
    fig, axes = panels(4, 3.0, 4.0, rows=2, sharey=True)
    cells = [
        (name, kind) for name in ("map_omega", "map_ratio") for kind in ("simulated", "closed_form")
    ]
    high = max(float(data[f"{name}_simulated"].max()) for name in ("map_omega", "map_ratio"))
    labels = {"map_omega": "size ω of W(0)", "map_ratio": "$a_{weak}/a_{strong}$"}
    for ax, (name, kind) in zip(axes, cells, strict=True):
        table = data[f"{name}_{kind}"].transpose("map_rho", name)
        image = ax.pcolormesh(
            data[name], data.map_rho, table, cmap="magma_r", vmin=0, vmax=high, shading="nearest"
        )
        ax.contour(data[name], data.map_rho, table, levels=[0.02], colors=["#13a07f"])
        if name == "map_omega":
            ax.set_xscale("log")
            ax.plot(data.attrs["omega"], data.attrs["rho"], "*", color="white", mec="k", ms=11)
        ax.set_xlabel(labels[name])
        tag(ax, "integrated" if kind == "simulated" else "T4, closed form")
    for ax in (axes[0], axes[2]):
        ax.set_ylabel("alikeness ρ of W(0)")
    fig.colorbar(image, ax=axes, label="draw-up of the OOD loss (share of its start)")
    return fig


def draw_up_of_networks(sweep: "pd.DataFrame") -> Figure:
    """DU of networks trained on samples over the size of the start, one colour per alikeness;
    integrated field and T4 as lines."""
    fig, [ax] = panels(1, 3.4, 5.2)
    shades = plt.get_cmap("viridis")
    groups = sweep.sort_values("omega").groupby("rho")
    for i, (rho, part) in enumerate(groups):
        colour = shades(0.85 * i / max(len(groups) - 1, 1))
        ax.plot(part.omega, part.draw_up_integrated, color=colour, lw=1.2)
        ax.plot(part.omega, part.draw_up_closed_form, "--", color=colour, lw=1.2)
        ax.errorbar(
            part.omega,
            part.draw_up,
            part.draw_up_half_width,
            fmt="o",
            ms=4,
            capsize=2,
            color=colour,
            label=f"ρ = {rho:g}",
        )
    ax.plot([], [], color=GREY, lw=1.2, label="integrated")
    ax.plot([], [], "--", color=GREY, lw=1.2, label="T4, closed form")
    ax.set(xscale="log", yscale="log", xlabel="size ω of W(0)", ylabel="draw-up of the OOD loss")
    key(ax)
    return fig


def depth_and_dimension(data: xr.Dataset) -> Figure:
    """Share of random initialisations whose draw-up exceeds x: by depth, one panel per dimension;
    last, Gaussian U of the tied network by hidden width.
    """
    dimensions = data.dimension.values.tolist()
    fig, axes = panels(len(dimensions) + 1, 3.1, 3.4, sharey=True)
    shades = plt.get_cmap("viridis")
    x = np.geomspace(1e-3, 2, 200)
    for ax, d in zip(axes[:-1], dimensions, strict=True):
        for k, depth in enumerate(data.depth.values.tolist()):
            rise = data.deep_draw_up.sel(dimension=d, depth=depth).values
            colour = shades(0.85 * k / max(data.sizes["depth"] - 1, 1))
            ax.plot(x, [(rise > level).mean() for level in x], color=colour, lw=1.6)
            value, (low, high) = frequencies.share(rise > decisions.LARGE)
            ax.errorbar(
                decisions.LARGE * 1.06**k,
                value,
                [[value - low], [high - value]],
                fmt="o",
                color=colour,
                ms=4,
                label=f"{depth} layer{'s' if depth > 1 else ''}",
            )
        ax.set_xscale("log")
        tag(ax, f"deep linear, d = {d}")
        ax.set_xlabel("draw-up x (share of start)")
    for size, shade in zip(data["size"].values, (WEAK, MINOR), strict=True):
        rises = data.gaussian_draw_up.sel(size=size)
        found = [
            frequencies.share(rises.sel(hidden=h).values > decisions.LARGE) for h in data.hidden
        ]
        values = np.array([f for f, _ in found])
        ends = np.array([ends for _, ends in found])
        axes[-1].errorbar(
            data.hidden,
            values,
            [values - ends[:, 0], ends[:, 1] - values],
            fmt="o-",
            color=shade,
            ms=4,
            label=f"mean $w_{{pp}}(0)$ = {size:g}",
        )
    axes[-1].set_xscale("log", base=2)
    axes[-1].set_xticks(data.hidden.values, [str(h) for h in data.hidden.values])
    axes[-1].set_xlabel("hidden units d' of the tied network")
    tag(axes[-1], "Gaussian U: draw-up > 2 %")
    axes[0].set_ylabel("share of initialisations above x")
    key(axes[0], fontsize=7.5)
    key(axes[-1], fontsize=7.5)
    return fig


def multiple_descents(data: xr.Dataset) -> Figure:
    """OOD loss of the draw with the most descents, three and four concepts; how often each number
    of descents occurs.
    """
    fig, axes = panels(3, 3.1, 3.7)
    for ax, s in zip(axes, data.setting.values.tolist(), strict=False):
        loss = data.search_loss.sel(setting=s)
        ax.plot(data.search_tau[1:], loss[1:], color=OOD, lw=1.8)
        most = int(data.descents.values[data.search_count.sel(setting=s).values > 0].max())
        tag(ax, f"{s} concepts, {most} descents")
        ax.set_xscale("log")
        ax.set_xlabel(TAU)
    axes[0].set_ylabel("OOD loss (share of its start)")
    for k, (s, colour) in enumerate(zip(data.setting.values.tolist(), (WEAK, MINOR), strict=True)):
        count = data.search_count.sel(setting=s)
        shown = slice(1, 7)
        share = (count / count.sum()).values[shown]
        axes[2].bar(
            data.descents.values[shown] + 0.4 * k - 0.2,
            share,
            0.38,
            color=colour,
            label=f"{s} concepts",
        )
    axes[2].set_yscale("log")
    axes[2].set_ylim(1e-5, 1)
    axes[2].set_xlabel("descents of the OOD loss")
    axes[2].set_ylabel("share of random W(0)")
    key(axes[2])
    return fig


def pivot_law(data: xr.Dataset) -> Figure:
    """Predicted against measured arrival: by the pivot (coloured), by the diagonal entry (grey)."""
    fig, (left, right) = panels(2, 3.6, 4.2)
    measured = data.pivot_measured.values
    left.plot(measured, data.pivot_naive, "o", color=GREY, ms=4, alpha=0.7, label="diagonal entry")
    for s, colour in ((2, WEAK), (3, "#13a07f"), (4, STRONG)):
        chosen = data.pivot_concepts.values == s
        left.plot(
            measured[chosen],
            data.pivot_law.values[chosen],
            "o",
            ms=4,
            color=colour,
            label=f"pivot, {s} concepts",
        )
    ends = [measured.min() * 0.9, measured.max() * 1.1]
    left.plot(ends, ends, "--", color="k", lw=0.8)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("measured τ(.8)")
    left.set_ylabel("predicted τ(.8)")
    key(left, fontsize=7.5)
    known = data.failure_naive.notnull().values & data.failure_measured.notnull().values
    waited = data.failure_measured.values[known]
    for values, colour, label in (
        (data.failure_naive.values[known], GREY, "diagonal entry"),
        (data.failure_law.values[known], STRONG, "pivot"),
    ):
        right.plot(waited, values, ".", ms=3, color=colour, alpha=0.6, label=label)
    ends = [waited.min() * 0.9, waited.max() * 1.1]
    right.plot(ends, ends, "--", color="k", lw=0.8)
    right.plot(ends, [end / 5 for end in ends], ":", color="k", lw=0.8)
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_ylim(ends[0] / 6, ends[1])
    right.set_xlabel("measured τ(.1) of the weakest concept")
    right.set_ylabel("predicted τ(.1); dotted: five times late")
    key(right, fontsize=7.5)
    return fig


def failure(data: xr.Dataset) -> Figure:
    """The latest draw: major entries, OOD loss, the arrival by diagonal and by pivot."""
    mu, sigma = exact.FAILURE
    a = theory.strengths(mu, sigma)
    w0 = torch.tensor(data.failure_start.values, dtype=torch.float64)
    weakest = int(a.argmin())
    naive = float(theory.logistic_time(0.1, w0[weakest, weakest], a[weakest]))
    law = float(theory.logistic_time(0.1, theory.pivots(w0, a)[weakest], a[weakest]))
    tau = maps.log_times(0.02, 1.6 * law, 400)
    w = theory.integrate(w0, a, tau)
    loss = theory.ood_loss(w, mu)
    fig, (ax,) = panels(1, 3.3, 6.0)
    for p, colour in enumerate((WEAK, "#13a07f", STRONG)):
        ax.plot(tau[1:], w[1:, p, p], color=colour, lw=1.6, label=f"w of μ = {mu[p]:g}")
    ax.plot(tau[1:], loss[1:] / loss[0], color=OOD, lw=1.6, ls="-.", label="OOD loss / start")
    for time, name, colour in ((naive, "diagonal says", GREY), (law, "pivot says", WEAK)):
        ax.axvline(time, color=colour, ls=":", lw=1.2)
        ax.annotate(
            name,
            (time, 1.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=8,
            color=colour,
        )
    ax.axhline(0.1, color=GREY, lw=0.6)
    ax.set_xscale("log")
    ax.set_xlabel(TAU)
    ax.set_ylabel("entry of W; loss")
    key(ax)
    return fig
