"""Sentences before their words: drawn without recursion, since their distribution is closed.

Axis letters: S skeletons, L slots of a sentence, P phrases.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.percolation.task.grammar import (
    DESCRIPTIVE,
    MORE_OBJECTS,
    Grammar,
    Slot,
    joined,
)

MOST_PARTS = 200  # P(more subjects) < 1e-20


@dataclass(frozen=True)
class Skeletons:
    """Slots of many sentences, eos included, padded."""

    slots: Int[Tensor, "S L"]

    @cached_property
    def length(self) -> Int[Tensor, "S"]:
        return (self.slots != Slot.PAD).sum(1)

    @cached_property
    def relative(self) -> Bool[Tensor, "S"]:
        """A verb links subjects to objects; then the classes of both sides are set."""
        return (self.slots == Slot.VERB).any(1)

    @cached_property
    def descriptive(self) -> Bool[Tensor, "S"]:
        """A property of a subject is named. Both is mixed."""
        return (self.slots == Slot.DESCRIPTOR).any(1)

    @cached_property
    def last_subject(self) -> Int[Tensor, "S"]:
        """Its place: what its sentence's descriptors describe."""
        place = torch.arange(self.slots.shape[1], device=self.slots.device)
        return torch.where(self.slots == Slot.SUBJECT, place, 0).amax(1)

    def select(self, chosen: Bool[Tensor, "S"] | Int[Tensor, "_"]) -> "Skeletons":
        """Some of them, padded to their longest. Raises ValueError if there are none."""
        slots = self.slots[chosen]
        if not len(slots):
            raise ValueError("no such sentence was drawn: allow longer ones or draw more")
        return Skeletons(slots[:, : int((slots != Slot.PAD).sum(1).max())])


def draw_skeletons(
    grammar: Grammar, count: int, longest: int, generator: torch.Generator
) -> Skeletons:
    """`count` independent skeletons of at most `longest` tokens, eos included; longer ones are
    drawn again. Raises ValueError if the shortest sentence does not fit.

    >>> from synthcore.training.seeding import seeded
    >>> plain = draw_skeletons(Grammar(), 4, 5, seeded(0))
    >>> set(map(len, plain.slots)), int(plain.slots[0, 0]) == Slot.SUBJECT
    ({5}, True)
    """
    if longest < 4:
        raise ValueError(f"the shortest sentence has 4 tokens, longest is {longest}")
    kept, missing = [], count
    while missing > 0:
        slots = _unlimited(grammar, 2 * missing + 16, generator)
        short = slots[(slots != Slot.PAD).sum(1) <= longest][:missing, :longest]
        kept.append(torch.nn.functional.pad(short, (0, longest - short.shape[1])))
        missing -= len(short)
    return Skeletons(torch.cat(kept))


def _unlimited(grammar: Grammar, count: int, generator: torch.Generator) -> Int[Tensor, "S L"]:
    """Skeletons of any length. A phrase is what stands between two words that can be repeated:
    a row of slots, some absent, with the key (sentence, unit, object) that orders it."""
    parts = torch.tensor([joined(n) for n in range(1, MOST_PARTS)], dtype=torch.float64)

    def chance(n: int) -> Tensor:
        return torch.rand(n, generator=generator, dtype=torch.float64)

    def counts(n: int) -> Tensor:
        return torch.multinomial(parts, n, replacement=True, generator=generator) + 1

    def optional(slot: Slot, n: int) -> Tensor:
        allowed = grammar.before(slot)
        assert allowed is not None
        return torch.where(chance(n) < allowed[1], int(allowed[0]), 0)

    def constant(slot: Slot, like: Tensor) -> Tensor:
        return torch.full_like(like, int(slot))

    def repeated(n: Tensor) -> tuple[Tensor, Tensor]:
        """For each of sum(n) copies: whose it is, and its number."""
        whose = torch.repeat_interleave(torch.arange(len(n)), n)
        return whose, torch.arange(len(whose)) - (n.cumsum(0) - n)[whose]

    def joint(number: Tensor) -> Tensor:
        """A conjunction before all copies but the first."""
        return torch.where(number > 0, int(Slot.CONJUNCTION), 0)

    zero = torch.zeros(count, dtype=torch.long)
    sentence, number = repeated(counts(count))
    n, subject = len(sentence), constant(Slot.SUBJECT, number)
    phrases = [
        _phrase(
            (sentence, -1 + 0 * number, number),
            joint(number),
            optional(Slot.SUBJECT, n),
            subject,
        )
    ]
    sentence, unit = repeated(counts(count))
    described = chance(len(unit)) < DESCRIPTIVE
    for kind, words in ((described, "described"), (~described, "related")):
        where, order = sentence[kind], unit[kind]
        n = len(where)
        row: tuple[Tensor, ...]
        if words == "described":
            row = (
                constant(Slot.LINK, where),
                optional(Slot.DESCRIPTOR, n),
                constant(Slot.DESCRIPTOR, where),
            )
        else:
            row = (
                optional(Slot.VERB, n),
                constant(Slot.VERB, where),
                constant(Slot.PREPOSITION, where),
                optional(Slot.OBJECT, n),
                constant(Slot.OBJECT, where),
            )
            extra = torch.log(1 - chance(n)) / torch.log(torch.tensor(MORE_OBJECTS).double())
            whose, copy = repeated(extra.long())  # P(extra >= k) = .3^k
            phrases.append(
                _phrase(
                    (where[whose], order[whose], copy + 1),
                    constant(Slot.CONJUNCTION, whose),
                    optional(Slot.OBJECT, len(whose)),
                    constant(Slot.OBJECT, whose),
                )
            )
        phrases.append(_phrase((where, order, 0 * order), joint(order), *row))
    end = _phrase((torch.arange(count), zero + MOST_PARTS, zero), constant(Slot.EOS, zero))
    return _in_order(torch.cat([*phrases, end]), count)


def _phrase(key: tuple[Tensor, Tensor, Tensor], *slots: Tensor) -> Int[Tensor, "P 9"]:
    """Key and up to six slots of every phrase in one row."""
    rows = torch.stack([*key, *slots], 1)
    return torch.nn.functional.pad(rows, (0, 9 - rows.shape[1]))


def _in_order(phrases: Int[Tensor, "P 9"], count: int) -> Int[Tensor, "S L"]:
    """Phrases sorted by their keys, absent slots left out, one sentence a row."""
    sentence, unit, number = phrases[:, :3].unbind(1)
    most = int(number.max()) + 1
    order = ((sentence * (MOST_PARTS + 2) + unit + 1) * most + number).argsort()
    slots = phrases[order, 3:]
    present = slots > 0
    whose = sentence[order, None].expand_as(slots)[present]
    length = torch.bincount(whose, minlength=count)
    place = torch.arange(len(whose)) - (length.cumsum(0) - length)[whose]
    out = torch.zeros(count, int(length.max()), dtype=torch.long)
    out[whose, place] = slots[present]
    return out
