"""Which facts are edited, and to what.

A *counterfactual* edit of distance d moves the answer d steps along the edited circle, so that for
k + d <= hops the new answer is that of another relation of the same entity. A *corrective* edit
gives a wrong answer its true value. All edits target the relations of order I.

Axis letters: M member, R relation, N entity, E edit, J contexts, T tokens, H = H2 hidden width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.editing import EditedModel, Facts, edit
from synthcore.nn.gpt import GPT
from synthcore.studies.representation_shattering.questions import Questions, one_hop
from synthcore.studies.representation_shattering.task import Circles
from synthcore.studies.representation_shattering.walks import Walks
from synthcore.training import rehearsal

EDITED = 0  # order I


@dataclass(frozen=True)
class Targets:
    """Facts x.r of every member and what is to be answered instead."""

    entity: Int[Tensor, "M E"]
    relation: Int[Tensor, "M E"]
    target: Int[Tensor, "M E"]

    @staticmethod
    def join(parts: Sequence["Targets"]) -> "Targets":
        return Targets(
            torch.cat([p.entity for p in parts], 1),
            torch.cat([p.relation for p in parts], 1),
            torch.cat([p.target for p in parts], 1),
        )


def choose(
    allowed: Bool[Tensor, "M R N"], count: int, generator: torch.Generator
) -> tuple[Int[Tensor, "M E"], Int[Tensor, "M E"]]:
    """Entities and relations of random allowed facts, `count` different ones per member.

    ValueError if a member has fewer; in a rehearsal, whose networks know nothing, others will do.
    """
    M, R, N = allowed.shape
    available = int(allowed.flatten(1).sum(1).min())
    if available < count and rehearsal.asked() is None:
        raise ValueError(f"{count} facts are wanted for editing and a network has {available}")
    score = torch.rand(M, R * N, generator=generator, device=generator.device).to(allowed.device)
    order = score.masked_fill(~allowed.flatten(1), -1.0).argsort(1, descending=True)[:, :count]
    return order % N, order // N


def counterfactual(
    circles: Circles,
    entity: Int[Tensor, "M E"],
    relation: Int[Tensor, "M E"],
    distance: int,
    generator: torch.Generator,
) -> Targets:
    """The answers `distance` steps further along order I, either way round at random, but never
    the entity asked about."""
    N = circles.entities
    if not 1 <= distance <= N // 2:
        raise ValueError(f"distances must lie in 1..{N // 2} (got {distance})")
    member = torch.arange(len(entity), device=entity.device)[:, None]
    old = circles.table[member, relation, entity]
    place = circles.place[member, EDITED, old]
    sign = 2 * torch.randint(2, entity.shape, generator=generator, device=generator.device) - 1
    new = circles.entity[member, EDITED, (place + sign.to(entity.device) * distance) % N]
    other = circles.entity[member, EDITED, (place - sign.to(entity.device) * distance) % N]
    return Targets(entity, relation, torch.where(new == entity, other, new))


def as_facts(
    walks: Walks,
    targets: Targets,
    contexts: Sequence[Sequence[int]],
    generator: torch.Generator,
    site: str = "relation",
) -> Facts:
    """The request to an editor: the bare prompt, then the prompt behind contexts.

    Looked up at the last token, which knows both entity and relation; `site="entity"` looks up at
    the entity, whose place does not know the relation yet. The essence prompt is the entity alone.
    """
    asked = Questions.ask(
        walks, targets.entity, one_hop(targets.relation), [[], *contexts], generator
    )
    tokens, at = asked.tokens[:, :, None], asked.at[:, :, None]
    return Facts(
        tokens=tokens,
        lookup=at if site == "relation" else at - 1,
        read=at,
        target=targets.target[..., None],
        essence=tokens[..., 0, :],
        essence_at=torch.zeros_like(targets.target)[..., None],
    )


def write(
    model: GPT,
    facts: Facts,
    method: str,
    block: int,
    covariances: Mapping[int, Float[Tensor, "M H H2"]],
) -> EditedModel:
    """`synthcore.editing.edit` in one block. In a rehearsal, whose networks know nothing, a target
    may be the answer already."""
    rehearsed = rehearsal.asked() is not None
    return edit(model, facts, method, [block], covariances=covariances, unchanged=rehearsed)
