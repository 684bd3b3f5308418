"""What the effects owe to the way in which a prompt enters the network.

The networks of the main sweep read the raw prompt with a two-layer perceptron in every layer. The
others here learn from the same images with the same noise, but read it in another `Way`, or read
it less its centre.
"""

from dataclasses import replace

import xarray as xr

from synthcore.nn.conditioned import Way
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Conditions, Progress
from synthcore.studies.concept_space.sweep import Learned, follow

ASIS = "own"
OTHERS: dict[str, tuple[Way, bool]] = {
    "own, centred": ("own", True),
    "linear": ("linear", False),
    "linear, centred": ("linear", True),
    "shared": ("shared", False),
    "shared from zero": ("shared from zero", False),
}
"""name -> the way, and whether prompts are centred"""


def ways(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """`way_joint`, `way_over` (the bluer prompt), `way_small` (the smallest one) and
    `way_coordinates` (concept) of the held-out class: (way, way_signal, seed, step)."""
    colours = list(config.way_colours)
    conditions = Conditions(config.way_colours, (config.size,) * len(colours), spread=config.spread)
    own = learned.results.sel(signal=colours, seed=list(config.few))
    found = {ASIS: own.rename(signal="way_signal")}
    for name, (way, centred) in OTHERS.items():
        recipe = replace(config.recipe, way=way, centred=centred)
        trained = follow(
            config, conditions, config.few, "way_signal", name, progress, recipe=recipe
        )
        found[name] = trained.results.assign_coords(way_signal=colours)
    together = [
        xr.Dataset(
            {
                "way_joint": one.joint.isel(asked=-1, drop=True),
                "way_over": one.over_joint.sel(factor=config.over, drop=True),
                "way_small": one.small_joint.isel(shrink=-1, drop=True),
                "way_coordinates": one.coordinates.isel(asked=-1, drop=True),
            }
        )
        for one in found.values()
    ]
    return xr.concat(together, "way").assign_coords(way=list(found))
