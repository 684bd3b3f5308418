"""How claims about pairs are decided, in pair learners and transformers, and the theory's."""

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most
from synthcore.studies.percolation.decisions import base, missing, untouched_by_size
from synthcore.studies.percolation.onsets import (
    at_best,
    bend,
    censored,
    over_sizes,
    reached,
    slopes,
)

ODDS = 1.5


def plateau(data: xr.Dataset) -> Verdict:
    """C5: class mass waits at chance, between .7 and 2.5 over |C|, until it bends; then its slope
    in log time is at least five times what it was."""
    parts = []
    for size in data.pair_properties.values:
        mass = data.pair_class_mass.sel(pair_properties=size, drop=True)
        parts += _plateau(mass, int(data.attrs["pair_classes"]), f"pairs, |K| = {size}")
    if "class_mass" in data:
        one = base(data)
        parts += _plateau(one.class_mass, int(data.attrs["classes"]), "language, class mass")
        onset = bend(one.class_mass, "onset")
        start = censored(one.grammatical, 0.5)
        waits = (one.step >= start) & (one.step <= onset)
        level = one.descriptive.where(waits).mean("step") * data.attrs["classes"]
        parts += _around(level, "language, descriptive check")
    return all_of(*parts)


def _plateau(mass: xr.DataArray, classes: int, label: str) -> list[Verdict]:
    onset = bend(mass, "onset")
    time = "step" if "step" in mass.dims else "pair_step"
    rows = mass.rename({name: "seed" for name in mass.dims if name != time})
    level = rows.where(rows[time] <= onset).mean(time) * classes
    gain = bend(mass, "after") - 5 * abs(bend(mass, "before"))
    return [*_around(level, label), at_least(gain, 0.0, label=f"{label}: slope - 5 x plateau's")]


def _around(level: xr.DataArray, label: str) -> list[Verdict]:
    """Chance, to within what the claim allows."""
    return [
        at_least(level, 0.7, label=f"{label}: plateau x |C|"),
        at_most(level, 2.5, label=f"{label}: plateau x |C|"),
    ]


def beyond_memory(data: xr.Dataset) -> Verdict:
    """C6: never-shown pairs of one class are more likely than pairs across classes, by log odds of
    1.5 at the best checkpoint; without the edges, more than p of the probability is on them."""
    parts = []
    for size in data.pair_properties.values:
        one = data.sel(pair_properties=size, drop=True)
        odds, share = one.pair_odds.max("pair_step"), one.pair_held_share.max("pair_step")
        name, level = f"pairs, |K| = {size}", data.attrs["density"]
        parts.append(at_least(odds, ODDS, "pair_seed", f"{name}: log odds"))
        parts.append(at_least(share, level, "pair_seed", f"{name}: share"))
    if "odds" in data:
        one = base(data)
        odds, share = one.odds.max("step"), one.held_share.max("step")
        parts.append(at_least(odds, ODDS, label="language: log odds"))
        parts.append(at_least(share, data.attrs["density"], label="language: share"))
    return all_of(*parts)


def size_delays_properties(data: xr.Dataset) -> Verdict:
    """C7: |K| leaves the times of grammar and relative types alone (slope in logs below .1) and
    delays descriptive ones (above .3)."""
    level = 1.5 / data.attrs["pair_classes"]
    times = over_sizes(data.pair_class_mass, "pair_properties", lambda c: reached(c, level))
    pairs = at_least(slopes(times, "pair_properties"), 0.3, label="slope, pair learner")
    others = untouched_by_size(data) if "grammatical" in data else [missing("no language")]
    return all_of(pairs, *others)


# --- theory -------------------------------------------------------------------------------------


def percolation_theory(data: xr.Dataset) -> Verdict:
    """T1: joined pairs match S_E S_K within .02; the second component peaks within a tenth of the
    threshold."""
    error = abs(data.joined - data.joined_theory).max(["graph", "checked"])
    return all_of(
        at_most(error, 0.02, label="largest error of joined pairs"),
        at_most(abs(data.second_peak - 1), 0.1, label="peak of the second component / p_c - 1"),
    )


