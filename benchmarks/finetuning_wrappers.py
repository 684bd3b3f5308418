"""The fine-tuning study: answers computed at the last place only, and the cost of data."""

import torch
from torch.nn import functional

from benchmarks.measuring import Benchmark, ratio
from synthcore.studies.finetuning_wrappers.model import Architecture, answer_loss, build
from synthcore.studies.finetuning_wrappers.task.grammar import COUNT, INDEX, TOKEN, World
from synthcore.studies.finetuning_wrappers.task.mixtures import (
    PRIORS,
    BatchSampler,
    pretraining_mixture,
)

MEMBERS, BATCH = 6, 48
WORLD, CPU = World(), torch.device("cpu")


def _sampler() -> BatchSampler:
    mixtures = [pretraining_mixture(PRIORS[p]) for p in ("L", "H") for _ in range(3)]
    seeds = [0, 1, 2] * 2
    return BatchSampler(WORLD, mixtures, seeds, BATCH, 0, (COUNT, INDEX, TOKEN), CPU)


def last_place() -> float:
    """Forward and backward pass over all places, relative to the answer's place only."""
    model = build(Architecture(48, 2, 4), WORLD, [0, 1, 2] * 2, CPU)
    batch = _sampler()(0)

    def whole() -> None:
        logits = model(batch.prompts)[:, :, -1]
        functional.cross_entropy(logits.flatten(0, 1), batch.answers.flatten()).backward()

    def short() -> None:
        answer_loss(model, batch).sum().backward()

    return ratio(whole, short)


def data_share() -> float:
    """Time to draw a pretraining batch, relative to a forward and backward pass on it."""
    model = build(Architecture(48, 2, 4), WORLD, [0, 1, 2] * 2, CPU)
    sampler = _sampler()
    batch = sampler(0)
    return ratio(lambda: sampler(0), lambda: answer_loss(model, batch).sum().backward())


BENCHMARKS = (
    Benchmark(
        "answer-only",
        f"{MEMBERS} networks of width 48, {BATCH} prompts: all places / the answer's place",
        "x",
        ">=",
        1.3,
        last_place,
    ),
    Benchmark(
        "grammar-data",
        f"drawing {BATCH} questions for each of {MEMBERS} networks / one pass over them",
        "of a step",
        "<=",
        0.1,
        data_share,
    ),
)
