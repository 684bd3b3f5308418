"""Figures of the tied network: the swing-by, its parts, its stages, its dependence on the data.

Networks trained on samples are drawn as lines; closed forms and exact flows are dashed.
"""

import numpy as np
import torch
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, band, half_width, key, panels, tag
from synthcore.studies.sim_concept_learning import theory
from synthcore.studies.sim_concept_learning.drawing import (
    ENTRY_COLOURS,
    ID,
    MINOR,
    OOD,
    STRONG,
    TAU,
    WEAK,
    ood_loss,
    output,
)

Array = np.ndarray


def _signals(data: xr.Dataset) -> tuple[Array, Array, float, float]:
    """mu, a, omega and rho of the swing-by network."""
    mu = np.asarray(data.attrs["mu"], dtype=float)
    a = mu**2 / 2 + float(data.attrs["sigma"]) ** 2
    return mu, a, float(data.attrs["omega"]), float(data.attrs["rho"])


def _closed_form(data: xr.Dataset, tau: Array) -> dict[str, Array]:
    """T4 for the swing-by network."""
    _, a, omega, rho = _signals(data)
    strong, minor, weak = theory.two_concepts(
        torch.tensor(tau), a[1], a[0], omega, omega * rho, omega * (1 - rho**2)
    )
    return {"weak": weak.numpy(), "minor": minor.numpy(), "strong": strong.numpy()}


def swing_by(data: xr.Dataset) -> Figure:
    """The output's path, the two losses, and the entries of W: trained networks, with T4 dashed."""
    mu, *_ = _signals(data)
    fig, (path, losses, entries) = panels(3, 3.4, 3.9)
    tau = data.tau.values
    names = {"swing-by": OOD, "rho 0": "#13a07f", "rho -0.5": GREY}
    for name, colour in names.items():
        w = data.tied_w.sel(tied_condition=name).transpose("seed", "tau", "entry").values
        f = output(w, mu).mean(0)
        rho = float(data.tied_rho.sel(tied_condition=name))
        path.plot(f[:, 0], f[:, 1], color=colour, lw=1.8, label=f"ρ = {rho:g}")
        band(losses, tau, ood_loss(w, mu), colour, f"OOD, ρ = {rho:g}", thin=0)
    exact = _closed_form(data, tau)
    stacked = np.stack([exact["weak"], exact["minor"], exact["strong"]], axis=-1)
    path.plot(*output(stacked, mu).T, "--", color=OOD, lw=1)
    path.plot(*mu, "k*", ms=12)
    path.plot([0, mu[0]], [0, mu[1]], ":", color=GREY, lw=0.8)
    losses.plot(tau, ood_loss(stacked, mu), "--", color=OOD, lw=1)
    train = data.tied_train_loss.sel(tied_condition="swing-by").transpose("seed", "tau").values
    band(losses, tau, train, ID, "training", thin=0)
    w = data.tied_w.sel(tied_condition="swing-by")
    for name, colour in ENTRY_COLOURS.items():
        band(entries, tau, w.sel(entry=name).transpose("seed", "tau").values, colour, f"w {name}")
        entries.plot(tau, exact[name], "--", color=colour, lw=1)
    path.set_xlabel("$f_1$, weak concept [signal units]")
    path.set_ylabel("$f_2$, strong concept [signal units]")
    losses.set_xlabel(TAU)
    losses.set_ylabel("loss [signal units squared]")
    entries.set_xlabel(TAU)
    entries.set_ylabel("entry of W")
    for ax in (path, losses, entries):
        key(ax, fontsize=7.5)
    return fig


