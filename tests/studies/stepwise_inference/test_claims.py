"""Every rule accepts what the claim says and refuses what it denies, at this study's own
measurement.
"""

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import has_the_effect, lacks_the_effect

from synthcore.evidence.claim import Claim
from synthcore.evidence.decide import decide
from synthcore.evidence.results import of, with_experiment
from synthcore.evidence.verdict import Word
from synthcore.studies.stepwise_inference import controls, measure
from synthcore.studies.stepwise_inference.claims import CLAIMS, gap, writing
from synthcore.studies.stepwise_inference.experiments import navigation
from synthcore.studies.stepwise_inference.measure.evaluator import Evaluator
from synthcore.studies.stepwise_inference.measure.policies import uniform_path, walker
from synthcore.studies.stepwise_inference.task.graphs import bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import random_split
from synthcore.training.seeding import seeded

BY_ID = {claim.id: claim for claim in CLAIMS}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_policy_that_does_it_passes(claim: Claim, results: xr.DataTree) -> None:
    has_the_effect(claim, results)


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.id != "C12"], ids=lambda c: c.id)
def test_the_policy_without_the_effect_does_not(claim: Claim, results: xr.DataTree) -> None:
    lacks_the_effect(claim, results)


def test_renamed_tables_do_not_keep_what_a_trained_network_knows(results: xr.DataTree) -> None:
    """Where a network steps along edges, tables of renamed nodes step along as many as chance."""
    data = of(results, "one_layer")
    full = xr.full_like(data.full_accuracy, 0.95)
    trained = with_experiment(results, "one_layer", data.assign(full_accuracy=full))
    lacks_the_effect(BY_ID["C12"], trained)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_hardly_trained_networks_reproduce_nothing(claim: Claim, results: xr.DataTree) -> None:
    assert decide(claim, results, "reference").verdict.verdict is not Word.REPRODUCED


def test_every_claim_has_both_controls_and_keeps_its_id() -> None:
    assert [c.id for c in CLAIMS] == [f"C{i}" for i in range(1, 13)]
    assert [c.id for c in CLAIMS if c.control is None or c.ideal is None] == []


# --- what the first rules did not see -------------------------------------------------------------


def test_a_direct_network_below_the_best_shortcut_makes_no_gap(results: xr.DataTree) -> None:
    """Stepwise answers as good as a shortcut, direct ones far below both: no gap."""
    data = of(controls.shortcut_answers(results), "navigation")
    recall = data.recall.copy(deep=True)
    recall.loc[{"format": "direct"}] = 0.6
    poor = with_experiment(results, "navigation", data.assign(recall=recall))
    alone = measure.final_accuracy(of(poor, "navigation"), "bernoulli", "step") - 0.6
    assert float(alone.mean()) > gap.BERNOULLI
    assert gap.bernoulli_gap(poor).verdict is not Word.REPRODUCED
    assert gap.bernoulli_gap(poor).observed < gap.BERNOULLI


def test_gates_of_the_gap_can_fail(results: xr.DataTree) -> None:
    """Order alone is at chance on hard negatives by construction; a gate asks for more."""
    data = of(results, "navigation")
    for value, holds in ((0.5, False), (0.8, True)):
        recall = xr.full_like(data.recall, value)
        changed = with_experiment(results, "navigation", data.assign(recall=recall))
        assert gap.direct_has_learned(changed).holds is holds
        assert gap.bernoulli_direct_is_flat(changed).holds
    rising = data.recall * 0 + xr.DataArray(np.linspace(0.5, 0.9, data.sizes["step"]), dims="step")
    changed = with_experiment(results, "navigation", data.assign(recall=rising))
    assert not gap.bernoulli_direct_is_flat(changed).holds
    assert not gap.ways_are_written(results).holds
    assert gap.ways_are_written(controls.exact_answers(results)).holds
    perfect = data.assign(baseline_accuracy=xr.ones_like(data.baseline_accuracy))
    assert not gap.there_is_room(with_experiment(results, "navigation", perfect)).holds


