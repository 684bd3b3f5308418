"""The main sweep once more with the paper's kind of network: a U-Net that predicts the noise and
learns by the variational bound, at fewer contrasts and seeds."""

import xarray as xr

from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Conditions, Progress
from synthcore.studies.concept_space.sweep import Learned, follow


def unet_sweep(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """`unet_coordinates` (unet_signal, seed, unet_step, asked, concept), `unet_joint`, and
    `unet_over` (factor) of the held-out class."""
    own = config.model_copy(
        update={
            "network": "unet",
            "predicts": "noise",
            "widths": config.unet_widths,
            "side": config.unet_side,
            "steps": config.unet_steps,
            "learning_rate": config.unet_rate,
        }
    )
    colours = config.unet_colours
    conditions = Conditions(colours, (config.size,) * len(colours), spread=config.spread)
    seeds = config.few[: config.unet_seeds]
    found = follow(own, conditions, seeds, "unet_signal", "U-Nets", progress).results
    return (
        xr.Dataset(
            {
                "unet_coordinates": found.coordinates,
                "unet_joint": found.joint,
                "unet_over": found.over_joint,
            }
        )
        .assign_coords(unet_signal=list(colours))
        .rename(step="unet_step")
    )
