"""The editing study: many edits in one pass against one edited copy after the other."""

import copy

import torch

from benchmarks.measuring import Benchmark, ratio, seconds
from synthcore.editing import (
    EditedModel,
    Facts,
    covariances,
    edit,
)
from synthcore.nn.gpt import GPT
from synthcore.studies.representation_shattering.networks import Recipe, build

ENTITIES, RELATIONS, EDITS, QUESTIONS = 128, 24, 64, 512
RECIPE = Recipe(16, 2, 2, 0.01, 96, 11, 1)


def _untrained() -> GPT:
    return build(RECIPE, ENTITIES + RELATIONS, [0]).requires_grad_(False)


def _facts(edits: int) -> Facts:
    random = torch.Generator().manual_seed(0)
    x, y = torch.randint(ENTITIES, (2, 1, edits), generator=random)
    r = ENTITIES + torch.randint(RELATIONS, (1, edits), generator=random)
    return Facts.of(torch.stack([x, r], -1), y)


def _edited(edits: int) -> EditedModel:
    model = _untrained()
    tokens = torch.randint(
        ENTITIES + RELATIONS, (1, 4000, 10), generator=torch.Generator().manual_seed(1)
    )
    C = covariances(model, tokens, [1])
    return edit(model, _facts(edits), "rome", [1], covariances=C, unchanged=True)


def asking() -> float:
    """How many times as long copies edited one by one take to answer the same questions."""
    copies = _edited(EDITS)
    random = torch.Generator().manual_seed(2)
    tokens = torch.randint(ENTITIES + RELATIONS, (1, QUESTIONS, 10), generator=random)
    at = torch.full((1, QUESTIONS), 9)
    one_by_one = []
    for number in range(EDITS):
        one = copy.deepcopy(copies.model)
        one.blocks[1].mlp.down.weight.data = copies.weight(1)[:, number].float()
        one_by_one.append(one)

    def loop() -> None:
        with torch.no_grad():
            for one in one_by_one:
                one(tokens)[:, :, -1]

    return ratio(loop, lambda: copies.answers(tokens, at))


def writing() -> float:
    """Milliseconds per ROME edit, value search included, of 64 written together."""
    _edited(EDITS)
    model, facts = _untrained(), _facts(EDITS)
    tokens = torch.randint(
        ENTITIES + RELATIONS, (1, 4000, 10), generator=torch.Generator().manual_seed(1)
    )
    C = covariances(model, tokens, [1])
    taken = seconds(lambda: edit(model, facts, "rome", [1], covariances=C, unchanged=True))
    return 1000 * taken / EDITS


BENCHMARKS = (
    Benchmark(
        "edited-answers",
        f"{QUESTIONS} answers of {EDITS} edited copies in one pass against copies one by one",
        "times",
        ">=",
        2,
        asking,
    ),
    Benchmark(
        "rome-edit",
        f"one ROME edit of a small transformer, of {EDITS} written together",
        "ms",
        "<=",
        20,
        writing,
    ),
)