def test_stitching_is_decided_by_the_networks_that_were_trained_there(results: xr.DataTree) -> None:
    """C3 reads nothing but its own experiment."""
    alone = xr.DataTree.from_dict({"stitching": of(results, "stitching")})
    for endpoint in (*BY_ID["C3"].endpoints, *BY_ID["C3"].further):
        assert endpoint(alone) == endpoint(results)
    for gate in BY_ID["C3"].gates:
        assert gate(alone) == gate(results)


def test_success_only_with_all_exemplars_is_not_success_with_each(results: xr.DataTree) -> None:
    """0, 0, 0, 1: all are needed, and leaving the first out costs nothing more."""
    data = of(results, "steering")
    given = data.steering_given.copy(deep=True)
    given[:] = 0.0
    given[{"exemplars": -1}] = 1.0
    changed = with_experiment(results, "steering", data.assign(steering_given=given))
    assert writing.every_exemplar_counts(changed).observed == 0
    assert writing.every_exemplar_counts(changed).verdict is not Word.REPRODUCED
    assert writing.all_exemplars_are_needed(changed).observed == 0


def test_even_noise_has_the_released_order_of_failures_and_not_ours() -> None:
    """The exact policy with less and less noise: goals are missed by answers of many steps, so that
    they take longer than single steps; planning, step by step, is never unlearned later."""
    graphs = [bernoulli_graph(60, 0.1, seeded(s)) for s in range(4)]
    splits = [random_split(graph, 0.2, s) for s, graph in enumerate(graphs)]
    test = Evaluator(graphs, splits, 200, 28, range(4), torch.device("cpu"))
    noises = (*reversed(navigation.NOISES), 0.0)
    rows = [test.failures(walker(graphs, uniform_path, noise)) for noise in noises]
    step = [2**i for i in range(len(noises))]

    def half_time(name: str) -> xr.DataArray:
        rates = torch.stack([row[name] for row in rows]).numpy()
        rate = xr.DataArray(rates, dims=("step", "seed"))
        return measure.half_time(rate.assign_coords(step=step, seed=range(4)))

    released = measure.octaves(half_time("edge_error"), half_time("astray"))
    ours = measure.octaves(half_time("edge_error"), half_time("planning_error"))
    assert float(released.mean()) > writing.SOONER
    assert float(ours.max()) < 0


def test_right_answers_of_a_noisy_uniform_walker_are_short_and_its_walks_are_not(
    results: xr.DataTree,
) -> None:
    noisy = controls.uniform_with_noise(results)
    assert writing.shorter_given_valid(noisy).observed > writing.shorter(noisy).observed
    assert abs(writing.shorter(noisy).observed) < 0.15


# --- numbers --------------------------------------------------------------------------------------


def test_half_times_are_interpolated_in_log_steps() -> None:
    rate = xr.DataArray(
        [[1.0, 0.8, 0.2], [1.0, 0.9, 0.8], [np.nan, 0.8, 0.2]], dims=("seed", "step")
    )
    rate = rate.assign_coords(step=[0, 10, 1000], seed=[0, 1, 2])
    first, never, late = measure.half_time(rate).values
    assert first == pytest.approx(100)
    assert np.isinf(never)
    assert late == pytest.approx(10 * 100 ** (0.4 / 0.6))
    assert measure.at_first(rate).values.tolist() == [1.0, 1.0, 0.8]


def test_accuracy_weighs_connected_and_unconnected_alike() -> None:
    recall = xr.DataArray(
        [0.8, 0.4, 1.0], dims="group", coords={"group": ["connected", "hard", "easy"]}
    )
    assert measure.accuracy(recall) == pytest.approx(0.6)
    paper = measure.accuracy(recall, "paper", xr.DataArray(0.25))
    assert paper == pytest.approx((0.8 + 0.85) / 2)
    with pytest.raises(ValueError, match="share of hard negatives"):
        measure.accuracy(recall, "paper")
