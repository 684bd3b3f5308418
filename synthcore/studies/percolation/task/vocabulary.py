"""Entities, properties and their classes; the graph of pairs that training may show; and words as
numbers.

Training only ever shows edges of the constraint graph. A pair counts as valid whenever entity and
property share a class, edge or not: the difference is what a network can generalise to. A word is
one token, in blocks, so that kind and class are arithmetic. Verbs come in one group for every two
classes: group g links subjects of class g to objects of class g + |C| / 2, as in the released code.

Axis letters: M member, E entities, K properties, V words, D edges of an entity (padded), H its
other same-class pairs (padded).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.percolation.task.grammar import Group

CIRCULANT_VALUES = 40
"""Values of a property name in the released code: the length of its rolled patterns."""
PAD, EOS, FREE, UNSCRAMBLE, CONDITION, NULL, OUT = range(7)
CONJUNCTIONS, LINKS, PREPOSITIONS = ("and", "or"), ("is", "has"), ("on", "in", "to")
FIRST_WORD = 7
PREPOSITION_SHARES = (0, 0, 0, 0, 1, 1, 1, 2, 2, 2)
"""Ten equally likely draws of a preposition: .4, .3 and .3."""


@dataclass(frozen=True)
class Classes:
    """|E| entities and |K| properties in `count` classes of equal size, in order."""

    count: int
    entities: int
    properties: int

    def __post_init__(self) -> None:
        for name in ("entities", "properties"):
            size = getattr(self, name)
            if self.count < 1 or size < self.count or size % self.count:
                raise ValueError(
                    f"{name} must be a multiple of the number of classes, {self.count} (got {size})"
                )

    @property
    def of_entity(self) -> Int[Tensor, "E"]:
        """Class of every entity."""
        return torch.arange(self.entities) // (self.entities // self.count)

    @property
    def of_property(self) -> Int[Tensor, "K"]:
        """Class of every property."""
        return torch.arange(self.properties) // (self.properties // self.count)

    @property
    def same(self) -> Bool[Tensor, "E K"]:
        """Pairs of one class: the valid ones."""
        return self.of_entity[:, None] == self.of_property[None]


@dataclass(frozen=True)
class ConstraintGraph:
    """Which pairs training may show. Raises ValueError if an entity or a class has no edge."""

    classes: Classes
    edges: Bool[Tensor, "E K"]

    def __post_init__(self) -> None:
        bare = ~self.edges.any(1)
        for c in range(self.classes.count):
            if bool(bare[self.classes.of_entity == c].all()):
                raise ValueError(f"class {c} has no edge: raise density or properties")
        if bool(bare.any()):
            raise ValueError(f"entity {int(bare.nonzero()[0])} has no edge: raise density")


def check_density(density: float) -> None:
    """Raises ValueError unless 0 < density <= 1."""
    if not 0 < density <= 1:
        raise ValueError(f"the edge density must be above 0 and at most 1 (got {density})")


def random_edges(
    classes: Classes,
    density: float,
    generator: torch.Generator,
    fragments: int = 1,
    noise: float = 0.0,
) -> ConstraintGraph:
    """Each pair within a class is an edge with this probability; entities without edge are redrawn.

    With `fragments` > 1 a class falls into that many blocks without edges between them; the density
    within blocks rises accordingly, so that degrees stay as they are. `noise` is the share of edges
    that is replaced by edges to properties of any class.

    >>> from synthcore.training.seeding import seeded
    >>> graph = random_edges(Classes(2, 4, 40), 0.5, seeded(0))
    >>> bool((graph.edges & ~graph.classes.same).any())
    False
    """
    check_density(density)
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must lie between 0 and 1 (got {noise})")
    if density * fragments > 1:
        raise ValueError(f"density {density} leaves no room for {fragments} fragments of a class")
    blocks = Classes(classes.count * fragments, classes.entities, classes.properties)
    chance = density * fragments * blocks.same.double() * (1 - noise)
    chance = (chance + density / classes.count * noise).clamp(max=1)
    edges = torch.zeros(classes.entities, classes.properties, dtype=torch.bool)
    for _ in range(1000):
        bare = ~edges.any(1)
        if not bool(bare.any()):
            return ConstraintGraph(classes, edges)
        drawn = torch.rand(edges.shape, generator=generator, dtype=torch.float64) < chance
        edges = torch.where(bare[:, None], drawn, edges)
    return ConstraintGraph(classes, edges)  # refuses, and says which class


def circulant_edges(
    classes: Classes, density: float, values: int, generator: torch.Generator
) -> ConstraintGraph:
    """As the official code draws them. The properties of a class come in names of `values` values
    each; for every name a pattern with int(values * density) ones is drawn, and the r-th entity of
    the class takes it rolled by r. Entities r and r + `values` have the same neighbours.

    Raises ValueError if a class does not hold a whole number of names, or a pattern has no one.
    """
    check_density(density)
    of_class = classes.properties // classes.count
    if of_class % values:
        raise ValueError(f"{of_class} properties of a class are no multiple of {values} values")
    ones = int(values * density)
    if not ones:
        raise ValueError(f"density {density} leaves no edge among {values} values")
    edges = torch.zeros(classes.entities, classes.properties, dtype=torch.bool)
    per_class = classes.entities // classes.count
    place = torch.arange(values)
    for name in range(classes.properties // values):
        pattern = torch.zeros(values, dtype=torch.bool)
        pattern[torch.randperm(values, generator=generator)[:ones]] = True
        first = (name * values // of_class) * per_class
        rolled = pattern[(place[None] - torch.arange(per_class)[:, None]) % values]
        edges[first : first + per_class, name * values : (name + 1) * values] = rolled
    return ConstraintGraph(classes, edges)


@dataclass(frozen=True)
class Edges:
    """Edges of all members as padded lists, to draw from on the device."""

    shown: Int[Tensor, "M E D"]
    degree: Int[Tensor, "M E"]
    hidden: Int[Tensor, "M E H"]
    """same-class properties that are no edge"""
    hidden_degree: Int[Tensor, "M E"]

    @classmethod
    def of(cls, graphs: Sequence[ConstraintGraph], device: torch.device | str = "cpu") -> "Edges":
        """The lists of one graph per member."""
        edges = torch.stack([graph.edges for graph in graphs])
        hidden = torch.stack([graph.classes.same & ~graph.edges for graph in graphs])
        return cls(*(t.to(device) for t in _lists(edges)), *(t.to(device) for t in _lists(hidden)))


def _lists(edges: Bool[Tensor, "M E K"]) -> tuple[Int[Tensor, "M E D"], Int[Tensor, "M E"]]:
    """Neighbours first, in order, and how many there are."""
    degree = edges.sum(-1)
    longest = max(int(degree.max()), 1)
    order = (~edges).byte().sort(dim=-1, stable=True).indices[..., :longest]
    return order, degree


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
