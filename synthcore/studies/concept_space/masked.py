"""Underspecified prompts: some prompts for red images do not tell the colour.

With probability alpha the colour entries of the prompt of a red training image hold -1 instead.
Prompts for blue images, and all prompts at test, are whole. At alpha = 1 the network never sees a
prompt that tells red, so that -1 means red.
"""

import xarray as xr

from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Conditions, Progress
from synthcore.studies.concept_space.sweep import Learned, follow


def masked(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """`mask_right` (alpha, seed, step, concept), `mask_coordinates`, `mask_joint` and `mask_over`
    (the bluer prompt) of the held-out class."""
    count = len(config.masks)
    conditions = Conditions(
        (config.mask_colour,) * count,
        (config.size,) * count,
        masked=config.masks,
        spread=config.spread,
    )
    found = follow(config, conditions, config.few, "alpha", "masked prompts", progress).results
    target = found.isel(asked=-1, drop=True)
    return xr.Dataset(
        {
            "mask_right": target.right,
            "mask_coordinates": target.coordinates,
            "mask_joint": target.joint,
            "mask_over": found.over_joint.sel(factor=config.over, drop=True),
        }
    ).assign_coords(alpha=list(config.masks))
