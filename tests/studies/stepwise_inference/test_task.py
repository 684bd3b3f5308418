"""Graphs, paths, lines and theory of graph navigation, against enumeration with networkx."""

import itertools
import math
from collections import Counter

import networkx
import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from synthcore.studies.stepwise_inference import theory
from synthcore.studies.stepwise_inference.task.graphs import (
    Graph,
    PathSampler,
    bernoulli_graph,
    has_ends,
    is_connected,
    layered_graph,
    path_counts,
)
from synthcore.studies.stepwise_inference.task.lines import (
    DataMixture,
    LineSampler,
    Split,
    Vocabulary,
    candidate_pairs,
    distance_split,
    negative_pairs,
    random_split,
)
from synthcore.training.seeding import seeded

GRAPHS = {
    "bernoulli": bernoulli_graph(14, 0.3, seeded(1), ends=2),
    "layered": layered_graph(5, 4, 0.5, seeded(2)),
}


def all_paths(graph: Graph, start: int, goal: int) -> list[tuple[int, ...]]:
    known = networkx.from_numpy_array(graph.adjacency.numpy(), create_using=networkx.DiGraph)
    return [tuple(p) for p in networkx.all_simple_paths(known, start, goal)]


def many_pairs(graph: Graph) -> list[tuple[int, int]]:
    return [(int(s), int(g)) for s, g in candidate_pairs(graph)]


def greedy_path(policy: Tensor, start: int, goal: int) -> int:
    at, edges = start, 0
    while at != goal:
        at, edges = int(policy[at].argmax()), edges + 1
    return edges


@pytest.mark.parametrize("kind", GRAPHS)
def test_paths_are_counted_as_enumeration_finds_them(kind: str) -> None:
    graph = GRAPHS[kind]
    for s, g in itertools.permutations(range(graph.nodes), 2):
        paths = all_paths(graph, s, g)
        assert graph.counts[s, g] == len(paths)
        assert bool(graph.reachable[s, g]) == bool(paths)
        shortest = min((len(p) - 1 for p in paths), default=-1)
        assert int(graph.distance[s, g]) == shortest
    assert (graph.distance.diagonal() == 0).all()
    longest = max(len(p) - 1 for s, g in many_pairs(graph) for p in all_paths(graph, s, g))
    assert graph.longest == longest


def test_counts_equal_the_inverse() -> None:
    graph = bernoulli_graph(60, 0.1, seeded(3))
    inverse = np.linalg.inv(np.eye(60) - graph.adjacency.double().numpy())
    np.testing.assert_allclose(graph.counts.numpy(), inverse, rtol=1e-9, atol=1e-6)


def test_a_cycle_is_refused() -> None:
    ring = torch.eye(4).roll(1, 1).bool()
    with pytest.raises(ValueError, match="cycle"):
        path_counts(ring)


def test_an_impossible_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="take more nodes or another edge probability"):
        bernoulli_graph(8, 1e-6, seeded(0))


@pytest.mark.parametrize("seed", range(5))
def test_bernoulli_graphs_meet_what_they_promise(seed: int) -> None:
    graph = bernoulli_graph(40, 0.1, seeded(seed))
    assert is_connected(graph.adjacency)
    assert has_ends(graph.adjacency, 3)
    assert not graph.adjacency.tril().any()


def test_expected_paths_of_random_graphs() -> None:
    """Means over 3000 draws without rejection lie within four standard errors."""
    p, n, draws = 0.15, 10, 3000
    generator = seeded(5)
    edges = (torch.rand(draws, n, n, generator=generator) < p).triu(1)
    counts = torch.stack([path_counts(e)[0, n - 1] for e in edges])
    error = counts.std() / math.sqrt(draws)
    assert abs(counts.mean() - theory.expected_paths(n - 1, p)) < 4 * error
    drawn = [layered_graph(4, 3, 0.4, generator).counts[0, -1] for _ in range(draws)]
    across = torch.stack(drawn)
    error = across.std() / math.sqrt(draws)
    assert abs(across.mean() - theory.expected_layered_paths(3, 3, 0.4)) < 4 * error


