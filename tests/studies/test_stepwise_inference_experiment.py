"""The graph-navigation experiment: parameters, determinism, claims and their nulls."""

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract, ExperimentContract, smoke

from synthcore.explorers.navigation import NavigationExplorer
from synthcore.studies.stepwise_inference import decisions, single
from synthcore.studies.stepwise_inference.claims import CLAIMS

TINY = smoke("stepwise_inference")


def test_units(tiny: xr.Dataset) -> None:
    assert tiny.length_difference.attrs["units"] == "edges"


def test_measurements_start_untrained_and_end_trained(tiny: xr.Dataset) -> None:
    assert tiny.step[0] == 0
    assert tiny.step[-1] == TINY["steps"]
    assert set(tiny.recall.dims) == {"kind", "format", "step", "seed", "group"}
    assert bool(((tiny.recall >= 0) & (tiny.recall <= 1)).all())


def test_the_explorer_takes_as_many_pairs_as_a_page_can_hold(
    tiny: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, trees, logits = single.explorer_trees(tiny)
    assert len(pairs) == len(trees) == len(logits) == tiny.sizes["question"]
    nodes, size = tiny.sizes["node"], [2 * len(rows) * tiny.sizes["token"] for rows in logits]
    monkeypatch.setattr(single, "MAX_BYTES", size[0] + size[1] + 8 * nodes)
    pairs, trees, logits = single.explorer_trees(tiny)
    assert len(pairs) == len(trees) == len(logits) == 2
    coordinates = np.zeros((nodes, 2))
    shown = NavigationExplorer(coordinates, tiny.explorer_adjacency, pairs, trees, logits)
    assert shown.data_bytes == single.MAX_BYTES


class TestExperiment(ExperimentContract):
    refused = (
        ({"formats": ["direct", "step"]}, "formats must begin with step, direct"),
        ({"far": 6}, "far must be below layers"),
        ({"near": [2, 4]}, "near must lie between 2 and far - 1"),
        ({"near": [3, 2]}, "near must rise"),
        ({"motifs": 6, "between": 3}, "two chains need"),
        ({"edge_probability": 1.0}, "edge_probability must be"),
        ({"nodes": 2}, "nodes must be"),
    )


# --- decisions ----------------------------------------------------------------------------------


def test_half_times_are_interpolated_in_log_steps() -> None:
    rate = xr.DataArray([[1.0, 0.8, 0.2], [1.0, 0.9, 0.8]], dims=("seed", "step"))
    rate = rate.assign_coords(step=[0, 10, 1000])
    first, never = decisions.half_time(rate).values
    assert first == pytest.approx(100)
    assert np.isinf(never)


def test_accuracy_weighs_connected_and_unconnected_alike() -> None:
    recall = xr.DataArray(
        [0.8, 0.4, 1.0], dims="group", coords={"group": ["connected", "hard", "easy"]}
    )
    assert decisions.accuracy(recall) == pytest.approx(0.6)
    assert decisions.accuracy(recall, "mixed") == pytest.approx(0.75)


@pytest.fixture(scope="module")
def invented(tiny: xr.Dataset) -> xr.Dataset:
    """A run in which everything the paper says holds, in every one of six seeds."""
    data = tiny.isel(seed=[0] * 6).assign_coords(seed=range(6)).copy(deep=True)
    noise = xr.DataArray(np.linspace(-0.01, 0.01, 6), dims="seed", coords={"seed": range(6)})
    data["recall"][:] = 0.75
    data["recall"].loc[{"kind": "bernoulli", "format": "step"}] = 0.85
    data["recall"].loc[{"kind": "layered", "format": "step"}] = 0.95
    data["recall"] = data.recall + noise
    data["far_recall"][:] = 0.6
    for delta, value in zip(data.near.values, (0.9, 0.8, 0.62), strict=True):
        data["far_recall"].loc[{"near": delta, "format": "step"}] = value
    data["far_recall"] = data.far_recall + noise
    data["piece_seen"][:] = 0.5
    data["piece_seen"].loc[{"walker": "network"}] = 0.9
    data["piece_seen"] = data.piece_seen + noise.where(data.walker == "network", 0)
    heat = data.temperature
    data["temperature_accuracy"] = (1 - heat / 4).broadcast_like(data.temperature_accuracy)
    found = 1 + 10 * np.exp(-((heat - 1) ** 2))
    data["temperature_distinct_valid"] = found.broadcast_like(data.temperature_distinct_valid)
    sampled = data.sampled_temperature.broadcast_like(data.sampled_distinct)
    data["sampled_distinct"] = sampled.rename(None)
    data["length_difference"][:] = -0.5
    data["length_difference"] = data.length_difference + noise
    fall = xr.DataArray(np.linspace(1, 0, data.sizes["step"]), dims="step")
    data["misstep"] = (fall**4).broadcast_like(data.misstep) + 0 * data.misstep.fillna(0)
    data["edge_error"] = data.misstep
    data["astray"] = (fall**0.5).broadcast_like(data.astray) + 0 * data.astray.fillna(0)
    data["steering"] = xr.where(data.between <= 2, 0.95, 0.3) + 0 * data.steering + noise
    given = data.exemplars / data.exemplars.max()
    data["steering_given"] = 0.9 * given**2 + 0 * data.steering_given + noise
    data["primacy"] = xr.where(data.position == "first", 0.8, 0.1) + 0 * data.primacy + noise
    for name, value in {
        "rule_accuracy": 0.9,
        "full_accuracy": 0.92,
        "attention_mass": 0.95,
        "distance_correlation": 0.8,
        "adjacency_auc": 0.99,
    }.items():
        data[name] = value + 0 * data[name] + noise
    return data


class TestClaims(ClaimsContract):
    claims = CLAIMS
