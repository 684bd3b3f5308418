"""Two controls: pixels and prompts contrasted apart from each other, and training without blue."""

import xarray as xr

from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Conditions, Progress
from synthcore.studies.concept_space.sweep import Learned, follow
from synthcore.studies.concept_space.task import TRAINED

WITHOUT_BLUE = tuple(kind for kind in TRAINED if kind[0] == 0)


def crossed(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """`crossed_joint` and `crossed_over` (pixels, prompts, seed, step): the contrast of colours in
    images and in prompts, weak or strong each. Where both agree the main sweep has the networks."""
    weak, strong = config.crossed
    conditions = Conditions(
        (weak, strong), (config.size,) * 2, prompt_colour=(strong, weak), spread=config.spread
    )
    apart = follow(config, conditions, config.few, "pixels", "pixels and prompts", progress).results
    together = learned.results.sel(seed=list(config.few))
    cells = []
    for i, pixels in enumerate((weak, strong)):
        own = together.sel(signal=pixels, drop=True).assign_coords(prompts=pixels)
        other = apart.isel(pixels=i).assign_coords(prompts=(strong, weak)[i])
        both = sorted((own, other), key=lambda data: float(data.prompts))
        cells.append(xr.concat([_part(data, config) for data in both], "prompts"))
    return xr.concat(cells, "pixels").assign_coords(pixels=[weak, strong])


def _part(data: xr.Dataset, config: Config) -> xr.Dataset:
    return xr.Dataset(
        {
            "crossed_joint": data.joint.isel(asked=-1, drop=True),
            "crossed_over": data.over_joint.sel(factor=config.over, drop=True),
        }
    )


def without_blue(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """`blind_joint` and `blind_over` (seed, step): a network that never saw blue, at the weakest
    signal, asked for small blue discs."""
    conditions = Conditions(
        (config.colours[0],),
        (config.size,),
        trained=WITHOUT_BLUE,
        held_out=(),
        spread=config.spread,
    )
    found = follow(config, conditions, config.few, "blind", "without blue", progress).results
    one = found.isel(blind=0, drop=True)
    return xr.Dataset(
        {
            "blind_joint": one.joint.isel(asked=-1, drop=True),
            "blind_over": one.over_joint.max("factor"),
        }
    )
