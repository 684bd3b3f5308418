"""The experiments: parameters, seeds, what depends on what, and what a member is."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from contracts import smoke
from frames import frames_to_product

from synthcore.config import ParameterError
from synthcore.studies.icl_markov import theory
from synthcore.studies.icl_markov.config import Config
from synthcore.studies.icl_markov.experiments import comparisons, diversity
from synthcore.studies.icl_markov.experiments.training import Setting
from synthcore.studies.icl_markov.measure.evaluator import VARIABLES
from synthcore.training.progress import Progress


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("icl_markov", **changed))


def test_every_variable_is_measured_and_has_a_unit() -> None:
    runs = [stage(config()) for stage in (diversity.run, diversity.policies, comparisons.positions)]
    assert set(VARIABLES) - {"lia_cross", "lia_power"} <= set(runs[0].data_vars)
    for data in (*runs, theory.simulate(4, [0, 1])):
        without = [n for n, variable in data.variables.items() if "units" not in variable.attrs]
        assert without == []


def test_a_member_learns_the_same_beside_others() -> None:
    """Seed 1 and diversity 16, in populations with other neighbours."""
    together = diversity.run(config(n_seeds=2, diversities=[4, 16]))
    alone = diversity.run(config(seed=1, n_seeds=1, diversities=[8, 16]))
    one, other = (data.sel(seed=[1], diversity=[16]) for data in (together, alone))
    for name in ("kl_ood", "kl_id", "weight", "previous_token"):
        np.testing.assert_allclose(one[name], other[name], atol=2e-4, err_msg=name)


def test_the_network_is_eight_frames_from_the_experiment() -> None:
    """Of our functions, those of the network included, until the first product of an update."""
    frames = frames_to_product(lambda: diversity.run.function(config(), Progress()), learning=True)
    assert len(frames) <= 8, frames


def test_the_same_parameters_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    first = comparisons.positions(config())
    monkeypatch.setenv("SYNTHCORE_FRESH", "1")
    xr.testing.assert_identical(first, comparisons.positions(config()))


def test_positions_see_the_same_worlds() -> None:
    lines = comparisons.positions(config()).kl_ood_algorithm
    assert "positions" not in lines.dims or bool((lines[0] == lines[1]).all())


def test_an_experiment_changes_what_it_says_and_no_more() -> None:
    usual = Setting.of(config())
    other = Setting.of(config(), positions="learned")
    assert usual.positions == "rotary"
    assert other == Setting.of(config(), **{"positions": "learned"})
    assert usual.network.vocabulary == usual.states


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"diversities": [0, 4]}, "every diversity N must be at least 1"),
        ({"diversities": [16, 4]}, "diversities must ascend"),
        ({"diversities": [4]}, "diversities must be two or more, ascending"),
        ({"shuffled_contexts": [1, 48]}, "shuffled_contexts must hold the number of states"),
        ({"states": 1}, "states must be an integer, 2 to 64"),
        ({"contexts": [49]}, "contexts must not exceed the length 48"),
        ({"contexts": [10, 4]}, "contexts must ascend"),
        ({"shuffled_contexts": [3]}, "shuffled_contexts must be among contexts"),
        ({"heads": 3}, "heads must divide width"),
        ({"warmup": 8}, "warmup must be shorter than every training"),
        ({"vocabulary": 3}, "vocabulary must be 0 or hold every token"),
        ({"weighting": "even"}, "weighting must be one of"),
        ({"transience_heads": 3}, "transience_heads must divide transience_width"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**change)
    assert "\n" not in str(caught.value)
