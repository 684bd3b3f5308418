"""A small run of the whole study, shared by the tests of this study."""

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.compositional_capabilities import experiments
from synthcore.studies.compositional_capabilities.config import Config


def run() -> xr.DataTree:
    """Every experiment at smoke scale, joined into the dataset that claims read."""
    return xr.DataTree(experiments.run(Config(**smoke("compositional_capabilities"))))


@pytest.fixture(scope="session")
def tiny(once: Once) -> xr.Dataset:
    return once(run).to_dataset()