@pytest.mark.parametrize("kind", GRAPHS)
def test_the_sampler_is_uniform_over_all_paths(kind: str) -> None:
    graph = GRAPHS[kind]
    s, g = max(many_pairs(graph), key=lambda pair: float(graph.counts[pair]))
    paths, draws = all_paths(graph, s, g), 6000
    sampler = PathSampler([graph])
    start, goal = torch.full((1, draws), s), torch.full((1, draws), g)
    drawn = sampler.sample(start, goal, [seeded(0)])[0].tolist()
    seen = Counter(tuple(node for node in row if node >= 0) for row in drawn)
    assert set(seen) <= set(paths)
    assert stats.chisquare([seen[path] for path in paths]).pvalue > 1e-4


def test_every_member_walks_in_its_own_graph() -> None:
    graphs = [bernoulli_graph(14, 0.3, seeded(s), ends=2) for s in range(3)]
    pairs = torch.stack([candidate_pairs(g)[:5] for g in graphs])
    paths = PathSampler(graphs).sample(
        pairs[..., 0], pairs[..., 1], [seeded(s, 1) for s in range(3)]
    )
    for graph, rows, ends in zip(graphs, paths, pairs, strict=True):
        for row, (s, g) in zip(rows.tolist(), ends.tolist(), strict=True):
            path = [node for node in row if node >= 0]
            assert (path[0], path[-1]) == (s, g)
            assert all(graph.adjacency[a, b] for a, b in itertools.pairwise(path))


def test_wanderers_stop_in_dead_ends() -> None:
    graph = GRAPHS["bernoulli"]
    walks = PathSampler([graph]).random_walk(torch.arange(14)[None], [seeded(0)])[0].tolist()
    for row in walks:
        path = [node for node in row if node >= 0]
        assert all(graph.adjacency[a, b] for a, b in itertools.pairwise(path))
        assert not graph.adjacency[path[-1]].any()


@pytest.mark.parametrize("kind", GRAPHS)
def test_reference_lengths_by_enumeration(kind: str) -> None:
    graph = GRAPHS[kind]
    expected = theory.reference_lengths(graph)
    for s, g in many_pairs(graph):
        paths = all_paths(graph, s, g)
        policy = theory.bayes_policy(graph, g)
        chances = [
            math.prod(float(policy[a, b]) for a, b in itertools.pairwise(path)) for path in paths
        ]
        np.testing.assert_allclose(chances, 1 / len(paths))
        lengths = [len(path) - 1 for path in paths]
        assert expected["uniform path"][s, g] == pytest.approx(np.mean(lengths))
        assert expected["shortest"][s, g] == min(lengths)
        viable = (policy > 0).double()
        even = [
            math.prod(float(1 / viable[a].sum()) for a in path[:-1]) * (len(path) - 1)
            for path in paths
        ]
        assert expected["viable walk"][s, g] == pytest.approx(sum(even))
        assert expected["most probable child"][s, g] == pytest.approx(greedy_path(policy, s, g))


@pytest.mark.parametrize("kind", GRAPHS)
def test_pairs_are_divided_without_overlap(kind: str) -> None:
    graph = GRAPHS[kind]
    split = random_split(graph, 0.4, 0)
    easy, hard = negative_pairs(graph)
    every = {tuple(p) for p in torch.cat([candidate_pairs(graph), easy, hard]).tolist()}
    parts = [split.train, split.easy_train, split.hard_train, split.test]
    parts += [split.easy_test, split.hard_test]
    flat = [tuple(pair) for part in parts for pair in part.tolist()]
    assert len(flat) == len(set(flat))
    assert set(flat) <= every
    assert not graph.adjacency[split.test[:, 0], split.test[:, 1]].any()
    assert not graph.reachable[hard[:, 0], hard[:, 1]].any()
    assert (graph.rank[hard[:, 1]] > graph.rank[hard[:, 0]]).all()
    assert (graph.rank[easy[:, 1]] <= graph.rank[easy[:, 0]]).all()


def test_far_pairs_are_held_out_of_near_training() -> None:
    graph = layered_graph(7, 6, 0.25, seeded(4))

    def apart(pairs: Tensor) -> Tensor:
        return graph.rank[pairs[:, 1]] - graph.rank[pairs[:, 0]]

    near, whole = (distance_split(graph, near, (4, 6), 0) for near in (2, None))
    assert int(apart(near.train).max()) == 2
    assert int(apart(near.test).min()) >= 4
    assert int(apart(whole.train).max()) == 6
    assert torch.equal(near.test, whole.test)
    trained = {tuple(p) for p in whole.train.tolist()}
    assert not trained & {tuple(p) for p in whole.test.tolist()}


