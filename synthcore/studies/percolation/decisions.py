"""How the claims about transformers are decided, from the dataset alone.

Unless said otherwise a claim is decided on the smallest |E| and the largest |K|, where the phases
are farthest apart, and every seed must clear the threshold. Thresholds were fixed before the runs.
"""

import math

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, Word, all_of, at_least, at_most, t_interval
from synthcore.studies.percolation.onsets import (
    bend,
    censored,
    exponents,
    half_rise,
    over_sizes,
    reached,
    slopes,
    steepest,
)

GAP = 1.5
HALF_DECADE, DECADE = 0.5, 1.0
COPIES = 0.1  # exact match above which unscrambling has formed
TASKS = ("tokens", "rearranged", "conditions", "exact_relative", "exact_descriptive")


def missing(what: str) -> Verdict:
    """The run left this out, or it did not come about."""
    return Verdict.undecidable(what)


def base(data: xr.Dataset) -> xr.Dataset:
    """The language the claims are about."""
    return data.isel(entities=0, properties=-1, drop=True)


def curve(data: xr.Dataset, name: str) -> xr.DataArray:
    """One measurement over seed and step; `exact_relative` is one column of `exact`, and the
    like."""
    if name in ("exact_relative", "exact_descriptive"):
        return data.exact.sel(sort=name.removeprefix("exact_"), drop=True)
    return data[name]


def decades(later: xr.DataArray, earlier: xr.DataArray) -> xr.DataArray:
    """log10 of a ratio of times."""
    ratio: xr.DataArray = xr.apply_ufunc(np.log10, later / earlier)
    return ratio


