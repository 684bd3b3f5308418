"""The exact predictors against enumeration, quadrature, and the numbers of the paper's size."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from synthcore.studies.icl_markov import task, theory


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_world(chains: int = 3, states: int = 2) -> task.Mixture:
    return task.Mixture.draw([chains], [1], states)


def probability(world: task.Mixture, sequence: tuple[int, ...], chain: int) -> float:
    """P(sequence | chain), one factor at a time."""
    p = float(world.stationary[0, chain, sequence[0]])
    for before, after in itertools.pairwise(sequence):
        p *= float(world.transitions[0, chain, before, after])
    return p


def test_retrieval_is_bayes_rule_by_enumeration() -> None:
    world = small_world(chains=4, states=3)
    sequence = (2, 0, 0, 1, 2, 1)
    chains = (world.transitions[0], world.stationary[0], world.weights[0])
    predicted = theory.predictions(torch.tensor([sequence]), *chains)
    for t in range(len(sequence)):
        seen = sequence[: t + 1]
        joint = [
            sum(float(world.weights[0, n]) * probability(world, (*seen, j), n) for n in range(4))
            for j in range(3)
        ]
        expected = torch.tensor(joint, dtype=torch.float64) / sum(joint)
        torch.testing.assert_close(predicted[1, 0, t], expected, atol=1e-12, rtol=0)


def test_no_predictor_beats_bi_ret_in_expectation() -> None:
    world = small_world(chains=3, states=2)
    chains = (world.transitions[0], world.stationary[0], world.weights[0])
    every = list(itertools.product(range(2), repeat=6))
    mass = torch.tensor(
        [sum(float(chains[2][n]) * probability(world, s, n) for n in range(3)) for s in every]
    )
    tokens = torch.tensor(every)
    predicted = theory.predictions(tokens, *chains)
    surprise = theory.surprisal(predicted[:, None], tokens[None])[:, 0].sum(-1)
    loss = (surprise * mass).sum(-1)
    assert torch.all(loss[[0, 2, 3, 4]] > loss[1] + 1e-6)


def test_after_one_token_both_posteriors_are_equal() -> None:
    world = small_world(chains=6, states=3)
    posterior = theory.posteriors(
        torch.tensor([[2, 1, 1]]), world.transitions[0], world.stationary[0], world.weights[0]
    )
    torch.testing.assert_close(posterior.unigram[:, 0], posterior.bigram[:, 0])
    assert not torch.allclose(posterior.unigram[:, 2], posterior.bigram[:, 2])


def test_inference_counts() -> None:
    world = small_world(chains=2, states=3)
    tokens = torch.tensor([[0, 1, 0, 1, 2, 0]])
    chains = (world.transitions[0], world.stationary[0], world.weights[0])
    predicted = theory.predictions(tokens, *chains)[:, 0, -1]
    torch.testing.assert_close(predicted[2], torch.tensor([4, 3, 2]).double() / 9)
    torch.testing.assert_close(predicted[3], torch.tensor([1, 3, 1]).double() / 5)


def test_uni_inf_of_the_code_approaches_counting() -> None:
    world = small_world(chains=1, states=3)
    tokens = world.sample(20, 4000, [generator()])[0][0]
    share = theory.unigram_counts(tokens, 3)[:, -1] / 4000
    torch.testing.assert_close(theory.stationary_of_counts(tokens, 3), share, atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("n", "forward", "reverse"),
    [(0, 0.3736, 0.5264), (10, 0.1985, 0.2515), (40, 0.0839, 0.0961), (100, 0.0392, 0.0426)],
)
def test_divergence_of_counting_at_ten_states(n: int, forward: float, reverse: float) -> None:
    assert theory.kl_truth_to_bi_inf(n, 10) == pytest.approx(forward, abs=5e-5)
    assert theory.kl_bi_inf_to_truth(n, 10) == pytest.approx(reverse, abs=5e-5)


def test_divergence_of_counting_by_quadrature() -> None:
    """Two states: the row is (p, 1 - p) with p uniform, so both divergences are one integral."""
    n, p = 4, (np.arange(20_000) + 0.5) / 20_000
    forward = reverse = 0.0
    for m in range(n + 1):
        q = (m + 1) / (n + 2)
        seen = stats.binom.pmf(m, n, p)
        truth = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        estimate = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
        forward += float((seen * truth).mean())
        reverse += float((seen * estimate).mean())
    assert theory.kl_truth_to_bi_inf(n, 2) == pytest.approx(forward, abs=1e-4)
    assert theory.kl_bi_inf_to_truth(n, 2) == pytest.approx(reverse, abs=1e-4)


def test_counting_nothing_is_the_uniform_predictor() -> None:
    for k in (2, 5, 10):
        assert theory.kl_truth_to_bi_inf(0, k) == pytest.approx(theory.kl_row_to_uniform(k))
        assert theory.kl_bi_inf_to_truth(0, k) == pytest.approx(theory.kl_uniform_to_row(k))


def test_the_hybrid_recognises_by_states_and_predicts_by_rows() -> None:
    world = small_world(chains=4, states=3)
    sequence = (2, 0, 0, 1)
    chains = (world.transitions[0], world.stationary[0], world.weights[0])
    predicted = theory.predictions(torch.tensor([sequence]), *chains)[4, 0, -1]
    mass = [
        float(chains[2][n]) * math.prod(float(chains[1][n, s]) for s in sequence) for n in range(4)
    ]
    expected = sum(w * chains[0][n, 1] for n, w in enumerate(mass)) / sum(mass)
    torch.testing.assert_close(predicted, expected, atol=1e-12, rtol=0)


def test_simulation_agrees_with_the_closed_forms() -> None:
    found = theory.simulate(5, [0, 1, 2])
    z = (found.simulated - found.exact) / found.error
    assert float(np.abs(z).max()) < 4.5
    shifted = theory.simulate(6, [0, 1, 2])
    assert float(np.abs((shifted.simulated - found.exact.values) / shifted.error).max()) > 20
