"""The main experiment: ROME writes one fact into a fresh copy of the network, many times over.

Every counterfactual edit is made at all distances, so that distances are compared on the same
facts. Condition 0 stands for corrective edits.

Axis letters: M member, E edit, K conditions, R relation, N entity.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from synthcore.editing import EditedModel, Facts
from synthcore.nn.hooks import record
from synthcore.studies.representation_shattering import geometry
from synthcore.studies.representation_shattering.edits import (
    EDITED,
    Targets,
    as_facts,
    choose,
    counterfactual,
    write,
)
from synthcore.studies.representation_shattering.effects import effects
from synthcore.studies.representation_shattering.questions import probability_of
from synthcore.studies.representation_shattering.world import World, as_numpy

CORRECTIVE = 0


@dataclass(frozen=True)
class Plan:
    """All edits of an experiment, condition by condition: `targets` and `facts` are (M, K E)."""

    conditions: tuple[int, ...]
    each: int
    targets: Targets
    facts: Facts

    def unfold(self, data: xr.Dataset) -> xr.Dataset:
        """The dimension `edit` as `condition` x `edit`."""
        shape = {"condition": len(self.conditions), "edit": self.each}
        out: dict[str, tuple[list[Hashable], NDArray[Any]]] = {}
        for name, values in data.data_vars.items():
            if "edit" not in values.dims:
                out[str(name)] = (list(values.dims), values.values)
                continue
            axis = values.dims.index("edit")
            dims = [*values.dims[:axis], *shape, *values.dims[axis + 1 :]]
            sizes = [*values.shape[:axis], *shape.values(), *values.shape[axis + 1 :]]
            out[str(name)] = (dims, values.values.reshape(sizes))
        coords = {k: v for k, v in data.coords.items() if k != "edit"}
        known = {"condition": list(self.conditions), "edit": list(range(self.each))}
        return xr.Dataset(out, coords={**coords, **known})

    def first(self, edits: int, conditions: Sequence[int]) -> tuple["Plan", list[int]]:
        """The first edits of some conditions, and where they stand in this plan."""
        chosen = [self.conditions.index(condition) for condition in conditions]
        index = [k * self.each + e for k in chosen for e in range(edits)]
        t = self.targets
        picked = Targets(t.entity[:, index], t.relation[:, index], t.target[:, index])
        return Plan(tuple(conditions), edits, picked, self.facts.pick(index)), index


def plan(world: World, corrective: bool = True) -> Plan:
    """Which facts are edited. Counterfactual edits: trained facts of order I that the network
    answers, bare and behind contexts; corrective ones: facts of order I that it answers wrongly in
    both ways, held out or not."""
    config, circles = world.config, world.circles
    averaged, bare = world.known()
    own = torch.zeros_like(averaged)
    own[:, list(circles.relations.of(EDITED))] = True
    trained = ~world.held.facts.to(own.device)
    random = world.generator(60)
    x, r = choose(own & trained & averaged & bare, config.edits, random)
    parts = [counterfactual(circles, x, r, d, random) for d in config.distances]
    conditions = config.distances
    if corrective:
        x, r = choose(own & ~averaged & ~bare, config.edits, random)
        member = torch.arange(circles.members, device=x.device)[:, None]
        parts.insert(0, Targets(x, r, circles.table[member, r, x]))
        conditions = (CORRECTIVE, *conditions)
    targets = Targets.join(parts)
    shapes = world.contexts(config.contexts, 61, full=False)
    facts = as_facts(world.walks, targets, shapes, world.generator(62))
    return Plan(conditions, config.edits, targets, facts)


def single_edits(world: World, chosen: Plan) -> tuple[xr.Dataset, EditedModel]:
    """Effects of every edit, its report, and how far it reaches along order I."""
    block = world.config.block
    edited = write(world.model, chosen.facts, "rome", block, world.covariances([block]))
    data = effects(world, edited, chosen.targets, block)
    report = edited.report
    assert report is not None
    likely, first = success(edited, chosen.facts)
    update = edited.updates[block]
    start = (("seed", "edit"),)
    values = {
        "succeeded": first.double(),
        "likely": likely,
        "succeeded_bare": report.succeeded[..., 0].double(),
        "clipped": report.clipped[..., 0].double(),
        "overlap": report.overlap[..., 0],
        "displacement": update.right[..., 0, :].norm(dim=-1),
    }
    data = data.assign({name: (*start, as_numpy(value)) for name, value in values.items()})
    data = data.merge(reach(world, edited, chosen.targets))
    after = [
        geometry.ring_share(geometry.edited_clouds(few, world.circles, block), world.circles)
        for few in edited.chunks(16)
    ]
    data["ring_after"] = (("seed", "edit", "order"), as_numpy(torch.cat(after, 1)))
    return chosen.unfold(data), edited


def success(edited: EditedModel, facts: Facts) -> tuple[Tensor, Tensor]:
    """Probability of the target, averaged over the prompt and its contexts; does it come first?"""
    return probability_of(edited, facts.tokens[:, :, 0], facts.read[:, :, 0], facts.target[..., 0])


def alphas(world: World, edited: EditedModel) -> Tensor:
    """alpha(x; r): what an edit moves h(x; r) by, in units of what it moves h(x*; r*), bare prompts
    everywhere: (M, E, R, N). Rank-one edits only."""
    block = world.config.block
    tokens, _ = geometry.bare_prompts(world.circles)
    name = f"blocks.{block}.mlp.hook_post"
    with torch.no_grad(), record(world.model, [name]) as seen:
        world.model(tokens)
    keys = seen[name][:, :, -1].double()  # (M, R N, K)
    left = edited.updates[block].left[..., 0]  # (M, E, K)
    found = left @ keys.transpose(1, 2)
    return found.unflatten(2, (world.circles.relations.count, -1))


def reach(world: World, edited: EditedModel, targets: Targets) -> xr.Dataset:
    """alpha on average over entities at each distance from the edited one along every order, under
    the edited relation; and a histogram over all prompts."""
    alpha = alphas(world, edited)
    M, E = targets.entity.shape
    member = torch.arange(M, device=alpha.device)[:, None]
    number = torch.arange(E, device=alpha.device)[None]
    own = alpha[member, number, targets.relation]  # (M, E, N)
    N = own.shape[-1]
    along = []
    for order in range(world.circles.relations.orders):
        place = world.circles.place[:, order]
        gap = (place[:, None] - place.gather(1, targets.entity)[..., None]) % N
        near = torch.minimum(gap, N - gap)  # (M, E, N)
        sums = torch.zeros(M, E, N // 2 + 1, dtype=own.dtype, device=own.device)
        counts = sums.clone()
        sums.scatter_add_(2, near, own)
        counts.scatter_add_(2, near, torch.ones_like(own))
        along.append((sums / counts).mean(1))
    edges = torch.linspace(-1.0, 1.5, 51, dtype=alpha.dtype)
    counts = torch.stack([torch.histogram(row.flatten().cpu(), edges).hist for row in alpha])
    return xr.Dataset(
        {
            "alpha_along": (("seed", "order", "gap"), as_numpy(torch.stack(along, 1))),
            "alpha_histogram": (("seed", "alpha"), as_numpy(counts / alpha[0].numel())),
            "alpha_largest": (
                ("seed", "edit"),
                as_numpy(_largest_elsewhere(alpha, targets, world)),
            ),
        },
        coords={"gap": list(range(N // 2 + 1)), "alpha": as_numpy((edges[1:] + edges[:-1]) / 2)},
    )


def _largest_elsewhere(alpha: Tensor, targets: Targets, world: World) -> Tensor:
    """The largest |alpha| at another entity: with the displacement, an index of how safe an edit is
    that needs no forward pass of the edited network."""
    N = world.circles.entities
    own = torch.nn.functional.one_hot(targets.entity, N).bool()[:, :, None]
    return alpha.abs().masked_fill(own, 0.0).flatten(2).max(-1).values
