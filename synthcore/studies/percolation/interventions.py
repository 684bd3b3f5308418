"""Pair learners over |K|, and over worlds whose constraint graph has been changed by hand."""

from dataclasses import replace

import xarray as xr

from synthcore.studies.percolation.networks import Progress
from synthcore.studies.percolation.pairs import PairTask, learn
from synthcore.studies.percolation.parameters import Config
from synthcore.training.schedules import log_spaced

CHECKPOINTS, FIRST = 32, 10


def pair_sweep(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The pair learner for every |K|: dimensions pair_properties, pair_seed, pair_step."""
    parts = [
        _learn(config, config.pair_task(k), config.pair_steps, progress, f"pairs, |K| = {k}")
        for k in config.pair_properties
    ]
    whole = xr.concat(parts, "pair_properties")
    whole = whole.assign_coords(pair_properties=list(config.pair_properties))
    return _named(whole, "pair")


def interventions(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The pair learner in every world: dimensions world, pair_seed, world_step. What each world is
    like is in the coordinates of `world`."""
    worlds = worlds_of(config)
    parts = [
        _learn(config, task, config.world_steps, progress, f"world: {name}")
        for name, task in worlds.items()
    ]
    whole = xr.concat(parts, "world").assign_coords(world=list(worlds))
    for field in ("entities", "properties", "classes", "density", "batch", "fragments", "noise"):
        values = [float(getattr(task, field)) for task in worlds.values()]
        whole[field] = ("world", values)
    return _named(whole, "world")


def worlds_of(config: Config) -> dict[str, PairTask]:
    """What is changed, on the second smallest |K|: the density across the threshold and beyond,
    classes in fragments, edges across classes, the number of classes, and controls."""
    base = config.pair_task(config.pair_properties[1])
    critical = base.classes / (base.entities * base.properties) ** 0.5
    classes = [n for n in (2, 4, 8) if base.entities % n == base.properties % n == 0]
    of_class = base.properties // base.classes
    return {
        "base": base,
        **{
            f"density {ratio:g} p_c": replace(base, density=ratio * critical)
            for ratio in (0.3, 0.6, 1.0, 1.5, 2.5, 5.0)
        },
        "density 0.5": replace(base, density=0.5),
        **{f"fragments {n}": replace(base, fragments=n) for n in (2, 4)},
        **{f"noise {share:g}": replace(base, noise=share) for share in (0.2, 0.4, 0.6, 0.8)},
        **{f"classes {n}": replace(base, classes=n) for n in classes if n != base.classes},
        "double batch": replace(base, batch=2 * base.batch),
        "spare tokens": replace(base, spare=3 * base.properties),
        **({} if of_class % 40 else {"circulant": replace(base, circulant=True)}),
        "double entities": replace(base, entities=2 * base.entities),
        "double properties": replace(base, properties=2 * base.properties),
    }


def _learn(
    config: Config, task: PairTask, steps: int, progress: Progress | None, stage: str
) -> xr.Dataset:
    at = log_spaced(steps, CHECKPOINTS, first=min(FIRST, steps // 2), zero=False)
    say = (lambda done, total: progress(stage, done, total)) if progress else None
    return learn(task, config.pair_seed_list, steps, at, say)


def _named(data: xr.Dataset, prefix: str) -> xr.Dataset:
    """Variables and the step carry the stage's name, so that stages can be merged."""
    names = {str(name): f"{prefix}_{name}" for name in data.data_vars}
    return data.rename(names | {"step": f"{prefix}_step"})
