"""Figures of pair learners: memory, onsets, worlds that were changed, and the power of designs."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from synthcore.evidence.statistics import t_interval
from synthcore.explorers.collapse import Curves
from synthcore.figures import (
    CONCEPTS,
    GREY,
    INK,
    canvas,
    half_width,
    heat,
    key,
    over_seeds,
    points,
    tag,
)
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.claims.pairs import onset_factor, onset_times
from synthcore.studies.percolation.experiments.graphs import PROPORTIONAL, WIDENING
from synthcore.studies.percolation.measure.scaling import (
    at_best,
    exponents,
    power_to_tell,
    slopes,
)

WARM, COLD, THIRD = (
    CONCEPTS["retrieval"],
    CONCEPTS["inference"],
    CONCEPTS["unigram retrieval"],
)
EXPOSURES = {1: "-", 2: "--", 3: "-."}
DESIGNS = ((3, 4), (3, 16), (5, 16), (5, 64), (7, 64))  # sizes, factor from first to last
SEEDS = (3, 5, 8, 12, 24)
CLOCKS = (
    *("double batch", "spare tokens", "circulant", "double entities", "double properties"),
    *("density 0.5", "classes 2", "classes 8"),
)
DOTS: dict[str, Any] = {"marker": "o", "ms": 4, "capsize": 2}


def memory(data: xr.Dataset) -> Figure:
    """Probability on edges, on other pairs of the class, and on other classes."""
    fig, axes = canvas(2, 2.7, sharey=True)
    for ax, size in zip(axes, data.properties.values[[0, -1]].tolist(), strict=True):
        one = data.sel(properties=size, drop=True).isel(step=slice(1, None))
        for values, colour, words in (
            (one.edge_mass, WARM, "edges"),
            (one.class_mass - one.edge_mass, COLD, "same class, never shown"),
            (1 - one.class_mass, GREY, "other classes"),
        ):
            over_seeds(ax, values, "step", colour, words)
        ax.set(xscale="log", xlabel="update", ylim=(0, 1.05))
        tag(ax, f"|K| = {size}")
    axes[0].set_ylabel("probability of properties")
    key(axes[0], loc="upper left")
    return fig


def onsets(data: xr.Dataset) -> Figure:
    """When the class is noticed against |K|, with the lines of percolation after n presentations,
    each scaled to the smallest |K|. What is not noticed stands at the end of the run."""
    fig, (ax,) = canvas(1, 3.0, 5.4)
    times = onset_times(data).clip(max=float(data.step[-1]))
    sizes, start = times.properties.values, float(times.isel(properties=0).mean())
    points(ax, sizes, times.transpose("seed", "properties"), COLD, "pair learner")
    entities, classes = int(data.attrs["entities"]), int(data.attrs["classes"])
    for n, style in EXPOSURES.items():
        line = np.array(
            [
                theory.critical_mentions(entities, int(k), classes, float(data.attrs["density"]), n)
                for k in sizes
            ]
        )
        ax.plot(sizes, line / line[0] * start, color=GREY, lw=1, ls=style, label=f"n = {n}")
    low, high = t_interval(slopes(times, "properties"))
    tag(ax, f"slope, 95 % interval over seeds: {low:.2f} to {high:.2f}")
    ax.set_ylabel("update at 1.5 times chance")
    _log_log(ax, sizes)
    return fig


def _log_log(ax: Axes, sizes: np.ndarray) -> None:
    ax.set(xscale="log", yscale="log", xlabel="number of properties |K|")
    ax.minorticks_off()
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:.0f}")
    key(ax)


def power_table(noise: float) -> xr.DataArray:
    """Probability of telling an exponent of one half from one third, at this noise of log onsets,
    for every design and number of seeds. Telling it from 1 is easier in every one."""
    table = [
        [power_to_tell(noise, sizes, factor, n, 1 / 2, 5 / 12) for n in SEEDS]
        for sizes, factor in DESIGNS
    ]
    names = [f"{sizes} sizes, × {factor}" for sizes, factor in DESIGNS]
    return xr.DataArray(table, {"design": names, "seeds": list(SEEDS)}, ("design", "seeds"))


def design(pair_noise: float, graph_noise: float) -> Figure:
    """The power of designs at the pair learner's noise, and at that of simulated graphs."""
    fig, axes = canvas(2, 2.8, sharey=True)
    for ax, noise, words in (
        (axes[0], pair_noise, "pair learner"),
        (axes[1], graph_noise, "simulated graphs"),
    ):
        heat(ax, power_table(noise), "design", "seeds", "power", annot=True, fmt=".2f", vmin=0,
             vmax=1, cbar=False)  # fmt: skip
        ax.set(xlabel="seeds", ylabel="")
        scatter = (
            f"onsets scatter by {noise:.0%}" if np.isfinite(noise) else "no onsets in this run"
        )
        tag(ax, f"{words}: {scatter}")
    return fig


# --- worlds -------------------------------------------------------------------------------------


