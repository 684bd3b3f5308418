"""The composition experiment: parameters, determinism, claims and their nulls."""

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract, ExperimentContract, smoke

from synthcore.explorers.composer import ComposerExplorer
from synthcore.explorers.composition_grid import CompositionGridExplorer
from synthcore.explorers.reachable import ReachableExplorer
from synthcore.studies.compositional_capabilities import decisions, shown
from synthcore.studies.compositional_capabilities.claims import CLAIMS
from synthcore.studies.compositional_capabilities.experiment import Config

TINY = smoke("compositional_capabilities")


def test_units(tiny: xr.Dataset) -> None:
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
    config = Config(**TINY)
    grid = CompositionGridExplorer(**shown.grid(tiny))  # type: ignore[arg-type]
    assert "repeat random 12" not in grid.subsets
    ReachableExplorer(config.functions, config.positions, *shown.series(tiny))
    weights = shown.weights(config, tiny)
    tables = tiny.shown_tables.values.astype(int)
    trained = tiny.shown_trained.values.astype(int)
    composer = ComposerExplorer(
        weights, tables, heads=2, norm="rms", word_length=config.word, trained=trained
    )
    assert len(composer.trained) == 12


class TestExperiment(ExperimentContract):
    refused = (
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
    )


# --- decisions ----------------------------------------------------------------------------------


def test_times_are_interpolated_in_log_steps_and_censored() -> None:
    curve = xr.DataArray(
        [[[0.0, 0.4, 0.9], [0.0, 0.0, 0.8], [0.0, 1.0, 1.0]]], dims=("seed", "k", "step")
    ).assign_coords(step=[1, 10, 1000], k=[0, 1, 2])
    found = decisions.reach_times(curve).values[0]
    np.testing.assert_allclose(found, [1000, 1000, 10**0.9], rtol=1e-6)


def test_subsets_are_found_by_name() -> None:
    names = ["base", "base 4", "base 10", "random 5", "random 9", "random 12, all tokens"]
    data = xr.Dataset(coords={"subset": names})
    assert decisions.subset_of(data, "base") == "base 10"
    assert decisions.subset_of(data, "random") == "random 9"
    assert decisions.subset_of(data, "repeat random") is None


SUBSETS = (
    "base",
    "base 15",
    "random 10",
    "random 50",
    "repeat random 50",
    "random 50, all tokens",
    "base_combo 50",
)


@pytest.fixture(scope="module")
def invented(tiny: xr.Dataset) -> xr.Dataset:
    """A run in which everything holds, in every one of six seeds."""
    data = tiny.isel(seed=[0] * 6).assign_coords(seed=range(6), subset=list(SUBSETS))
    data = data.copy(deep=True)
    noise = xr.DataArray(np.linspace(-0.01, 0.01, 6), dims="seed", coords={"seed": range(6)})
    falling = xr.DataArray([1.0, 1.0, 0.3, 0.0], dims="k", coords={"k": data.k})
    for name in ("unseen", "by_k", "seen"):
        data[name][:] = 0.98
    data["unseen"] = data.unseen + noise
    data["ceiling"][:] = 1.0
    data["by_k"].loc[{"subset": "base"}] = falling
    data["n_train"][:] = 50
    data["reached"][:] = 1000
    data["loss"] = data.floor * 1.01
    slope = 1 - data.m / 5
    data["cell_accuracy"] = slope.where(data.m <= data.k) + 0 * data.cell_accuracy
    moved = 0.95 + 0 * data.cell_accuracy.sel(subset="base_combo 50")
    data["cell_accuracy"].loc[{"subset": "base_combo 50"}] = moved
    rank = data.step.copy(data=np.linspace(0, 1, data.sizes["step"]))
    rises = {"base 15": 1 - data.k / 10, "random 50": 0.7 + data.k / 10}
    data["k_accuracy"] = data.k_accuracy * 0
    for name, speed in rises.items():
        curve = (rank * speed * 1.5).clip(0, 1)
        data["k_accuracy"].loc[{"subset": name}] = curve.broadcast_like(
            data.k_accuracy.sel(subset=name)
        ).transpose("step", "seed", "k")
    step = data.format == "step"
    data["format_unseen"] = xr.where(step, 0.97, 0.05) + 0 * data.format_unseen + noise
    data["format_seen"][:] = 1.0
    perm = data.family == "permutation, bijection"
    many = data.pairs == data.attrs["slot_decides"]
    value = xr.where(perm & many, 0.95, 0.1) + noise
    data["slot_unseen"] = value.transpose(*data.slot_unseen.dims)
    data["slot_seen"][:] = 1.0
    data["depth_unseen"][:] = 0.97
    data["constructed"][:] = 1.0
    data["deep_exact"][:] = 1.0
    data["deep_symbols"][:] = 1.0
    first = data.layer <= data.sizes["layer"] // 2
    attention = data.part == "attention"
    needed = xr.where(attention, xr.where(first, 0.9, 0.5), 0.7)
    data["ablated_symbols"] = needed.broadcast_like(data.ablated_symbols).transpose(
        *data.ablated_symbols.dims
    )
    late = xr.DataArray([0.1, 0.1, 0.1, 0.2, 1.0], dims="sublayer")  # the last MLP writes it
    data["lens"] = late.broadcast_like(data.lens).transpose(*data.lens.dims)
    data["recurrent_unseen"] = (
        xr.where(data.model == "LSTM", 0.1, 0.98).broadcast_like(data.recurrent_unseen) + noise
    )
    data["depth_seen"] = data.depth.broadcast_like(data.depth_seen) / 8.0
    for name in ("selected", "selected_mass", "patched"):
        data[name][:] = 0.95
    return data


class TestClaims(ClaimsContract):
    claims = CLAIMS
