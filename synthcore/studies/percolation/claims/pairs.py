"""What is estimated per seed of pair learners, of fragments, and of simulated graphs."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import reaches
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most, within_tolerance
from synthcore.studies.percolation.claims.language import ONSET
from synthcore.studies.percolation.measure.scaling import (
    at_best,
    exponents,
    over_sizes,
    progress,
    reached,
    slopes,
)

ODDS = 1.5


def onset_times(pairs: xr.Dataset) -> xr.DataArray:
    """When the class is noticed, a sixth of the way from chance, per |K| and seed; inf if never."""
    noticed = progress(pairs.class_mass, 1 / pairs.attrs["classes"])
    return over_sizes(noticed, "properties", lambda curve: reached(curve, ONSET))


def pair_exponent(results: xr.DataTree) -> xr.DataArray:
    """Slope of the pair learner's log onset time on log |K|, per seed."""
    return slopes(onset_times(of(results, "pairs")), "properties")


def pair_collapse(results: xr.DataTree) -> xr.DataArray:
    """Collapse exponent of the pair learner's whole curves, per seed."""
    data = of(results, "pairs")
    return exponents(data.class_mass, "properties", 1 / data.attrs["classes"])


def pairs_above_a_third(results: xr.DataTree) -> Verdict:
    """The pair learner's onset exponent, against the middle of 1/3 and 1/2."""
    return at_least(pair_exponent(results), 5 / 12, "pairs: onset exponent, above 1/3")


def pairs_below_one(results: xr.DataTree) -> Verdict:
    """The same against the middle of 1/2 and 1."""
    return at_most(pair_exponent(results), 0.75, "pairs: onset exponent, below 1")


def pairs_delayed(results: xr.DataTree) -> Verdict:
    """The pair learner's onset exponent."""
    return at_least(pair_exponent(results), 0.3, "pairs: slope")


def pairs_beyond_memory(results: xr.DataTree) -> Verdict:
    """Best log odds of pairs that are never shown, at the |K| where they are lowest."""
    odds = of(results, "pairs").odds.max("step").min("properties")
    return at_least(odds, ODDS, "pairs: log odds")


def pairs_gain_share(results: xr.DataTree) -> Verdict:
    """Their share of what is not on edges, over a uniform predictor's, at that checkpoint."""
    data = of(results, "pairs")
    share = at_best(data.lift, data.odds).min("properties").reset_coords(drop=True)
    return at_least(share, 2.0, "pairs: share over a uniform predictor's")


# --- fragments and clocks -----------------------------------------------------------------------


def _world(results: xr.DataTree, name: str) -> xr.Dataset:
    return of(results, "worlds").sel(world=name).reset_coords(drop=True)


def has_run(kind: str, name: str) -> Callable[[xr.DataTree], Gate]:
    """A gate: the run has this `world` of pair learners, or this `variant` of the language."""

    def gate(results: xr.DataTree) -> Gate:
        there = f"{kind}s" in results and name in of(results, f"{kind}s")[kind].values
        return reaches(float(there), 1.0, f"runs of the {kind} '{name}'")

    return gate


def joined_are_learned(results: xr.DataTree) -> Verdict:
    """Four fragments: best log odds of same-class pairs that a path of edges joins."""
    odds = _world(results, "fragments 4").odds_joined.max("step")
    return at_least(odds, ODDS, "log odds, joined")


def apart_are_not(results: xr.DataTree) -> Verdict:
    """Then: log odds of those that none joins."""
    data = _world(results, "fragments 4")
    odds = at_best(data.odds_apart, data.odds_joined).reset_coords(drop=True)
    return at_most(odds, ODDS / 5, "log odds, not joined")


def onset_factor(worlds: xr.Dataset, name: str) -> xr.DataArray:
    """Time of the onset in a world, over that of the base world; nan where either never comes."""

    def time(world: str) -> xr.DataArray:
        one = worlds.sel(world=world).reset_coords(drop=True)
        chance = 1 / float(worlds.classes.sel(world=world))
        return reached(progress(one.class_mass, chance), ONSET)

    factor = time(name) / time("base")
    return factor.where(np.isfinite(factor))


