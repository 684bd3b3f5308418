"""Words as numbers: one token per word, in blocks, so that kind and class are arithmetic.

Verbs come in one group for every two classes: group g links subjects of class g to objects of class
g + |C| / 2, as in the official code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from synthcore.studies.percolation.constraints import Classes
from synthcore.studies.percolation.grammar import Group

PAD, EOS, FREE, UNSCRAMBLE, CONDITION, NULL, OUT = range(7)
CONJUNCTIONS, LINKS, PREPOSITIONS = ("and", "or"), ("is", "has"), ("on", "in", "to")
FIRST_WORD = 7
PREPOSITION_SHARES = (0, 0, 0, 0, 1, 1, 1, 2, 2, 2)
"""Ten equally likely draws of a preposition: .4, .3 and .3."""


@dataclass(frozen=True)
class Vocabulary:
    """All words of a language; `adjectives` of each of three kinds; `spare` tokens are never used.

    Raises ValueError if classes cannot be paired or verbs do not fall into equal groups.
    """

    classes: Classes
    verbs: int
    adjectives: int = 0
    spare: int = 0

    def __post_init__(self) -> None:
        if self.classes.count % 2:
            raise ValueError(f"classes must be even in number (got {self.classes.count})")
        if self.verbs < self.verb_groups or self.verbs % self.verb_groups:
            raise ValueError(
                f"verbs must be a multiple of {self.verb_groups}, half the number of classes "
                f"(got {self.verbs})"
            )

    @property
    def verb_groups(self) -> int:
        return self.classes.count // 2

    @property
    def conjunction(self) -> int:
        return FIRST_WORD

    @property
    def link(self) -> int:
        return self.conjunction + len(CONJUNCTIONS)

    @property
    def preposition(self) -> int:
        return self.link + len(LINKS)

    @property
    def entity_adjective(self) -> int:
        return self.preposition + len(PREPOSITIONS)

    @property
    def descriptor_adjective(self) -> int:
        return self.entity_adjective + self.adjectives

    @property
    def adverb(self) -> int:
        return self.descriptor_adjective + self.adjectives

    @property
    def verb(self) -> int:
        return self.adverb + self.adjectives

    @property
    def entity(self) -> int:
        return self.verb + self.verbs

    @property
    def descriptor(self) -> int:
        return self.entity + self.classes.entities

    @property
    def size(self) -> int:
        return self.descriptor + self.classes.properties + self.spare

    @cached_property
    def groups(self) -> Int[Tensor, "V"]:
        """`Group` of every token."""
        blocks = (
            (FIRST_WORD, Group.OTHER),
            (len(CONJUNCTIONS), Group.CONJUNCTION),
            (len(LINKS), Group.LINK),
            (len(PREPOSITIONS), Group.PREPOSITION),
            (3 * self.adjectives, Group.MODIFIER),
            (self.verbs, Group.VERB),
            (self.classes.entities, Group.ENTITY),
            (self.classes.properties, Group.DESCRIPTOR),
            (self.spare, Group.OTHER),
        )
        table = torch.cat([torch.full((count,), int(group)) for count, group in blocks])
        table[EOS] = Group.EOS
        return table

    @cached_property
    def kinds(self) -> Int[Tensor, "V"]:
        """Class of entities and descriptors, group of verbs, -1 for all other tokens."""
        table = torch.full((self.size,), -1)
        table[self.verb : self.entity] = torch.arange(self.verbs) // (
            self.verbs // self.verb_groups
        )
        table[self.entity : self.descriptor] = self.classes.of_entity
        end = self.descriptor + self.classes.properties
        table[self.descriptor : end] = self.classes.of_property
        return table

    @property
    def descriptors(self) -> slice:
        """Their place in the vocabulary."""
        return slice(self.descriptor, self.descriptor + self.classes.properties)

    def words(self, tokens: Sequence[int]) -> str:
        """A line for people; padding is left out. Entities are e0, e1 ..., descriptors d0 ..."""
        special = dict(
            enumerate(("", "<eos>", "<free>", "<unscramble>", "<condition>", "<null>", "<out>"))
        )
        blocks = (
            (self.descriptor, lambda i: f"d{i}"),
            (self.entity, lambda i: f"e{i}"),
            (self.verb, lambda i: f"v{i}"),
            (self.adverb, lambda i: f"adv{i}"),
            (self.descriptor_adjective, lambda i: f"dadj{i}"),
            (self.entity_adjective, lambda i: f"eadj{i}"),
            (self.preposition, PREPOSITIONS.__getitem__),
            (self.link, LINKS.__getitem__),
            (self.conjunction, CONJUNCTIONS.__getitem__),
        )

        def word(token: int) -> str:
            if token in special:
                return special[token]
            return next(name(token - first) for first, name in blocks if token >= first)

        return " ".join(word(t) for t in tokens if t != PAD)
