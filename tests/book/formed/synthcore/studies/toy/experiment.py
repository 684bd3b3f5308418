"""Random walks with and without drift."""

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from synthcore.config import StudyConfig

FIRST = ("n_seeds", "steps", "rate")


class Config(StudyConfig):
    """Parameters of the walks."""

    steps: int = Field(ge=1, le=1000, description="numbers, one after the other")
    rate: float = Field(gt=0, description="drift of a walk, in units of its standard deviation")
    mode: Literal["fine"] = Field(description="what happens")


def run(config: Config) -> xr.Dataset:
    """Both kinds of walks, one of each per seed."""

    def walks(drift: float) -> list[object]:
        return [
            np.cumsum(np.random.default_rng(seed).normal(drift, 1, config.steps))
            for seed in config.seeds
        ]

    names = ("seed", "step")
    return xr.Dataset(
        {"drift": (names, walks(config.rate)), "free": (names, walks(0.0))},
        {"seed": list(config.seeds), "step": np.arange(config.steps)},
    )
