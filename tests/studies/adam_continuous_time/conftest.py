"""A small run of every experiment that a claim reads, shared by the tests of this study."""

from typing import Any

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.adam_continuous_time.config import Config
from synthcore.studies.adam_continuous_time.experiments import comparison, growth, layers, streams


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("adam_continuous_time", **changed))


def run() -> xr.DataTree:
    """What the notebook judges: one dataset per experiment."""
    small = config(n_seeds=5, stream_steps=300, angular_steps=200)
    return xr.DataTree.from_dict(
        {
            "streams": streams.run(small),
            "toy": streams.toy(small),
            "simulated": layers.simulated(small),
            "equivalence": layers.equivalence(small),
            "agreement": layers.agreement(small),
            "networks": layers.networks(small),
            "growth": growth.images(small),
            "transformers": growth.transformers(small),
            "grid": comparison.grid(small),
            "tournament": comparison.tournament(small),
        }
    )


@pytest.fixture(scope="session")
def results(once: Once) -> xr.DataTree:
    return once(run)
