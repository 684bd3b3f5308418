"""Policies, times of relearning and evaluations, where the answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from memory import numbers_held
from torch import Tensor

from synthcore.studies.finetuning_wrappers import measure
from synthcore.studies.finetuning_wrappers.measure import CLEAN, SPURIOUS, Evaluator
from synthcore.studies.finetuning_wrappers.task.grammar import A, B, World

WORLD = World(text=10, window=6, occurrence=2, least=0, most=3)

# --- policies -----------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0.02, 1), min_size=5, max_size=5),
    st.integers(0, 3),
)
def test_mixtures_are_recovered(raw: list[float], seed: int) -> None:
    weights = torch.tensor(raw, dtype=torch.double)
    weights = weights / weights.sum()
    draw = torch.Generator().manual_seed(seed)
    size, classes = 6000, 8
    n_a = torch.randint(1, 6, (size,), generator=draw)
    n_b = torch.randint(1, 7, (size,), generator=draw)
    answers = measure.policy_answers(n_a, n_b, 3)
    which = torch.multinomial(weights, size, replacement=True, generator=draw)
    noise = torch.randint(classes, (1, size), generator=draw)
    said = torch.cat([answers, noise]).gather(0, which[None])
    found = measure.fit_mixture(measure.count_patterns(said, answers), classes)[0]
    assert float(found.sum()) == pytest.approx(1, abs=1e-9)
    assert float((found - weights).abs().max()) < 0.06


def test_weights_are_a_maximum_of_the_likelihood() -> None:
    """No small move on the simplex raises the likelihood."""
    counts = torch.randint(1, 40, (1, 16), generator=torch.Generator().manual_seed(0)).double()
    best = measure.fit_mixture(counts, 7)[0]
    code = torch.arange(16)[:, None]
    table = torch.cat([((code >> torch.arange(4)) & 1).double(), torch.full((16, 1), 1 / 7)], 1)

    def likelihood(w: Tensor) -> float:
        return float((counts[0] * (table @ w).log()).sum())

    top = likelihood(best)
    for i in range(5):
        moved = 0.99 * best + 0.01 * torch.eye(5, dtype=torch.double)[i]
        assert likelihood(moved) <= top + 1e-6


def test_intervals_cover_the_estimate() -> None:
    counts = torch.zeros(2, 16, dtype=torch.double)
    counts[:, 4], counts[:, 1] = 150, 50
    found = measure.mixture_interval(counts, 8, torch.Generator().manual_seed(0))
    best = measure.fit_mixture(counts, 8)
    assert bool((found[0] <= best + 1e-6).all() & (found[1] >= best - 1e-6).all())
    assert 0.08 < float(found[1, 0, 2] - found[0, 0, 2]) < 0.16  # binomial: 4 * 0.031
    texts = 2 * 200 * 200  # redrawn, each a few numbers and not a row of patterns
    draw = torch.Generator().manual_seed(0)
    assert numbers_held(lambda: measure.mixture_interval(counts, 8, draw)) < 12 * texts


# --- relearning ---------------------------------------------------------------------------------


def test_relearning_must_be_held_and_is_censored_at_the_budget() -> None:
    steps = [0, 5, 10, 15, 20]
    curves = [[0.95, 0.9, 0.99, 0.2, 0.2], [0, 0.95, 0.2, 0.95, 0.96], [0, 0, 0.9, 0.9, 0.9]]
    found = measure.relearning_times(steps, curves)
    assert found.steps.tolist() == [0, 20, 10]
    assert found.observed.tolist() == [True, False, True]
    with pytest.raises(ValueError, match="one accuracy for each of 5 steps"):
        measure.relearning_times(steps, [[0.1] * 4])


def test_survival_is_the_product_limit() -> None:
    """Kaplan and Meier by hand: 5 runs, one censored."""
    times = measure.RelearningTimes(
        np.array([1.0, 2, 2, 3, 3]), np.array([True, True, True, True, False])
    )
    found = measure.kaplan_meier(times)
    np.testing.assert_allclose(found.steps, [0, 1, 2, 3])
    np.testing.assert_allclose(found.share, [1, 4 / 5, 4 / 5 * 2 / 4, 4 / 5 * 2 / 4 / 2])
    assert found.median == 2
    assert bool((found.low <= found.share).all() & (found.share <= found.high).all())


def test_speedup_bounds_from_below() -> None:
    fast = measure.RelearningTimes(np.array([0.0, 10, 100]), np.array([True, True, False]))
    slow = measure.RelearningTimes(np.array([50.0, 100, 60]), np.array([True, False, True]))
    np.testing.assert_allclose(measure.speedup(fast, slow, 5), [10, 10, 0])
    assert np.isnan(
        measure.logrank(
            slow._replace(observed=np.zeros(3, bool)), fast._replace(observed=np.zeros(3, bool))
        )
    )
    assert measure.logrank(fast, fast) == pytest.approx(1)


# --- evaluation ---------------------------------------------------------------------------------


def test_an_evaluator_knows_wrapper_and_truth() -> None:
    evaluator = Evaluator(WORLD, 60, 0, torch.device("cpu"))
    n_a, n_b = evaluator.right_answers(CLEAN, A), evaluator.right_answers(CLEAN, B)
    assert not bool((n_b == n_a + 1).any())
    assert torch.equal(
        evaluator.right_answers(SPURIOUS, B), evaluator.right_answers(SPURIOUS, A) + 1
    )
    predicted = torch.stack([n_a + 1, n_b, n_a])
    assert evaluator.wrapper_index(predicted).tolist() == pytest.approx([1, 0, 0])
    assert evaluator.share_right(predicted, CLEAN, B).tolist()[:2] == pytest.approx([0, 1])
    differences = evaluator.differences(predicted, CLEAN, A)
    assert float(differences[0, 5]) == 1  # all one above
    assert float(differences[2, 4]) == 1
