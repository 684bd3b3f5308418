"""A small run of every experiment, shared by the tests of this study."""

from typing import Any

import pytest
import xarray as xr
from contracts import Once, smoke

from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.experiments import (
    formats,
    mechanism,
    step_by_step,
    training_sets,
)

EXPERIMENTS = {
    "step": step_by_step.run,
    "policies": step_by_step.policies,
    "direct": formats.direct,
    "slots": formats.two_slots,
    "one_layer": mechanism.one_layer,
    "constructed": mechanism.constructed,
    "depth": formats.depths,
    "lstm": formats.architectures,
    "deep": mechanism.deep_networks,
    "bias": mechanism.order_bias,
    "sets": training_sets.run,
}


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("compositional_capabilities", **changed))


def run() -> xr.DataTree:
    """What the notebook judges: one dataset per experiment."""
    small = config(
        n_seeds=6,
        further_seeds=6,
        deep_seeds=6,
        cell_samples=10,
        sweep_functions=[2, 5],
        sweep_n=[2, 4, 8, 16],
    )
    return xr.DataTree.from_dict({name: stage(small) for name, stage in EXPERIMENTS.items()})


@pytest.fixture(scope="session")
def results(once: Once) -> xr.DataTree:
    return once(run)
