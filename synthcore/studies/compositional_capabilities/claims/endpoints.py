"""What is estimated per seed, and what must hold before it means anything.

Accuracy is exact match unless a name says otherwise: the share of words whose whole answer is right
under greedy free generation. It has two modes, networks that compose and networks that do not yet,
so it goes by the median. A run's results are a tree with one dataset per experiment.
"""

import math

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import flat, reaches
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most, correlates
from synthcore.studies.compositional_capabilities.experiments.formats import step_at_direct
from synthcore.studies.compositional_capabilities.task.subsets import (
    largest_subset,
    released_subset,
)

LEARNED = 0.9  # accuracy that counts as learned, in times
FITTED = 0.95  # accuracy on what was trained on, before what was not is compared
TENS = 100  # compositions: what the paper's "tens" may mean at most


# --- subsets ------------------------------------------------------------------------------------


def _plain(values: xr.DataArray) -> xr.DataArray:
    return values.reset_coords(drop=True)


def _subset(results: xr.DataTree, variable: str, name: str) -> xr.DataArray:
    return _plain(of(results, "step")[variable].sel(subset=name))


def _random(results: xr.DataTree, repeat: bool = False) -> str | None:
    kind = "repeat random" if repeat else "random"
    return largest_subset(of(results, "step").subset.values, kind, TENS)


def _missing(what: str) -> Verdict:
    return Verdict.not_testable(f"this run has no {what}")


def _absent(what: str) -> Gate:
    return Gate(False, math.nan, f"this run has no {what}")


# --- step by step -------------------------------------------------------------------------------


def unseen_is_answered(results: xr.DataTree) -> Verdict:
    """Exact match on unseen compositions after the largest random subset of tens."""
    if (name := _random(results)) is None:
        return _missing("random subset")
    return at_least(_subset(results, "unseen", name), 0.9, f"unseen, {name}", method="median")


def unseen_is_answered_repeat(results: xr.DataTree) -> Verdict:
    """The same where all positions share their functions."""
    if (name := _random(results, repeat=True)) is None:
        return _missing("random subset of repeated functions")
    return at_least(_subset(results, "unseen", name), 0.9, f"unseen, {name}", method="median")


def most_are_mastered(results: xr.DataTree) -> Verdict:
    """Lower bound of the number mastered over the number there are."""
    if (name := _random(results)) is None:
        return _missing("random subset")
    share = _subset(results, "reached_at_least", name) / of(results, "step").attrs["whole"]
    return at_least(share, 0.5, f"mastered at least, share of all, {name}", method="median")


def random_is_fitted(results: xr.DataTree) -> Gate:
    """Seen compositions are right."""
    if (name := _random(results)) is None:
        return _absent("random subset")
    return reaches(_subset(results, "seen", name), FITTED, f"seen, {name}")


def repeat_is_fitted(results: xr.DataTree) -> Gate:
    """The same where functions repeat."""
    if (name := _random(results, repeat=True)) is None:
        return _absent("random subset of repeated functions")
    return reaches(_subset(results, "seen", name), FITTED, f"seen, {name}")


def random_has_settled(results: xr.DataTree) -> Gate:
    """Accuracy on in-order compositions no longer changes."""
    if (name := _random(results)) is None:
        return _absent("random subset")
    return flat(_subset(results, "k_accuracy", name), 0.1, what=f"symbols right, {name}")


# --- functions out of place ---------------------------------------------------------------------


def _cells(results: xr.DataTree, name: str) -> xr.DataArray:
    return _subset(results, "cell_accuracy", name)


def _far(cells: xr.DataArray) -> xr.DataArray:
    """Mean over cells of three and more displaced functions."""
    return cells.where(cells.m >= 3).mean(["k", "m"])


def displaced_fall(results: xr.DataTree) -> Verdict:
    """Accuracy at k = L, in order less all displaced, after in-order training."""
    if (name := _random(results)) is None:
        return _missing("random subset")
    full = _cells(results, name).isel(k=-1)
    fall = _plain(full.isel(m=0) - full.isel(m=-1))
    return at_least(fall, 0.3, "fall from m = 0 to m = L", method="median")


def displaced_training_helps(results: xr.DataTree) -> Verdict:
    """Accuracy at m >= 3, with displaced training as released less without."""
    released, name = released_subset(of(results, "step").subset.values), _random(results)
    if released is None or name is None:
        return _missing("displaced training as released")
    gain = _far(_cells(results, released)) - _far(_cells(results, name))
    return at_least(gain, 0.2, f"gain at m ≥ 3, {released}", method="median")


def but_not_everywhere(results: xr.DataTree) -> Verdict:
    """Accuracy of the worst cell, with displaced training as released."""
    if (released := released_subset(of(results, "step").subset.values)) is None:
        return _missing("displaced training as released")
    worst = _plain(_cells(results, released).min(["k", "m"]))
    return at_most(worst, 0.99, f"worst cell, {released}", method="median")


def corrected_sampler_reaches_further(results: xr.DataTree) -> Verdict:
    """Accuracy at m >= 3, all functions displaced in training less all but the last."""
    released = released_subset(of(results, "step").subset.values)
    if (
        released is None
        or (own := released.removesuffix(", code")) not in of(results, "step").subset
    ):
        return _missing("displaced training with and without the last function")
    gain = _far(_cells(results, own)) - _far(_cells(results, released))
    return at_least(gain, 0.05, f"{own} less {released}", method="median")


def displaced_is_fitted(results: xr.DataTree) -> Gate:
    """What was trained on in order is right, with displaced training as released."""
    if (released := released_subset(of(results, "step").subset.values)) is None:
        return _absent("displaced training as released")
    return reaches(_subset(results, "seen", released), FITTED, f"seen, {released}")


# --- formats ------------------------------------------------------------------------------------


