"""What the networks are compared with under the same rules: ideal learners, which do what a claim
says, and learners or runs that do not.

A run's results are a tree with one dataset per experiment: order, compositions, one_layer, tied,
full_batch, slopes, depth, widths, maps, laws, searches.
"""

import numpy as np
import torch
import xarray as xr

from synthcore.evidence.results import with_experiment
from synthcore.studies.sim_concept_learning import measure, task
from synthcore.studies.sim_concept_learning.experiments import tied
from synthcore.training.seeding import seeded

FLOWS = {
    "draw_up": "flow_draw_up",
    "approach": "flow_approach",
    "fall": "flow_fall",
    "end": "flow_end",
    "time": "flow_time",
}


# --- order ----------------------------------------------------------------------------------------


def equal_signals(results: xr.DataTree) -> xr.DataTree:
    """Trained networks whose two signals are equal in place of those with unequal ones."""
    data = results["order"].to_dataset()
    equal = data.network_arrival.isel(condition=measure.condition(data, measure.EQUAL), drop=True)
    same = equal.reset_coords(drop=True).broadcast_like(data.network_arrival)
    arrival = same.transpose(*data.network_arrival.dims)
    return with_experiment(results, "order", data.assign(network_arrival=arrival))


def diversity_fixed(results: xr.DataTree) -> xr.DataTree:
    """Diversity does nothing: at every sigma_1 stands a network trained with the smallest, each
    time that of another seed."""
    data = results["order"].to_dataset()
    arrival = data.network_arrival.copy(deep=True)
    first = measure.condition(data, measure.WEAK)
    narrow = data.network_arrival.isel(condition=first).reset_coords(drop=True)
    for shift, index in enumerate(measure.sweep(data).tolist()):
        arrival[{"condition": index}] = narrow.roll(seed=shift, roll_coords=False)
    return with_experiment(results, "order", data.assign(network_arrival=arrival))


def closed_form_order(results: xr.DataTree) -> xr.DataTree:
    """The one-layer network that starts at zero: t_k = ln 2 / a_k."""
    data = results["order"].to_dataset()
    strength = xr.concat([data.a_1, data.a_2], "concept", coords="minimal", compat="override")
    exact = (np.log(2) / strength).reset_coords(drop=True).broadcast_like(data.network_arrival)
    arrival = exact.transpose(*data.network_arrival.dims)
    return with_experiment(results, "order", data.assign(network_arrival=arrival))


def weakest_decides(results: xr.DataTree) -> xr.DataTree:
    """A learner of one concept after the other, strongest first: a composition is right when its
    weakest concept is, give or take a tenth, whatever else it holds."""
    data = results["compositions"].to_dataset()
    drawn = [
        torch.randn(16, generator=seeded(seed, "weakest")).numpy()
        for seed in data.seed.values.tolist()
    ]
    return _learned_at(results, _weakest_times() * np.exp(0.1 * np.stack(drawn)))


def every_concept_costs(results: xr.DataTree) -> xr.DataTree:
    """The same learner, exactly, to which every further concept of a composition costs a tenth."""
    further = task.compositions(4).sum(1).clamp_min(1).numpy() - 1
    return _learned_at(results, _weakest_times() * (1 + 0.1 * further))


def _weakest_times() -> np.ndarray:
    """4, 3, 2, 1 for compositions whose weakest concept is the first, second, third, last."""
    bits = task.compositions(4).numpy()
    return np.array([4.0 - np.flatnonzero(row)[0] if row.any() else 0.0 for row in bits])


def _learned_at(results: xr.DataTree, times: np.ndarray) -> xr.DataTree:
    """Arrivals of the 16 compositions, in units of that of the strongest concept."""
    data = results["compositions"].to_dataset()
    arrival = data.composition_arrival
    own = arrival.copy(data=np.broadcast_to(times, arrival.shape).astype(arrival.dtype))
    return with_experiment(results, "compositions", data.assign(composition_arrival=own))


# --- swing-by -------------------------------------------------------------------------------------


def without_minor_entries(results: xr.DataTree) -> xr.DataTree:
    """Networks trained from the same starts without minor entries in place of those with them."""
    return _in_place(results, {tied.ALIKE: tied.WITHOUT})


def rejection_ends_it(results: xr.DataTree) -> xr.DataTree:
    """Where samples near x^ are rejected stands a network that has no minor entries."""
    return _in_place(results, {tied.REJECTED: tied.WITHOUT})


def spread_does_nothing(results: xr.DataTree) -> xr.DataTree:
    """At every spread stand the networks of the smallest, of other seeds."""
    data = results["tied"].to_dataset()
    names = [n for n in data.condition.values.tolist() if n.startswith("sigma ")]
    rise = data.draw_up.copy(deep=True)
    narrow = data.draw_up.sel(condition=tied.ALIKE).reset_coords(drop=True)
    for shift, name in enumerate(names, 1):
        rise.loc[{"condition": name}] = narrow.roll(seed=shift, roll_coords=False)
    return with_experiment(results, "tied", data.assign(draw_up=rise))


def exact_flow(results: xr.DataTree) -> xr.DataTree:
    """The exact flow from every start in place of the trained network."""
    data = results["tied"].to_dataset()
    return with_experiment(
        results, "tied", data.assign({name: data[flow] for name, flow in FLOWS.items()})
    )


def untouched_by_rejection(results: xr.DataTree) -> xr.DataTree:
    """The exact flow, and where samples are rejected the one for all samples."""
    exact = exact_flow(results)
    wide = next(n for n in exact["tied"].condition.values.tolist() if n.startswith("sigma "))
    return _in_place(exact, {tied.REJECTED: wide})


