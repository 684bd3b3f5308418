"""What the tests of all studies share."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
from contracts import Once, experiment_of
from filelock import FileLock


@pytest.fixture(scope="module")
def tiny(request: pytest.FixtureRequest) -> xr.Dataset:
    """A run of the study whose experiment a module tests, with its `TINY` parameters."""
    experiment = experiment_of(request.module)
    data: xr.Dataset = experiment.run(experiment.Config(**request.module.TINY))
    return data


@pytest.fixture(scope="session")
def once(shared: Path) -> Once:
    def load(run: Callable[[], xr.DataTree]) -> xr.DataTree:
        kept = shared / f"{run.__module__}.pickle"
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(run()))
        found: xr.DataTree = pickle.loads(kept.read_bytes())
        return found

    return load