def writing_beats_answering(results: xr.DataTree) -> Verdict:
    """Unseen step by step less unseen directly, at the same n; the smallest over n."""
    direct = of(results, "direct").direct_unseen
    gap = (step_at_direct(of(results, "step"), of(results, "direct"), "unseen") - direct).min("n")
    return at_least(gap, 0.3, "step by step less direct, unseen", method="median")


def direct_stays_low(results: xr.DataTree) -> Verdict:
    """Unseen directly, the best n."""
    best = of(results, "direct").direct_unseen.max("n")
    return at_most(best, 0.5, "direct, unseen", method="median")


def direct_is_fitted(results: xr.DataTree) -> Gate:
    """Direct networks answer what they were trained on, at every n that is compared: of the seen
    ones, as many as a memoriser does. By function others are seen too, which were never shown."""
    data = of(results, "direct")
    worst = (data.direct_seen / data.memoriser_seen).mean("seed").min("n")
    return reaches(worst, FITTED, "direct, seen over what a memoriser knows, worst n")


def step_is_fitted(results: xr.DataTree) -> Gate:
    """And so do stepwise ones."""
    worst = step_at_direct(of(results, "step"), of(results, "direct"), "seen").mean("seed").min("n")
    return reaches(worst, FITTED, "step by step, seen, worst n")


def direct_has_settled(results: xr.DataTree) -> Gate:
    """Direct networks no longer change on unseen compositions."""
    return flat(of(results, "direct").direct_late, 0.1, what="direct, unseen")


# --- which compositions -------------------------------------------------------------------------


def _base(results: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray, str] | None:
    """Accuracy by k of base alone, and with the most others; their name."""
    data = of(results, "step")
    larger = largest_subset(data.subset.values, "base")
    if larger is None or "base" not in data.subset:
        return None
    return _subset(results, "by_k", "base"), _subset(results, "by_k", larger), larger


def base_alone_fails(results: xr.DataTree) -> Verdict:
    """Base alone at k = L."""
    if (found := _base(results)) is None:
        return _missing("base subsets")
    return at_most(_plain(found[0].isel(k=-1)), 0.5, "base, k = L", method="median")


def few_others_help(results: xr.DataTree) -> Verdict:
    """Base and some others less base alone, at k = L."""
    if (found := _base(results)) is None:
        return _missing("base subsets")
    gain = _plain((found[1] - found[0]).isel(k=-1))
    return at_least(gain, 0.3, f"{found[2]} less base, k = L", method="median")


def base_is_fitted(results: xr.DataTree) -> Gate:
    """Base compositions are right, which is where composing starts."""
    if (found := _base(results)) is None:
        return _absent("base subsets")
    return reaches(found[0].sel(k=[0, 1]).min("k"), FITTED, "base, k ≤ 1")


def base_has_settled(results: xr.DataTree) -> Gate:
    """Accuracy at k = L no longer changes, of both subsets that are compared."""
    if (found := _base(results)) is None:
        return _absent("base subsets")
    late = of(results, "step").k_accuracy.sel(subset=["base", found[2]]).isel(k=-1)
    gap = _plain(late.isel(subset=1)) - _plain(late.isel(subset=0))
    return flat(gap, 0.3, what=f"{found[2]} less base, k = L")


def nothing_above_the_ceiling(results: xr.DataTree) -> Verdict:
    """Share of unidentifiable compositions that the smallest random subset's networks answer."""
    data = of(results, "step")
    names = [s for s in map(str, data.subset.values) if s.startswith("random ") and "," not in s]
    small = min(names, key=lambda text: int(text.split()[1]), default=None)
    if small is None:
        return _missing("random subset")
    beyond = _subset(results, "unseen_unidentifiable", small).fillna(0)
    return at_most(beyond, 0.1, f"unidentifiable, {small}", method="median")


def learning_times(curve: xr.DataArray) -> xr.DataArray:
    """Steps until accuracy .9, interpolated in log steps, of (seed, k, step) curves; the last step
    where it is not reached."""
    steps = np.log(np.maximum(curve.step.values, 1.0))

    def cross(row: np.ndarray) -> float:
        high = np.flatnonzero(row >= LEARNED)
        if not len(high):
            return float(np.exp(steps[-1]))
        i = high[0]
        part = 0.0 if i == 0 else (LEARNED - row[i - 1]) / (row[i] - row[i - 1])
        before = steps[max(i - 1, 0)]
        return float(np.exp(before + part * (steps[i] - before)))

    found: xr.DataArray = xr.apply_ufunc(cross, curve, input_core_dims=[["step"]], vectorize=True)
    return found


def _order(results: xr.DataTree, name: str, margin: float) -> Verdict:
    """Rank correlation of k >= 1 with the time to .9 of the last word's symbols."""
    times = learning_times(_subset(results, "k_accuracy", name)).isel(k=slice(1, None))
    return correlates(times.k, times, "k", margin, label=f"{name}: k with time to .9")


def base_learns_few_first(results: xr.DataTree) -> Verdict:
    """Time rises with k after base and others."""
    name = largest_subset(of(results, "step").subset.values, "base")
    return _missing("base subset") if name is None else _order(results, name, 0.5)


def random_learns_many_first(results: xr.DataTree) -> Verdict:
    """Time falls with k after a random subset."""
    name = _random(results)
    return _missing("random subset") if name is None else _order(results, name, -0.5)


def random_is_learned(results: xr.DataTree) -> Gate:
    """There are times: networks of the random subset reach .9 at every k."""
    if (name := _random(results)) is None:
        return _absent("random subset")
    best = _subset(results, "k_accuracy", name).isel(k=slice(1, None)).max("step")
    return reaches(best >= LEARNED, 0.9, f"share of k that are learned, {name}")
