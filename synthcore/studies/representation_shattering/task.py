"""A knowledge graph of cyclic orders, and walks that state its facts.

The same N entities lie on several circles, each a random order of its own. A relation names a
circle, a direction and a number of steps: `II_A3` is three steps anticlockwise on circle II. A walk
alternates entities and relations, `x r y r r' z`: between two entities stand one relation or two,
and two are applied in turn without naming what lies between.

Entity x is token x, relation r is token N + r; relations are numbered order by order, clockwise
before anticlockwise, short before long.

Axis letters: M member, C order, N entity, R relation, B batch, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from synthcore.config import nearest

ORDERS = ("I", "II", "III")
ROLES = {"I": "edit", "II": "retain", "III": "test"}


@dataclass(frozen=True)
class Relations:
    """The relations of `orders` circles with 1 to `hops` steps in both directions.

    >>> relations = Relations(orders=3, hops=4)
    >>> relations.count, relations.name(0), relations.index("III_A4")
    (24, 'I_C1', 23)
    >>> relations.name(relations.inverse[relations.index("II_C3")])
    'II_A3'
    """

    orders: int = 3
    hops: int = 4

    @property
    def each(self) -> int:
        """Relations of one order."""
        return 2 * self.hops

    @property
    def count(self) -> int:
        return self.orders * self.each

    @property
    def order(self) -> Int[Tensor, "R"]:
        """Which circle a relation moves on."""
        return torch.arange(self.count) // self.each

    @property
    def shift(self) -> Int[Tensor, "R"]:
        """Signed number of steps, clockwise positive."""
        within = torch.arange(self.count) % self.each
        return torch.where(within < self.hops, within + 1, self.hops - 1 - within)

    @property
    def inverse(self) -> list[int]:
        """The relation that leads back."""
        return [
            r + self.hops if r % self.each < self.hops else r - self.hops for r in range(self.count)
        ]

    def of(self, order: int) -> range:
        """Numbers of the relations of one order."""
        return range(order * self.each, (order + 1) * self.each)

    def name(self, relation: int) -> str:
        order, within = divmod(int(relation), self.each)
        back, steps = divmod(within, self.hops)
        return f"{ORDERS[order]}_{'CA'[back]}{steps + 1}"

    @property
    def names(self) -> list[str]:
        return [self.name(r) for r in range(self.count)]

    def index(self, name: str) -> int:
        """The number of a relation. ValueError names the nearest if there is none of this name."""
        if name in self.names:
            return self.names.index(name)
        raise ValueError(f"Unknown relation '{name}'. {nearest(name, self.names)}")


@dataclass(frozen=True)
class Circles:
    """The orders of every member: `entity[m, c, i]` stands at place i of circle c."""

    entity: Int[Tensor, "M C N"]
    hops: int = 4

    @classmethod
    def draw(cls, entities: int, seeds: Sequence[int], orders: int = 3, hops: int = 4) -> "Circles":
        """Independent uniformly random orders. ValueError if neighbours would not be distinct."""
        if entities <= 2 * hops + 1:
            raise ValueError(f"entities must be more than {2 * hops + 1} (got {entities})")
        drawn = [
            torch.stack([torch.randperm(entities, generator=random) for _ in range(orders)])
            for random in (torch.Generator().manual_seed(seed) for seed in seeds)
        ]
        return cls(torch.stack(drawn), hops)

    @property
    def members(self) -> int:
        return len(self.entity)

    @property
    def entities(self) -> int:
        return self.entity.shape[2]

    @property
    def relations(self) -> Relations:
        return Relations(self.entity.shape[1], self.hops)

    @property
    def vocabulary(self) -> int:
        return self.entities + self.relations.count

    @property
    def place(self) -> Int[Tensor, "M C N"]:
        """The place of every entity on every circle."""
        return self.entity.argsort(-1)

    @property
    def table(self) -> Int[Tensor, "M R N"]:
        """The answer of every fact: `table[m, r, x]` = x.r.

        >>> circles = Circles(torch.arange(9)[None, None], hops=2)
        >>> circles.table[0, :, 8]  # C1, C2, A1, A2
        tensor([0, 1, 7, 6])
        """
        relations, device = self.relations, self.entity.device
        order, shift = relations.order.to(device), relations.shift.to(device)
        moved = (self.place[:, order] + shift[:, None]) % self.entities
        return self.entity[:, order].gather(2, moved)

    def token(self, relation: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """The token of a relation."""
        return relation + self.entities

    def words(self, tokens: Sequence[int]) -> str:
        """A walk for people.

        >>> Circles(torch.arange(9)[None, None], hops=2).words([8, 10, 1])
        '8 I_C2 1'
        """
        names = self.relations.names
        return " ".join(str(t) if t < self.entities else names[t - self.entities] for t in tokens)

    def distance(
        self, order: int, one: Int[Tensor, "M *rest"], other: Int[Tensor, "M *rest"]
    ) -> Int[Tensor, "M *rest"]:
        """Steps between two entities along a circle, the shorter way round."""
        place = self.place[:, order]
        gap = _at(place, one) - _at(place, other)
        gap = gap % self.entities
        return torch.minimum(gap, self.entities - gap)

    def to(self, device: torch.device | str) -> "Circles":
        return Circles(self.entity.to(device), self.hops)


def _at(table: Int[Tensor, "M N"], index: Int[Tensor, "M *rest"]) -> Int[Tensor, "M *rest"]:
    """table[m, index[m, ...]]."""
    return table.gather(1, index.flatten(1)).view(index.shape)