def test_a_graph_without_admissible_pairs_is_refused() -> None:
    chain = Graph(torch.eye(3).roll(1, 1).triu().bool(), torch.arange(3))
    with pytest.raises(ValueError, match="no admissible"):
        random_split(chain, 0.2, 0)


@pytest.mark.parametrize("line_format", ["step", "direct", "walk"])
def test_lines_are_what_the_formats_say(line_format: str) -> None:
    graph = GRAPHS["bernoulli"]
    split, vocabulary = random_split(graph, 0.5, 0), Vocabulary(graph.nodes)
    lines = LineSampler([graph], [split], DataMixture(line_format))  # type: ignore[arg-type]
    known = {tuple(p) for p in torch.cat([split.train, split.edges]).tolist()}
    for row in lines.positives(200, [seeded(0)])[0].tolist():
        line = [token for token in row if token]
        assert line[0] == vocabulary.target
        assert line[-2:] == [vocabulary.path, vocabulary.end]
        nodes = [token - 1 for token in line[2:-2]]
        goal = line[1] - 1
        assert (nodes[0], goal) in known
        if line_format == "direct":
            assert len(nodes) == 1
        else:
            assert nodes[-1] == goal
            assert all(graph.adjacency[a, b] for a, b in itertools.pairwise(nodes))
    for row in lines.negatives(200, [seeded(0)])[0].tolist():
        line = [token for token in row if token]
        nodes = [token - 1 for token in line[2:-2]]
        assert line[-2:] == [vocabulary.nopath, vocabulary.end]
        assert not graph.reachable[nodes[0], line[1] - 1]
        if line_format == "walk":
            assert not graph.adjacency[nodes[-1]].any()
        else:
            assert len(nodes) == 1


def test_stitching_with_enough_joins_is_reachability() -> None:
    graph = GRAPHS["layered"]
    assert torch.equal(theory.stitched_pairs(graph.adjacency, graph.nodes), graph.reachable)


def test_contexts_in_training_by_enumeration() -> None:
    graph = GRAPHS["bernoulli"]
    train = random_split(graph, 0.1, 0).train
    seen = torch.zeros(graph.nodes, graph.nodes, dtype=torch.bool)
    for s, g in train.tolist():
        for path in all_paths(graph, s, g):
            seen[list(path[:-1]), g] = True
    assert torch.equal(theory.contexts_in_training(graph, train), seen)


def test_shortcuts_are_fitted_on_the_negatives_they_are_tested_on() -> None:
    """In a complete layered graph with one hard negative the order settles all others: on hard
    negatives it is at chance, on the paper's it is nearly perfect."""
    graph = layered_graph(4, 3, 1.0, seeded(0))
    candidates, (easy, _) = candidate_pairs(graph), negative_pairs(graph)
    hard = torch.tensor([[0, 3]])  # called out of reach, in the right order
    split = Split(candidates[::2], candidates[1::2], easy[::2], easy[1::2], hard, hard, hard[:0])
    table = np.array(theory.baseline_table(graph, split))
    order = table[theory.BASELINES.index("order")]
    assert order[0] == 0.5
    assert order[1] > 0.95
    assert theory.best_threshold(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.5


def test_fitting_on_the_same_negatives_helps_a_shortcut() -> None:
    """The product of reach counts with a threshold from the paper's mixture is worse on hard
    negatives than with one fitted on these."""
    better = []
    for seed in range(4):
        graph = bernoulli_graph(40, 0.1, seeded(seed))
        split = random_split(graph, 0.4, seed)
        decide = theory.fit_baselines(graph, split, "paper")["reach product"][0]
        other = theory.balanced_accuracy(decide(split.test), decide(split.hard_test))
        better.append(theory.fit_baselines(graph, split, "hard")["reach product"][1] - other)
    assert min(better) >= 0
    assert np.mean(better) > 0.005


@pytest.mark.parametrize("missing", ["hard_test", "hard_train", "easy_test"])
def test_a_split_without_negatives_of_a_kind_is_refused(missing: str) -> None:
    split = random_split(GRAPHS["bernoulli"], 0.4, 0)
    empty = torch.empty(0, 2, dtype=torch.long)
    with pytest.raises(ValueError, match=f"no admissible {missing.split('_')[0]} negative"):
        Split(**{**split.__dict__, missing: empty})
