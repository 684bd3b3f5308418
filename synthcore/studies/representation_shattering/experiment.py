"""Train networks on walks, edit single facts, and see what becomes of everything else.

`run` is the stages, each public: `trained` makes the networks, `edited` the main experiment,
`compared` sets other editors, controls and the other block beside it; `phase` and `months` need a
longer run.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import xarray as xr

from synthcore.editing import EditedModel, edit
from synthcore.evidence.dataset import joined
from synthcore.studies.representation_shattering import geometry, theory, tracing
from synthcore.studies.representation_shattering.editors import editors, random_changes
from synthcore.studies.representation_shattering.edits import Targets, write
from synthcore.studies.representation_shattering.effects import (
    accuracy,
    coordinates,
    effects,
    misses,
)
from synthcore.studies.representation_shattering.months import months
from synthcore.studies.representation_shattering.parameters import Config
from synthcore.studies.representation_shattering.phase import phase
from synthcore.studies.representation_shattering.questions import TASKS
from synthcore.studies.representation_shattering.shown import kept
from synthcore.studies.representation_shattering.single_edits import Plan, plan, single_edits
from synthcore.studies.representation_shattering.world import Progress, World, as_numpy
from synthcore.training.schedules import log_spaced

__all__ = ["Config", "assemble", "compared", "edited", "run", "stages", "trained"]

UNITS = {
    "step": "updates",
    "condition": "steps along order I (0: corrective)",
    "gap": "steps along the order",
    "loss": "nats/answer",
    "accuracy": "1",
    "month_nll": "nats/token",
}
CHECKPOINTS = 10


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study: dimension `seed` everywhere, and those each stage names."""
    world, data = trained(config, progress)
    main, chosen, copies = edited(world)
    rest = compared(world, chosen, copies, progress)
    return assemble(
        config, [data, main, rest, *(stage(config, progress) for stage in stages(config))]
    )


def stages(config: Config) -> list[Callable[[Config, Progress | None], xr.Dataset]]:
    """What stands beside the world of the chapter; stages without size are left out."""
    found: list[Callable[[Config, Progress | None], xr.Dataset]] = []
    found += [phase] if config.phase_entities else []
    found += [months] if config.month_edits else []
    return found


def trained(config: Config, progress: Progress | None = None) -> tuple[World, xr.Dataset]:
    """Networks, how they learned, and the rings they hold."""
    world = World.make(config)
    window = max(config.steps // 100, 1)
    at = log_spaced(config.steps, CHECKPOINTS, first=window, zero=False)
    learned: list[xr.DataArray] = []
    losses = world.learn(progress, at, lambda step, model: learned.append(accuracy(world)))
    mean = torch.stack([losses[max(step - window, 0) : step].mean(0) for step in at])
    points = geometry.clouds(world.model, world.circles, config.block)
    null = geometry.ring_null(points, world.circles, config.reorderings, world.generator(80))
    traced = tracing.trace(world.model, world.circles, world.generator(81))
    spectrum = torch.stack(
        [
            torch.stack(
                [
                    theory.ring_power(cloud[list(world.circles.relations.of(c))], order).mean(0)
                    for c, order in enumerate(world.circles.entity[m])
                ]
            )
            for m, cloud in enumerate(points)
        ]
    )
    data = xr.Dataset(
        {
            "loss": (("step", "seed"), as_numpy(mean)),
            "learning": xr.concat(learned, xr.IndexVariable("step", at)),
            "accuracy": learned[-1],
            "miss": misses(world),
            "ring": (("seed", "order"), as_numpy(geometry.ring_share(points, world.circles))),
            "ring_null": (("seed", "order", "draw"), as_numpy(null)),
            "ring_spectrum": (("seed", "order", "frequency"), as_numpy(spectrum)),
            "traced": (("seed", "layer", "site", "token"), as_numpy(traced)),
        },
        coords={
            **coordinates(world),
            "step": at,
            "frequency": list(range(1, spectrum.shape[-1] + 1)),
            "layer": list(range(config.depth)),
            "site": list(tracing.SITES),
            "token": list(tracing.TOKENS),
        },
    )
    data.attrs = {
        "study": "representation_shattering",
        "entities": config.entities,
        "hops": config.hops,
        "block": config.block,
        "capacity_ratio": theory.capacity_ratio(
            config.entities, world.circles.relations.count, world.model.parameters_per_member
        ),
    }
    return world, data


def edited(world: World) -> tuple[xr.Dataset, Plan, EditedModel]:
    """The main experiment, with its plan and the edited copies."""
    chosen = plan(world)
    data, copies = single_edits(world, chosen)
    return data.merge(kept(world, chosen, copies)), chosen, copies


def compared(
    world: World, chosen: Plan, copies: EditedModel, progress: Progress | None = None
) -> xr.Dataset:
    """Other editors at equal success, random changes, ROME in every block, and an edit that should
    do nothing; on the first edits of every short distance."""
    near = [d for d in chosen.conditions if 1 <= d <= world.config.hops]
    few, index = chosen.first(world.config.editor_edits, near)
    steps = 4

    def tell(done: int) -> None:
        if progress is not None:
            progress("editors", done, steps)

    tell(0)
    parts = [editors(world, few)]
    tell(1)
    parts.append(random_changes(world, few, copies.pick(index)))
    tell(2)
    parts.append(every_block(world, few))
    tell(3)
    parts.append(nothing_new(world, few))
    tell(4)
    return xr.merge(parts, join="outer", compat="no_conflicts", combine_attrs="drop")


def every_block(world: World, chosen: Plan) -> xr.Dataset:
    """ROME in each block; clouds are read behind the edited block and behind the last."""
    last = world.config.depth - 1
    parts = []
    for block in range(world.config.depth):
        copies = write(world.model, chosen.facts, "rome", block, world.covariances([block]))
        data = effects(world, copies, chosen.targets, block, tasks=1)
        report = copies.report
        assert report is not None
        data["success"] = (("seed", "edit"), as_numpy(report.succeeded[..., 0].double()))
        behind = geometry.shattering(copies, world.circles, last, world.anchors)
        data["last"] = (("seed", "edit", "part"), as_numpy(behind.mean(2)))
        parts.append(chosen.unfold(data))
    joined = xr.concat(parts, xr.IndexVariable("block", list(range(world.config.depth))))
    return joined.rename({str(name): f"block_{name}" for name in joined.data_vars})


def nothing_new(world: World, chosen: Plan) -> xr.Dataset:
    """Counterfactual facts rewritten with the answers they have: the least harm a write can do."""
    start = chosen.each * (len(chosen.conditions) - 1)
    facts = chosen.facts.pick(slice(start, None))
    member = torch.arange(world.circles.members, device=facts.target.device)[:, None]
    t = chosen.targets
    answer = world.circles.table[member, t.relation, t.entity][:, start:]
    same = replace(facts, target=answer[..., None])
    block = world.config.block
    C = world.covariances([block])
    copies = edit(world.model, same, "rome", [block], covariances=C, unchanged=True)
    asked = Targets(t.entity[:, start:], t.relation[:, start:], answer)
    data = effects(world, copies, asked, block).assign_coords(edit=list(range(chosen.each)))
    return data.rename({str(name): f"noop_{name}" for name in data.data_vars})


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS).reindex(task=list(TASKS))  # merging sorts them
    return data.assign_attrs({name: value for part in parts for name, value in part.attrs.items()})
