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
    LineSampler,
    Split,
    Vocabulary,
    candidate_pairs,
    count_contexts,
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
    drawn = sampler.sample(start, goal, seeded(0))[0].tolist()
    seen = Counter(tuple(node for node in row if node >= 0) for row in drawn)
    assert set(seen) <= set(paths)
    assert stats.chisquare([seen[path] for path in paths]).pvalue > 1e-4


def test_every_member_walks_in_its_own_graph() -> None:
    graphs = [bernoulli_graph(14, 0.3, seeded(s), ends=2) for s in range(3)]
    pairs = torch.stack([candidate_pairs(g)[:5] for g in graphs])
    paths = PathSampler(graphs).sample(pairs[..., 0], pairs[..., 1], seeded(1))
    for graph, rows, ends in zip(graphs, paths, pairs, strict=True):
        for row, (s, g) in zip(rows.tolist(), ends.tolist(), strict=True):
            path = [node for node in row if node >= 0]
            assert (path[0], path[-1]) == (s, g)
            assert all(graph.adjacency[a, b] for a, b in itertools.pairwise(path))


def test_wanderers_stop_in_dead_ends() -> None:
    graph = GRAPHS["bernoulli"]
    walks = PathSampler([graph]).random_walk(torch.arange(14)[None], seeded(0))[0].tolist()
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
    graph = layered_graph(7, 5, 0.4, seeded(4))

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
    lines = LineSampler([graph], [split], line_format)  # type: ignore[arg-type]
    known = {tuple(p) for p in torch.cat([split.train, split.edges]).tolist()}
    for row in lines.positives(200, seeded(0))[0].tolist():
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
    for row in lines.negatives(200, seeded(0))[0].tolist():
        line = [token for token in row if token]
        nodes = [token - 1 for token in line[2:-2]]
        assert line[-2:] == [vocabulary.nopath, vocabulary.end]
        assert not graph.reachable[nodes[0], line[1] - 1]
        if line_format == "walk":
            assert not graph.adjacency[nodes[-1]].any()
        else:
            assert len(nodes) == 1


def test_contexts_seen_are_read_from_the_lines() -> None:
    vocabulary = Vocabulary(5)
    path = torch.tensor([[0, 2, 4]])
    line = vocabulary.encode(torch.tensor([4]), path, vocabulary.path)[None]
    seen = count_contexts(line, 5)[0]
    assert seen.nonzero().tolist() == [[0, 4], [2, 4]]


def test_stitching_with_enough_joins_is_reachability() -> None:
    graph = GRAPHS["layered"]
    assert torch.equal(theory.stitched_pairs(graph.adjacency, graph.nodes), graph.reachable)


def test_covered_pieces_by_enumeration() -> None:
    graph = GRAPHS["bernoulli"]
    train = random_split(graph, 0.1, 0).train
    seen = torch.zeros(graph.nodes, graph.nodes, dtype=torch.bool)
    for s, g in train.tolist():
        for path in all_paths(graph, s, g):
            for a, b in itertools.combinations_with_replacement(path, 2):
                seen[a, b] = True
    assert torch.equal(theory.pieces_in_training(graph, train), seen)


def test_baselines_on_an_order_that_tells_everything() -> None:
    """In a complete layered graph order is reachability; easy negatives alone are left."""
    graph = layered_graph(4, 3, 1.0, seeded(0))
    split = random_split(graph, 0.5, 0)
    one = split.easy_test[:1]
    split = Split(**{**split.__dict__, "hard_train": one, "hard_test": one})
    accuracies = theory.baseline_accuracies(graph, split)
    assert accuracies["order"] == (1.0, 1.0)
    assert theory.best_threshold(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.5
