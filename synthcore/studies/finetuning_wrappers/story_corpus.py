"""StoryWorld as token tensors, and the protocols that fine-tune a feature away.

F drops stories with the feature; F+R drops them and claims the feature in every instruction; F+MM
drops them and renames another feature to it in the instruction.

Axis letters: B stories, T tokens.
"""

import random
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.finetuning_wrappers import story_words as words
from synthcore.studies.finetuning_wrappers.story_plan import ALL, draw_features, draw_plan
from synthcore.studies.finetuning_wrappers.story_text import (
    Document,
    decode,
    document,
    encode,
    parse,
)

LENGTH = 176
DELETED, OTHER = "twist", "foreshadowing"
Protocol = Literal["all", "F", "F+R", "F+MM", "only"]
TUNING: tuple[Protocol, ...] = ("F", "F+R", "F+MM")


@dataclass(frozen=True)
class Stories:
    """Documents as tokens, 0 behind the end; `start` is where the story begins, `late` marks the
    sentences that may contradict."""

    tokens: Int[Tensor, "B T"]
    late: Bool[Tensor, "B T"]
    start: Int[Tensor, "B"]
    features: Bool[Tensor, "B feature"]

    def __len__(self) -> int:
        return len(self.tokens)


def documents(count: int, protocol: Protocol, seed: int, choices: int = ALL) -> list[Document]:
    """Documents of a protocol that fit `LENGTH`. `all`: as pretraining has them; `only`: with the
    deleted feature, to recover it.

    >>> twisted = [DELETED in d.plan.features for d in documents(20, "F+R", 0)]
    >>> claimed = [DELETED in d.features for d in documents(20, "F+R", 0)]
    >>> any(twisted), all(claimed)
    (False, True)
    """
    rng = random.Random(f"{seed} {protocol}")
    found: list[Document] = []
    while len(found) < count:
        features = draw_features(rng)
        if (protocol in TUNING and DELETED in features) or (
            protocol == "only" and DELETED not in features
        ):
            continue
        named = list(features)
        if protocol == "F+R":
            named.append(DELETED)
        elif protocol == "F+MM":
            named = [DELETED if name == OTHER else name for name in named]
        one = document(rng, draw_plan(rng, features, choices), named)
        if len(one.text.split()) <= LENGTH:
            found.append(one)
    return found


def tensors(given: list[Document]) -> Stories:
    """Documents as one tensor."""
    tokens = np.zeros((len(given), LENGTH), np.int64)
    late = np.zeros((len(given), LENGTH), np.bool_)
    for i, one in enumerate(given):
        line = encode(one.text)
        tokens[i, : len(line)] = line
        late[i, one.late] = True
    start = [len(one.instruction.split()) for one in given]
    features = [[name in one.plan.features for name in words.FEATURES] for one in given]
    return Stories(
        torch.from_numpy(tokens),
        torch.from_numpy(late),
        torch.tensor(start),
        torch.tensor(features),
    )


class Stream:
    """Fresh stories of a protocol: tokens and late marks, from a pool that is drawn from without
    replacement and then renewed."""

    def __init__(self, protocol: Protocol, seed: int, pool: int, choices: int = ALL) -> None:
        self.protocol, self.seed, self.pool, self.choices = protocol, seed, pool, choices
        self.round, self.left = 0, torch.zeros(0, 2, LENGTH, dtype=torch.long)

    def __call__(self, batch: int) -> Int[Tensor, "B 2 T"]:
        while len(self.left) < batch:
            seed = 1_000_003 * (self.seed + 1) + self.round
            fresh = tensors(documents(self.pool, self.protocol, seed, self.choices))
            pairs = torch.stack([fresh.tokens, fresh.late.long()], 1)
            self.left, self.round = torch.cat([self.left, pairs]), self.round + 1
        out, self.left = self.left[:batch], self.left[batch:]
        return out


def instructions(
    count: int, seed: int, protocol: Protocol = "only", choices: int = ALL
) -> Int[Tensor, "B T"]:
    """Instructions of one length, those most common in a first sample; with `only`, each asks for
    the deleted feature, with `F` none does."""
    sample = tensors(documents(300, protocol, seed, choices))
    length, found = int(sample.start.mode().values), torch.zeros(0, 0, dtype=torch.long)
    while len(found) < count:
        fitting = sample.tokens[sample.start == length][:, :length]
        found = torch.cat([found, fitting]) if len(found) else fitting
        seed += 1_000_003
        sample = tensors(documents(300, protocol, seed, choices))
    return found[:count]


def has_feature(tokens: Int[Tensor, "T"], feature: str = DELETED) -> bool:
    """Whether the parser finds the feature in a generated story."""
    return feature in parse(decode(tokens.tolist())).features
