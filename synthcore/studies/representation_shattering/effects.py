"""What edits do to everything else: answers lost, clouds shattered, rings left.

Axis letters: M member, E edit, Q questions, R relation, C order.
"""

from collections.abc import Sequence

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.editing import EditedModel
from synthcore.studies.representation_shattering import geometry
from synthcore.studies.representation_shattering.edits import Targets
from synthcore.studies.representation_shattering.questions import (
    TASKS,
    answered,
    right,
    right_after,
)
from synthcore.studies.representation_shattering.task import ORDERS
from synthcore.studies.representation_shattering.world import World, as_numpy

PARTS = ("R", "inflation", "shape")


def coordinates(world: World) -> dict[str, Sequence[object]]:
    """Of the dimensions that every measurement shares."""
    return {
        "seed": list(world.config.seeds),
        "task": list(TASKS),
        "order": list(ORDERS[: world.circles.relations.orders]),
        "part": list(PARTS),
    }


def change(
    before: Bool[Tensor, "M Q"],
    after: Bool[Tensor, "M E Q"],
    left_out: Bool[Tensor, "M E Q"],
    group: Int[Tensor, "Q"],
) -> Float[Tensor, "M E G"]:
    """Accuracy after less before, per group of questions, without those left out."""
    counted = (~left_out).double()
    gain = (after.double() - before[:, None].double()) * counted
    members = torch.nn.functional.one_hot(group.to(gain.device)).double()
    return (gain @ members) / (counted @ members)


def effects(
    world: World, edited: EditedModel, targets: Targets, block: int, tasks: int = len(TASKS)
) -> xr.Dataset:
    """Change of accuracy and shattering of every edit: (seed, edit, order, ...).

    Questions about the edited fact or its way back are left out; only the first `tasks` kinds of
    questions are asked. Clouds are read behind `block`; R of an order is the mean over its
    relations.
    """
    orders = world.circles.relations.orders
    questions = world.questions.first(tasks * orders * world.config.questions)
    before = right(world.model, questions)
    after = right_after(edited, questions)
    left_out = questions.touches(world.circles, targets.entity, targets.relation)
    group = world.group[: questions.entity.shape[1]]
    delta = change(before, after, left_out, group).unflatten(-1, (tasks, orders))
    parts = geometry.shattering(edited, world.circles, block, world.anchors)
    relations = world.circles.relations
    by_order = parts.unflatten(2, (relations.orders, relations.each)).mean(3)
    return xr.Dataset(
        {
            "change": (("seed", "edit", "task", "order"), as_numpy(delta)),
            "shattering": (("seed", "edit", "order", "part"), as_numpy(by_order)),
            "norm": (("seed", "edit"), as_numpy(edited.norm)),
        },
        coords=coordinates(world) | {"task": list(TASKS[:tasks])},
    )


def accuracy(world: World) -> xr.DataArray:
    """Before any edit: (seed, task, order)."""
    hits = right(world.model, world.questions).double()
    groups = hits.unflatten(1, (len(TASKS), -1, world.config.questions)).mean(-1)
    known = {k: v for k, v in coordinates(world).items() if k != "part"}
    return xr.DataArray(as_numpy(groups), dims=("seed", "task", "order"), coords=known)


def misses(world: World) -> xr.DataArray:
    """How far answers lie from the truth along the order asked about, over what guessing gives
    (a quarter of the circle): (seed, task, order). 0 is right, 1 is no idea."""
    questions, circles = world.questions, world.circles
    found = answered(world.model, questions)
    N = circles.entities
    entity = found < N
    per_order = []
    for order in range(circles.relations.orders):
        gap = circles.distance(order, found.clamp(max=N - 1), questions.answer)
        per_order.append(torch.where(entity, gap, N // 2))
    own = torch.stack(per_order)[
        questions.relation[..., 0] // circles.relations.each,
        torch.arange(circles.members, device=found.device)[:, None],
        torch.arange(found.shape[1], device=found.device),
    ]
    groups = own.double().unflatten(1, (len(TASKS), -1, world.config.questions)).mean(-1)
    known = {k: v for k, v in coordinates(world).items() if k != "part"}
    return xr.DataArray(as_numpy(groups / (N / 4)), dims=("seed", "task", "order"), coords=known)
