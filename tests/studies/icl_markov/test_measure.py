"""The measurement of predictors that are known: planted mixtures, exact algorithms, a step."""

import numpy as np
import pytest
import torch
import xarray as xr

from synthcore.studies.icl_markov import task, theory
from synthcore.studies.icl_markov.measure import scores
from synthcore.studies.icl_markov.measure.evaluator import (
    VARIABLES,
    EvaluationSets,
    Evaluator,
)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    world = task.Mixture.draw([4, 32], [0, 0], 4)
    return Evaluator(world, [0, 0], [4, 32], EvaluationSets(48, 60, [1, 10, 60], [1, 60]))


def one(name: str) -> list[float]:
    return [float(name == algorithm) for algorithm in theory.ALGORITHMS]


def test_everything_measured_is_described(evaluator: Evaluator) -> None:
    assert set(evaluator.algorithm(one("Bi-Inf"))) == set(VARIABLES)


def test_a_predictor_is_judged_by_its_logits_alone(evaluator: Evaluator) -> None:
    """Counting transitions, written as a predictor of logits with a constant and an unused token,
    is measured as the algorithm is."""

    def counts(tokens: torch.Tensor) -> torch.Tensor:
        table = theory.current_row(theory.bigram_counts(tokens, 4), tokens) + 1
        return torch.cat([table.log() + 3, torch.full_like(table[..., :1], 50.0)], dim=-1)

    found, exact = evaluator.evaluate(counts), evaluator.algorithm(one("Bi-Inf"))
    for name in VARIABLES:
        torch.testing.assert_close(found[name], exact[name], equal_nan=True, atol=1e-7, rtol=1e-7)


def test_interpolation_finds_planted_weights(evaluator: Evaluator) -> None:
    planted = torch.tensor([0.1, 0.5, 0.0, 0.4, 0.0], dtype=torch.float64)
    found = evaluator.algorithm(planted.tolist())
    torch.testing.assert_close(found["weight"][:, -1], planted.expand(2, 5), atol=1e-6, rtol=0)
    assert float(found["lia_kl"].max()) < 1e-6
    assert float(found["single_residual"][..., -1].min()) > 0.01


def test_only_the_larger_mixture_knows_the_hybrid(evaluator: Evaluator) -> None:
    found = evaluator.algorithm(one("Hybrid-Ret"))
    assert float(found["lia_residual_of_five"][:, -1].max()) < 1e-6
    assert float(found["lia_residual"][:, -1].min()) > 1e-3
    assert found["nearest_id"][:, -1].tolist() == [4, 4]


def test_order_is_worth_nothing_to_unigram_algorithms(evaluator: Evaluator) -> None:
    for name, low, high in (("Uni-Inf", 0, 1e-9), ("Uni-Ret", 0, 1e-9), ("Bi-Ret", 0.1, 9)):
        found = evaluator.algorithm(one(name))
        change = (found["kl_id_shuffled"] - found["kl_id_ordered"])[:, -1]
        assert low <= float(change.abs().min()) <= float(change.abs().max()) <= high, name


def test_after_one_token_there_is_nothing_to_shuffle(evaluator: Evaluator) -> None:
    found = evaluator.algorithm(one("Bi-Inf"))
    torch.testing.assert_close(found["kl_ood_shuffled"][:, 0], found["kl_ood_ordered"][:, 0])


def test_proximity_tells_retrieval_from_truth(evaluator: Evaluator) -> None:
    assert float(evaluator.algorithm(one("Bi-Ret"))["proximity_bigram"].min()) > 0.9
    counting = evaluator.algorithm(one("Bi-Inf"))["proximity_bigram"]
    assert float(counting.mean()) == pytest.approx(0.5, abs=0.25)


def test_bi_ret_has_no_regret_and_the_lowest_divergence(evaluator: Evaluator) -> None:
    lines = evaluator.reference()
    assert torch.all(lines["excess_loss_algorithm"][1] == 0)
    kl_id = lines["kl_id_algorithm"]
    assert torch.all(kl_id[1, :, -1] <= kl_id[:, :, -1].min(0).values + 1e-9)


def test_halves_add_up(evaluator: Evaluator) -> None:
    found = evaluator.algorithm(one("Uni-Ret"))
    halves = (found["kl_ood_first_half"] + found["kl_ood_second_half"]) / 2
    torch.testing.assert_close(halves, found["kl_ood"])


def test_contexts_outside_the_sequences_are_refused() -> None:
    world = task.Mixture.draw([4], [0], 4)
    with pytest.raises(ValueError, match=r"contexts must lie in 1\.\.60"):
        Evaluator(world, [0], [4], EvaluationSets(4, 60, [1, 61], [1]))


def test_crossing_is_interpolated_in_log_steps() -> None:
    score = xr.DataArray([1.0, 1.0, 0.5, 0.0], dims="step", coords={"step": [0, 1, 10, 100]})
    assert float(scores.crossing(score, 0.75)) == pytest.approx(np.sqrt(10))
    assert np.isnan(scores.crossing(score, -1))
    assert float(scores.crossing(score, 1.5)) == 1  # there from the first measurement on


def curve(values: np.ndarray, octaves: np.ndarray) -> xr.DataArray:
    return xr.DataArray(
        values[:, None], dims=("diversity", "seed"), coords={"diversity": 2.0**octaves}
    )


@pytest.mark.parametrize("width", [0.18, 0.5, 1.0])
def test_the_share_of_a_logistic_is_its_closed_form(width: float) -> None:
    octaves = np.arange(2, 9.1, 0.5)
    fit = scores.fall_within_an_octave(
        curve(scores.logistic(octaves, 0.1, 1.2, 5.5, width), octaves)
    )
    assert float(fit.share.item()) == pytest.approx(np.tanh(1 / (4 * width)), abs=0.01)
    assert float(fit.middle.item()) == pytest.approx(2**5.5, rel=0.02)


def test_a_ramp_is_no_threshold_and_a_step_is_one() -> None:
    octaves = np.arange(2, 9.1, 0.5)
    ramp = scores.fall_within_an_octave(curve(1.2 - 1.2 * (octaves - 2) / 7, octaves))
    step = scores.fall_within_an_octave(curve(np.where(octaves < 5.2, 1.2, 0.1), octaves))
    assert float(ramp.share.item()) < 0.35
    assert float(step.share.item()) > 0.9
