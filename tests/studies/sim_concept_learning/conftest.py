"""A small run of every experiment that a claim reads, shared by the tests of this study."""

from typing import Any

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.sim_concept_learning.config import Config
from synthcore.studies.sim_concept_learning.experiments import (
    depth,
    flow,
    networks,
    one_layer,
    tied,
)


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("sim_concept_learning", **changed))


def run() -> xr.DataTree:
    """What the notebook judges: one dataset per experiment."""
    small = config(
        n_seeds=6, draws=40, tied_hidden=32, points=512, tied_learning_rate=0.005, initialisations=8
    )
    return xr.DataTree.from_dict(
        {
            "order": networks.order(small),
            "compositions": networks.compositions(small),
            "one_layer": one_layer.run(small),
            "tied": tied.run(small),
            "full_batch": tied.full_batch(small),
            "slopes": tied.slopes(small),
            "depth": depth.run(small),
            "laws": flow.laws(small),
            "searches": flow.searches(small),
        }
    )


@pytest.fixture(scope="session")
def results(once: Once) -> xr.DataTree:
    return once(run)
