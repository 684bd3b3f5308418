"""Type constraints: a bipartite graph of entities and properties in disjoint classes.

Training only ever shows edges of this graph. A pair counts as valid whenever entity and property
share a class, edge or not: the difference is what a network can generalise to.

Axis letters: M member, E entities, K properties, D edges of an entity (padded), H its other
same-class pairs (padded).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


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


def seeded(seed: int, stream: int = 0) -> torch.Generator:
    """An independent generator for each use of a seed."""
    return torch.Generator().manual_seed(1_000_003 * seed + 7919 * stream)


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

    >>> graph = random_edges(Classes(2, 4, 40), 0.5, torch.Generator().manual_seed(0))
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
