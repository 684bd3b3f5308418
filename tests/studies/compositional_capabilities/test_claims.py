"""The composition study's decisions: in a run in which everything holds, and on their nulls."""

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract

from synthcore.studies.compositional_capabilities.claims import CLAIMS, decisions


def test_times_are_interpolated_in_log_steps_and_censored() -> None:
    curve = xr.DataArray(
        [[[0.0, 0.4, 0.9], [0.0, 0.0, 0.8], [0.0, 1.0, 1.0]]], dims=("seed", "k", "step")
    ).assign_coords(step=[1, 10, 1000], k=[0, 1, 2])
    found = decisions.learning_times(curve).values[0]
    np.testing.assert_allclose(found, [1000, 1000, 10**0.9], rtol=1e-6)


def test_subsets_are_found_by_name() -> None:
    names = ["base", "base 4", "base 10", "random 5", "random 9", "random 12, all tokens"]
    data = xr.Dataset(coords={"subset": names})
    assert decisions.largest_subset(data, "base") == "base 10"
    assert decisions.largest_subset(data, "random") == "random 9"
    assert decisions.largest_subset(data, "repeat random") is None


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
