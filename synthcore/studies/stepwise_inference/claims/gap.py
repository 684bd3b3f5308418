"""What is estimated per seed of the gap between writing the way and answering at once."""

import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import flat, reaches, stays_below
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least
from synthcore.studies.stepwise_inference import measure
from synthcore.studies.stepwise_inference.experiments.stitching import ALL

BERNOULLI, LAYERED, LARGER, STITCHED = 0.04, 0.075, 0.04, 0.05


def bernoulli_gap(results: xr.DataTree) -> Verdict:
    """Accuracy of stepwise networks on hard negatives less that of the better of direct networks
    and the best shortcut; Bernoulli graphs."""
    return at_least(measure.accuracy_gap(of(results, "navigation"), "bernoulli"), BERNOULLI, "gap")


def layered_gap(results: xr.DataTree) -> Verdict:
    """The same on layered graphs."""
    gap = measure.accuracy_gap(of(results, "navigation"), "layered")
    return at_least(gap, LAYERED, "gap, layered")


def bernoulli_gap_of_paper(results: xr.DataTree) -> Verdict:
    """The same on the paper's mixture of negatives; Bernoulli graphs."""
    gap = measure.accuracy_gap(of(results, "navigation"), "bernoulli", "paper")
    return at_least(gap, BERNOULLI, "gap, paper's negatives")


def layered_gap_of_paper(results: xr.DataTree) -> Verdict:
    """The same on the paper's mixture of negatives; layered graphs."""
    gap = measure.accuracy_gap(of(results, "navigation"), "layered", "paper")
    return at_least(gap, LAYERED, "gap, layered, paper's negatives")


def dead_ends_gap(results: xr.DataTree) -> Verdict:
    """The gap where dead ends are written out; Bernoulli graphs."""
    data = of(results, "navigation")
    if "walk" not in data.format.values:
        return Verdict.not_testable("no network writes dead ends out in this run", "dead ends")
    gap = measure.accuracy_gap(data, "bernoulli", written="walk")
    return at_least(gap, BERNOULLI, "gap with dead ends written out")


def larger_when_layered(results: xr.DataTree) -> Verdict:
    """The gap on layered graphs less that on Bernoulli graphs."""
    data = of(results, "navigation")
    difference = measure.accuracy_gap(data, "layered") - measure.accuracy_gap(data, "bernoulli")
    return at_least(difference, LARGER, "gap, layered less Bernoulli")


def ways_are_written(results: xr.DataTree) -> Gate:
    """Stepwise networks do write ways: share of connected pairs with a right path, worse kind."""
    right = of(results, "navigation").valid.sel(format="step").isel(step=-1)
    return reaches(right.mean("seed").min("kind"), 0.5, "share of right paths, worse kind of graph")


def direct_has_learned(results: xr.DataTree) -> Gate:
    """Direct networks know more than chance: their accuracy on the worse kind of graph."""
    data = of(results, "navigation")
    known = [
        float(measure.final_accuracy(data, kind, "direct").mean()) for kind in data.kind.values
    ]
    return reaches(min(known), 0.6, "accuracy of direct networks (chance .5)")


def there_is_room(results: xr.DataTree) -> Gate:
    """What the gap is measured against is no perfect score already."""
    data = of(results, "navigation")
    best = [float(measure.alternative(data, kind).mean()) for kind in data.kind.values]
    return stays_below(max(best), 0.95, "accuracy to be beaten")


def _is_flat(results: xr.DataTree, kind: str, written: str, margin: float) -> Gate:
    recall = of(results, "navigation").recall.sel(kind=kind, format=written)
    return flat(measure.accuracy(recall), margin, what=f"accuracy, {written}, {kind}")


def bernoulli_direct_is_flat(results: xr.DataTree) -> Gate:
    """Training of direct networks has settled; Bernoulli graphs."""
    return _is_flat(results, "bernoulli", "direct", BERNOULLI)


def bernoulli_step_is_flat(results: xr.DataTree) -> Gate:
    """Training of stepwise networks has settled; Bernoulli graphs."""
    return _is_flat(results, "bernoulli", "step", BERNOULLI)


def layered_direct_is_flat(results: xr.DataTree) -> Gate:
    """Training of direct networks has settled; layered graphs."""
    return _is_flat(results, "layered", "direct", LAYERED)


def layered_step_is_flat(results: xr.DataTree) -> Gate:
    """Training of stepwise networks has settled; layered graphs."""
    return _is_flat(results, "layered", "step", LAYERED)


# --- stitching ----------------------------------------------------------------------------------


def _by_delta(results: xr.DataTree) -> tuple[xr.DataArray, list[int]]:
    gaps = measure.far_gap(of(results, "stitching"))
    return gaps, [int(delta) for delta in gaps.near.values if delta != ALL]


def falls_with_delta(results: xr.DataTree) -> Verdict:
    """The gap on far pairs at the smallest Delta less that at the largest."""
    gaps, deltas = _by_delta(results)
    smallest, largest = (gaps.sel(near=delta, drop=True) for delta in (deltas[0], deltas[-1]))
    return at_least(smallest - largest, STITCHED, "far gap, smallest less largest Delta")


def falls_with_all_distances(results: xr.DataTree) -> Verdict:
    """The gap on far pairs at the smallest Delta less that after training at every distance."""
    gaps, deltas = _by_delta(results)
    difference = gaps.sel(near=deltas[0], drop=True) - gaps.sel(near=ALL, drop=True)
    return at_least(difference, STITCHED, "far gap, smallest Delta less all distances")


def far_ways_are_stitched(results: xr.DataTree) -> Verdict:
    """Share of far pairs with a right path at the smallest Delta, in the networks that were trained
    there: such a path is longer than any training line."""
    data = of(results, "stitching").isel(step=-1, drop=True)
    _, deltas = _by_delta(results)
    right = data.far_valid.sel(format="step", near=deltas[0], drop=True)
    return at_least(right, 0.25, "right far paths, smallest Delta")


def far_ways_can_be_written(results: xr.DataTree) -> Gate:
    """Networks that were trained at every distance do write right far paths."""
    data = of(results, "stitching").isel(step=-1)
    right = data.far_valid.sel(format="step", near=ALL)
    return reaches(right, 0.5, "right far paths, all distances")


def far_pairs_are_enough(results: xr.DataTree) -> Gate:
    """There are far pairs to be asked about: the mean number of different ones per graph."""
    pairs = of(results, "stitching").far_pairs.mean("near")
    return reaches(pairs, 20, "different far pairs per graph")


def stitching_is_flat(results: xr.DataTree) -> Gate:
    """Training at the smallest Delta has settled."""
    data = of(results, "stitching")
    _, deltas = _by_delta(results)
    recall = data.far_recall.sel(near=deltas[0], format=["step", "direct"])
    return flat(measure.accuracy(recall), STITCHED, what="far accuracy, smallest Delta")
