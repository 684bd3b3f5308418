"""A study whose stages count how often they are computed, as source text that tests may change."""

from collections.abc import Callable
from types import ModuleType

SOURCE = '''
"""A study whose stages count how often they are computed."""
import numpy as np
import xarray as xr
from pydantic import Field
from synthcore.config import StudyConfig
from synthcore.stages import stage
from synthcore.training.schedules import log_spaced

class Config(StudyConfig):
    """Parameters."""
    steps: int = Field(ge=1, description="how many numbers")
    rate: float = Field(gt=0, description="how large")
    colour: str = Field(description="read by figures only")

calls = []

def draw(seed, steps):
    """Numbers of a seed."""
    return np.random.default_rng(seed).normal(size=steps)

@stage(reads=("steps", "rate"))
def run(config, progress):
    """Numbers per seed."""
    calls.append(("run", config.seeds))
    rows = [config.rate * draw(seed, config.steps) for seed in config.seeds]
    names = [f"seed {seed}" for seed in config.seeds]
    return xr.Dataset(
        {"x": (("seed", "step"), rows), "exact": ("step", np.arange(config.steps)),
         "name": ("seed", names)},
        {"seed": list(config.seeds)})

@stage(reads=("steps", "rate"), per_seed=False)
def mean(config, progress):
    """One number for all seeds, from the numbers of each."""
    calls.append(("mean", config.seeds))
    return xr.Dataset({"mean": run(config, progress).x.mean()})

@stage(reads=("steps",))
def careless(config, progress):
    """Reads what it does not name."""
    return xr.Dataset({"x": ("seed", [config.rate for _ in config.seeds])})

@stage(reads=("steps",), per_seed=False)
def narrow(config, progress):
    """Names less than the stage inside it."""
    return run(config, progress)

@stage(reads=("stebs",))
def misspelt(config, progress):
    """Names what is not there."""

@stage(reads=())
def seedless(config, progress):
    """Returns no seeds."""
    return xr.Dataset({"x": 1.0})
'''

Load = Callable[..., ModuleType]


def config(module: ModuleType, **changed: object) -> object:
    return module.Config(
        **{"seed": 0, "n_seeds": 6, "steps": 5, "rate": 0.5, "colour": "red"} | changed
    )
