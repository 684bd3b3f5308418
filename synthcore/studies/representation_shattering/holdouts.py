"""Facts and compositions that training never shows.

Held-out *facts* (x, r) are neither stated nor passed through, but can be inferred: the way back
(x.r, r^-1) and every division of the way into shorter ones stay in training. Held-out *chains*
(x, r, r') are never written as `x r r' y`, while both of their facts are.

Axis letters: M member, N entity, R relation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.representation_shattering.task import Circles, Relations


@dataclass(frozen=True)
class HoldOuts:
    """Held-out facts `facts[m, r, x]` and chains `chains[m, x, r, r']`."""

    facts: Bool[Tensor, "M R N"]
    chains: Bool[Tensor, "M N R R2"]

    @classmethod
    def draw(
        cls, circles: Circles, seeds: Sequence[int], facts: float = 0.1, chains: float = 0.1
    ) -> "HoldOuts":
        """Random shares of the facts of every order and of the chains of every entity.

        ValueError if so many facts cannot be held out with what they are inferred from in training.
        """
        rows, triples = [], []
        for seed, table in zip(seeds, circles.table.cpu(), strict=True):
            random = torch.Generator().manual_seed(seed)
            held = _draw_facts(circles.relations, table, facts, random)
            rows.append(held)
            triples.append(_draw_chains(circles.relations, table, held, chains, random))
        return cls(torch.stack(rows), torch.stack(triples))

    @classmethod
    def none(cls, circles: Circles) -> "HoldOuts":
        """Nothing is held out."""
        M, N, R = circles.members, circles.entities, circles.relations.count
        return cls(
            torch.zeros(M, R, N, dtype=torch.bool), torch.zeros(M, N, R, R, dtype=torch.bool)
        )


def needed(
    relations: Relations, table: Int[Tensor, "R N"], relation: int, entity: int
) -> list[tuple[int, int]]:
    """Facts (r, x) from which a fact can be inferred: its way back, and shorter ways along it.

    The way C3 divides into C1 then C2 and C2 then C1; a way of one step has no shorter ones.
    """
    found = [(relations.inverse[relation], int(table[relation, entity]))]
    hops = relation % relations.hops + 1
    first = relation - (hops - 1)  # the relation of one step in the same direction
    for k in range(1, hops):
        one, other = first + k - 1, first + hops - k - 1
        found += [(one, entity), (other, int(table[one, entity]))]
    return found


def _draw_facts(
    relations: Relations, table: Int[Tensor, "R N"], share: float, random: torch.Generator
) -> Bool[Tensor, "R N"]:
    """Facts in random order are held out unless that would take what another is inferred from."""
    N = table.shape[1]
    held, kept = torch.zeros_like(table, dtype=torch.bool), set()
    wanted = round(share * relations.each * N)
    for order in range(relations.orders):
        pairs = torch.randperm(relations.each * N, generator=random).tolist()
        taken: set[tuple[int, int]] = set()
        for pair in pairs:
            if len(taken) == wanted:
                break
            fact = (order * relations.each + pair // N, pair % N)
            support = needed(relations, table, *fact)
            if fact not in kept and not taken.intersection(support):
                taken.add(fact)
                kept.update(support)
        if len(taken) < wanted:
            raise ValueError(
                f"only {len(taken)} facts of an order can be held out (asked for {wanted}): "
                "hold out a smaller share"
            )
        for relation, entity in taken:
            held[relation, entity] = True
    return held


def _draw_chains(
    relations: Relations,
    table: Int[Tensor, "R N"],
    held: Bool[Tensor, "R N"],
    share: float,
    random: torch.Generator,
) -> Bool[Tensor, "N R R2"]:
    """A share of the chains of every entity, among those whose facts are trained and that do not
    lead back to where they began."""
    possible = reachable(relations, table, held)
    score = torch.rand(possible.shape, generator=random).masked_fill(~possible, 2.0).flatten(1)
    chosen = torch.zeros_like(score, dtype=torch.bool)
    first = score.argsort(1)[:, : round(share * score.shape[1])]
    return (chosen.scatter(1, first, True) & possible.flatten(1)).view(possible.shape)


def reachable(
    relations: Relations, table: Int[Tensor, "R N"], held: Bool[Tensor, "R N"]
) -> Bool[Tensor, "N R R2"]:
    """Chains of two trained facts that do not lead straight back."""
    second = ~held[:, table].permute(2, 1, 0)  # (x, r, r'): is the fact (x.r, r') trained?
    possible = ~held.T[:, :, None] & second
    for r, back in enumerate(relations.inverse):
        possible[:, r, back] = False
    return possible
