"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import numpy as np
import xarray as xr


def signals_alike(data: xr.Dataset) -> xr.Dataset:
    """Every signal, of colour and of size, gives what the middle one gives."""
    control = data.copy()
    for name, table in data.data_vars.items():
        for along in ("signal", "size"):
            if along in table.dims and name != "pixel_signal":
                middle = table.isel({along: table.sizes[along] // 2}, drop=True)
                control[name] = middle.broadcast_like(table).transpose(*table.dims)
    return control


def concepts_swapped(data: xr.Dataset) -> xr.Dataset:
    """What was measured of colour is called size."""
    swapped = data.right.isel(concept=slice(None, None, -1))
    return data.assign(right=data.right.copy(data=swapped.values))


def straight(data: xr.Dataset) -> xr.Dataset:
    """The held-out class goes straight from nowhere to its corner, at an even pace."""
    control = data.copy(deep=True)
    even = np.linspace(0.5, 1.0, data.sizes["step"])
    line = xr.DataArray(even, dims="step").broadcast_like(
        data.coordinates.isel(asked=-1, drop=True)
    )
    control.coordinates[{"asked": -1}] = line.drop_vars("step", errors="ignore").transpose(
        *[d for d in data.coordinates.dims if d != "asked"]
    )
    return control


def untrained(data: xr.Dataset) -> xr.Dataset:
    """Every checkpoint draws in the middle of concept space."""
    return data.assign(coordinates=xr.full_like(data.coordinates, 0.5))


def prompts_alike(data: xr.Dataset) -> xr.Dataset:
    """A bluer prompt does what the plain one does."""
    plain = data.joint.isel(asked=-1, drop=True)
    return data.assign(over_joint=plain.broadcast_like(data.over_joint))


def capable_backwards(data: xr.Dataset) -> xr.Dataset:
    """Capability comes the later, the earlier the path turns: signals change places."""
    reversed_ = data.over_joint.isel(signal=slice(None, None, -1))
    return data.assign(over_joint=data.over_joint.copy(data=reversed_.values))


def time_reversed(data: xr.Dataset) -> xr.Dataset:
    """Every path is walked from its end."""
    backwards = data.coordinates.isel(step=slice(None, None, -1))
    return data.assign(coordinates=data.coordinates.copy(data=backwards.values))


def nothing_inside(data: xr.Dataset) -> xr.Dataset:
    """Pushing and patching do what the plain prompt does; embeddings stay as they are at first."""
    plain = data.joint.isel(asked=-1, drop=True)
    return data.assign(
        latent_joint=plain.broadcast_like(data.latent_joint),
        patched_joint=plain,
        embed_cosine=data.embed_cosine.isel(step=0, drop=True).broadcast_like(data.embed_cosine),
    )