def densities(data: xr.Dataset) -> Figure:
    """What is learned of pairs that a path joins, and that none joins: over the density of the
    graph, and over training where each class is in four fragments."""
    fig, (left, right) = canvas(2, 2.9)
    names = [str(w) for w in data.world.values if str(w).startswith("density") or w == "base"]
    one = data.sel(world=names)
    critical = one.classes / np.sqrt(one.entities * one.properties)
    ratio = (one.degree.mean("seed") / (one.properties / one.classes) / critical).values
    order = ratio.argsort()
    for odds, colour, words in (
        (one.odds_joined, COLD, "joined by a path"),
        (one.odds_apart, WARM, "same class, not joined"),
    ):
        values = at_best(odds, one.odds_joined).transpose("seed", "world").values[:, order]
        known = np.isfinite(values).all(0)
        x, y = ratio[order][known], values[:, known]
        left.errorbar(x, y.mean(0), half_width(y), label=words, color=colour, **DOTS)
    left.axvline(1, color=GREY, ls=":", lw=1)
    left.set(xscale="log", xlabel="edge density / p$_c$ of a class", ylabel="log odds [nats]")
    left.xaxis.set_minor_formatter(NullFormatter())
    tag(left, "density of the graph")
    if "fragments 4" in data.world.values:
        cut = data.sel(world="fragments 4").isel(step=slice(1, None))
        over_seeds(right, cut.odds_joined.reset_coords(drop=True), "step", COLD, "joined")
        over_seeds(right, cut.odds_apart.reset_coords(drop=True), "step", WARM, "not joined")
    right.set(xscale="log", xlabel="update")
    tag(right, "each class in four fragments")
    for ax in (left, right):
        ax.axhline(0, color=GREY, lw=0.8)
        key(ax)
    return fig


def clocks(data: xr.Dataset) -> Figure:
    """Times of the onset in other worlds, over the base world's."""
    fig, (ax,) = canvas(1, 2.8, 5.6)
    names = [name for name in CLOCKS if name in data.world.values]
    values = np.stack([onset_factor(data, name).values for name in names], 1)
    place = np.arange(len(names))
    ax.errorbar(values.mean(0), place, xerr=half_width(values), ls="none", color=COLD, **DOTS)
    for x, words in ((0.5, "½"), (1.0, "1"), (2**0.5, "√2")):
        ax.axvline(x, color=GREY, lw=0.8, ls="-" if x == 1 else ":")
        ax.annotate(words, (x, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
                    textcoords="offset points", ha="center", fontsize=8.5)  # fmt: skip
    ax.set_yticks(place, names)
    ax.invert_yaxis()
    ax.set(xlabel="time of the onset / base world's")
    return fig


def noise(data: xr.Dataset) -> Figure:
    """Best log odds against the share of edges that go to any class."""
    fig, (ax,) = canvas(1, 2.6, 5.0)
    names = ["base", *(str(w) for w in data.world.values if str(w).startswith("noise"))]
    one = data.sel(world=names)
    best = one.odds.max("step").transpose("seed", "world")
    points(ax, one.noise.values, best.reset_coords(drop=True), COLD)
    base = data.sel(world="base")
    degree = float(base.degree.mean())
    limit = theory.detectable_noise(degree, degree * float(base.entities / base.properties))
    ax.axvline(limit, color=INK, ls="--", lw=1.1)
    ax.annotate("detectable\nup to here", (limit, 0.95), xycoords=("data", "axes fraction"),
                xytext=(-4, 0), textcoords="offset points", ha="right", va="top",
                fontsize=8)  # fmt: skip
    ax.set(xlabel="share of edges sent to any class", ylabel="best log odds [nats]")
    return fig


# --- collapse -----------------------------------------------------------------------------------


def collapsible(pairs: xr.Dataset, languages: xr.Dataset, graphs: xr.Dataset) -> list[Curves]:
    """What the collapse explorer shows: mean curves of the pair learner, of the transformers where
    there are at least two |K|, and of simulated graphs."""
    found = [_curves("pair learner, class", pairs.class_mass, 1 / pairs.attrs["classes"])]
    one = languages.isel(entities=0, drop=True)
    if one.sizes["properties"] > 1:
        floor = 1 / languages.attrs["classes"]
        found.append(_curves("transformers, class", one.class_mass, floor))
        found.append(_curves("transformers, syntax", one.syntax, float(one.syntax[:, 1].max())))
    for name, sizes, edges, joined, label in (
        ("both sides grow", [e * k for e, k in PROPORTIONAL], graphs.proportional_edges,
         graphs.proportional_joined, "|E||K|"),
        ("|E| fixed", [k for _, k in WIDENING], graphs.widening_edges, graphs.widening_joined,
         "|K|"),
    ):  # fmt: skip
        found.append(
            Curves(
                f"simulated graphs, {name}",
                sizes,
                edges.mean("seed").values,
                joined.mean("seed").values,
                size=label,
                time="edges",
            )
        )
    return found


def _curves(name: str, values: xr.DataArray, floor: float) -> Curves:
    table = values.isel(step=slice(1, None)).transpose("seed", "properties", "step").fillna(floor)
    low, high = t_interval(exponents(table, "properties", floor))
    return Curves(
        name,
        [float(size) for size in table.properties.values],
        table.step.values.astype(float),
        table.mean("seed").values,
        floor,
        interval=(low, high) if np.isfinite([low, high]).all() else None,
    )
