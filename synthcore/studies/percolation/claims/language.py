"""What is estimated per seed of transformers on the language.

Unless said otherwise on the smallest |E| and the largest |K|, where the phases are farthest apart.
Metrics are compared at equal levels, as shares of the way from chance to perfect; times are in
decades of updates. A level that is never reached has no time, which decides nothing.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import reaches
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most
from synthcore.studies.percolation.measure.scaling import (
    at_best,
    at_time,
    bend,
    decades,
    descriptive_types,
    exponents,
    grammar,
    over_sizes,
    per_seed,
    progress,
    reached,
    relative_types,
    slopes,
    stays,
)

HALF = 0.5  # of the way from chance to perfect
ONSET = 1 / 6  # of the way: 1.5 times chance with four classes
COPIES = 0.1  # share of answers above which a task has formed
FACTOR_3 = math.log10(3)


def language(results: xr.DataTree) -> xr.Dataset:
    """The language that the claims are about; `classes` stands in its attributes."""
    return of(results, "languages").isel(entities=0, properties=-1, drop=True)


def smallest_entities(results: xr.DataTree) -> xr.Dataset:
    """Every |K| at the smallest |E|."""
    return of(results, "languages").isel(entities=0, drop=True)


def phases(data: xr.Dataset, level: float = HALF) -> tuple[xr.DataArray, ...]:
    """When grammar, relative types and descriptive types stay at `level`; inf if never."""
    curves = (grammar(data), relative_types(data), descriptive_types(data))
    return tuple(reached(curve, level) for curve in curves)


# --- phases -------------------------------------------------------------------------------------


def grammar_before_relative(results: xr.DataTree) -> Verdict:
    """Decades from grammar to relative types, both half way."""
    first, second, _ = phases(language(results))
    return at_least(decades(second, first), 0.25, "decades, grammar to relative types")


def relative_before_descriptive(results: xr.DataTree) -> Verdict:
    """Decades from relative to descriptive types, both half way."""
    _, second, third = phases(language(results))
    return at_least(decades(third, second), 0.25, "decades, relative to descriptive types")


def relative_jump(results: xr.DataTree) -> Verdict:
    """Decades in which relative types go from a fifth to four fifths of the way."""
    curve = relative_types(language(results))
    width = decades(reached(curve, 0.8), reached(curve, 0.2))
    return at_most(width, math.log10(2.5), "decades from .2 to .8 of the way")


def jump_is_at_grammars_end(results: xr.DataTree) -> Verdict:
    """Decades, either way, from where grammar comes within .02 of its highest to relative types
    half way."""
    data = language(results)
    curve = grammar(data)
    top = reached(curve - curve.max("step"), -0.02, checks=1)
    away = abs(decades(reached(relative_types(data), HALF), top))
    return at_most(away, 0.5, "decades from grammar's end")


def waits_at_chance(results: xr.DataTree) -> Verdict:
    """Class mass over chance, mean from grammar half way to relative types half way: the second
    phase."""
    return at_most(_second_phase(results), 1.5, "class mass over chance, second phase")


def rises_afterwards(results: xr.DataTree) -> Verdict:
    """Class mass at the end less that of the second phase."""
    data = language(results)
    waited = _second_phase(results) / data.attrs["classes"]
    rise = data.class_mass.isel(step=-1, drop=True) - waited
    return at_least(rise, 0.2, "rise of class mass after the second phase")


def _second_phase(results: xr.DataTree) -> xr.DataArray:
    data = language(results)
    first, second, _ = phases(data)
    inside = (data.step >= first) & (data.step <= second)
    mean: xr.DataArray = data.class_mass.where(inside).mean("step") * data.attrs["classes"]
    return mean


def descriptors_are_written(results: xr.DataTree) -> Gate:
    """Where the second phase begins, networks put descriptors where they belong: the distribution
    over them is what training made of it, not the initial one."""
    data = language(results)
    mass = at_time(data.descriptor_mass, phases(data)[0])
    return reaches(mass, 0.5, "probability of descriptors where they are due")


def order_of_samples(results: xr.DataTree) -> Verdict:
    """The smaller of both gaps in decades, in checks of sampled sentences half way from chance."""
    data = language(results)
    checks = (
        reached(data.grammatical, HALF),
        reached(data.relative, HALF),
        reached(progress(data.descriptive, 1 / data.attrs["classes"]), HALF),
    )
    return at_least(_smaller_gap(checks), 0.125, "samples: smaller gap, decades")


def order_of_likelihoods(results: xr.DataTree) -> Verdict:
    """The same for gaps in log likelihood between valid sentences and those with words in random
    order, wrong relations and wrong descriptors, each half way to its last value."""
    likely = language(results).log_likelihood
    valid = likely.sel(altered="normal", drop=True)

    def half(steps: np.ndarray, gap: np.ndarray) -> float:
        rise = gap[-1] - gap[0]
        return stays(steps, (gap - gap[0]) / rise, HALF) if rise > 0 else math.inf

    times = tuple(
        per_seed(valid - likely.sel(altered=name, drop=True), half)
        for name in ("order", "relations", "descriptors")
    )
    return at_least(_smaller_gap(times), 0.125, "likelihoods: smaller gap, decades")


def _smaller_gap(times: tuple[xr.DataArray, ...]) -> xr.DataArray:
    gaps = [decades(later, earlier) for earlier, later in pairwise(times)]
    return xr.concat(gaps, "gap").min("gap", skipna=False)


# --- tasks --------------------------------------------------------------------------------------


def unscrambling(data: xr.Dataset) -> xr.DataArray:
    """Exact match of unscrambling, mean of both sorts of sentences."""
    mean: xr.DataArray = data.exact.mean("sort")
    return mean


def tasks_have_formed(results: xr.DataTree) -> Gate:
    """Copying has formed: else nothing can be said of its timing."""
    data = language(results)
    both = xr.concat([unscrambling(data), data.all_conditions], "task").max("step").min("task")
    return reaches(both, COPIES, "exact match and conditions, the lower one at its best")


def _half_of_best(curve: xr.DataArray) -> xr.DataArray:
    return reached(curve / curve.max("step"), HALF)


def _lags(results: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray]:
    data = language(results)
    second = phases(data)[1]
    lags = [
        decades(_half_of_best(curve), second) for curve in (unscrambling(data), data.all_conditions)
    ]
    return lags[0], lags[1]


def unscrambling_follows(results: xr.DataTree) -> Verdict:
    """Decades from relative types half way to half of the best exact match."""
    return at_least(_lags(results)[0], 0.1, "decades, relative types to exact match")


def conditions_follow(results: xr.DataTree) -> Verdict:
    """Decades from relative types half way to half of the best share of met conditions."""
    return at_least(_lags(results)[1], 0.1, "decades, relative types to conditions")


def both_within_a_decade(results: xr.DataTree) -> Verdict:
    """The longer of both lags."""
    longer = xr.concat(_lags(results), "task").max("task", skipna=False)
    return at_most(longer, 1.0, "the longer lag, decades")


def relative_sentences_gain(results: xr.DataTree) -> Verdict:
    """Exact match on purely relative less that on purely descriptive sentences, half a decade after
    relative types are half way."""
    data = language(results)
    gap = data.exact.sel(sort="relative", drop=True) - data.exact.sel(sort="descriptive", drop=True)
    after = phases(data)[1] * 10**0.5
    return at_least(at_time(gap, after), 0.2, "exact match, relative less descriptive")


def unscrambling_bends(results: xr.DataTree) -> Verdict:
    """Decades, either way, between relative types half way and the bend of exact match on relative
    sentences."""
    data = language(results)
    curve = data.exact.sel(sort="relative", drop=True)
    away = abs(decades(bend(curve), phases(data)[1]))
    return at_most(away, FACTOR_3, "unscrambling: decades to the bend")


def conditions_bend(results: xr.DataTree) -> Verdict:
    """The same for conditional generation: another task, from other prompts."""
    data = language(results)
    away = abs(decades(bend(data.all_conditions), phases(data)[1]))
    return at_most(away, FACTOR_3, "conditional generation: decades to the bend")


# --- beyond memory ------------------------------------------------------------------------------


def never_met_become_likely(results: xr.DataTree) -> Verdict:
    """Log odds of same-class pairs that never stood in one line, against other pairs that did not
    either, at the best checkpoint."""
    odds = language(results).never_odds.max("step")
    return at_least(odds, 1.5, "log odds of pairs that never met")


def never_met_gain_share(results: xr.DataTree) -> Verdict:
    """Their share of what is on pairs that never met, over the share of a uniform predictor."""
    data = language(results)
    share = at_best(data.never_lift, data.never_odds).reset_coords(drop=True)
    return at_least(share, 2.0, "share over a uniform predictor's")


def some_never_met(results: xr.DataTree) -> Gate:
    """There are such pairs at the best checkpoint."""
    data = language(results)
    left = at_best(data.never_left, data.never_odds)
    return reaches(left, 0.05, "share of same-class pairs, no edges, that never met")


# --- scaling ------------------------------------------------------------------------------------


def grammar_slope(results: xr.DataTree) -> Verdict:
    """Slope of log time of grammar half way on log |K|."""
    return at_most(_slope(results, grammar), 0.1, "slope, grammar")


def relative_slope(results: xr.DataTree) -> Verdict:
    """The same for relative types."""
    return at_most(_slope(results, relative_types), 0.1, "slope, relative types")


def descriptive_slope(results: xr.DataTree) -> Verdict:
    """The same for the onset of descriptive types."""
    return at_least(onset_exponent(results), 0.3, "slope, descriptive types")


def _slope(
    results: xr.DataTree, read: Callable[[xr.Dataset], xr.DataArray], level: float = HALF
) -> xr.DataArray:
    data = smallest_entities(results)
    times = over_sizes(read(data), "properties", lambda curve: reached(curve, level))
    return slopes(times, "properties")


def onset_exponent(results: xr.DataTree) -> xr.DataArray:
    """Slope of the log onset time of descriptive types on log |K|, per seed."""
    return _slope(results, descriptive_types, ONSET)


def above_a_third(results: xr.DataTree) -> Verdict:
    """Onset exponent, against the middle of 1/3 and 1/2."""
    return at_least(onset_exponent(results), 5 / 12, "onset exponent, above 1/3")


def below_one(results: xr.DataTree) -> Verdict:
    """Onset exponent, against the middle of 1/2 and 1."""
    return at_most(onset_exponent(results), 0.75, "onset exponent, below 1")


def collapse_exponent(results: xr.DataTree) -> xr.DataArray:
    """Collapse exponent of whole curves of class mass, per seed."""
    data = smallest_entities(results)
    return exponents(data.class_mass, "properties", 1 / data.attrs["classes"])


def collapse_is_a_half(results: xr.DataTree) -> Verdict:
    """Distance of the collapse exponent from a half."""
    return at_most(abs(collapse_exponent(results) - 0.5), 0.25, "|collapse exponent - 1/2|")


def unscrambling_exponent(results: xr.DataTree) -> xr.DataArray:
    """Slope of the log time at which exact match on descriptive sentences is .1, per seed."""
    data = smallest_entities(results)
    curves = data.exact.sel(sort="descriptive", drop=True)
    times = over_sizes(curves, "properties", lambda curve: reached(curve, COPIES))
    return slopes(times, "properties")


def unscrambling_steeper(results: xr.DataTree) -> Verdict:
    """Exponent of unscrambling less that of the onset of descriptive types."""
    gap = unscrambling_exponent(results) - onset_exponent(results)
    return at_least(gap, 0.25, "exponent, unscrambling less types")


def copied_everywhere(results: xr.DataTree) -> Gate:
    """Unscrambling of descriptive sentences has formed for every |K|."""
    data = smallest_entities(results)
    best = data.exact.sel(sort="descriptive").max("step").min("properties")
    return reaches(best, COPIES, "exact match on descriptive sentences, the lowest |K|'s best")


def _first_rise(results: xr.DataTree) -> xr.DataArray:
    data = smallest_entities(results)
    floor = float(data.syntax.isel(step=slice(1, 2)).max())
    return exponents(data.syntax, "properties", floor)


def first_rise_is_not_delayed(results: xr.DataTree) -> Verdict:
    """Collapse exponent of the probability of allowed words."""
    return at_most(_first_rise(results), 0.1, "exponent of syntax")


def first_rise_is_not_advanced(results: xr.DataTree) -> Verdict:
    """The same from the other side."""
    return at_least(_first_rise(results), -0.1, "exponent of syntax")
