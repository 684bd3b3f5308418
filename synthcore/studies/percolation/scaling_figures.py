"""Figures of scaling and of interventions: dataset in, matplotlib figure out."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.evidence.statistics import t_interval
from synthcore.figures import GREY, INK, half_width, key, level, panels, points, tag
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.collapse import collapse, growth_part
from synthcore.studies.percolation.decisions import curve
from synthcore.studies.percolation.figures import COLOURS, size_colour
from synthcore.studies.percolation.onsets import censored, exponents, over_sizes, slopes
from synthcore.studies.percolation.pair_decisions import onset_factor, peak_odds

MARKS = (0.0, 0.5, 1.0, 1.5)
EXPOSURES = (1, 2, 3, 10)
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


def metrics(data: xr.Dataset, entities: int = 0) -> dict[str, tuple[xr.DataArray, float]]:
    """Name -> curves over properties, seed and step, and their floor."""
    one = data.isel(entities=entities, drop=True)
    chance = 1 / data.attrs["classes"]
    return {
        "descriptive check": (one.descriptive, chance),
        "class probability": (one.class_mass * one.descriptor_mass, chance),
        "exact match, descriptive": (curve(one, "exact_descriptive"), 0.0),
        "syntax (first rise)": (one.syntax, float(one.syntax.isel(step=0).max())),
    }


def collapsed(data: xr.Dataset) -> Figure:
    """F5: growth parts on rescaled time, and the residual of every exponent."""
    shown = metrics(data)
    fig, axes = panels(2 * len(shown), rows=2, height=2.5, width=2.9)
    for top, bottom, (name, (values, floor)) in zip(
        axes[: len(shown)], axes[len(shown) :], shown.items(), strict=True
    ):
        sizes = values.properties.values
        per_seed = exponents(values, "properties", floor)
        nu = float(per_seed.mean())
        mean = values.mean("seed").transpose("properties", "step").values
        grown = growth_part(mean, floor)
        centre = np.exp(np.log(sizes).mean())
        for i, size in enumerate(sizes):
            colour = size_colour(i, len(sizes))
            time = data.step.values / (size / centre) ** nu
            top.plot(time, grown[i], color=colour, lw=1.6, label=f"|K| = {size}")
            top.plot(data.step, grown[i], color=colour, lw=0.8, ls=":")
        top.set(xscale="log", xlabel="step / |K|$^ν$ (dotted: step)")
        tag(top, name)
        found = collapse(data.step.values, mean, sizes, floor)
        bottom.plot(found.exponents, found.residual, color=INK)
        low, high = t_interval(per_seed)
        bottom.axvspan(low, high, color=COLOURS["descriptive"], alpha=0.2, lw=0)
        bottom.axvline(nu, color=COLOURS["descriptive"])
        for mark in MARKS:
            bottom.plot(mark, found.at(mark), "o", color=COLOURS["relative"], ms=4)
        bottom.set(xlabel="exponent ν", xlim=(-0.5, 2.5), ylim=(0, None))
        tag(bottom, f"ν = {nu:.2f}, 95 % interval {low:.2f} to {high:.2f}")
    axes[0].set_ylabel("growth part")
    axes[len(shown)].set_ylabel("residual (nats)")
    key(axes[0])
    return fig


def onset_times(data: xr.Dataset) -> Figure:
    """F6: time at which classes are noticed (1.5 times chance) against |K|, with the lines of
    n-exposure percolation, each scaled to the smallest |K|."""
    columns = 1 + ("class_mass" in data and data.sizes["properties"] > 1)
    fig, axes = panels(columns, width=4.2, height=3.4)
    ax = axes[0]
    chance = 1.5 / data.attrs["pair_classes"]
    times = over_sizes(data.pair_class_mass, "pair_properties", lambda c: censored(c, chance))
    sizes = times.pair_properties.values
    points(ax, sizes, times.transpose("seed", "pair_properties"), COLOURS["descriptive"], "pair learner")
    _exposure_lines(ax, data, sizes, float(times.isel(pair_properties=0).mean()), "pair_entities")
    slope = slopes(times, "pair_properties")
    tag(ax, f"pair learner: slope {float(slope.mean()):.2f} ± {float(half_width(slope)):.2f}")
    if columns == 2:
        _transformer_onsets(axes[1], data)
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlabel="|K|")
        ax.minorticks_off()
    axes[0].set_ylabel("step")
    for ax, values in zip(axes, (sizes, data.properties.values), strict=False):
        ax.set_xticks(values, [str(v) for v in values])
    key(axes[0], fontsize=7)
    return fig


def _exposure_lines(
    ax: Axes, data: xr.Dataset, sizes: np.ndarray, start: float, entities: str
) -> None:
    """Critical mentions for n presentations, with one factor that fits the smallest |K|."""
    e = int(data.attrs.get(entities, data.entities.values[0] if "entities" in data else 0))
    classes = int(data.attrs["pair_classes"])
    for n, style in zip(EXPOSURES, ("-", "--", "-.", ":"), strict=True):
        line = [
            theory.critical_mentions(e, int(k), classes, float(data.attrs["density"]), n)
            for k in sizes
        ]
        scaled = np.array(line) / line[0] * start
        ax.plot(sizes, scaled, color=GREY, lw=1, ls=style, label=f"n = {n}")


def _transformer_onsets(ax: Axes, data: xr.Dataset) -> None:
    chance = 1.5 / data.attrs["classes"]
    sizes = data.properties.values
    shown = [("grammatical", 0.9, "grammar"), ("relative", 0.5, "relative")]
    one = data.isel(entities=0, drop=True)
    labels = []
    for name, at, colour in shown:
        times = over_sizes(one[name], "properties", lambda c, at=at: censored(c, at))
        points(ax, sizes, times.transpose("seed", "properties"), COLOURS[colour], name)
    for i, marker in zip(range(data.sizes["entities"]), "os", strict=False):
        rows = data.isel(entities=i, drop=True).class_mass
        times = over_sizes(rows, "properties", lambda c: censored(c, chance))
        label = f"class, |E| = {int(data.entities[i])}"
        points(ax, sizes, times.transpose("seed", "properties"), COLOURS["descriptive"], label, marker=marker, mfc="white" if i else None)
        labels.append(f"{float(slopes(times, 'properties').mean()):.2f}")
    tag(ax, f"transformer: slope of the class {' and '.join(labels)}")
    key(ax, fontsize=7)


def as_seeds(values: xr.DataArray) -> xr.DataArray:
    """The same with the pair learner's seeds as seeds."""
    return values.rename(pair_seed="seed").drop_vars("seed") if "pair_seed" in values.dims else values


