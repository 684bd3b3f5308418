"""The composition study: exact match on every composition of the displaced set, one pass each."""

import itertools

import torch

from benchmarks.measuring import Benchmark, seconds
from synthcore.studies.compositional_capabilities.measure import draw_words, exact
from synthcore.studies.compositional_capabilities.networks import Recipe, build
from synthcore.studies.compositional_capabilities.task import Functions, Layout

LAYOUT, WORDS = Layout(positions=4, functions=3, alphabet=8, word=4), 8


def evaluation() -> float:
    """Seconds for all 13^4 = 28,561 compositions x 8 words, a network of two layers of 64."""
    own = [(d, i) for d in range(4) for i in range(1, 4)]
    comps = torch.tensor(
        [
            [(s, 0) if pair is None else pair for s, pair in enumerate(chosen)]
            for chosen in itertools.product([None, *own], repeat=4)
        ]
    )[None]
    random = torch.Generator().manual_seed(0)
    functions = Functions.stack([Functions.draw(LAYOUT, random)])
    recipe = Recipe(width=64, depth=2, heads=2, learning_rate=0.003, batch=64, steps=1)
    model = build(recipe, LAYOUT, "step", [0], torch.device("cpu"))
    words = draw_words(LAYOUT, 1, comps.shape[1], WORDS, random)
    return seconds(lambda: exact(model, LAYOUT, functions, comps, words, "step"))


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
