"""The experiments: parameters, units, the same numbers again, what explorers take."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from contracts import smoke

from synthcore.config import ParameterError
from synthcore.explorers.compiled_counter import CompiledCounterExplorer
from synthcore.explorers.unwrap import UnwrapExplorer
from synthcore.studies.finetuning_wrappers import experiments
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.figures.compiled_and_stories import (
    counter_explorer_data,
)
from synthcore.studies.finetuning_wrappers.figures.grammar import unwrap_explorer_data


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("finetuning_wrappers", **changed))


def test_every_number_has_a_unit(results: xr.Dataset) -> None:
    assert [n for n, v in results.variables.items() if "units" not in v.attrs] == []
    assert results.story_loss.attrs["units"] == "nats/token"


def test_measurements_are_shares(results: xr.Dataset) -> None:
    for name in ("accuracy", "pruned_a", "probe_tuned", "revival", "mixed", "order_accuracy"):
        values = results[name].values
        assert ((values >= 0) & (values <= 1)).all(), name
    np.testing.assert_allclose(results.policy.sum("policy_name"), 1, rtol=1e-5)
    np.testing.assert_allclose(results.circuit_moved.sum("circuit"), 1, rtol=1e-4)
    first, last = results.isel(counter_step=0), results.isel(step=0)
    assert (first.counter_accuracy.sel(string_target="old") == 1).all()  # compiled, untuned
    before = results.before.broadcast_like(last.accuracy).transpose(*last.accuracy.dims)
    np.testing.assert_allclose(last.accuracy, before, atol=1e-6)  # step 0 is the pretrained network


def test_explorers_take_what_the_run_keeps(results: xr.Dataset) -> None:
    UnwrapExplorer(**unwrap_explorer_data(config(), results))
    view = CompiledCounterExplorer(**counter_explorer_data(config(), results))
    assert view.networks[0] == "compiled"


def test_same_parameters_give_the_same_numbers(results: xr.Dataset) -> None:
    xr.testing.assert_identical(results, experiments.run(config()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"window": 13}, "window <= text"),
        ({"most": 4}, "2 most letters must fit"),
        ({"priors": ["L", "M"]}, "priors must hold L and H"),
        ({"families": ["index"]}, "families must hold count"),
        ({"families": ["count"]}, "index_steps needs family index"),
        ({"width": 18}, "width must be divisible by heads"),
        ({"tune_rates": [0.0001, 0.001]}, "rates must fall"),
        ({"revive_rate": 0.01}, "revive_rate must be below eta_S"),
        ({"story_revive_rate": 0.01}, "story_revive_rate must not exceed"),
        ({"revive_every": 10}, "revive_steps needs 4 measurements"),
        ({"tune_shares": [0.0, 0.5, 1.0]}, "tune_shares must hold 0.8"),
        ({"compiled_shares": [0.5, 1.0]}, "compiled_shares must rise from 0 to 1"),
        ({"compiled_rates": [0.1]}, "compiled_rates must be"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**change)
    assert "\n" not in str(caught.value)
