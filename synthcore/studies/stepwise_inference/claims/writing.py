"""What is estimated per seed of written ways: temperature, lengths, failures, the one-layer rule;
and of steering by exemplars."""

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import flat, reaches
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most, ordered
from synthcore.studies.stepwise_inference import measure

SOONER = float(np.log2(1.3))


def _network(results: xr.DataTree, experiment: str) -> xr.Dataset:
    return of(results, experiment).sel(subject="network", drop=True)


# --- temperature --------------------------------------------------------------------------------


def accuracy_falls(results: xr.DataTree) -> Verdict:
    """Rank correlation of accuracy with temperature, on exact curves averaged over pairs."""
    curve = _network(results, "temperatures").temperature_accuracy.mean("question")
    return at_most(measure.rank_correlation(curve, "temperature"), -0.9, "accuracy falls")


def answers_differ_more(results: xr.DataTree) -> Verdict:
    """Rank correlation of the number of different sampled answers with temperature."""
    different = _network(results, "temperatures").sampled_distinct.mean("question")
    correlation = measure.rank_correlation(different, "sampled_temperature")
    return at_least(correlation, 0.9, "different answers increase")


def middle_finds_most(results: xr.DataTree) -> Verdict:
    """Different right paths at the best inner temperature over the better of the two ends."""
    valid_paths = _network(results, "temperatures").temperature_distinct_valid.mean("question")
    ends = valid_paths.isel(temperature=[0, -1]).max("temperature").clip(1e-9)
    best = valid_paths.isel(temperature=slice(1, -1)).max("temperature")
    return at_least(best / ends, 1.2, "most paths at an inner temperature")


def paths_are_known(results: xr.DataTree) -> Gate:
    """At low temperatures the network does find right paths."""
    accuracy = _network(results, "temperatures").temperature_accuracy
    low = accuracy.sel(temperature=slice(0, 0.5)).mean("temperature")
    return reaches(low, 0.3, "accuracy at low temperature")


# --- lengths ------------------------------------------------------------------------------------


def shorter(results: xr.DataTree) -> Verdict:
    """Edges by which walks without errors fall short of uniform paths."""
    difference = _network(results, "lengths").length_difference
    return at_least(-difference.sel(reference="uniform path", drop=True), 0.2, "edges shorter")


def shorter_given_valid(results: xr.DataTree) -> Verdict:
    """The same of sampled answers that happen to be right; longer ones fail more often."""
    difference = _network(results, "lengths").length_given_valid
    return at_least(-difference.sel(reference="uniform path", drop=True), 0.2, "given a right path")


def shorter_than_viable(results: xr.DataTree) -> Verdict:
    """The same against a walk uniform over the children that lead to the goal."""
    difference = _network(results, "lengths").length_difference
    return at_least(-difference.sel(reference="viable walk", drop=True), 0.2, "than viable walks")


def answers_are_right_often(results: xr.DataTree) -> Gate:
    """Sampled answers are right paths often enough to speak of their lengths."""
    return reaches(_network(results, "lengths").valid_sampled, 0.25, "share of right answers")


# --- failures -----------------------------------------------------------------------------------


def _training(results: xr.DataTree) -> xr.Dataset:
    return of(results, "navigation").sel(kind="bernoulli", format="step", drop=True)


def missteps_first(results: xr.DataTree) -> Verdict:
    """Octaves of training by which errors of planning take longer to halve than missteps, step by
    step: a misstep is no edge; an error of planning is an edge from which the goal is lost."""
    data = _training(results)
    later = measure.octaves(
        measure.half_time(data.edge_error), measure.half_time(data.planning_error)
    )
    return at_least(later, SOONER, "octaves later, step by step")


def missteps_first_as_released(results: xr.DataTree) -> Verdict:
    """The release's two curves: answers that miss the goal against single steps off the graph. An
    answer of many steps has many chances, so noise that falls evenly has this order too."""
    data = _training(results)
    later = measure.octaves(measure.half_time(data.edge_error), measure.half_time(data.astray))
    return at_least(later, SOONER, "answers that miss, over single steps")


def missteps_first_in_answers(results: xr.DataTree) -> Verdict:
    """The same with answers that have a misstep anywhere."""
    data = _training(results)
    later = measure.octaves(measure.half_time(data.misstep), measure.half_time(data.astray))
    return at_least(later, SOONER, "answers that miss, over answers with a misstep")


def planning_fails_at_first(results: xr.DataTree) -> Gate:
    """There is something to unlearn: errors of planning at the first measurement."""
    first = measure.at_first(_training(results).planning_error)
    return reaches(first, 0.1, "errors of planning at first")