def phases(data: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """When grammar (.9), relative types (.5) and descriptive types (1.5 / |C|) are reached; the
    end of the run if never."""
    chance = 1.5 / data.attrs["classes"]
    return (
        censored(data.grammatical, 0.9),
        censored(data.relative, 0.5),
        censored(data.descriptive, chance),
    )


def three_phases(data: xr.Dataset) -> Verdict:
    """C1: grammar, relative types, descriptive types, each at least 1.5 times after the other."""
    grammar, relative, descriptive = phases(base(data))
    return all_of(
        at_least(relative / grammar, GAP, label="relative types / grammar"),
        at_least(descriptive / relative, GAP, label="descriptive / relative types"),
    )


def relative_jump(data: xr.Dataset) -> Verdict:
    """C2: relative types from .1 to .9 within a factor 2.5, within half a decade of the time at
    which grammaticality comes within .02 of its maximum; the loss of free generation falls by .05
    nats per token meanwhile."""
    one = base(data)
    low, middle, high = (censored(one.relative, level) for level in (0.1, 0.5, 0.9))
    never = np.isinf(reached(one.relative, 0.9))
    width = (high / low).where(~never, 10.0)
    top = one.grammatical.max("step")
    near = xr.concat(
        [
            reached(one.grammatical.isel(seed=[i]), float(top[i]) - 0.02, checks=1)
            for i in range(one.sizes["seed"])
        ],
        "seed",
    )
    loss = one.loss.sel(task="free", drop=True)
    fall = xr.concat(
        [
            _at(loss.isel(seed=i), float(low[i])) - _at(loss.isel(seed=i), float(high[i]))
            for i in range(one.sizes["seed"])
        ],
        "seed",
    )
    return all_of(
        at_most(width, 2.5, label="time from .1 to .9, as a ratio"),
        at_most(abs(decades(middle, near)), HALF_DECADE, label="decades to the grammar's maximum"),
        at_least(fall, 0.05, label="fall of the loss [nats/token]"),
    )


def _at(values: xr.DataArray, time: float) -> xr.DataArray:
    """A curve at some time, interpolated over log time."""
    found = np.interp(np.log(time), np.log(values.step.values), values.values)
    return xr.DataArray(float(found))


def copies(data: xr.Dataset) -> bool:
    """Whether unscrambling has formed in every seed: else nothing can be said of its timing."""
    return bool((base(data).exact.mean("sort").max("step") > COPIES).all())


def structure_helps(data: xr.Dataset) -> Verdict:
    """C3: right tokens start with grammar (a tenth of their maximum within half a decade of
    grammaticality .5); exact match and conditions reach half of their maximum after relative types
    do .5, and within a decade; exact match is steepest after relative types are."""
    if not copies(data):
        return missing(f"exact match of unscrambling stays below {COPIES}: copying has not formed")
    one = base(data)
    relative = censored(one.relative, 0.5)
    exact = one.exact.mean("sort")

    def share(values: xr.DataArray, part: float) -> xr.DataArray:
        return censored(values / values.max("step"), part)

    start = abs(decades(share(one.tokens, 0.1), censored(one.grammatical, 0.5)))
    parts = [at_most(start, HALF_DECADE, label="decades from grammar to first right tokens")]
    lags = {
        "exact match": decades(share(exact, 0.5), relative),
        "conditions": decades(share(one.conditions, 0.5), relative),
        "steepest rise of exact match": decades(steepest(exact), steepest(one.relative)),
    }
    for name, lag in lags.items():
        parts.append(at_least(lag, 0.0, label=f"decades from relative types to {name}"))
        parts.append(at_most(lag, DECADE, label=f"decades from relative types to {name}"))
    return all_of(*parts)


def relative_sentences_first(data: xr.Dataset) -> Verdict:
    """C4: half a decade after relative types stay at .9, exact match is better by .2 on purely
    relative sentences than on purely descriptive ones."""
    if not copies(data):
        return missing(f"exact match of unscrambling stays below {COPIES}: copying has not formed")
    one = base(data)
    gap = curve(one, "exact_relative") - curve(one, "exact_descriptive")
    after = censored(one.relative, 0.9) * 10**HALF_DECADE
    values = [_at(gap.isel(seed=i), float(after[i])) for i in range(one.sizes["seed"])]
    return at_least(xr.concat(values, "seed"), 0.2, label="exact match, relative - descriptive")


def untouched_by_size(data: xr.Dataset) -> list[Verdict]:
    """C7, transformers: times of grammar and relative types do not scale, descriptive ones do."""
    if data.sizes["properties"] < 2:
        return [missing("this run has one |K|")]
    one = data.isel(entities=0, drop=True)
    chance = 1.5 / data.attrs["classes"]

    def scaling(name: str, level: float) -> xr.DataArray:
        times = over_sizes(one[name], "properties", lambda c: reached(c, level))
        return slopes(times, "properties")

    return [
        at_most(abs(scaling("grammatical", 0.9)), 0.1, label="|slope|, grammar .9"),
        at_most(abs(scaling("relative", 0.5)), 0.1, label="|slope|, relative types .5"),
        at_least(scaling("class_mass", chance), 0.3, label="slope, descriptive types"),
    ]


def enough_sizes(data: xr.Dataset) -> bool:
    """An exponent needs three sizes."""
    return data.sizes["properties"] >= 3


def descriptive_exponents(data: xr.Dataset, entities: int = 0) -> dict[str, xr.DataArray]:
    """Collapse exponents over |K| of the descriptive check and of the valid probability times
    |K_c|, which is the probability of the class."""
    one = data.isel(entities=entities, drop=True)
    chance = 1 / data.attrs["classes"]
    mass = one.class_mass * one.descriptor_mass
    return {
        "descriptive check": exponents(one.descriptive, "properties", chance),
        "valid probability": exponents(mass, "properties", chance),
    }


def exponent_half(data: xr.Dataset) -> Verdict:
    """C8: the 95 % interval of the collapse exponent contains .5, and neither 0 nor 1."""
    if not enough_sizes(data):
        return missing("an exponent needs three |K|")
    parts = [only_half(x, name) for name, x in descriptive_exponents(data).items()]
    return all_of(*parts)


def only_half(values: xr.DataArray, label: str) -> Verdict:
    """The interval of the mean contains .5 and neither 0 nor 1."""
    x = np.asarray(values.values, dtype=float)
    if len(x) < 3 or not np.isfinite(x).all():
        return Verdict.undecidable(f"{label}: no exponent in three seeds", label, len(x))
    low, high = t_interval(x)
    holds = 0 < low <= 0.5 <= high < 1
    word = Word.REPRODUCED if holds else Word.NOT
    note = f"interval {low:.2f} to {high:.2f} must contain .5, and neither 0 nor 1"
    return Verdict(float(x.mean()), 0.5, ">=", (low, high), len(x), word, note, label=label)


def unscrambling_exponent(data: xr.Dataset, entities: int) -> xr.DataArray:
    """Collapse exponent over |K| of exact match on descriptive sentences."""
    one = data.isel(entities=entities, drop=True)
    return exponents(curve(one, "exact_descriptive"), "properties")


def unscrambling_steeper(data: xr.Dataset) -> Verdict:
    """C9: exact match on descriptive sentences scales with an exponent larger by .4 than the
    descriptive check, at every |E|."""
    if not enough_sizes(data):
        return missing("an exponent needs three |K|")
    formed = curve(data, "exact_descriptive").max("step") > COPIES
    if not bool(formed.all()):
        return missing("copying has not formed for every |K| and |E|")
    parts = []
    for i, entities in enumerate(data.entities.values.tolist()):
        check = descriptive_exponents(data, i)["descriptive check"]
        gap = unscrambling_exponent(data, i) - check
        parts.append(at_least(gap, 0.4, label=f"difference of exponents, |E| = {entities}"))
    return all_of(*parts)


def first_rise_fixed(data: xr.Dataset) -> Verdict:
    """C10: the collapse exponent of syntax, the rise that comes first, lies within .1 of 0."""
    if not enough_sizes(data):
        return missing("an exponent needs three |K|")
    one = data.isel(entities=0, drop=True)
    floor = one.syntax.isel(step=0).max()
    return at_most(abs(exponents(one.syntax, "properties", floor)), 0.1, label="|exponent|, syntax")


def emergence(data: xr.Dataset) -> Verdict:
    """C11: at least three tasks bend within a factor 3 after relative types reach .5, and the time
    of the types predicts where, from the other seeds' ratios, within a factor 1.5."""
    if not copies(data):
        return missing(f"exact match of unscrambling stays below {COPIES}: copying has not formed")
    one = base(data)
    relative = censored(one.relative, 0.5)
    onsets = xr.concat([bend(curve(one, name), "onset") for name in TASKS], "task")
    ratio = onsets / relative
    within = ((ratio >= 1) & (ratio <= 3)).sum("task").astype(float)
    logs: xr.DataArray = xr.apply_ufunc(np.log, ratio)
    n = one.sizes["seed"]
    others = (logs.sum("seed") - logs) / (n - 1) if n > 1 else logs * math.nan
    error: xr.DataArray = xr.apply_ufunc(np.exp, abs(logs - others).max("task"))
    return all_of(
        at_least(within, 3, label="tasks that bend within a factor 3"),
        at_most(error, 1.5, label="worst factor between predicted and seen bend"),
    )


def other_metrics(data: xr.Dataset) -> Verdict:
    """C12: the order of C1 in metrics that are continuous: half-rise times of probabilities given
    to words of the right kind and class, and of gaps in log likelihood."""
    one = base(data)
    gaps = one.log_likelihood.sel(altered="normal", drop=True) - one.log_likelihood

    def order(times: list[xr.DataArray], label: str) -> list[Verdict]:
        names = ("relative / grammar", "descriptive / relative")
        return [
            at_least(later / earlier, 1.0, label=f"{label}: {name}")
            for name, earlier, later in zip(names, times, times[1:], strict=False)
        ]

    right = (one.verb_share + one.object_share) / 2
    by_probability = [half_rise(x) for x in (one.syntax, right, one.class_mass)]
    by_likelihood = [
        half_rise(gaps.sel(altered=name, drop=True))
        for name in ("order", "relations", "descriptors")
    ]
    return all_of(*order(by_probability, "probability"), *order(by_likelihood, "log likelihood"))
