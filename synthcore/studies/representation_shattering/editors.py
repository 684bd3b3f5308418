"""Four editors, and controls, compared at equal success.

An editor that writes less harms less. So every change is first scaled to the least strength at
which the target has the same probability on average over the prompt and its contexts; only edits
that all editors can bring there are compared.

Axis letters: M member, E edit.
"""

from collections.abc import Mapping

import torch
import xarray as xr
from jaxtyping import Bool, Float
from torch import Tensor

from synthcore.editing import (
    METHODS,
    EditedModel,
    fine_tune,
    random_directions,
)
from synthcore.studies.representation_shattering import geometry
from synthcore.studies.representation_shattering.edits import write
from synthcore.studies.representation_shattering.effects import effects
from synthcore.studies.representation_shattering.single_edits import Plan, success
from synthcore.studies.representation_shattering.world import World, as_numpy

LEVEL = 0.5  # a target this likely comes first
STRONGEST = 32.0
SEEN_IN = 6  # prompts, the bare one first, over which the probability is averaged
CONTROLS = ("identity", "fine-tuning")


def equalised(
    edited: EditedModel, chosen: Plan, level: float = LEVEL, halvings: int = 8
) -> tuple[EditedModel, Float[Tensor, "M E"], Bool[Tensor, "M E"]]:
    """Every edit at the least strength (up to `STRONGEST`) at which its target has probability
    `level`; that strength; and whether there is one.

    A scan over doublings brackets it, halvings in the logarithm find it.
    """

    few = chosen.facts.first_prompts(SEEN_IN)

    def likely(strength: Tensor) -> Tensor:
        return success(edited.scaled(strength), few)[0]

    shape = edited.norm.shape
    device = edited.norm.device
    ladder = [STRONGEST * 2.0**-k for k in range(8, -1, -1)]
    high = torch.full(shape, STRONGEST, dtype=torch.float64, device=device)
    low = torch.full(shape, ladder[0] / 2, dtype=torch.float64, device=device)
    reached = torch.zeros(shape, dtype=torch.bool, device=device)
    for step in ladder:
        there = (likely(torch.full_like(high, step)) >= level) & ~reached
        high = torch.where(there, step, high)
        low = torch.where(reached | there, low, step)
        low = torch.where(there, step / 2, low)
        reached |= there
    for _ in range(halvings):
        middle = (low * high).sqrt()
        there = likely(middle) >= level
        high, low = torch.where(there, middle, high), torch.where(there, low, middle)
    return edited.scaled(high), high, reached


def all_editors(world: World, chosen: Plan) -> dict[str, EditedModel]:
    """The same facts written by every method, and by two controls."""
    block = world.config.block
    C = world.covariances([block])
    found = {name: write(world.model, chosen.facts, name, block, C) for name in METHODS}
    eye = {b: torch.eye(c.shape[-1], dtype=c.dtype).expand_as(c).to(c) for b, c in C.items()}
    found["identity"] = write(world.model, chosen.facts, "rome", block, eye)
    found["fine-tuning"] = fine_tune(world.model, chosen.facts.first_prompts(SEEN_IN), block)
    return found


def editors(world: World, chosen: Plan) -> xr.Dataset:
    """Effects of every editor at equal success: (editor, seed, condition, edit, ...)."""
    block = world.config.block
    parts = []
    for edited in all_editors(world, chosen).values():
        first = success(edited, chosen.facts)[1]
        same, strength, reached = equalised(edited, chosen)
        data = effects(world, same, chosen.targets, block, tasks=1)
        data["strength"] = (("seed", "edit"), as_numpy(strength))
        data["reached"] = (("seed", "edit"), as_numpy(reached))
        data["native_success"] = (("seed", "edit"), as_numpy(first))
        parts.append(chosen.unfold(data))
    names = [*METHODS, *CONTROLS]
    joined = xr.concat(parts, xr.IndexVariable("editor", names))
    return joined.rename({str(name): f"editor_{name}" for name in joined.data_vars})


def random_changes(world: World, chosen: Plan, edited: EditedModel) -> xr.Dataset:
    """Rank-one changes in random directions beside ROME's: at equal norm, and at equal R."""
    block = world.config.block
    drawn = random_directions(edited, world.generator(70))
    reference = effects(world, edited, chosen.targets, block, tasks=1)
    equal_norm = effects(world, drawn, chosen.targets, block, tasks=1)
    wanted = torch.tensor(reference.shattering.sel(part="R").mean("order").values)
    scaled = drawn.scaled(_strength_for(world, drawn, chosen, wanted.to(drawn.norm.device)))
    equal_R = effects(world, scaled, chosen.targets, block, tasks=1)
    kinds: Mapping[str, xr.Dataset] = {
        "rome": reference,
        "equal norm": equal_norm,
        "equal R": equal_R,
    }
    parts = [chosen.unfold(data) for data in kinds.values()]
    joined = xr.concat(parts, xr.IndexVariable("update", list(kinds)))
    return joined.rename({str(name): f"random_{name}" for name in joined.data_vars})


def _strength_for(
    world: World, drawn: EditedModel, chosen: Plan, wanted: Float[Tensor, "M E"]
) -> Float[Tensor, "M E"]:
    """The strength at which each change has R as wanted."""
    strength = torch.ones_like(wanted)
    for _ in range(6):  # R is nearly proportional to the strength
        parts = geometry.shattering(
            drawn.scaled(strength), world.circles, world.config.block, world.anchors
        )
        strength = strength * wanted / parts[..., 0].mean(-1).double()
    return strength