def other_starts(results: xr.DataTree) -> xr.DataTree:
    """The flow from the next seed's start as the forecast."""
    data = results["tied"].to_dataset()
    rolled = {name: data[name].roll(seed=1, roll_coords=False) for name in FLOWS.values()}
    return with_experiment(results, "tied", data.assign(rolled))


def _in_place(results: xr.DataTree, names: dict[str, str]) -> xr.DataTree:
    data = results["tied"].to_dataset()
    changed = data.copy(deep=True)
    for to, source in names.items():
        for variable in (*FLOWS, *FLOWS.values()):
            other = data[variable].sel(condition=source).reset_coords(drop=True)
            changed[variable].loc[{"condition": to}] = other
    return with_experiment(results, "tied", changed)


# --- depth ----------------------------------------------------------------------------------------


def never_deeper(results: xr.DataTree) -> xr.DataTree:
    """Every depth shows networks of one layer, each time those of other seeds."""
    data = results["depth"].to_dataset()
    rise = data.draw_up.copy(deep=True)
    single = data.draw_up.isel(depth=0, drop=True)
    for shift in range(data.sizes["depth"]):
        rise[{"depth": shift}] = single.roll(seed=shift, roll_coords=False)
    return with_experiment(results, "depth", data.assign(draw_up=rise))


def swings_with_depth(results: xr.DataTree) -> xr.DataTree:
    """A learner whose output swings by as the exact flow of alike rows does: in twelve of a hundred
    starts more with every layer after the first, if layers are narrow, and in the fewest dimensions
    only. All arrive."""
    data = results["depth"].to_dataset()
    flow = results["tied"].to_dataset().flow_draw_up.sel(condition=tied.ALIKE).mean()
    few, narrow = data.dimension == data.dimension[0], data.width == data.width[0]
    share = 0.12 * (data.depth - 1) * few * narrow
    count = data.sizes["initialisation"]
    drawn = [
        torch.rand(count, generator=seeded(seed, "ideal")).numpy()
        for seed in data.seed.values.tolist()
    ]
    uniform = xr.DataArray(drawn, dims=("seed", "initialisation"), coords={"seed": data.seed})
    rise = xr.where(uniform < share, float(flow), 0.0).transpose(*data.draw_up.dims)
    arrived = data.assign(draw_up=rise, remaining=xr.zeros_like(data.remaining))
    return with_experiment(results, "depth", arrived)


# --- checks of code -------------------------------------------------------------------------------


def covariance(results: xr.DataTree) -> xr.DataTree:
    """The loss is computed from the centred covariance, which the paper's word suggests."""
    order, single, two = (
        results[name].to_dataset() for name in ("order", "one_layer", "full_batch")
    )
    order["network_loss_from_moment"] = order.network_loss_from_covariance
    single["one_layer_loss_from_moment"] = single.one_layer_loss_from_covariance
    two["loss_from_moment"] = two.loss_from_covariance
    changed = with_experiment(results, "order", order)
    return with_experiment(with_experiment(changed, "one_layer", single), "full_batch", two)


def one_clock(results: xr.DataTree) -> xr.DataTree:
    """The paper's field taken for gradient flow, without the factor 2 between the clocks."""
    data = results["full_batch"].to_dataset()
    return with_experiment(
        results, "full_batch", data.assign(velocity_field=data.velocity_field / 2)
    )


def starts_without_minor(results: xr.DataTree) -> xr.DataTree:
    """Searches among the same starts without minor entries."""
    data = results["searches"].to_dataset()
    alone = data.twin_descents.rename(twin="draw")
    return with_experiment(
        results, "searches", data.drop_vars("descents").drop_dims("draw").assign(descents=alone)
    )


def on_schedule(results: xr.DataTree) -> xr.DataTree:
    """The weakest concept arrives when its diagonal entry says."""
    data = results["searches"].to_dataset()
    return with_experiment(results, "searches", data.assign(failure_measured=data.failure_diagonal))


def diagonal_law(results: xr.DataTree) -> xr.DataTree:
    """The diagonal entry of W(0) in the place of the pivot."""
    data = results["laws"].to_dataset()
    return with_experiment(results, "laws", data.assign(pivot_law=data.pivot_diagonal))


def untrained(results: xr.DataTree) -> xr.DataTree:
    """Networks before training: nothing has been learned at any time."""
    order, compositions, two = (
        results[name].to_dataset() for name in ("order", "compositions", "tied")
    )
    order["network_arrival"] = xr.full_like(order.network_arrival, np.nan)
    compositions["composition_arrival"] = xr.full_like(compositions.composition_arrival, np.nan)
    first = compositions.composition_loss.isel(epoch=0, drop=True)
    compositions["composition_loss"] = first.broadcast_like(compositions.composition_loss)
    two["draw_up"] = xr.zeros_like(two.draw_up)
    two["end"], two["fall"] = xr.zeros_like(two.end), xr.zeros_like(two.fall)
    two["ood_loss"] = two.ood_loss.isel(tau=0, drop=True).broadcast_like(two.ood_loss)
    depth = results["depth"].to_dataset()
    depth["draw_up"] = xr.zeros_like(depth.draw_up)
    depth["remaining"] = xr.ones_like(depth.remaining)
    changed = with_experiment(results, "order", order)
    changed = with_experiment(changed, "compositions", compositions)
    return with_experiment(with_experiment(changed, "tied", two), "depth", depth)
