"""Training walks, and contexts that end where a question begins.

Axis letters: M member, N entity, R relation, B batch, T tokens.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.studies.representation_shattering.holdouts import HoldOuts
from synthcore.studies.representation_shattering.task import Circles


class Walks:
    """Walks over the facts that are not held out, for every member at once.

    A relation that would state or pass through something held out is drawn again, uniformly among
    the others. `two_hop` is the share of two relations between two entities; `orders` restricts the
    walks to the relations of some circles.
    """

    def __init__(
        self,
        circles: Circles,
        held: HoldOuts,
        orders: Sequence[int] | None = None,
        two_hop: float = 0.5,
        device: torch.device | str = "cpu",
    ) -> None:
        self.circles, self.two_hop = circles.to(device), two_hop
        self.device = torch.device(device)
        relations = circles.relations
        wanted = torch.zeros(relations.count, dtype=torch.bool)
        for order in range(relations.orders) if orders is None else orders:
            wanted[list(relations.of(order))] = True
        table = circles.table.cpu()
        first = ~held.facts.cpu().transpose(1, 2) & wanted  # (M, N, R)
        member = torch.arange(len(first))[:, None, None]
        second = first[member, table.transpose(1, 2)] & ~held.chains.cpu()  # (M, N, R, R)
        self.first = _Choices(first.flatten(0, 1), self.device)
        self.second = _Choices(second.flatten(0, 2), self.device)
        self.back = torch.tensor(relations.inverse, device=self.device)
        self.table = table.transpose(1, 2).flatten().to(self.device)  # of (m N + x) R + r
        self.trained = first.flatten().to(self.device)
        self.chained = second.flatten().to(self.device)

    def draw(self, batch: int, length: int, generator: torch.Generator) -> Int[Tensor, "M B T"]:
        """Walks from uniform starts, cut off at `length` tokens."""
        M, N, R = self.circles.members, self.circles.entities, self.circles.relations.count
        shape = (M, batch)
        base = torch.arange(M, device=self.device)[:, None] * N
        chance = torch.rand(length + 1, *shape, generator=generator, device=self.device)
        x = base + (chance[-1] * N).long()
        before = torch.zeros(shape, dtype=torch.long, device=self.device)
        pending = torch.zeros(shape, dtype=torch.long, device=self.device)  # relations to write
        chain = torch.zeros(shape, dtype=torch.bool, device=self.device)  # is it the second?
        tokens = torch.empty(M, batch, length, dtype=torch.long, device=self.device)
        for t in range(length):
            u = chance[t]
            r = torch.where(chain, self.second.pick(x * R + before, u), self.first.pick(x, u))
            at_entity = pending == 0
            tokens[:, :, t] = torch.where(at_entity, x - base, N + r)
            moved = torch.where(chain, base + self.table[x * R + before], x)
            landed = base + self.table[moved * R + r]
            last = (pending == 1) & ~at_entity
            x = torch.where(last, landed, x)
            chain = (pending == 2) & ~at_entity
            before = torch.where(chain, r, before)
            pending = torch.where(at_entity, 1 + (u < self.two_hop).long(), pending - 1)
        return tokens

    def before(
        self, entity: Int[Tensor, "M B"], steps: Sequence[int], generator: torch.Generator
    ) -> Int[Tensor, "M B T"]:
        """Walks that end just before `entity`, as a training walk would reach it.

        `steps` says how many relations (1 or 2) each fact of the walk has, so that the walks have
        sum(steps) + len(steps) tokens. They are walked backwards: relations are one to one.
        """
        N = self.circles.entities
        base = torch.arange(len(entity), device=self.device)[:, None] * N
        parts: list[Tensor] = []
        x = base + entity
        for count in reversed(steps):
            hops: list[Tensor] = []
            for _ in range(count):
                r, x = self._step_back(x, hops[-1] if hops else None, generator)
                hops.append(r)
            parts += [*(N + r for r in hops), x - base]
        if not parts:
            return entity.new_empty(*entity.shape, 0)
        return torch.stack(parts[::-1], -1)

    def _step_back(
        self, x: Int[Tensor, "M B"], then: Int[Tensor, "M B"] | None, generator: torch.Generator
    ) -> tuple[Int[Tensor, "M B"], Int[Tensor, "M B"]]:
        """A uniform fact (r, x') with x'.r = x that training may show, before relation `then`."""
        R = self.circles.relations.count
        base = torch.arange(len(x), device=self.device)[:, None, None] * self.circles.entities
        relation = torch.arange(R, device=self.device)
        origin = base + self.table[x[..., None] * R + self.back]  # where each relation comes from
        fact = origin * R + relation
        allowed = self.trained[fact]
        if then is not None:
            allowed &= self.chained[fact * R + then[..., None]]
        score = torch.rand(allowed.shape, generator=generator, device=self.device)
        r = score.masked_fill(~allowed, -1.0).argmax(-1)
        return r, origin.gather(-1, r[..., None])[..., 0]


class _Choices:
    """Uniform draws among the allowed entries of each row."""

    def __init__(self, allowed: Bool[Tensor, "K R"], device: torch.device) -> None:
        self.count = allowed.sum(1).to(device)
        if int(self.count.min()) == 0:
            raise ValueError("a walk could get stuck: hold out a smaller share")
        order = (~allowed).to(torch.uint8).argsort(dim=1, stable=True)
        self.options = order.to(torch.uint8).flatten().to(device)
        self.width = allowed.shape[1]

    def pick(self, row: Int[Tensor, "M B"], chance: Float[Tensor, "M B"]) -> Int[Tensor, "M B"]:
        """The option at quantile `chance` of every row."""
        place = (chance * self.count[row]).long().clamp(max=self.width - 1)
        return self.options[row * self.width + place].long()
