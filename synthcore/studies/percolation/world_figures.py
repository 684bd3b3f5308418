"""Figures of worlds that were changed by hand: dataset in, matplotlib figure out."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, band, half_width, key, panels, tag
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.figures import COLOURS
from synthcore.studies.percolation.onsets import at_best
from synthcore.studies.percolation.pair_decisions import onset_factor, peak_odds

KINDS = {"joined": COLOURS["descriptive"], "apart": COLOURS["relative"]}
DOTS: dict[str, Any] = {"color": COLOURS["descriptive"], "marker": "o", "ms": 4, "capsize": 2}
CLOCKS = (
    "double batch",
    "spare tokens",
    "circulant",
    "double entities",
    "double properties",
    "density 0.5",
    "classes 2",
    "classes 8",
)


def interventions(data: xr.Dataset) -> Figure:
    """F9: what the pair learner generalises to when the graph is changed by hand."""
    fig, axes = panels(4, rows=2, width=4.0, height=2.9)
    for ax, draw in zip(axes, (_densities, _fragments, _noise, _clocks), strict=True):
        draw(ax, data)
    return fig


def _densities(ax: Axes, data: xr.Dataset) -> None:
    names = [str(w) for w in data.world.values if str(w).startswith("density") or w == "base"]
    one = data.sel(world=names)
    critical = one.world_classes / np.sqrt(one.world_entities * one.world_properties)
    of_class = one.world_properties / one.world_classes
    ratio = (one.world_degree.mean("pair_seed") / of_class / critical).values
    order = ratio.argsort()
    for name, words in (("joined", "joined by a path"), ("apart", "same class, not joined")):
        best = at_best(one[f"world_odds_{name}"], one.world_odds_joined)
        values = best.transpose("pair_seed", "world").values[:, order]
        known = np.isfinite(values).all(0)
        x, y = ratio[order][known], values[:, known]
        ax.errorbar(x, y.mean(0), half_width(y), label=words, **DOTS | {"color": KINDS[name]})
    ax.axvline(1, color=GREY, ls=":", lw=1)
    ax.axhline(0, color=GREY, lw=0.8)
    ax.set(xscale="log", xlabel="edge density / p$_c$ of a class", ylabel="log odds (nats)")
    share = ax.twinx()
    joined = one.world_joined_share.mean("pair_seed").values
    share.plot(ratio[order], joined[order], "--", color=INK)
    share.set(ylim=(-0.02, 1.05), ylabel="share joined (dashed)")
    tag(ax, "density of the graph")
    ax.set_ylim(-6, None)  # room for the key
    key(ax, fontsize=7, loc="lower right")


def _fragments(ax: Axes, data: xr.Dataset) -> None:
    one = data.sel(world="fragments 4")
    _two_kinds(ax, one.rename(pair_seed="member"), "world_step", "world_odds")
    tag(ax, "each class in four fragments")


def _noise(ax: Axes, data: xr.Dataset) -> None:
    names = ["base", *(str(w) for w in data.world.values if str(w).startswith("noise"))]
    one, base = data.sel(world=names), data.sel(world="base")
    best = peak_odds(one).rename(pair_seed="member").transpose("member", "world").values
    ax.errorbar(one.world_noise.values, best.mean(0), half_width(best), **DOTS)
    degree = float(base.world_degree.mean())
    other_side = degree * float(base.world_entities / base.world_properties)
    limit = theory.detectable_noise(degree, other_side)
    ax.axvline(limit, color=INK, ls="--", lw=1.1)
    ax.annotate(
        "detectable\nup to here",
        (limit, 0.95),
        xycoords=("data", "axes fraction"),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=7,
    )
    ax.set(xlabel="share of edges sent to any class", ylabel="peak log odds (nats)")
    tag(ax, "edges across classes")


def _clocks(ax: Axes, data: xr.Dataset) -> None:
    names = [name for name in CLOCKS if name in data.world.values]
    values = np.stack([onset_factor(data, name).values for name in names], 1)
    place = np.arange(len(names))
    ax.errorbar(values.mean(0), place, xerr=half_width(values), ls="none", **DOTS)
    for x, words in ((0.5, "½"), (1.0, "1"), (2**0.5, "√2")):
        ax.axvline(x, color=GREY, lw=0.8, ls="-" if x == 1 else ":")
        ax.annotate(
            words,
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    ax.set_yticks(place, names, fontsize=8)
    ax.invert_yaxis()
    ax.set(xlabel="time to 1.5 times chance / base world's")


def _two_kinds(ax: Axes, data: xr.Dataset, time: str, prefix: str) -> None:
    """Log odds of never-shown pairs of a class, joined by a path of shown pairs or not."""
    for name, words in (("joined", "joined by a path"), ("apart", "same class, not joined")):
        values = data[f"{prefix}_{name}"]
        member = next(str(d) for d in values.dims if d != time)
        table = values.transpose(member, time).values.astype(float)
        band(ax, data[time].values, table, KINDS[name], words)
    ax.axhline(0, color=GREY, lw=0.8)
    ax.set(xscale="log", xlabel="step", ylabel="log odds (nats)")
    key(ax, fontsize=7)


def bridges(data: xr.Dataset) -> Figure:
    """Transformers on fragmented classes, by what sentences there are."""
    fig, axes = panels(3, sharey=True, width=3.3)
    for ax, name, words in (
        (axes[0], "fragments", "all sentences"),
        (axes[1], "fragments, no verbs", "no verbs"),
        (axes[2], "fragments, one subject", "no verbs, one subject"),
    ):
        _two_kinds(ax, data.sel(variant=name, drop=True), "variant_step", "variant_odds")
        tag(ax, words)
    for ax in axes[1:]:
        ax.set_ylabel("")
    return fig
