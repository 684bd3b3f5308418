"""A small run of every experiment that a claim reads, shared by the tests of this study."""

from typing import Any

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.percolation.config import Config
from synthcore.studies.percolation.experiments import graphs, languages, pairs


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("percolation", **changed))


def run() -> xr.DataTree:
    """What the notebook judges: one dataset per experiment."""
    small = config(
        n_seeds=8,
        pair_seeds=8,
        variants=["fragments", "fragments, no verbs", "fragments, one subject"],
        worlds=["fragments", "clock"],
    )
    few = config(
        n_seeds=5,
        entities=[80],
        properties=[1280],
        pair_entities=160,
        pair_properties=[400, 3200],
        variants=[],
        worlds=[],
    )
    return xr.DataTree.from_dict(
        {
            "graphs": graphs.run(few),
            "streams": graphs.streams(few),
            "pairs": pairs.sweep(small),
            "worlds": pairs.worlds(small),
            "languages": languages.run(small),
            "variants": languages.variants(small),
        }
    )


@pytest.fixture(scope="session")
def results(once: Once) -> xr.DataTree:
    return once(run)
