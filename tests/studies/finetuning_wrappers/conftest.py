"""A small run of all experiments, shared by the tests of this study."""

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.finetuning_wrappers import experiments
from synthcore.studies.finetuning_wrappers.config import Config


def run() -> xr.DataTree:
    """What the notebook judges."""
    return xr.DataTree(experiments.run(Config(**smoke("finetuning_wrappers"))))


@pytest.fixture(scope="session")
def results(once: Once) -> xr.Dataset:
    return once(run).to_dataset()
