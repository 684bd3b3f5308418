"""The graph-navigation study: uniform paths drawn by dynamic programming."""

import time

import networkx
import torch

from benchmarks.measuring import Benchmark, seconds
from synthcore.studies.stepwise_inference.task.graphs import Graph, PathSampler, bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import (
    DataMixture,
    LineSampler,
    candidate_pairs,
    random_split,
)
from synthcore.training.seeding import seeded

MEMBERS, BATCH, PAIRS = 4, 4096, 1000


def tokens_per_second() -> float:
    """Million tokens of stepwise lines per second, N = 200 and p = 0.05."""
    graphs = [bernoulli_graph(200, 0.05, seeded(m)) for m in range(MEMBERS)]
    splits = [random_split(graph, 0.2, m) for m, graph in enumerate(graphs)]
    lines = LineSampler(graphs, splits, DataMixture("step"))
    random = [seeded(m, "lines") for m in range(MEMBERS)]
    lines.positives(BATCH, random)
    tokens, start = 0, time.perf_counter()
    while time.perf_counter() - start < 2:
        tokens += int((lines.positives(BATCH, random) != 0).sum())
    return tokens / (time.perf_counter() - start) / 1e6


def against_enumeration() -> float:
    """One path of each of 1000 connected pairs, spread evenly, N = 100 and p = 0.075: listing all
    simple paths with networkx and choosing one, over drawing, path counts and tables included."""
    graph = bernoulli_graph(100, 0.075, seeded(0))
    every, random = candidate_pairs(graph), seeded(1)
    pairs = every[torch.linspace(0, len(every) - 1, PAIRS).long()][None]
    known = networkx.from_numpy_array(graph.adjacency.numpy(), create_using=networkx.DiGraph)

    def enumerate_paths() -> None:
        for s, g in pairs[0].tolist():
            paths = list(networkx.all_simple_paths(known, s, g))
            paths[int(torch.randint(len(paths), (), generator=random))]

    def draw() -> None:
        fresh = Graph(graph.adjacency, graph.rank)
        PathSampler([fresh]).sample(pairs[..., 0], pairs[..., 1], [random])

    draw()
    return seconds(enumerate_paths) / min(seconds(draw) for _ in range(5))


BENCHMARKS = (
    Benchmark(
        "paths-rate",
        "stepwise lines of 4 graphs, N = 200",
        "M tokens/s",
        ">=",
        1,
        tokens_per_second,
    ),
    Benchmark(
        "paths-enumeration",
        f"one path for each of {PAIRS} pairs, N = 100: networkx enumeration / ours",
        "x",
        ">=",
        100,
        against_enumeration,
    ),
)
