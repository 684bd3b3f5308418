"""The composition experiments: parameters, determinism, explorers, distance to the networks."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from contracts import smoke
from frames import frames_to_product

from synthcore.config import ParameterError
from synthcore.explorers.composer import ComposerExplorer
from synthcore.explorers.composition_grid import CompositionGridExplorer
from synthcore.explorers.reachable import ReachableExplorer
from synthcore.studies.compositional_capabilities import experiments
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.experiments import formats, step_by_step
from synthcore.studies.compositional_capabilities.figures import generalisation


def small(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("compositional_capabilities", **changed))


def test_same_parameters_give_the_same_numbers(tiny: xr.Dataset) -> None:
    xr.testing.assert_identical(tiny, experiments.run(small()))


def test_every_number_has_a_unit(tiny: xr.Dataset) -> None:
    without = [n for n, variable in tiny.variables.items() if "units" not in variable.attrs]
    assert without == []
    assert tiny.loss.attrs["units"] == "nats/token"


def test_measurements_are_shares_and_counts(tiny: xr.Dataset) -> None:
    for name in ("seen", "unseen", "by_k", "ceiling", "cell_accuracy", "format_unseen"):
        values = tiny[name].values
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1)).all()
    np.testing.assert_allclose(tiny.mistakes.sum("mistake"), 1, rtol=1e-5)
    np.testing.assert_allclose(tiny.first_wrong.sum("block"), 1, rtol=1e-5)
    assert tiny.n_train.sel(subset="base_combo 4").values.tolist() == [11, 11]
    assert (tiny.reached <= 27).all()
    upper = np.isnan(tiny.cell_accuracy.isel(subset=0, seed=0).values)
    np.testing.assert_array_equal(upper, np.triu(np.ones((4, 4), bool), 1))


def test_explorers_take_what_the_run_keeps(tiny: xr.Dataset) -> None:
    config = small()
    grid = CompositionGridExplorer(**generalisation.composition_grid(tiny))  # type: ignore[arg-type]
    assert "repeat random 12" not in grid.subsets
    ReachableExplorer(config.functions, config.positions, *generalisation.reachable_series(tiny))
    weights = generalisation.composer_weights(config, tiny)
    tables = tiny.shown_tables.values.astype(int)
    trained = tiny.shown_trained.values.astype(int)
    composer = ComposerExplorer(
        weights, tables, heads=2, norm="rms", word_length=config.word, trained=trained
    )
    assert len(composer.trained) == 12


@pytest.mark.parametrize("run", [step_by_step.run, formats.run, formats.two_slots])
def test_the_network_is_eight_frames_from_the_experiment(run: experiments.Experiment) -> None:
    frames = frames_to_product(lambda: run(small(), None), learning=True)
    assert len(frames) <= 8, frames


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"positions": 1}, "positions must be"),
        ({"alphabet": 1}, "alphabet must be"),
        ({"subsets": ["random 27"]}, "subsets must be below 27"),
        ({"subsets": ["some 3"]}, "no training subset"),
        ({"subsets": ["base", "base"]}, "subsets must differ"),
        ({"direct_n": [27]}, "subsets must be below 27"),
        ({"slot_n": [25, 30]}, "slot_n and slot_control must be below 25"),
        ({"slot_n": [10, 5]}, "slot_n must rise"),
        ({"slot_decides": 7}, "slot_decides must be in"),
        ({"sweep_heads": [1]}, "sweep_heads needs 2"),
        ({"lstm_n": 27}, "subsets must be below 27"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        small(**change)
    assert "\n" not in str(caught.value)
