"""The pair learner: masses by hand, streams, a population against single models, fragments."""

import numpy as np
import pytest
import torch

from synthcore.studies.percolation.experiments.pairs import (
    PairSampler,
    PairTask,
    count_table,
    learn,
)
from synthcore.studies.percolation.measure.masses import Kinds, masses
from synthcore.studies.percolation.model import PairLearner, pair_loss
from synthcore.studies.percolation.task.vocabulary import random_edges
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded


def test_masses_by_hand() -> None:
    task = PairTask(4, 8, 2, 0.4, batch=4)
    drawn = [task.graph(seed) for seed in (0, 1)]
    kinds = Kinds.of(drawn)
    p = torch.rand(2, 4, 8, generator=seeded(0)).softmax(-1)
    found = masses(p, kinds)
    for m, graph in enumerate(drawn):
        same, edge = graph.classes.same.numpy(), graph.edges.numpy()
        chance = p[m].double().numpy()
        assert found["class_mass"][m] == pytest.approx((chance * same).sum() / 4, rel=1e-5)
        assert found["edge_mass"][m] == pytest.approx((chance * edge).sum() / 4, rel=1e-5)
        held = chance[same & ~edge].mean() / chance[~same].mean()
        assert found["odds"][m] == pytest.approx(np.log(held), abs=1e-5)
    uniform = masses(torch.full((2, 4, 8), 1 / 8), kinds)
    assert uniform["odds"].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert uniform["held_mass"].tolist() == pytest.approx([0.5, 0.5], abs=1e-6)
    assert uniform["lift"].tolist() == pytest.approx([1, 1], abs=1e-6)
    of_class = masses(same_class_only(kinds), kinds)
    assert of_class["held_mass"].tolist() == pytest.approx([1, 1], abs=1e-6)
    assert of_class["lift"].min() > 2  # all of it, where a uniform predictor gives less than half


def same_class_only(kinds: Kinds) -> torch.Tensor:
    return kinds.same.float() / kinds.same.sum(-1, keepdim=True)


def test_a_population_of_pair_learners_is_a_loop_of_single_ones() -> None:
    both = PairLearner(6, 10, [3, 4])
    pairs = torch.randint(6, (2, 5, 2), generator=seeded(0))
    pair_loss(both, pairs).sum().backward()
    for m, seed in enumerate((3, 4)):
        one = PairLearner(6, 10, [seed])
        loss = pair_loss(one, pairs[m : m + 1])
        loss.sum().backward()
        for a, b in zip(both.parameters(), one.parameters(), strict=True):
            assert a.grad is not None
            assert b.grad is not None
            torch.testing.assert_close(a.grad[m], b.grad[0])


def test_the_stream_shows_edges_only_and_all_entities_alike() -> None:
    graph = random_edges(PairTask(8, 40, 2, 0.3, 1).graph(0).classes, 0.3, seeded(1))
    pairs = PairSampler([graph], 1_000, [0])
    pairs = torch.cat([pairs(step)[0] for step in range(20)])
    assert bool(graph.edges[pairs[:, 0], pairs[:, 1]].all())
    share = torch.bincount(pairs[:, 0], minlength=8) / 20_000
    np.testing.assert_allclose(share, 1 / 8, atol=0.012)
    first = pairs[pairs[:, 0] == 0, 1]
    assert len(first.unique()) == int(graph.edges[0].sum())


def test_a_table_of_counts_only_remembers() -> None:
    """Never-shown pairs are all alike to it: log odds 0, and a uniform predictor's share."""
    task = PairTask(12, 80, 4, 0.3, 64)
    graphs = [task.graph(seed) for seed in (0, 1)]
    kinds = Kinds.of(graphs)
    table = count_table(PairSampler(graphs, 64, [0, 1]), 300, kinds)
    found = masses(table, kinds)
    assert found["odds"].abs().max() < 0.3
    assert abs(found["lift"] - 1).max() < 0.3
    assert found["edge_mass"].min() > 0.8


def test_what_no_path_joins_is_never_learned() -> None:
    """In fragments of a class, other fragments are as foreign as other classes."""
    seeds = range(5)
    quiet = Progress()
    whole = learn(PairTask(16, 160, 2, 0.15, 64), seeds, 200, "a", quiet).isel(step=-1)
    cut = learn(PairTask(16, 160, 2, 0.15, 64, fragments=4), seeds, 200, "b", quiet).isel(step=-1)
    assert whole.joined_share.min() > 0.7  # some properties have no edge at all
    assert cut.joined_share.max() < 0.25
    assert abs(cut.odds_apart.mean()) < 0.25
    assert cut.odds_joined.min() > 1.5
    assert whole.odds.min() > 0.5
