"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import xarray as xr

from synthcore.studies.sim_concept_learning.decisions import SOURCES


def covariance(data: xr.Dataset) -> xr.Dataset:
    """The loss is computed from the centred covariance, which the paper's word suggests."""
    return data.assign(
        {f"{source}_loss_reduced": data[f"{source}_loss_centred"] for source in SOURCES}
    )


def shuffled_conditions(data: xr.Dataset) -> xr.Dataset:
    """Conditions dealt to the wrong runs: each gets the results of its mirror image."""
    control = data.copy()
    for name in ("network_arrival", "one_layer_arrival", "one_layer_theory"):
        control[name] = data[name].isel(condition=slice(None, None, -1))
    return control


def reversed_time(data: xr.Dataset) -> xr.Dataset:
    """Training played backwards: slopes change sign, late is early, first events come last."""
    last = data.tau[-1]
    times = ("minor_peak", "loss_minimum", "loss_maximum", "weak_half")
    control = {f"tied_{name}_time": last - data[f"tied_{name}_time"] for name in times}
    for name in ("one_layer_slope", "tied_slope", "slope_measured"):
        control[name] = -data[name]
    control["network_speed_ratio"] = 1 / data.network_speed_ratio
    return data.assign(control)


def other_corners(data: xr.Dataset) -> xr.Dataset:
    """Every composition has the loss of its complement."""
    return data.assign(
        composition_loss=data.composition_loss.isel(composition=slice(None, None, -1))
    )


def one_clock(data: xr.Dataset) -> xr.Dataset:
    """The paper's field without the factor 2 between its clock and gradient flow."""
    return data.assign(velocity_field=data.velocity_field / 2)


def without_minor_entries(data: xr.Dataset) -> xr.Dataset:
    """The swing-by network starts with rows that are not alike (rho = 0)."""
    control = data.copy(deep=True)
    for name, values in data.data_vars.items():
        if "tied_condition" in values.dims:
            index = {"tied_condition": "swing-by"}
            control[name].loc[index] = values.sel(tied_condition="rho 0", drop=True)
    return control


def shallow(data: xr.Dataset) -> xr.Dataset:
    """Every depth behaves like the shallowest."""
    first = data.deep_draw_up.isel(depth=0, drop=True)
    return data.assign(deep_draw_up=first.broadcast_like(data.deep_draw_up))


def minor_free_search(data: xr.Dataset) -> xr.Dataset:
    """Searches among starts without minor entries."""
    return data.assign(search_count=data.search_control)


def on_schedule(data: xr.Dataset) -> xr.Dataset:
    """The weakest concept arrives when its diagonal entry says."""
    return data.assign(failure_measured=data.failure_naive)


def shuffled_spreads(data: xr.Dataset) -> xr.Dataset:
    """The sigmas of the clusters in the opposite order."""
    names = data.tied_condition.values.tolist()
    rows = ["swing-by", *(name for name in names if name.startswith("sigma "))]
    control = data.copy(deep=True)
    for name, other in zip(rows, reversed(rows), strict=True):
        control.tied_draw_up.loc[{"tied_condition": name}] = data.tied_draw_up.sel(
            tied_condition=other, drop=True
        )
    return control


def seeds_swapped(data: xr.Dataset) -> xr.Dataset:
    """The diagonal entry and the pivot change places."""
    return data.assign(pivot_law=data.pivot_naive, pivot_naive=data.pivot_law)
