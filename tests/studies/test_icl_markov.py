"""The Markov study against its oracles: enumeration, closed forms, scipy, planted mixtures."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from synthcore.studies.icl_markov import interpolation, measure, task, theory


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


# --- process ----------------------------------------------------------------------------------


def test_scan_and_steps_give_the_same_tokens() -> None:
    chains = task.draw_chains((5, 7), 4, generator())
    u = torch.rand(5, 7, 32, generator=generator(3), dtype=torch.float64)
    first = torch.randint(4, (5, 7), generator=generator(4))
    edges = chains.cumsum(-1)[..., :-1]
    assert torch.equal(task._scan(first, edges, u), task._step_by_step(first, edges, u))


def test_walk_follows_the_rows() -> None:
    chains = task.draw_chains((5, 7), 4, generator())
    start = task.stationary(chains)
    fast = task.walk(chains, start, 33, generator(3))
    u = torch.rand(5, 7, 33, generator=generator(3), dtype=torch.float64)
    for i, j in itertools.product(range(5), range(7)):
        state = int((u[i, j, 0] >= start[i, j].cumsum(-1)[:-1]).sum())
        assert fast[i, j, 0] == state
        for t in range(1, 33):
            state = int((u[i, j, t] >= chains[i, j, state].cumsum(-1)[:-1]).sum())
            assert fast[i, j, t] == state


def test_sequences_have_their_enumerated_probabilities() -> None:
    world = small_world()
    tokens, _ = world.sample(40_000, 4, generator())
    codes = (tokens[0] * torch.tensor([8, 4, 2, 1])).sum(-1)
    observed = torch.bincount(codes, minlength=16).numpy()
    expected = [
        sum(float(world.weights[0, n]) * probability(world, sequence, n) for n in range(3))
        for sequence in itertools.product(range(2), repeat=4)
    ]
    assert stats.chisquare(observed, np.array(expected) * 40_000).pvalue > 1e-3


@settings(deadline=None, max_examples=25)
@given(states=st.integers(2, 12), seed=st.integers(0, 10_000))
def test_stationary_distributions_are_stationary(states: int, seed: int) -> None:
    chains = task.draw_chains((6,), states, generator(seed))
    pi = task.stationary(chains)
    torch.testing.assert_close((pi[:, None] @ chains)[:, 0], pi, atol=1e-10, rtol=0)
    assert (pi >= 0).all()


def test_structured_chains_prefer_their_block() -> None:
    chains = task.draw_chains((4000,), 6, generator(), blocks=3)
    inside = chains[:, 0, :3].mean()
    assert float(inside) == pytest.approx(5 / (3 * 5 + 3 * 1), abs=0.005)


def test_weights_are_as_skewed_as_they_should_be() -> None:
    shares = {}
    for kind in ("normalised-uniform", "dirichlet", "uniform"):
        p = task.draw_weights(20_000, kind, generator())
        shares[kind] = float(torch.special.entr(p).sum().exp()) / 20_000
    assert shares["normalised-uniform"] == pytest.approx(math.exp(0.5) / 2, abs=0.01)
    assert shares["dirichlet"] == pytest.approx(math.exp(np.euler_gamma - 1), abs=0.01)
    assert shares["uniform"] == pytest.approx(1)


def test_padding_chains_are_never_drawn() -> None:
    world = task.Mixture.draw([2, 50], [0, 0], 3)
    _, chain = world.sample(500, 3, generator())
    assert int(chain[0].max()) <= 1
    assert int(chain[1].max()) > 10


def test_shuffle_keeps_counts_and_the_current_state() -> None:
    tokens = torch.randint(4, (6, 30), generator=generator())
    shuffled = task.shuffle_context(tokens, generator(1))
    assert torch.equal(shuffled.sort(-1).values, tokens.sort(-1).values)
    assert torch.equal(shuffled[:, -1], tokens[:, -1])
    assert not torch.equal(shuffled, tokens)


def test_relabelling_is_a_permutation_per_sequence() -> None:
    tokens = torch.randint(4, (6, 30), generator=generator())
    renamed = task.relabel(tokens, 4, generator(1))
    for before, after in zip(tokens, renamed, strict=True):
        pairs = set(zip(before.tolist(), after.tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_pair_tokens_can_be_read_back() -> None:
    tokens = torch.randint(4, (6, 30), generator=generator())
    pairs = task.pair_tokens(tokens, 4)
    assert torch.equal(pairs[:, 1:] // 4 - 1, tokens[:, 1:])
    assert torch.equal(pairs[:, 1:] % 4, tokens[:, :-1])
    assert int(pairs.max()) < 4 * 5


def test_bad_worlds_are_refused() -> None:
    with pytest.raises(ValueError, match="diversity must be at least 1"):
        task.Mixture.draw([0], [0], 3)
    with pytest.raises(ValueError, match="states must be at least 2"):
        task.draw_chains((1,), 1, generator())
    with pytest.raises(ValueError, match="sum to one"):
        task.Mixture.from_chains(torch.full((1, 1, 2, 2), 0.6).double(), torch.ones(1, 1).double())


# --- theory -----------------------------------------------------------------------------------


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
    surprise = measure.surprise(predicted[:, None], tokens[None])[:, 0].sum(-1)
    loss = (surprise * mass).sum(-1)
    assert torch.all(loss[[0, 2, 3]] > loss[1] + 1e-6)


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
    tokens = world.sample(20, 4000, generator())[0][0]
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


# --- interpolation ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_simplex_least_squares_agrees_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    P, target = rng.dirichlet(np.ones(6), size=(4, 5)).reshape(4, -1), rng.random(30)
    gram, cross = P @ P.T / 30, P @ target / 30
    ours = interpolation.simplex_least_squares(torch.tensor(gram), torch.tensor(cross)).numpy()
    theirs = optimize.minimize(
        lambda w: w @ gram @ w - 2 * w @ cross,
        np.full(4, 0.25),
        jac=lambda w: 2 * (gram @ w - cross),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(1)
    assert ours @ gram @ ours - 2 * ours @ cross <= theirs.fun + 1e-9


def test_condition_knows_when_algorithms_coincide() -> None:
    P = torch.rand(4, 50, dtype=torch.float64, generator=generator())
    assert float(interpolation.condition(P @ P.T)) < 1e4
    P[3] = P[1]
    assert float(interpolation.condition(P @ P.T)) == math.inf


# --- measurement ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def yardstick() -> measure.Yardstick:
    world = task.Mixture.draw([4, 32], [0, 0], 4)
    return measure.Yardstick(world, 48, 60, [1, 10, 60], [0, 0])


def test_interpolation_finds_planted_weights(yardstick: measure.Yardstick) -> None:
    planted = torch.tensor([0.1, 0.5, 0.0, 0.4], dtype=torch.float64)
    blend = (planted[:, None, None, None, None] * yardstick.id.predicted).sum(0)
    found = yardstick._interpolate(blend)
    torch.testing.assert_close(found["weight"][1][:, -1], planted.expand(2, 4), atol=1e-6, rtol=0)
    assert float(found["lia_kl"][1].max()) < 1e-6
    assert float(found["single_residual"][1][..., -1].min()) > 0.01


def test_proximity_tells_retrieval_from_truth(yardstick: measure.Yardstick) -> None:
    retrieving = measure.predictions(yardstick.mixture, yardstick.ood.tokens)
    assert float(yardstick._proximity(retrieving[1])["proximity_bigram"][1].min()) > 0.9
    counting = yardstick._proximity(retrieving[3])["proximity_bigram"][1]
    assert float(counting.mean()) == pytest.approx(0.5, abs=0.25)


def test_bi_ret_has_no_regret_and_reference_is_consistent(yardstick: measure.Yardstick) -> None:
    lines = yardstick.reference()
    assert torch.all(lines["excess_loss_algorithm"][1][1] == 0)
    kl_id = lines["kl_id_algorithm"][1]
    assert torch.all(kl_id[1, :, -1] <= kl_id[:, :, -1].min(0).values + 1e-9)
