"""Figures of scaling and of interventions: dataset in, matplotlib figure out."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.evidence.statistics import t_interval
from synthcore.figures import GREY, INK, half_width, key, panels, points, tag
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.collapse import collapse, growth_part
from synthcore.studies.percolation.figures import COLOURS, size_colour
from synthcore.studies.percolation.onsets import censored, exponents, over_sizes, slopes
from synthcore.studies.percolation.pair_decisions import onset_factor, peak_odds
from synthcore.studies.percolation.shown import metrics

MARKS = (0.0, 0.5, 1.0, 1.5)
DOTS: dict[str, Any] = {"color": COLOURS["descriptive"], "marker": "o", "ms": 4, "capsize": 2}
EXPOSURES = {1: "-", 2: "--", 3: "-.", 10: ":"}
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


def collapsed(data: xr.Dataset) -> Figure:
    """F5: growth parts on rescaled time, and the residual of every exponent."""
    shown = metrics(data)
    fig, axes = panels(2 * len(shown), rows=2, height=2.5, width=2.9)
    for top, bottom, (name, (values, floor)) in zip(
        axes[: len(shown)], axes[len(shown) :], shown.items(), strict=True
    ):
        per_seed = exponents(values, "properties", floor)
        _rescaled(top, values, floor, float(per_seed.mean()))
        tag(top, name)
        _residual(bottom, values, floor, per_seed)
    axes[0].set_ylabel("growth part")
    axes[len(shown)].set_ylabel("residual (nats)")
    key(axes[0], fontsize=7)
    return fig


def _rescaled(ax: Axes, values: xr.DataArray, floor: float, nu: float) -> None:
    """Mean curves over step / |K|^nu, and dotted over the step itself."""
    sizes, steps = values.properties.values, values.step.values
    mean = values.mean("seed").transpose("properties", "step").values
    centre = np.exp(np.log(sizes).mean())
    for i, (size, grown) in enumerate(zip(sizes, growth_part(mean, floor), strict=True)):
        colour = size_colour(i, len(sizes))
        ax.plot(steps / (size / centre) ** nu, grown, color=colour, lw=1.6, label=f"|K| = {size}")
        ax.plot(steps, grown, color=colour, lw=0.8, ls=":")
    ax.set(xscale="log", xlabel="step / |K|$^ν$ (dotted: step)")


def _residual(ax: Axes, values: xr.DataArray, floor: float, per_seed: xr.DataArray) -> None:
    """Residual of the mean curves; the seeds' mean exponent and its interval."""
    mean = values.mean("seed").transpose("properties", "step").values
    found = collapse(values.step.values, mean, values.properties.values, floor)
    low, high = t_interval(per_seed)
    nu = float(per_seed.mean())
    ax.plot(found.exponents, found.residual, color=INK)
    ax.axvspan(low, high, color=COLOURS["descriptive"], alpha=0.2, lw=0)
    ax.axvline(nu, color=COLOURS["descriptive"])
    for mark in MARKS:
        ax.plot(mark, found.at(mark), "o", color=COLOURS["relative"], ms=4)
    ax.set(xlabel="exponent ν", xlim=(-0.5, 2.5), ylim=(0, None))
    tag(ax, f"ν = {nu:.2f}, 95 % interval {low:.2f} to {high:.2f}")


def onset_times(data: xr.Dataset) -> Figure:
    """F6: time at which classes are noticed (1.5 times chance) against |K|, with the lines of
    n-exposure percolation, each scaled to the smallest |K|."""
    both = "class_mass" in data and data.sizes["properties"] > 1
    fig, axes = panels(1 + both, width=4.2, height=3.4)
    _pair_onsets(axes[0], data)
    if both:
        _transformer_onsets(axes[1], data)
    axes[0].set_ylabel("step")
    return fig


def _pair_onsets(ax: Axes, data: xr.Dataset) -> None:
    entities, classes = int(data.attrs["pair_entities"]), int(data.attrs["pair_classes"])
    times = over_sizes(
        data.pair_class_mass, "pair_properties", lambda c: censored(c, 1.5 / classes)
    )
    sizes, start = times.pair_properties.values, float(times.isel(pair_properties=0).mean())
    values = times.transpose("seed", "pair_properties")
    points(ax, sizes, values, COLOURS["descriptive"], "pair learner")
    for n, style in EXPOSURES.items():
        line = [
            theory.critical_mentions(entities, int(k), classes, float(data.attrs["density"]), n)
            for k in sizes
        ]
        scaled = np.array(line) / line[0] * start
        ax.plot(sizes, scaled, color=GREY, lw=1, ls=style, label=f"n = {n}")
    found = slopes(times, "pair_properties")
    tag(ax, f"pair learner: slope {float(found.mean()):.2f} ± {float(half_width(found)):.2f}")
    _log_log(ax, sizes)


def _transformer_onsets(ax: Axes, data: xr.Dataset) -> None:
    sizes = data.properties.values

    def times_of(values: xr.DataArray, at: float) -> xr.DataArray:
        found = over_sizes(values, "properties", lambda c: censored(c, at))
        return found.transpose("seed", "properties")

    one = data.isel(entities=0, drop=True)
    points(ax, sizes, times_of(one.grammatical, 0.9), COLOURS["grammar"], "grammar")
    points(ax, sizes, times_of(one.relative, 0.5), COLOURS["relative"], "relative types")
    found = []
    for i, marker in zip(range(data.sizes["entities"]), "os", strict=False):
        rows = data.isel(entities=i, drop=True).class_mass
        times = times_of(rows, 1.5 / data.attrs["classes"])
        label = f"class, |E| = {int(data.entities[i])}"
        fill = {"mfc": "white"} if i else {}
        points(ax, sizes, times, COLOURS["descriptive"], label, marker=marker, **fill)
        found.append(f"{float(slopes(times, 'properties').mean()):.2f}")
    tag(ax, f"transformers: slope of the class {' and '.join(found)}")
    _log_log(ax, sizes)


def _log_log(ax: Axes, sizes: np.ndarray) -> None:
    ax.set(xscale="log", yscale="log", xlabel="|K|")
    ax.minorticks_off()
    ax.set_xticks(sizes, [str(size) for size in sizes])
    key(ax, fontsize=7)


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
    joined = one.world_joined_share.mean("pair_seed").values
    ax.plot(ratio[order], joined[order], "--", color=INK, label="share of pairs joined by a path")
    best = peak_odds(one).transpose("pair_seed", "world").values[:, order] / 4
    ax.errorbar(ratio[order], best.mean(0), half_width(best), label="peak log odds / 4", **DOTS)
    ax.axvline(1, color=GREY, ls=":", lw=1)
    ax.set(xscale="log", xlabel="edge density / p$_c$ of a class", ylim=(0, 1.05))
    tag(ax, "density of the graph")
    key(ax, fontsize=7)


def _fragments(ax: Axes, data: xr.Dataset) -> None:
    one = data.sel(world="fragments 4")
    for name, colour, words in (
        ("world_odds_joined", COLOURS["descriptive"], "joined by a path"),
        ("world_odds_apart", COLOURS["relative"], "same class, not joined"),
    ):
        values = one[name].transpose("pair_seed", "world_step").values
        ax.plot(data.world_step, values.T, color=colour, lw=0.6, alpha=0.3)
        ax.plot(data.world_step, values.mean(0), color=colour, lw=1.8, label=words)
    ax.axhline(0, color=GREY, lw=0.8)
    ax.set(xscale="log", xlabel="step", ylabel="log odds (nats)")
    tag(ax, "each class in four fragments")
    key(ax, fontsize=7)


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
