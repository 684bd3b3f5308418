"""A small run of every experiment, shared by the tests of this study."""

from typing import Any

import pytest
import xarray as xr
from contracts import smoke

from synthcore.studies.icl_markov import theory
from synthcore.studies.icl_markov.config import Config
from synthcore.studies.icl_markov.experiments import comparisons, diversity, transience

# Networks that learn nothing in so few updates, on sequences long enough to tell algorithms apart.
SMALL: dict[str, Any] = {
    "n_seeds": 5,
    "states": 5,
    "length": 64,
    "diversities": [4, 8, 16, 32, 64],
    "width": 8,
    "steps": 120,
    "batch": 2,
    "checkpoints": 9,
    "first_checkpoint": 10,
    "evaluation_sequences": 48,
    "contexts": [1, 5, 10, 20, 64],
    "shuffled_contexts": [1, 5, 64],
    "positions_seeds": 5,
    "positions_steps": 120,
    "transience_seeds": 5,
    "transience_control_seeds": 5,
    "transience_width": 8,
    "transience_steps": 24,
    "transience_checkpoints": 16,
    "many_states": 10,
    "many_states_seeds": 5,
    "many_states_length": 192,
    "many_states_contexts": [1, 10, 40, 192],
    "ascent_sequences": 256,
}


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("icl_markov", **changed))


@pytest.fixture(scope="session")
def results() -> xr.DataTree:
    """What the notebook judges: one dataset per experiment."""
    small = config(**SMALL)
    return xr.DataTree.from_dict(
        {
            "closed_forms": theory.simulate(small.states, small.seeds),
            "diversity": diversity.run(small),
            "policies": diversity.policies(small),
            "positions": comparisons.positions(small),
            "transience": transience.run(small),
            "inexhaustible": transience.inexhaustible(small),
            "many_states": comparisons.many_states(small),
            "ascent": comparisons.ascent(small),
        }
    )