def interventions(data: xr.Dataset) -> Figure:
    """F9: what the pair learner generalises to when the graph is changed by hand."""
    fig, axes = panels(4, rows=2, width=4.0, height=2.9)
    _densities(axes[0], data)
    _fragments(axes[1], data)
    _noise(axes[2], data)
    _clocks(axes[3], data)
    return fig


def _densities(ax: Axes, data: xr.Dataset) -> None:
    names = [str(w) for w in data.world.values if str(w).startswith("density") or w == "base"]
    one = data.sel(world=names)
    critical = one.world_classes / np.sqrt(one.world_entities * one.world_properties)
    of_class = one.world_properties / one.world_classes
    ratio = (one.world_degree.mean("pair_seed") / of_class / critical).values
    order = ratio.argsort()
    joined = one.world_joined_share.mean("pair_seed").values
    ax.plot(ratio[order], joined[order], "--", color=INK, label="same-class pairs joined by edges")
    best = peak_odds(one).transpose("pair_seed", "world").values[:, order]
    ax.errorbar(ratio[order], best.mean(0) / 4, half_width(best) / 4, color=COLOURS["descriptive"], marker="o", ms=4, capsize=2, label="peak log odds / 4")
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
    one = data.sel(world=names)
    points(ax, one.world_noise.values, as_seeds(peak_odds(one)), COLOURS["descriptive"])
    degree = float(data.sel(world="base").world_degree.mean())
    entities, properties = (float(data.sel(world="base")[f"world_{n}"]) for n in ("entities", "properties"))
    limit = theory.detectable_noise(degree, degree * entities / properties)
    ax.axvline(limit, color=INK, ls="--", lw=1.1)
    ax.annotate("detectable\nup to here", (limit, 0.9), xycoords=("data", "axes fraction"), xytext=(-4, 0), textcoords="offset points", ha="right", va="top", fontsize=7)
    ax.set(xlabel="share of edges replaced by edges to any class", ylabel="peak log odds (nats)", xlim=(-0.05, 1))
    tag(ax, "edges across classes")


def _clocks(ax: Axes, data: xr.Dataset) -> None:
    names = [name for name in CLOCKS if name in data.world.values]
    values = np.stack([onset_factor(data, w).values for w in names], 1)
    place = np.arange(len(names))
    ax.errorbar(values.mean(0), place, xerr=half_width(values), fmt="o", color=COLOURS["descriptive"], ms=4, capsize=2)
    ax.axvline(1, color=GREY, lw=0.8)
    for x, words in ((0.5, "½"), (2**0.5, "√2")):
        ax.axvline(x, color=GREY, lw=0.8, ls=":")
        ax.annotate(words, (x, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=8)
    ax.set_yticks(place, names, fontsize=8)
    ax.invert_yaxis()
    ax.set(xlabel="time to 1.5 times chance, relative to the base world")