def simulated_collapse(data: xr.Dataset) -> Verdict:
    """T2: graphs of one shape collapse with exponent .5 in |E| |K|, to within .02."""
    return at_most(abs(data.proportional_exponent - 0.5), 0.02, label="|exponent - .5|")


def powers_are_walks(data: xr.Dataset) -> Verdict:
    """T3: (D D^T)^n D joins what breadth-first search reaches in 2 n + 1 steps; no pair differs."""
    return at_most(data.hop_errors.max("hops"), 0.0, label="share of pairs that differ")


def distinct_edges(data: xr.Dataset) -> Verdict:
    """T4: the share of edges seen is 1 - exp(-mentions per edge), to within .02; in text with the
    edges' own probabilities."""
    pairs, text = data.seen - data.seen_theory, data.seen_in_text - data.text_theory
    return all_of(
        at_most(abs(pairs).max("exposure"), 0.02, label="largest error, pair stream"),
        at_most(abs(text).max("exposure"), 0.02, label="largest error, sentences"),
    )


# --- interventions ------------------------------------------------------------------------------


def never_without_paths(data: xr.Dataset) -> Verdict:
    """I1: with classes in four fragments, same-class pairs that a path of edges joins become
    likely (log odds 1.5 against pairs across classes), and then those that no path joins are not
    (at most a fifth of that)."""
    if "world_odds" not in data:
        return missing("this run has no interventions")
    cut = data.sel(world="fragments 4", drop=True)
    return all_of(
        at_least(cut.world_odds_joined.max("world_step"), ODDS, "pair_seed", "log odds, joined"),
        at_most(
            at_best(cut.world_odds_apart, cut.world_odds_joined),
            ODDS / 5,
            "pair_seed",
            "log odds, not joined",
        ),
    )


def verbs_bridge(data: xr.Dataset) -> Verdict:
    """I3: transformers on classes in four fragments. With verbs, same-class pairs that no path of
    shown pairs joins become likely (log odds 1.5 against pairs across classes); without, only
    joined ones do, and the others not (at most a fifth of that)."""
    return _bridged(data, "fragments, no verbs")


def sentences_bridge(data: xr.Dataset) -> Verdict:
    """I4: the same where what is left is one subject and its properties: no verbs, and no second
    subjects, which are of one class as well."""
    return _bridged(data, "fragments, one subject")


def _bridged(data: xr.Dataset, without: str) -> Verdict:
    names = {"fragments", without}
    if "variant" not in data.coords or not names <= set(data.variant.values.tolist()):
        return missing(f"this run has no variant '{without}'")
    bridged, bare = (data.sel(variant=name, drop=True) for name in ("fragments", without))
    return all_of(
        at_least(
            bridged.variant_odds_apart.max("variant_step"), ODDS, label="not joined, all sentences"
        ),
        at_least(bare.variant_odds_joined.max("variant_step"), ODDS, label="joined, without"),
        at_most(
            at_best(bare.variant_odds_apart, bare.variant_odds_joined),
            ODDS / 5,
            label="not joined, without",
        ),
    )


def onset_factor(data: xr.Dataset, world: str) -> xr.DataArray:
    """Time at which class mass stays 1.5 times chance, over that of the base world; per seed."""

    def time(name: str) -> xr.DataArray:
        one = data.sel(world=name, drop=True)
        return reached(one.world_class_mass, 1.5 / float(one.world_classes))

    return time(world) / time("base")


def mentions_set_the_clock(data: xr.Dataset) -> Verdict:
    """I2: twice the batch halves the time (a factor of .4 to .75); properties that
    are never shown do not delay it (at most 1.1)."""
    if "world_class_mass" not in data:
        return missing("this run has no interventions")
    batch = onset_factor(data, "double batch")
    return all_of(
        at_most(batch, 0.75, label="time with a double batch"),
        at_least(batch, 0.4, label="time with a double batch"),
        at_most(onset_factor(data, "spare tokens"), 1.1, label="time with unused tokens"),
    )


def peak_odds(data: xr.Dataset, name: str = "world_odds") -> xr.DataArray:
    """Highest log odds over training, nan where there are no such pairs."""
    values: xr.DataArray = data[name].max("world_step")
    return values.where(np.isfinite(values))
