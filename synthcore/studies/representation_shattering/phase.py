"""Where do edits stop being local? Networks of several sizes, edited at distance 1 and at the
longest short one."""

import xarray as xr

from synthcore.studies.representation_shattering import theory
from synthcore.studies.representation_shattering.edits import write
from synthcore.studies.representation_shattering.effects import accuracy, effects
from synthcore.studies.representation_shattering.parameters import Config
from synthcore.studies.representation_shattering.single_edits import plan, success
from synthcore.studies.representation_shattering.world import Progress, World, as_numpy


def phase(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Capacity ratio, accuracy before, and what edits do, for every number of entities and width:
    (phase_entities, phase_width, seed, ...)."""
    rows = []
    for entities in config.phase_entities:
        columns = [_one(config, entities, width, progress) for width in config.phase_widths]
        rows.append(xr.concat(columns, xr.IndexVariable("phase_width", list(config.phase_widths))))
    return xr.concat(rows, xr.IndexVariable("phase_entities", list(config.phase_entities)))


def _one(config: Config, entities: int, width: int, progress: Progress | None) -> xr.Dataset:
    world = World.make(
        Config(
            **config.model_dump()
            | {
                "entities": entities,
                "width": width,
                "steps": config.phase_steps,
                "distances": (1, config.hops),
                "edits": config.editor_edits,
                "anchors": min(config.anchors, entities),
                "phase_entities": (),
            }
        )
    )
    world.learn(progress)
    chosen, block = plan(world, corrective=False), config.block
    copies = write(world.model, chosen.facts, "rome", block, world.covariances([block]))
    measured = chosen.unfold(
        effects(world, copies, chosen.targets, block).assign(
            success=(("seed", "edit"), as_numpy(success(copies, chosen.facts)[1].double()))
        )
    )
    ratio = theory.capacity_ratio(
        entities, world.circles.relations.count, world.model.parameters_per_member
    )
    over = {"order", "edit"}
    return xr.Dataset(
        {
            "phase_ratio": ratio,
            "phase_accuracy": accuracy(world).mean("order"),
            "phase_change": measured.change.mean(over),
            "phase_R": measured.shattering.sel(part="R", drop=True).mean(over),
            "phase_success": measured.success.mean("edit"),
        }
    ).rename(condition="phase_distance")
