"""Figures of what transformers learn: phases, tasks, sizes, sentences that join fragments."""

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from synthcore.figures import (
    CONCEPTS,
    GREY,
    INK,
    canvas,
    chance,
    key,
    oracle,
    over_seeds,
    points,
    shades,
    tag,
)
from synthcore.studies.percolation.claims.language import HALF, ONSET, phases, unscrambling
from synthcore.studies.percolation.claims.pairs import onset_times
from synthcore.studies.percolation.measure.scaling import (
    descriptive_types,
    grammar,
    over_sizes,
    reached,
    relative_types,
)
from synthcore.studies.percolation.task.language import ALTERED, TASKS

GRAMMAR, RELATIVE, DESCRIPTIVE = (
    CONCEPTS["hybrid"],
    CONCEPTS["retrieval"],
    CONCEPTS["inference"],
)
TASK, OTHER_TASK = CONCEPTS["unigram inference"], CONCEPTS["unigram retrieval"]
PHASES = (
    ("grammar", grammar, GRAMMAR),
    ("relative types", relative_types, RELATIVE),
    ("descriptive types", descriptive_types, DESCRIPTIVE),
)
ALTERED_NAMES = {
    "normal": "as in training",
    "hidden": "properties of the class, no edges",
    "descriptors": "properties of any class",
    "relations": "verbs and objects of any class",
    "order": "words in random order",
}


def trained(data: xr.Dataset) -> xr.Dataset:
    """Without step 0, which a log axis cannot show."""
    return data.isel(step=slice(1, None))


def largest(data: xr.Dataset) -> xr.Dataset:
    """The language that the claims are about."""
    return trained(data.isel(entities=0, properties=-1, drop=True))


def over_updates(ax: Axes) -> None:
    """A log axis of updates with whole numbers at 1, 2 and 5 of every decade."""
    ax.set(xscale="log", xlabel="update")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def finding(languages: xr.Dataset, pairs: xr.Dataset) -> Figure:
    """The three phases in continuous metrics; and the time of the last against |K|, in the pair
    learner, with slopes of a third, a half and one. What is not noticed stands at the end."""
    fig, (left, right) = canvas(2, 3.0)
    data = largest(languages)
    for name, read, colour in PHASES:
        over_seeds(left, read(data), "step", colour, name)
    oracle(left, HALF, "")
    over_updates(left)
    left.set(ylabel="share of the way, chance to perfect", ylim=(-0.1, 1.05))
    key(left, loc="upper left")
    times = onset_times(pairs).clip(max=float(pairs.step[-1])).transpose("seed", "properties")
    sizes, start = times.properties.values, float(times.isel(properties=0).mean())
    points(right, sizes, times, DESCRIPTIVE, "pair learner")
    for power, style, name in ((1 / 3, ":", "1/3"), (1 / 2, "--", "1/2"), (1, "-.", "1")):
        line = start * (sizes / sizes[0]) ** power
        right.plot(sizes, line, style, color=GREY, lw=1, label=f"slope {name}")
    right.set(xscale="log", yscale="log", xlabel="number of properties |K|")
    right.set_ylabel("update at 1.5 times chance")
    right.set_xticks(sizes, [str(size) for size in sizes])
    right.minorticks_off()
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:,.0f}")
    key(right)
    return fig


def learning_curves(data: xr.Dataset) -> Figure:
    """Checks of samples, unscrambling, conditional generation and losses over training."""
    one = largest(data)
    fig, axes = canvas(4, 2.6, sharex=True)
    checks, scrambled, given, losses = axes
    for name, values, colour in (
        ("grammatical", one.grammatical, GRAMMAR),
        ("relative types", one.relative, RELATIVE),
        ("descriptive types", one.descriptive, DESCRIPTIVE),
    ):
        over_seeds(checks, values, "step", colour, name)
    chance(checks, 1 / data.attrs["classes"], "")
    checks.set_ylabel("share of samples")
    tag(checks, "free generation")
    for sort, colour in (("relative", RELATIVE), ("descriptive", DESCRIPTIVE)):
        over_seeds(scrambled, one.exact.sel(sort=sort, drop=True), "step", colour, f"exact, {sort}")
        right = one.token_probability.sel(sort=sort, drop=True)
        over_seeds(scrambled, right, "step", colour, f"tokens, {sort}", style="--")
    tag(scrambled, "unscrambling")
    over_seeds(given, one.conditions, "step", OTHER_TASK, "given words used")
    over_seeds(given, one.all_conditions, "step", INK, "all of them")
    given.set_ylabel("share of samples")
    tag(given, "conditional generation")
    for task, colour in zip(TASKS, (INK, TASK, OTHER_TASK), strict=True):
        over_seeds(losses, one.loss.sel(task=task, drop=True), "step", colour, task)
    floor = (one.loss.sel(task="free") - one.excess_loss).mean()
    oracle(losses, float(floor), "")
    losses.set_ylabel("loss [nats/token]")
    tag(losses, "loss; dashed: entropy of the language")
    for ax in axes:
        over_updates(ax)
        key(ax, loc="best")
    for ax in axes[:2]:
        ax.set_xlabel("")
    return fig


