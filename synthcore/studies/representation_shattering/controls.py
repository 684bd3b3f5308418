"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import numpy as np
import xarray as xr


def memoriser(data: xr.Dataset) -> xr.Dataset:
    """Networks that know what they were shown and infer nothing."""
    seen = data.accuracy.task == "direct"
    return data.assign(accuracy=data.accuracy.where(seen, 0.0))


def orders_shuffled(data: xr.Dataset) -> xr.Dataset:
    """Rings along random orders instead of the true ones."""
    return data.assign(ring=data.ring_null.isel(draw=0, drop=True))


def nothing_written(data: xr.Dataset) -> xr.Dataset:
    """An editor that changes nothing."""
    return data.assign(succeeded=0 * data.succeeded, change=0 * data.change)


def distances_reversed(data: xr.Dataset) -> xr.Dataset:
    """Counterfactual edits at the shortest distance are called the longest, and so on."""
    far = data.condition.values >= 1
    back = np.arange(len(far))
    back[far] = back[far][::-1]
    turned = data.copy()
    for name, values in data.data_vars.items():
        if "condition" in values.dims:
            turned[name] = values.isel(condition=back).assign_coords(condition=data.condition)
    return turned


def tasks_swapped(data: xr.Dataset) -> xr.Dataset:
    """Chains suffer nothing where facts suffer."""
    names = [name for name in ("change", "phase_change") if name in data]
    return data.assign({name: data[name].where(data.task != "chain", 0.1) for name in names})


def edits_shuffled(data: xr.Dataset) -> xr.Dataset:
    """R of one edit stands beside the loss of another."""
    values = data.shattering.transpose("condition", "edit", ...)
    flat = values.values.reshape(-1, *values.shape[2:])
    other = np.random.default_rng(0).permutation(flat).reshape(values.shape)
    return data.assign(shattering=values.copy(data=other))


def random_is_worse(data: xr.Dataset) -> xr.Dataset:
    """Random changes shatter twice as much as ROME's, and spare all facts at equal R."""
    twice = data.random_shattering.sel(update="rome", drop=True) * 2
    R = data.random_shattering.copy(deep=True)
    R.loc[{"update": "equal norm"}] = twice
    change = data.random_change.copy(deep=True)
    change.loc[{"update": "equal R"}] = data.random_change.sel(update="rome", drop=True) + 0.2
    return data.assign(random_shattering=R, random_change=change)


def months_shuffled(data: xr.Dataset) -> xr.Dataset:
    """R of one edit of months beside the loss of another."""
    if "month_R" not in data:
        return data
    other = np.random.default_rng(0).permutation(data.month_R.values)
    return data.assign(month_R=data.month_R.copy(data=other))
