"""The process against enumeration, one step at a time, and laws of its parts."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthcore.studies.icl_markov import task


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


def test_scan_and_steps_give_the_same_tokens() -> None:
    chains = task.draw_chains((5, 7), 4, generator())
    u = torch.rand(5, 7, 32, generator=generator(3), dtype=torch.float64)
    first = torch.randint(4, (5, 7), generator=generator(4))
    edges = chains.cumsum(-1)[..., :-1]
    assert torch.equal(task._scan(first, edges, u), task._step_by_step(first, edges, u))


def test_walk_follows_the_rows() -> None:
    chains = task.draw_chains((5, 7), 4, generator())
    start = task.stationary(chains)
    u = torch.rand(5, 7, 33, generator=generator(3), dtype=torch.float64)
    fast = task.walk(chains, start, u)
    for i, j in itertools.product(range(5), range(7)):
        state = int((u[i, j, 0] >= start[i, j].cumsum(-1)[:-1]).sum())
        assert fast[i, j, 0] == state
        for t in range(1, 33):
            state = int((u[i, j, t] >= chains[i, j, state].cumsum(-1)[:-1]).sum())
            assert fast[i, j, t] == state


def test_sequences_have_their_enumerated_probabilities() -> None:
    world = small_world()
    tokens, _ = world.sample(40_000, 4, [generator()])
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
    _, chain = world.sample(500, 3, [generator(), generator(1)])
    assert int(chain[0].max()) <= 1
    assert int(chain[1].max()) > 10


def test_shuffle_keeps_counts_and_the_current_state() -> None:
    tokens = torch.randint(4, (2, 6, 30), generator=generator())
    shuffled = task.shuffle_context(tokens, [generator(1), generator(2)])
    assert torch.equal(shuffled.sort(-1).values, tokens.sort(-1).values)
    assert torch.equal(shuffled[..., -1], tokens[..., -1])
    assert not torch.equal(shuffled, tokens)


def test_new_chains_are_new_in_every_sequence_and_are_followed() -> None:
    """Every sequence is the walk of its own chain: its likelihood ratio to any other sequence's
    chain grows in proportion to its length."""
    tokens, chains = task.new_chains(6, 2000, 4, [generator(1), generator(2)])
    assert len({tuple(chain.flatten().tolist()) for chain in chains.flatten(0, 1)}) == 12
    for sequences, own in zip(tokens, chains, strict=True):
        steps = sequences[:, :-1] * 4 + sequences[:, 1:]
        likelihood = own.log().flatten(1)[:, steps].sum(-1)  # of chain i for sequence j
        assert (likelihood.argmax(0) == torch.arange(6)).all()


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


def test_a_context_of_one_token_has_one_order() -> None:
    tokens = torch.randint(4, (1, 6, 1), generator=generator())
    assert torch.equal(task.shuffle_context(tokens, [generator(1)]), tokens)


def test_a_member_draws_the_same_alone_and_among_others() -> None:
    both = task.Mixture.draw([2, 50], [0, 7], 3)
    alone = task.Mixture.draw([50], [7], 3)
    together, _ = both.sample(20, 9, [generator(1), generator(2)])
    single, _ = alone.sample(20, 9, [generator(2)])
    assert torch.equal(together[1], single[0])