def batch_halves_the_time(results: xr.DataTree) -> Verdict:
    """Time of the onset with twice the batch, over the base world's."""
    factor = onset_factor(of(results, "worlds"), "double batch")
    return at_most(factor, 0.75, "time with twice the batch")


def unused_words_do_nothing(results: xr.DataTree) -> Verdict:
    """Time of the onset with three times as many properties that are never shown."""
    factor = onset_factor(of(results, "worlds"), "spare tokens")
    return at_most(factor, 1.1, "time with unused words")


def _variant(results: xr.DataTree, name: str) -> xr.Dataset:
    return of(results, "variants").sel(variant=name).reset_coords(drop=True)


def sentences_join(results: xr.DataTree) -> Verdict:
    """Fragments, all sentences: best log odds of pairs that no path of shown pairs joins."""
    odds = _variant(results, "fragments").odds_apart.max("step")
    return at_least(odds, ODDS, "not joined, all sentences")


def joined_without_verbs(results: xr.DataTree) -> Verdict:
    """Without verbs: best log odds of pairs that a path joins."""
    odds = _variant(results, "fragments, no verbs").odds_joined.max("step")
    return at_least(odds, ODDS, "joined, no verbs")


def apart_without_verbs(results: xr.DataTree) -> Verdict:
    """Then: log odds of those that none joins."""
    return _apart(_variant(results, "fragments, no verbs"), "not joined, no verbs")


def joined_by_pairs_alone(results: xr.DataTree) -> Verdict:
    """One subject and no verbs: best log odds of pairs that a path joins."""
    odds = _variant(results, "fragments, one subject").odds_joined.max("step")
    return at_least(odds, ODDS, "joined, one subject")


def apart_by_pairs_alone(results: xr.DataTree) -> Verdict:
    """Then: log odds of those that none joins."""
    return _apart(_variant(results, "fragments, one subject"), "not joined, one subject")


def _apart(data: xr.Dataset, label: str) -> Verdict:
    odds = at_best(data.odds_apart, data.odds_joined).reset_coords(drop=True)
    return at_most(odds, ODDS / 5, label)


# --- theory -------------------------------------------------------------------------------------


def joined_as_the_fixed_point(results: xr.DataTree) -> Verdict:
    """Largest error of the share of joined pairs against S_E S_K."""
    data = of(results, "graphs")
    return at_most(abs(data.joined - data.joined_theory).max(["graph", "checked"]), 0.02, "error")


def threshold_is_at_the_peak(results: xr.DataTree) -> Verdict:
    """Where the second component peaks, over the threshold."""
    return at_most(abs(of(results, "graphs").second_peak - 1), 0.1, "peak over p_c - 1")


def graphs_collapse(results: xr.DataTree) -> Verdict:
    """Distance from a half of the collapse exponent in |E| |K|, both sides growing."""
    exponent = of(results, "graphs").proportional_exponent
    return at_most(abs(exponent - 0.5), 0.02, "|exponent - 1/2|")


def powers_are_walks(results: xr.DataTree) -> Verdict:
    """Share of pairs in which the support of (D D^T)^n D differs from short paths."""
    return within_tolerance(of(results, "graphs").hop_errors, 1e-12, "share that differs")


def pairs_are_seen_by_chance(results: xr.DataTree) -> Verdict:
    """Largest error of the share of edges seen, pair stream."""
    data = of(results, "streams")
    return at_most(abs(data.seen - data.seen_theory).max("exposure"), 0.02, "error, pairs")


def text_is_seen_by_chance(results: xr.DataTree) -> Verdict:
    """The same in sentences, with the edges' own probabilities."""
    data = of(results, "streams")
    return at_most(abs(data.seen_in_text - data.text_theory).max("exposure"), 0.02, "error, text")
