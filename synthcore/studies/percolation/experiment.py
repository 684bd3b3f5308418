"""Percolation, a pair learner and transformers on the formal language.

`run` is five stages, each public: `simulations` checks the theory, `pair_sweep` and `interventions`
train pair learners, `languages` and `variants` transformers. The last of each need a longer run.
"""

from collections.abc import Callable

import xarray as xr

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
    "entities": "entities",
    "properties": "properties",
    "pair_properties": "properties",
    "loss": "nats/token",
    "log_likelihood": "nats/sentence",
    "valid_log_loss": "nats",
    "odds": "nats",
    "mentions_per_step": "pairs/update",
    "world_degree": "edges/entity",
    "pair_degree": "edges/entity",
    "proportional_edges": "edges",
    "widening_edges": "edges",
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
    data = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="drop")
    for name, variable in data.data_vars.items():
        if variable.dtype == "float64":
            data[name] = variable.astype("float32")
    for name in data.variables:
        short = str(name).removeprefix("variant_").removeprefix("pair_").removeprefix("world_")
        known = UNITS.get(str(name), UNITS.get("odds" if short.startswith("odds") else short, "1"))
        data[name].attrs["units"] = known
        data[name].attrs["long_name"] = str(name).replace("_", " ")
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
