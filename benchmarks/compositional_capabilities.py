"""The composition study: exact match on every composition of the displaced set, one pass each."""

import itertools

import torch

from benchmarks.measuring import Benchmark, seconds
from synthcore.studies.compositional_capabilities.measure.accuracy import exact_match_on
from synthcore.studies.compositional_capabilities.model import NetworkConfig, build_transformer
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import Condition

LAYOUT, WORDS = Layout(positions=4, functions=3, alphabet=8, word=4), 8


def evaluation() -> float:
    """Seconds for all 13^4 = 28,561 compositions x 8 words, a network of two layers of 64."""
    functions = [(d, i) for d in range(4) for i in range(1, 4)]
    comps = torch.tensor(
        [
            [(s, 0) if pair is None else pair for s, pair in enumerate(chosen)]
            for chosen in itertools.product([None, *functions], repeat=4)
        ]
    )
    condition, device = Condition("base"), torch.device("cpu")
    tasks = MemberTasks.draw(LAYOUT, "step", [condition], [0], device)
    network = NetworkConfig(width=64, depth=2, heads=2, learning_rate=0.003, batch=64, steps=1)
    model = build_transformer(network, tasks)
    return seconds(lambda: exact_match_on(model, tasks, comps, WORDS, "benchmark"))


BENCHMARKS = (
    Benchmark(
        "compositions",
        f"exact match of 28,561 compositions x {WORDS} words, one network",
        "s",
        "<=",
        60,
        evaluation,
    ),
)
