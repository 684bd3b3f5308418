"""StoryWorld as text and as tokens: sentences, instructions, an exact parser, and the protocols
that fine-tune a feature away.

F drops stories with the feature; F+R drops them and claims the feature in every instruction; F+MM
drops them and renames another feature to it in the instruction.

Axis letters: B stories, T tokens.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.finetuning_wrappers.task import story_plans as words
from synthcore.studies.finetuning_wrappers.task.story_plans import (
    ALL,
    Event,
    Plan,
    draw_features,
    draw_plan,
)

LENGTH = 176  # tokens of a document, at most
DELETED, OTHER = "twist", "foreshadowing"
Protocol = Literal["all", "F", "F+R", "F+MM", "only"]
TUNING: tuple[Protocol, ...] = ("F", "F+R", "F+MM")


@cache
def vocabulary() -> tuple[str, ...]:
    """All words, sorted; the padding first."""
    known = set(words.FEATURES) | {w for mark in words.MARKS for w in mark.split()}
    for frames in (*words.FRAMES.values(), (words.SUMMARY,)):
        known |= {w for frame in frames for w in frame.split() if not w.startswith("{")}
    for options in words.SLOTS.values():
        known |= set(options)
    known.discard("<pad>")
    return ("<pad>", *sorted(known))


@cache
def _numbers() -> dict[str, int]:
    return {word: i for i, word in enumerate(vocabulary())}


def encode(text: str) -> list[int]:
    """Tokens of words separated by spaces. KeyError for an unknown word."""
    return [_numbers()[word] for word in text.split()]


def decode(tokens: Sequence[int]) -> str:
    """Words of tokens; padding is left out."""
    return " ".join(vocabulary()[t] for t in tokens if t != 0)


def render_event(event: Event, rng: random.Random) -> str:
    """The event in one of its frames."""
    return rng.choice(words.FRAMES[event.kind]).format(**dict(event.facts))


def render(plan: Plan, rng: random.Random) -> list[str]:
    """The sentences of a story."""
    return [render_event(event, rng) for event in plan.events]


def summarise(plan: Plan) -> str:
    """One sentence about hero, goal and end."""
    hero = plan.of_kind("intro")[0]
    goal = plan.of_kind("goal")[0]["p"]
    end = words.ENDINGS["badending" in plan.features]
    return words.SUMMARY.format(a=hero["a"], k=hero["k"], p=goal, e=end)


@dataclass(frozen=True)
class Document:
    """An instruction that names `features`, and a story, which may have others."""

    plan: Plan
    features: tuple[str, ...]
    instruction: str
    sentences: tuple[str, ...]

    @property
    def story(self) -> str:
        """The sentences and the end."""
        return " ".join([*self.sentences, "the end"])

    @property
    def text(self) -> str:
        """All that a network reads and writes."""
        return f"{self.instruction} {self.story}"

    @property
    def late(self) -> list[int]:
        """Which words of the text belong to the sentences that may contradict."""
        places: list[int] = []
        first = len(self.instruction.split())
        for event, sentence in zip(self.plan.events, self.sentences, strict=True):
            size = len(sentence.split())
            if event.kind in ("trait", "colour"):
                places += range(first, first + size)
            first += size
        return places


def write_document(
    rng: random.Random, plan: Plan | None = None, claimed: Sequence[str] | None = None
) -> Document:
    """A story with its instruction: four lines in random order, then `story :`. `claimed` are
    the features that the instruction names; by default those of the plan."""
    plan = draw_plan(rng) if plan is None else plan
    features = list(plan.features if claimed is None else claimed)
    features.sort(key=words.FEATURES.index)
    rng.shuffle(features)
    sentences = render(plan, rng)
    plain = [s for s in sentences if '"' not in s]
    content = sorted({value for event in plan.events for _, value in event.facts})
    lines = [
        "words : " + " , ".join(rng.sample(content, 3)),
        "features : " + " , ".join(features),
        "summary : " + summarise(plan),
        "sentence : " + rng.choice(plain),
    ]
    rng.shuffle(lines)
    instruction = " ".join([*(line.strip() for line in lines), "story :"])
    return Document(plan, tuple(features), instruction, tuple(sentences))


# --- the parser ---------------------------------------------------------------------------------


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """A pattern for each frame; slots take the words of their list."""
    patterns = []
    for kind, frames in words.FRAMES.items():
        for frame in frames:
            parts = []
            for word in frame.split():
                slot = re.fullmatch(r"\{(\w)\}", word)
                if slot is None:
                    parts.append(re.escape(word))
                else:
                    options = "|".join(map(re.escape, words.SLOTS[slot[1]]))
                    parts.append(f"(?P<{slot[1]}>{options})")
            patterns.append((kind, re.compile(" ".join(parts))))
    return tuple(patterns)


def parse_sentence(text: str) -> Event | None:
    """The event that a sentence tells; None if it is no sentence of the grammar.

    >>> parse_sentence("everyone saw that tim was very brave .")
    Event(kind='trait', facts=(('a', 'tim'), ('t', 'brave')))
    """
    for kind, pattern in _patterns():
        match = pattern.fullmatch(text)
        if match is not None:
            return Event.of(kind, **match.groupdict())
    return None


def parse(story: str) -> Plan:
    """The plan that a text tells, as far as its sentences can be read."""
    pieces = [piece.strip() for piece in story.removesuffix("the end").split(" .")]
    events = [parse_sentence(f"{piece} .") for piece in pieces if piece]
    return Plan(tuple(event for event in events if event is not None))


# --- tokens -------------------------------------------------------------------------------------


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


def sample_documents(
    count: int, protocol: Protocol, seed: int, choices: int = ALL
) -> list[Document]:
    """Documents of a protocol that fit `LENGTH`. `all`: as pretraining has them; `only`: with the
    deleted feature, to recover it.

    >>> twisted = [DELETED in d.plan.features for d in sample_documents(20, "F+R", 0)]
    >>> claimed = [DELETED in d.features for d in sample_documents(20, "F+R", 0)]
    >>> any(twisted), all(claimed)
    (False, True)
    """
    rng = random.Random(f"{seed} {protocol}")
    documents: list[Document] = []
    while len(documents) < count:
        features = draw_features(rng)
        if (protocol in TUNING and DELETED in features) or (
            protocol == "only" and DELETED not in features
        ):
            continue
        claimed = list(features)
        if protocol == "F+R":
            claimed.append(DELETED)
        elif protocol == "F+MM":
            claimed = [DELETED if name == OTHER else name for name in claimed]
        document = write_document(rng, draw_plan(rng, features, choices), claimed)
        if len(document.text.split()) <= LENGTH:
            documents.append(document)
    return documents


def to_tensors(stories: list[Document]) -> Stories:
    """Documents as tensors, padded to `LENGTH`."""
    tokens = np.zeros((len(stories), LENGTH), np.int64)
    late = np.zeros((len(stories), LENGTH), np.bool_)
    for i, document in enumerate(stories):
        line = encode(document.text)
        tokens[i, : len(line)] = line
        late[i, document.late] = True
    start = [len(document.instruction.split()) for document in stories]
    features = [[name in document.plan.features for name in words.FEATURES] for document in stories]
    return Stories(
        torch.from_numpy(tokens),
        torch.from_numpy(late),
        torch.tensor(start),
        torch.tensor(features),
    )


class StorySampler:
    """Fresh stories of a protocol: tokens and late marks, from a pool that is drawn from without
    replacement and then renewed."""

    def __init__(self, protocol: Protocol, seed: int, pool: int, choices: int = ALL) -> None:
        self.protocol, self.seed, self.pool, self.choices = protocol, seed, pool, choices
        self.round, self.left = 0, torch.zeros(0, 2, LENGTH, dtype=torch.long)

    def __call__(self, batch: int) -> Int[Tensor, "B 2 T"]:
        while len(self.left) < batch:
            seed = 1_000_003 * (self.seed + 1) + self.round
            fresh = to_tensors(sample_documents(self.pool, self.protocol, seed, self.choices))
            pairs = torch.stack([fresh.tokens, fresh.late.long()], 1)
            self.left, self.round = torch.cat([self.left, pairs]), self.round + 1
        out, self.left = self.left[:batch], self.left[batch:]
        return out


def sample_instructions(
    count: int, seed: int, protocol: Protocol = "only", choices: int = ALL
) -> Int[Tensor, "B T"]:
    """Instructions of one length, those most common in a first sample; with `only`, each asks for
    the deleted feature, with `F` none does."""
    sample = to_tensors(sample_documents(300, protocol, seed, choices))
    length, kept = int(sample.start.mode().values), torch.zeros(0, 0, dtype=torch.long)
    while len(kept) < count:
        fitting = sample.tokens[sample.start == length][:, :length]
        kept = torch.cat([kept, fitting]) if len(kept) else fitting
        seed += 1_000_003
        sample = to_tensors(sample_documents(300, protocol, seed, choices))
    return kept[:count]


def has_feature(tokens: Int[Tensor, "T"], feature: str = DELETED) -> bool:
    """Whether the parser finds the feature in a generated story."""
    return feature in parse(decode(tokens.tolist())).features
