"""What the tests of all studies share."""

import pytest
import xarray as xr
from contracts import experiment_of


@pytest.fixture(scope="module")
def tiny(request: pytest.FixtureRequest) -> xr.Dataset:
    """A run of the study whose experiment a module tests, with its `TINY` parameters."""
    experiment = experiment_of(request.module)
    data: xr.Dataset = experiment.run(experiment.Config(**request.module.TINY))
    return data
