"""Evaluation sentences on one set of skeletons: as in training, and with something changed.

Axis letters: M member, B batch, L slots.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from synthcore.studies.percolation.task import Language, Prior
from synthcore.studies.percolation.vocabulary import EOS, PAD

# What is drawn otherwise; all others are as in training.
PRIORS = {
    "normal": Prior(),
    "uniform": Prior(descriptors="uniform"),
    "hidden": Prior(descriptors="hidden"),
    "descriptors": Prior(descriptors="any"),
    "relations": Prior(relations="any"),
    "values": Prior(descriptors="any", relations="any"),
}
ALTERED = (*PRIORS, "order")
NAMES = {
    "normal": "as in training",
    "uniform": "any property of the class",
    "hidden": "never-shown properties of the class",
    "descriptors": "properties of any class",
    "relations": "verbs and objects of any class",
    "values": "all values of any class",
    "order": "words in random order",
}


def altered(
    language: Language, row: Int[Tensor, "M B"], generator: torch.Generator
) -> dict[str, Int[Tensor, "M B L"]]:
    """One set of sentences per entry of `ALTERED`, all on these rows of the
    table of skeletons.

    `uniform`, `hidden`, `values` and `order` are the official code's partially adversarial (and
    uniform), adversarial, randomised-values and randomised-order sets; `descriptors` and
    `relations` break one kind of type constraint only.
    """
    sets = {name: language.fill(row, generator, prior) for name, prior in PRIORS.items()}
    sets["order"] = shuffled(sets["normal"], generator)
    return sets


def shuffled(sentences: Int[Tensor, "M B L"], generator: torch.Generator) -> Int[Tensor, "M B L"]:
    """The words of every sentence in random order, eos at its end."""
    words = (sentences != PAD) & (sentences != EOS)
    place = torch.arange(sentences.shape[-1], device=sentences.device)
    keys = torch.rand(sentences.shape, generator=generator, device=sentences.device)
    keys = torch.where(words, keys, 1.0 + place)
    return sentences.gather(-1, keys.argsort(-1))