def linear_time(data: xr.Dataset) -> Figure:
    """The phases and exact match again, over linear time."""
    one = largest(data)
    fig, (ax,) = canvas(1, 2.6, 5.6)
    for name, read, colour in PHASES:
        over_seeds(ax, read(one), "step", colour, name)
    over_seeds(ax, unscrambling(one), "step", TASK, "exact match, unscrambling")
    ax.set(xlabel="update, linear", ylabel="share of the way", ylim=(-0.1, 1.02))
    key(ax, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def likelihoods(data: xr.Dataset) -> Figure:
    """Gaps in log likelihood between valid sentences and those with something changed."""
    one = largest(data)
    fig, (ax,) = canvas(1, 3.0, 6.4)
    valid = one.log_likelihood.sel(altered="normal", drop=True)
    colours = dict(zip(ALTERED[1:], shades(len(ALTERED) - 1), strict=True))
    colours |= {"order": GRAMMAR, "relations": RELATIVE, "descriptors": DESCRIPTIVE}
    for name in ALTERED[1:]:
        gap = valid - one.log_likelihood.sel(altered=name, drop=True)
        over_seeds(ax, gap, "step", colours[name], ALTERED_NAMES[name])
    over_updates(ax)
    ax.set_ylabel("gap to valid [nats/sentence]")
    ax.set_yscale("symlog", linthresh=1)
    key(ax, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def never_met(data: xr.Dataset) -> Figure:
    """Log odds of pairs that never stood in one line, and how many of them are left."""
    one = largest(data)
    fig, (left, right) = canvas(2, 2.7)
    over_seeds(left, one.never_odds, "step", DESCRIPTIVE, "never in one line")
    over_seeds(left, one.odds, "step", GREY, "no edge, met or not")
    left.axhline(0, color=GREY, lw=0.8)
    left.set_ylabel("log odds against other classes")
    over_seeds(right, one.never_left, "step", DESCRIPTIVE)
    right.set(ylabel="same-class pairs, no edge,\nthat have not met", ylim=(0, 1.02))
    for ax in (left, right):
        over_updates(ax)
    key(left)
    return fig


def sizes(data: xr.Dataset) -> Figure:
    """Times of the three phases against |K|, the end of the run for what does not come; and the
    probability of the class over training."""
    one = data.isel(entities=0, drop=True)
    fig, (left, right) = canvas(2, 2.9)
    numbers = one.properties.values
    for name, read, colour in PHASES:
        at = ONSET if name == "descriptive types" else HALF
        times = over_sizes(read(one), "properties", partial(reached, level=at))
        times = times.clip(max=float(one.step[-1])).transpose("seed", "properties")
        points(left, numbers, times, colour, name)
    left.set(xscale="log", yscale="log", xlabel="number of properties |K|", ylabel="update")
    left.set_xticks(numbers, [str(size) for size in numbers])
    left.minorticks_off()
    for size, colour in zip(numbers.tolist(), shades(len(numbers)), strict=True):
        curve = trained(one).class_mass.sel(properties=size, drop=True)
        over_seeds(right, curve, "step", colour, f"|K| = {size}")
    chance(right, 1 / data.attrs["classes"], "")
    over_updates(right)
    right.set_ylabel("probability of the class")
    key(left)
    key(right)
    return fig


def bridges(data: xr.Dataset) -> Figure:
    """Transformers on fragmented classes, by what sentences there are."""
    names = [name for name in data.variant.values.tolist() if name.startswith("fragments")]
    fig, axes = canvas(max(len(names), 1), 2.5, sharey=True)
    for ax, name in zip(axes, names, strict=False):
        one = trained(data.sel(variant=name, drop=True))
        over_seeds(ax, one.odds_joined, "step", DESCRIPTIVE, "joined by a path")
        over_seeds(ax, one.odds_apart, "step", RELATIVE, "same class, not joined")
        ax.axhline(0, color=GREY, lw=0.8)
        over_updates(ax)
        ax.set_ylabel("log odds [nats]")
        tag(ax, name)
        key(ax)
    return fig


def settings(variants: xr.Dataset, languages: xr.Dataset) -> Figure:
    """What each setting of text or code changes: times of the phases, over the base language's."""
    names = [name for name in variants.variant.values.tolist() if "fragments" not in name]
    fig, (ax,) = canvas(1, 0.8 + 0.4 * len(names), 6.0)
    base = phases(languages.isel(entities=0, properties=0, drop=True))
    place = np.arange(len(names))
    for shift, (phase, _, colour), start in zip((-0.2, 0.0, 0.2), PHASES, base, strict=True):
        index = [name for name, *_ in PHASES].index(phase)
        factor = []
        for name in names:
            one = variants.sel(variant=name, drop=True).assign_attrs(variants.attrs)
            factor.append((phases(one)[index] / start).values)
        table = np.stack(factor, 1)
        known = np.isfinite(table).all(0)
        ax.errorbar(
            table[:, known].mean(0), (place + shift)[known], color=colour, marker="o", ms=4,
            ls="none", label=phase,
        )  # fmt: skip
    ax.axvline(1, color=GREY, lw=0.8)
    ax.set_yticks(place, names)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="time of the phase / base language's")
    key(ax, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
