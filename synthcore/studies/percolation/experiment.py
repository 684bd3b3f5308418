"""Percolation, a pair learner and transformers on the formal language.

`run` is five stages, each public: `simulations` checks the theory, `pair_sweep` and `interventions`
train pair learners, `languages` and `variants` transformers. The last of each need a longer run.
"""

from collections.abc import Callable

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.percolation.interventions import interventions, pair_sweep
from synthcore.studies.percolation.lessons import languages, variants
from synthcore.studies.percolation.networks import Progress
from synthcore.studies.percolation.parameters import Config
from synthcore.studies.percolation.simulations import simulations

__all__ = [
    "Config",
    "assemble",
    "interventions",
    "languages",
    "pair_sweep",
    "run",
    "simulations",
    "stages",
    "variants",
]

UNITS = {
    "step": "updates",
    "pair_step": "updates",
    "world_step": "updates",
    "variant_step": "updates",
    "loss": "nats/token",
    "excess_loss": "nats/token",
    "variant_excess_loss": "nats/token",
    "log_likelihood": "nats/sentence",
    "mentions_per_step": "pairs/update",
    "proportional_edges": "edges",
    "widening_edges": "edges",
    **{
        f"{stage}{name}": unit
        for stage in ("", "pair_", "world_", "variant_")
        for name, unit in (
            ("entities", "entities"),
            ("properties", "properties"),
            ("odds", "nats"),
            ("odds_joined", "nats"),
            ("odds_apart", "nats"),
            ("valid_log_loss", "nats"),
            ("degree", "edges/entity"),
            ("batch", "pairs/update"),
        )
    },
}


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study; dimensions are those each stage names."""
    return assemble(config, [stage(config, progress) for stage in stages(config)])


def stages(config: Config) -> list[Callable[[Config, Progress | None], xr.Dataset]]:
    """What a run consists of; stages that the parameters leave out are missing."""
    found: list[Callable[[Config, Progress | None], xr.Dataset]] = [simulations, pair_sweep]
    found += [interventions] if config.world_steps else []
    found += [languages]
    found += [variants] if config.variants else []
    return found


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS)
    data.attrs = {
        "study": "percolation",
        "classes": config.classes,
        "density": config.density,
        "batch": config.batch,
        "pair_classes": config.pair_classes,
        "pair_entities": config.pair_entities,
        "pair_batch": config.pair_batch,
    }
    return data
