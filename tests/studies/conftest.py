"""What the tests of all studies share."""

import pytest
import xarray as xr


@pytest.fixture(scope="module")
def tiny(request: pytest.FixtureRequest) -> xr.Dataset:
    """The run of a test module's `Config` on its `TINY` parameters."""
    module = request.module
    data: xr.Dataset = module.run(module.Config(**module.TINY))
    return data
