"""A small run of every experiment, shared by the tests of this study."""

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments import (
    assemble,
    navigation,
    one_layer,
    sampling,
    steering,
    stitching,
)


def run() -> xr.DataTree:
    """What the notebook judges, at smoke scale: one dataset of all experiments."""
    config = Config(**smoke("stepwise_inference"))
    data, population = navigation.run(config)
    parts = [data, sampling.run(config, population), stitching.run(config)]
    parts += [one_layer.run(config, population), steering.run(config)]
    return xr.DataTree(assemble(config, parts))


@pytest.fixture(scope="session")
def results(once: Once) -> xr.Dataset:
    return once(run).to_dataset()


@pytest.fixture(scope="session")
def again() -> xr.Dataset:
    """The same run, computed once more."""
    return run().to_dataset()
