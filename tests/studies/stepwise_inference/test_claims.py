"""The claims of graph navigation: what their numbers mean, what they accept and refuse."""

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract

from synthcore.studies.stepwise_inference import measure
from synthcore.studies.stepwise_inference.claims import CLAIMS


def test_half_times_are_interpolated_in_log_steps() -> None:
    rate = xr.DataArray([[1.0, 0.8, 0.2], [1.0, 0.9, 0.8]], dims=("seed", "step"))
    rate = rate.assign_coords(step=[0, 10, 1000])
    first, never = measure.half_time(rate).values
    assert first == pytest.approx(100)
    assert np.isinf(never)


def test_accuracy_weighs_connected_and_unconnected_alike() -> None:
    recall = xr.DataArray(
        [0.8, 0.4, 1.0], dims="group", coords={"group": ["connected", "hard", "easy"]}
    )
    assert measure.accuracy(recall) == pytest.approx(0.6)
    assert measure.accuracy(recall, "mixed") == pytest.approx(0.75)


@pytest.fixture(scope="module")
def invented(results: xr.Dataset) -> xr.Dataset:
    """A run in which everything the paper says holds, in every one of six seeds."""
    data = results.isel(seed=[0] * 6).assign_coords(seed=range(6)).copy(deep=True)
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
    temperature = data.temperature
    data["temperature_accuracy"] = (1 - temperature / 4).broadcast_like(data.temperature_accuracy)
    distinct = 1 + 10 * np.exp(-((temperature - 1) ** 2))
    data["temperature_distinct_valid"] = distinct.broadcast_like(data.temperature_distinct_valid)
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
