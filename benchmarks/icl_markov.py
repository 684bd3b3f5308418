"""The Markov-mixture study: what drawing data costs, and the fit of algorithm weights."""

import statistics

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import Benchmark, ratio, seconds
from benchmarks.training import STEPS, small, train_population
from synthcore.interp.interpolation import simplex_least_squares
from synthcore.studies.icl_markov.task import Mixture

MEMBERS, CHAINS, STATES, BATCH, LENGTH = 9, 64, 10, 32, 96
CELLS = 10_000


def mixture() -> Mixture:
    return Mixture.draw([CHAINS] * MEMBERS, list(range(MEMBERS)), STATES)


def sampler_share() -> float:
    """Drawing the batch as a percentage of drawing it and training on it."""
    source, random = mixture(), [torch.Generator().manual_seed(m) for m in range(MEMBERS)]
    step = train_population(small(32, LENGTH), source.sample(BATCH, LENGTH, random)[0])

    def draw() -> None:
        for _ in range(STEPS):
            source.sample(BATCH, LENGTH, random)

    return 100 / (1 + ratio(step, draw))


def sampler_against_loop() -> float:
    """The same number of sequences with one `numpy.random.Generator.choice` per token."""
    source = mixture()
    transitions, stationary = source.transitions.numpy(), source.stationary.numpy()
    weights, generator = source.weights.numpy(), np.random.default_rng(0)

    def loop() -> None:
        for m in range(MEMBERS):
            for _ in range(BATCH):
                chain = generator.choice(CHAINS, p=weights[m] / weights[m].sum())
                state = generator.choice(STATES, p=stationary[m, chain])
                for _ in range(LENGTH - 1):
                    state = generator.choice(STATES, p=transitions[m, chain, state])

    streams = [torch.Generator().manual_seed(m) for m in range(MEMBERS)]
    return ratio(loop, lambda: source.sample(BATCH, LENGTH, streams), rounds=5)


def weights_of_cells() -> float:
    """Seconds for the exact weights of four algorithms in 10,000 cells of 300 entries each."""
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random, dtype=torch.float64)

    predicted, observed = draw(CELLS, 4, 300), draw(CELLS, 1, 300)
    gram, cross = predicted @ predicted.mT / 300, (predicted @ observed.mT)[..., 0] / 300
    simplex_least_squares(gram, cross)
    return statistics.median(seconds(lambda: simplex_least_squares(gram, cross)) for _ in range(5))


PLACE = f"{MEMBERS} members, {CHAINS} chains of {STATES} states, {BATCH} sequences of {LENGTH}"

BENCHMARKS = (
    Benchmark("markov-share", f"{PLACE}: share of a training step", "%", "<=", 10, sampler_share),
    Benchmark("markov-loop", f"{PLACE}: numpy loop / ours", "x", ">=", 100, sampler_against_loop),
    Benchmark("markov-weights", "simplex fit of 10,000 cells", "s", "<=", 1, weights_of_cells),
)
