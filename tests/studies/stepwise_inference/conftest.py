"""A small run of every experiment, shared by the tests of this study."""

from typing import Any

import pytest
import xarray as xr
from contracts import Once, smoke
from small_graph import CPU, SHAPE, loud

from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments import (
    navigation,
    one_layer,
    sampling,
    steering,
    stitching,
)
from synthcore.studies.stepwise_inference.model import build


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("stepwise_inference", **changed))


def run() -> xr.DataTree:
    """What the notebook judges: one dataset per experiment. Graphs are large enough that shortcuts
    are not perfect."""
    small = config(
        n_seeds=6, layers=7, layer_width=10, layer_probability=0.17, nodes=30, edge_probability=0.15
    )
    return xr.DataTree.from_dict(
        {
            "navigation": navigation.run(small),
            "policies": navigation.policies(small),
            "lengths": sampling.lengths(small),
            "temperatures": sampling.temperatures(small),
            "stitching": stitching.run(small),
            "one_layer": one_layer.run(small),
            "two_layers": one_layer.two_layers(small),
            "steering": steering.run(small),
        }
    )


@pytest.fixture(scope="session")
def results(once: Once) -> xr.DataTree:
    return once(run)


@pytest.fixture
def model() -> GPT:
    """Two untrained members on the small graph."""
    return loud(build(SHAPE, [0, 1], CPU))
