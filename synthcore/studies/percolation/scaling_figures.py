"""Figures of scaling and of interventions: dataset in, matplotlib figure out."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from synthcore.evidence.statistics import t_interval
from synthcore.figures import GREY, INK, half_width, key, panels, points, tag
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.collapse import collapse, growth_part
from synthcore.studies.percolation.figures import COLOURS, size_colour
from synthcore.studies.percolation.onsets import censored, exponents, over_sizes, slopes
from synthcore.studies.percolation.shown import metrics

MARKS = (0.0, 0.5, 1.0, 1.5)
EXPOSURES = {1: "-", 2: "--", 3: "-.", 10: ":"}


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
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:.0f}")
    key(ax, fontsize=7)