def decomposition(data: xr.Dataset) -> Figure:
    """Growth, suppression and interaction of every entry along the trained path, and their sum
    against finite differences.
    """
    _, a, *_ = _signals(data)
    mean = data.tied_w.sel(tied_condition="swing-by").mean("seed").transpose("tau", "entry").values
    w = torch.tensor(mean[:, [[0, 1], [1, 2]]], dtype=torch.float64)
    parts = theory.growth_suppression_interaction(w, torch.as_tensor(a))
    measured = data.velocity_measured.mean("seed") / 2  # from clock t to clock tau
    fig, axes = panels(3, 3.0, 3.7)
    tau = data.tau.values
    places = {"strong": (1, 1), "minor": (0, 1), "weak": (0, 0)}
    for ax, (name, (i, j)) in zip(axes, places.items(), strict=True):
        grow, suppress, interact = (part[:, i, j].numpy() for part in parts)
        ax.fill_between(tau, 0, grow, color="#13a07f", alpha=0.35, lw=0, label="growth G")
        ax.fill_between(tau, 0, -suppress, color=STRONG, alpha=0.35, lw=0, label="-S suppression")
        ax.fill_between(
            tau,
            -suppress,
            -suppress - interact,
            color=GREY,
            alpha=0.5,
            lw=0,
            label="-N interaction",
        )
        ax.plot(tau, measured.sel(entry=name), color="k", lw=1.6, label="measured, half of dw/dt")
        ax.plot(tau, grow - suppress - interact, "--", color=MINOR, lw=1.2, label="G - S - N")
        ax.axhline(0, color=GREY, lw=0.6)
        tag(ax, f"w {name}", color=ENTRY_COLOURS[name])
        ax.set_xlabel(TAU, fontsize=8)
    axes[0].set_ylabel("rate of change (per τ)")
    key(axes[1], fontsize=7, loc="lower right")
    return fig


def slopes(data: xr.Dataset) -> Figure:
    """The minor entry on a log axis: three phases with their limiting slopes."""
    a = _signals(data)[1]
    fig, (ax,) = panels(1, 3.3, 5.8)
    tau = data.slope_tau.values
    for rho, colour in zip(data.slope_rho.values, ("#9ecae1", "#4292c6", "#08306b"), strict=True):
        minor = data.slope_minor.sel(slope_rho=rho).values
        ax.plot(tau, minor, color=colour, lw=1.6, label=f"ρ = {rho:g}")
    strong, weak = a[1], a[0]
    start = theory.initial(1e-4, float(data.slope_rho[-1]), 2)
    times = theory.logistic_time(0.5, theory.pivots(start, torch.as_tensor(a)), a.tolist()).numpy()
    second, first = times
    minor = data.slope_minor.isel(slope_rho=-1).values
    guides = [
        (0.2 * first, strong + weak, (0, first)),
        ((first + second) / 2, -(strong - weak) / 2, (first, second)),
        (second + 3 / weak, -(strong + weak), (second, tau[-1])),
    ]
    for middle, slope, (low, high) in guides:
        at = np.exp(np.interp(middle, tau, np.log(minor)))
        inside = np.linspace(low, high, 20)
        ax.plot(inside, at * np.exp(slope * (inside - middle)), "--", color=MINOR, lw=1.1)
        ax.annotate(
            f"{slope:+.2f}",
            (middle, at),
            xytext=(14, 4),
            textcoords="offset points",
            fontsize=8,
            color=MINOR,
        )
    ax.set_yscale("log")
    ax.set_ylim(max(float(minor.min()), 1e-12), 1)
    ax.set_xlabel(TAU)
    ax.set_ylabel("minor entry $w_{12}$")
    key(ax)
    return fig


def spreads(data: xr.Dataset) -> Figure:
    """Draw-up against sigma; open: points near the test rejected."""
    fig, (ax,) = panels(1, 3.0, 5.2)
    names = data.tied_condition.values.tolist()
    rows = ["swing-by", *(name for name in names if name.startswith("sigma "))]
    for chosen, colour, symbol, label in (
        (rows, OOD, "o-", "all points"),
        (
            [n for n in names if n.startswith("rejection")],
            MINOR,
            "D",
            "points near $\\hat x$ rejected",
        ),
    ):
        part = data.tied_draw_up.sel(tied_condition=chosen).transpose("seed", "tied_condition")
        sigma = data.tied_sigma.sel(tied_condition=chosen).values
        ax.errorbar(
            sigma,
            part.mean("seed"),
            half_width(part.values),
            fmt=symbol,
            color=colour,
            ms=5,
            lw=1.4,
            mfc="none" if symbol == "D" else colour,
            label=label,
        )
    sgd = data.tied_sgd_draw_up.values
    ax.errorbar(
        [float(data.tied_sigma.sel(tied_condition="swing-by"))],
        [sgd.mean()],
        [half_width(sgd)],
        fmt="s",
        color=WEAK,
        ms=6,
        mfc="none",
        label="batches instead of all samples",
    )
    ax.set_ylim(bottom=-0.003)
    ax.set_xlabel("spread σ of the clusters [signal units]")
    ax.set_ylabel("draw-up of the OOD loss (share of its start)")
    key(ax)
    return fig
