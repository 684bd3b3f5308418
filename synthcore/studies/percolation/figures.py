"""Figures of what transformers learn: dataset in, matplotlib figure out."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, band, key, level, over_seeds, panels, tag
from synthcore.studies.percolation.altered import ALTERED, NAMES
from synthcore.studies.percolation.decisions import base, curve, phases
from synthcore.studies.percolation.task import TASKS

COLOURS = {
    "grammar": "#5b3a8c",
    "relative": "#b3541e",
    "descriptive": "#2563b0",
    "both": "#13a07f",
    "given": "#8a6d00",
}
SIZES = ("#c7a76c", "#b3741e", "#8a3b12", "#4a1a05", "#200a02")
ALTERED_COLOURS = (INK, "#6c8ebf", "#2563b0", "#a01830", "#b3541e", "#8a6d00", "#5b3a8c")
TASK_NAMES = {
    "free": "free generation",
    "unscramble": "unscrambling",
    "condition": "conditional generation",
}
PHASES = ("#5b3a8c", "#b3541e", "#2563b0")


def size_colour(index: int, count: int) -> str:
    """From light to dark over the sizes."""
    return SIZES[2 * index if count == 2 else min(index, len(SIZES) - 1)]


def shade(ax: Axes, data: xr.Dataset) -> None:
    """The three phases, from the seeds' mean times, as bands behind the curves."""
    times = [float(np.exp(np.log(t).mean())) for t in phases(data)]
    end = float(data.step[-1])
    bounds = [float(data.step[0]), times[1], max(times[1], times[2]), end]
    names = ("grammar", "relative types", "descriptive types")
    for i, colour in enumerate(PHASES):
        ax.axvspan(bounds[i], max(bounds[i + 1], bounds[i]), color=colour, alpha=0.07, lw=0)
        if bounds[i + 1] > 1.3 * bounds[i]:
            ax.annotate(
                names[i].replace(" ", "\n"),
                (float(np.sqrt(bounds[i] * bounds[i + 1])), 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=7,
                color=colour,
            )


def learning_curves(data: xr.Dataset) -> Figure:
    """F2: checks, unscrambling, conditional generation and losses over training."""
    one = base(data)
    fig, axes = panels(4, rows=2, height=2.9, width=4.0, sharex=True)
    checks, scrambled, given, losses = axes
    for name, words, colour in (
        ("grammatical", "grammatical", "grammar"),
        ("relative", "relative types", "relative"),
        ("descriptive", "descriptive types", "descriptive"),
    ):
        over_seeds(checks, one[name], "step", COLOURS[colour], words)
    level(checks, 1 / data.attrs["classes"], "1 / |C|", style=":")
    checks.set_ylabel("share of samples")
    over_seeds(scrambled, one.tokens, "step", GREY, "right tokens")
    over_seeds(scrambled, one.rearranged, "step", COLOURS["both"], "valid order of the words")
    for sort in ("relative", "descriptive"):
        values = curve(one, f"exact_{sort}")
        over_seeds(scrambled, values, "step", COLOURS[sort], f"exact, {sort}")
    scrambled.set_ylabel("share, unscrambling")
    over_seeds(given, one.conditions, "step", COLOURS["given"], "given words used")
    over_seeds(given, one.all_conditions, "step", INK, "all of them")
    given.set_ylabel("share, conditional generation")
    for task, colour in zip(TASKS, (INK, COLOURS["both"], COLOURS["given"]), strict=True):
        over_seeds(losses, one.loss.sel(task=task), "step", colour, TASK_NAMES[task])
    floor = (one.loss.sel(task="free") - one.excess_loss).mean()
    level(losses, float(floor), "entropy", style="--")
    losses.set_ylabel("loss of the answer (nats/token)")
    for ax in axes:
        shade(ax, one)
        ax.set(xscale="log", xlim=(float(data.step[0]), float(data.step[-1])))
        key(ax, loc="center left", fontsize=7)
    key(losses, loc="upper right", fontsize=7, bbox_to_anchor=(1, 0.92))
    for ax in axes[2:]:
        ax.set_xlabel("step")
    for ax in axes[:3]:
        ax.set_ylim(0, 1.2)
    return fig


def linear_time(data: xr.Dataset) -> Figure:
    """The checks and exact match again, over linear time."""
    one = base(data)
    fig, (ax,) = panels(1, width=5.2, height=2.8)
    for name, words, colour in (
        ("grammatical", "grammatical", "grammar"),
        ("relative", "relative types", "relative"),
        ("descriptive", "descriptive types", "descriptive"),
    ):
        over_seeds(ax, one[name], "step", COLOURS[colour], words)
    over_seeds(ax, one.exact.mean("sort"), "step", COLOURS["both"], "exact match, unscrambling")
    ax.set(xlabel="step (linear)", ylabel="share", ylim=(0, 1.02))
    key(ax, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def several_sizes(data: xr.Dataset) -> Figure:
    """F3: grammar, relative and descriptive metrics for every |K|."""
    one = data.isel(entities=0, drop=True)
    shown = (
        ("grammatical", "grammatical"),
        ("relative", "relative types"),
        ("descriptive", "descriptive types"),
        ("class_mass", "probability of the class"),
        ("exact_relative", "exact match, relative"),
        ("exact_descriptive", "exact match, descriptive"),
    )
    fig, axes = panels(6, rows=3, height=2.3, width=4.0, sharex=True)
    sizes = one.properties.values
    for ax, (name, words) in zip(axes, shown, strict=True):
        for i, size in enumerate(sizes):
            values = curve(one.sel(properties=size), name)
            over_seeds(ax, values, "step", size_colour(i, len(sizes)), f"|K| = {size}")
        ax.set(xscale="log", xlabel="step", ylim=(0, 1.02))
        ax.label_outer()
        tag(ax, words)
    for ax in axes[2:4]:
        level(ax, 1 / data.attrs["classes"], "", style=":")
    key(axes[0], loc="upper left")
    for ax in axes[::2]:
        ax.set_ylabel("share or probability")
    return fig


def likelihoods(data: xr.Dataset) -> Figure:
    """F7: log likelihood of valid and altered sentences."""
    one = base(data)
    fig, (left, right) = panels(2, width=4.0, height=3.3)
    colours = dict(zip(ALTERED, ALTERED_COLOURS, strict=True))
    normal = one.log_likelihood.sel(altered="normal", drop=True)
    for name in ALTERED:
        values = one.log_likelihood.sel(altered=name, drop=True)
        over_seeds(left, values, "step", colours[name], NAMES[name])
        if name != "normal":
            over_seeds(right, normal - values, "step", colours[name], NAMES[name])
    left.set(ylabel="log likelihood (nats/sentence)", ylim=(float(normal.min()) - 25, None))
    right.set(ylabel="gap to valid sentences (nats/sentence)")
    for ax in (left, right):
        ax.set(xscale="log", xlabel="step")
    right.set_yscale("symlog", linthresh=1)
    handles, names = left.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=7)
    return fig


def memory(data: xr.Dataset) -> Figure:
    """F8: probability on edges, on never-shown pairs of the class, and on other classes."""
    sizes = [data.pair_properties.values[0], data.pair_properties.values[-1]]
    columns = [(f"pair learner, |K| = {k}", data.sel(pair_properties=k), "pair_") for k in sizes]
    if "class_mass" in data:
        small = data.isel(entities=0, properties=0)
        columns.append((f"transformer, |K| = {int(small.properties)}", small, ""))
    fig, axes = panels(len(columns), sharey=True)
    for ax, (title, one, prefix) in zip(axes, columns, strict=True):
        time = f"{prefix}step"
        mass, edge = one[f"{prefix}class_mass"], one[f"{prefix}edge_mass"]
        for values, colour, words in (
            (edge, COLOURS["relative"], "edges"),
            (mass - edge, COLOURS["descriptive"], "never shown, same class"),
            (1 - mass, GREY, "other classes"),
        ):
            seed = next(str(d) for d in values.dims if d != time)
            table = values.transpose(seed, time)
            band(ax, table[time].values, table.values.astype(float), colour, words)
        ax.set(xscale="log", xlabel="step", ylim=(0, 1.1))
        tag(ax, title)
    axes[0].set_ylabel("probability of properties")
    key(axes[0], loc="upper left", fontsize=7)
    return fig
