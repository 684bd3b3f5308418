"""A small run of all experiments, shared by the tests of this study."""

from typing import Any

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.finetuning_wrappers import experiments
from synthcore.studies.finetuning_wrappers.config import Config


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("finetuning_wrappers", **changed))


def run() -> xr.DataTree:
    """What the notebook judges."""
    return xr.DataTree(experiments.run(config()))


@pytest.fixture(scope="session")
def results(once: Once) -> xr.Dataset:
    return once(run).to_dataset()
