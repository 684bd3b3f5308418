"""Which lines training shows, and how often; and that a batch depends on seed, condition and step
alone.
"""

from collections import Counter

import networkx
import pytest
import torch
from scipy import stats

from synthcore.studies.stepwise_inference.task.graphs import Graph, bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import (
    Batch,
    BatchSampler,
    DataMixture,
    LineSampler,
    random_split,
)
from synthcore.training.seeding import seeded


def all_paths(graph: Graph, start: int, goal: int) -> list[tuple[int, ...]]:
    known = networkx.from_numpy_array(graph.adjacency.numpy(), create_using=networkx.DiGraph)
    return [tuple(p) for p in networkx.all_simple_paths(known, start, goal)]


def sampler(mixture: DataMixture, seeds: tuple[int, ...] = (0,)) -> LineSampler:
    graphs = [bernoulli_graph(14, 0.3, seeded(seed), ends=2) for seed in seeds]
    splits = [random_split(graph, 0.5, seed) for graph, seed in zip(graphs, seeds, strict=True)]
    return LineSampler(graphs, splits, mixture)


def test_every_simple_path_of_the_fixed_set_is_equally_likely() -> None:
    lines = sampler(DataMixture("step", exposure="paths", edge_lines=False))
    graph = bernoulli_graph(14, 0.3, seeded(0), ends=2)
    pairs = random_split(graph, 0.5, 0).train.tolist()
    paths = {path for s, g in pairs for path in all_paths(graph, s, g)}
    drawn = lines.positives(40 * len(paths), [seeded(1)])[0].tolist()
    seen = Counter(tuple(t - 1 for t in row[2:] if 0 < t <= 14) for row in drawn)
    assert set(seen) == paths
    assert stats.chisquare([seen[path] for path in paths]).pvalue > 1e-4


def test_every_training_pair_is_equally_likely_with_fresh_paths() -> None:
    lines = sampler(DataMixture("step", edge_lines=False))
    graph = bernoulli_graph(14, 0.3, seeded(0), ends=2)
    pairs = [tuple(pair) for pair in random_split(graph, 0.5, 0).train.tolist()]
    drawn = lines.positives(60 * len(pairs), [seeded(1)])[0].tolist()
    seen = Counter((row[2] - 1, row[1] - 1) for row in drawn)
    assert set(seen) == set(pairs)
    assert stats.chisquare([seen[pair] for pair in pairs]).pvalue > 1e-4


@pytest.mark.parametrize("negatives", ["half hard", "uniform"])
def test_negatives_are_half_hard_or_as_they_are(negatives: str) -> None:
    lines = sampler(DataMixture("direct", negatives=negatives))  # type: ignore[arg-type]
    graph = bernoulli_graph(14, 0.3, seeded(0), ends=2)
    split = random_split(graph, 0.5, 0)
    rows = lines.negatives(4000, [seeded(1)])[0]
    hard = float((rows[:, 1] > rows[:, 2]).double().mean())  # the goal comes after the start
    natural = len(split.hard_train) / (len(split.hard_train) + len(split.easy_train))
    assert hard == pytest.approx(0.5 if negatives == "half hard" else natural, abs=0.04)


def test_unbalanced_batches_have_as_many_negatives_as_the_set() -> None:
    lines = sampler(DataMixture("step", exposure="paths", balanced=False))
    batches = BatchSampler(lines, 2000, [0], ["a"])
    (rows,) = batches(0).lines
    share = float((rows == lines.vocabulary.nopath).any(-1).double().mean())
    assert share == pytest.approx(float(lines.negative_share[0]), abs=0.04)


@pytest.mark.parametrize("line_format", ["step", "walk", "direct"])
@pytest.mark.parametrize("balanced", [True, False])
def test_a_batch_depends_on_seed_condition_and_step_alone(line_format: str, balanced: bool) -> None:
    mixture = DataMixture(line_format, balanced=balanced)  # type: ignore[arg-type]

    def batch(seeds: tuple[int, ...], condition: str, step: int) -> Batch:
        batches = BatchSampler(sampler(mixture, seeds), 16, seeds, [condition] * len(seeds), 3)
        batches(step + 7)  # what was drawn before does not matter
        return batches(step)

    together, alone = batch((0, 1, 2), "a", 5), batch((2,), "a", 5)
    for many, one in zip(together.lines, alone.lines, strict=True):
        width = one.shape[-1]
        assert torch.equal(many[2:, :, :width], one)
        assert not many[2, :, width:].any()
    assert together.shift is not None
    assert alone.shift is not None
    for many, one in zip(together.shift, alone.shift, strict=True):
        assert torch.equal(many[2:], one)
    for other in (batch((2,), "a", 6), batch((2,), "b", 5), batch((1,), "a", 5)):
        assert other.lines[0].shape != one.shape or not torch.equal(other.lines[0], alone.lines[0])