def missteps_are_unlearned(results: xr.DataTree) -> Gate:
    """Single steps leave the graph seldom at the end."""
    last = _training(results).edge_error.isel(step=-1)
    return reaches(1 - last, 0.8, "steps on the graph at the end")


# --- one layer ----------------------------------------------------------------------------------


def rule_keeps_accuracy(results: xr.DataTree) -> Verdict:
    """Next-edge accuracy of the rule, with each place's own attention, over the network's."""
    data = of(results, "one_layer").isel(step=-1, drop=True)
    return at_least(data.rule_accuracy / data.full_accuracy, 0.95, "accuracy that the rule keeps")


def attention_is_on_both(results: xr.DataTree) -> Verdict:
    """Attention on goal and current node."""
    mass = of(results, "one_layer").attention_mass.isel(step=-1, drop=True)
    return at_least(mass, 0.8, "attention on goal and node")


def goals_know_distance(results: xr.DataTree) -> Verdict:
    """Rank correlation of S1 with minus the distance, goal by goal."""
    correlation = of(results, "one_layer").distance_correlation.isel(step=-1, drop=True)
    return at_least(correlation, 0.5, "S1 knows distance")


def nodes_know_edges(results: xr.DataTree) -> Verdict:
    """AUC with which S2 tells children from other nodes."""
    area = of(results, "one_layer").adjacency_auc.isel(step=-1, drop=True)
    return at_least(area, 0.95, "S2 knows edges")


def one_layer_has_learned(results: xr.DataTree) -> Gate:
    """The one-layer network steps along edges."""
    full = of(results, "one_layer").full_accuracy.isel(step=-1)
    return reaches(full, 0.8, "next-edge accuracy of the network")


def one_layer_is_flat(results: xr.DataTree) -> Gate:
    """Its training has settled."""
    return flat(of(results, "one_layer").full_accuracy, 0.05, what="next-edge accuracy")


# --- steering -----------------------------------------------------------------------------------


def _steering(results: xr.DataTree) -> xr.Dataset:
    return _network(results, "steering")


def _inside(data: xr.Dataset, order: str) -> xr.DataArray:
    """Success within the lengths of training, per seed."""
    some = data.steering.sel(order=order, between=slice(None, data.attrs["between"]), drop=True)
    return some.mean("between")


def follows_exemplars(results: xr.DataTree) -> Verdict:
    """Share of answers that follow the exemplars, seen orders within the lengths of training."""
    return at_least(_inside(_steering(results), "seen"), 0.8, "with exemplars")


def lost_without(results: xr.DataTree) -> Verdict:
    """Success without exemplars over that with all of them."""
    given = _steering(results).steering_given
    bare, full = (given.isel(exemplars=i, drop=True) for i in (0, -1))
    return at_most(bare / full.clip(1e-9), 0.3, "without, as a share")


def unseen_as_well(results: xr.DataTree) -> Verdict:
    """Success on seen orders less that on orders with an unseen link."""
    data = _steering(results)
    return at_most(_inside(data, "seen") - _inside(data, "unseen"), 0.1, "loss on unseen orders")


def seen_are_followed(results: xr.DataTree) -> Gate:
    """Seen orders are followed at all."""
    return reaches(_inside(_steering(results), "seen"), 0.5, "success on seen orders")


def longer_fail(results: xr.DataTree) -> Verdict:
    """Success within the lengths of training less that at one and two motifs more."""
    data = _steering(results)
    limit = data.attrs["between"]
    seen = data.steering.sel(order="seen", drop=True)
    beyond = seen.sel(between=slice(limit + 1, limit + 2)).mean("between")
    return at_least(_inside(data, "seen") - beyond, 0.3, "success lost beyond training")


def every_exemplar_counts(results: xr.DataTree) -> Verdict:
    """Smallest rise of success with one more exemplar."""
    given = _steering(results).steering_given
    return ordered(given, "exemplars", 0.05, label="smallest rise with one more exemplar")


def all_exemplars_are_needed(results: xr.DataTree) -> Verdict:
    """Success with one exemplar left out over that with all."""
    given = _steering(results).steering_given
    some, full = (given.isel(exemplars=i, drop=True) for i in (-2, -1))
    return at_most(some / full.clip(1e-9), 0.1, "one left out, as a share")


def first_is_followed(results: xr.DataTree) -> Verdict:
    """Share that follows the first of two chains less that which follows the second, over both
    orders."""
    share = _steering(results).primacy.mean("conflict")
    first, second = (share.sel(position=name, drop=True) for name in ("first", "second"))
    return at_least(first - second, 0.2, "first less second chain")


def one_is_followed(results: xr.DataTree) -> Gate:
    """Some chain is followed at all."""
    followed = _steering(results).primacy.mean("conflict").sum("position")
    return reaches(followed, 0.5, "answers that follow one of the two chains")
