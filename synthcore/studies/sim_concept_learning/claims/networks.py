"""What is estimated per seed of networks trained by SGD: orders of learning, and how often deep
networks swing by.

A lag is ln(t_1 / t_2), the logarithm of how much longer concept 1 takes than concept 2 to reach
half its signal at x^; per seed, of the architecture in which it is nearest to failing.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import reaches, stays_below
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most
from synthcore.studies.sim_concept_learning import measure
from synthcore.studies.sim_concept_learning.measure import STRONG, WEAK, condition, sweep


def lag(data: xr.Dataset) -> xr.DataArray:
    """ln(t_1 / t_2) of every architecture, condition and seed."""
    return -measure.log_ratio(data.network_arrival)


def _plain(values: xr.DataArray) -> xr.DataArray:
    return values.reset_coords(drop=True)


def stronger_is_first(results: xr.DataTree) -> Verdict:
    """Lag at mu = (1, 2)."""
    data = of(results, "order")
    lags = lag(data).isel(condition=condition(data, WEAK), drop=True)
    return at_least(_plain(lags.min("architecture", skipna=False)), 0.35, "ln t1/t2 at (1, 2)")


def also_when_it_is_the_other(results: xr.DataTree) -> Verdict:
    """Minus the lag at mu = (3, 2)."""
    data = of(results, "order")
    lags = -lag(data).isel(condition=condition(data, STRONG), drop=True)
    return at_least(_plain(lags.min("architecture", skipna=False)), 0.2, "ln t2/t1 at (3, 2)")


def relu_lag(results: xr.DataTree) -> Verdict:
    """Lag at mu = (1, 2) of the ReLU networks alone."""
    data = of(results, "order")
    lags = lag(data).isel(condition=condition(data, WEAK), drop=True)
    return at_least(_plain(lags.sel(architecture="2-layer ReLU", drop=True)), 0.35, "ReLU alone")


def diversity_speeds_up(results: xr.DataTree) -> Verdict:
    """Smallest fall of the lag from one sigma_1 to the next."""
    data = of(results, "order")
    lags = -lag(data).isel(condition=sweep(data)).reset_coords(drop=True)
    steps = lags.diff("condition").min("architecture", skipna=False)
    smallest = steps.min("condition", skipna=False)
    return at_least(_plain(smallest), 0.1, "smallest step of ln t2/t1")


def order_flips(results: xr.DataTree) -> Verdict:
    """Minus the lag at the largest sigma_1."""
    data = of(results, "order")
    lags = -lag(data).isel(condition=sweep(data)[-1], drop=True)
    return at_least(_plain(lags.min("architecture", skipna=False)), 0.2, "ln t2/t1, most diverse")


def slows_down(results: xr.DataTree) -> Verdict:
    """Largest speed of the output at x^ over its mean in the last third, slowest ratio of all."""
    ratio = of(results, "order").network_speed_ratio.min(["architecture", "condition"])
    return at_least(ratio, 5, "networks: largest speed over late speed")


def parts_come_first(results: xr.DataTree) -> Verdict:
    """Share of the 50 pairs, one non-empty composition inside the other, in which the larger is
    right in all its concepts no sooner (or by at most 5 % of the time) than the smaller."""
    arrival = of(results, "compositions").composition_arrival
    return at_least(measure.in_order(arrival, 0.05), 0.75, "share of pairs learned in order")


def loss_is_in_order(results: xr.DataTree) -> Verdict:
    """Share of the pairs in the order of their losses at epochs 1, 3 and 5, the worst of the
    three; networks in five groups, whose losses are averaged as in the paper's figure."""
    data = of(results, "compositions")
    group = np.arange(data.sizes["seed"]) * 5 // data.sizes["seed"]
    loss = data.composition_loss.sel(epoch=[1, 3, 5], method="nearest")
    means = loss.groupby(xr.DataArray(group, dims="seed", name="group")).mean()
    return at_least(measure.in_order(means).min("epoch"), 0.95, "losses in order", over="group")


def compositions_are_learned(results: xr.DataTree) -> Gate:
    """Most compositions are right at the end."""
    arrival = of(results, "compositions").composition_arrival.isel(composition=slice(1, None))
    return reaches(arrival.notnull(), 0.9, "share of compositions that are right at the end")


def deep_swings_more(results: xr.DataTree) -> Verdict:
    """Share of a seed's starts with a draw-up above 2 %, at the greatest depth less at depth 1, in
    the fewest dimensions."""
    share = swinging(of(results, "depth")).isel(dimension=0)
    more = share.isel(depth=-1, drop=True) - share.isel(depth=0, drop=True)
    return at_least(_plain(more), 0.1, "share, deepest less one layer")


def many_dimensions_do_not(results: xr.DataTree) -> Verdict:
    """The same share in the most dimensions, at the depth where it is largest."""
    share = swinging(of(results, "depth")).isel(dimension=-1, drop=True).max("depth")
    return at_most(_plain(share), 0.02, "share in many dimensions")


def swinging(depth: xr.Dataset) -> xr.DataArray:
    """Share of a seed's initialisations whose draw-up is above 2 %."""
    share: xr.DataArray = (depth.draw_up > measure.LARGE).mean("initialisation")
    return share


def many_dimensions_are_learned(results: xr.DataTree) -> Gate:
    """Networks in the most dimensions have come near x^."""
    left = of(results, "depth").remaining.isel(dimension=-1).median("initialisation")
    return stays_below(left, 0.1, "share of the OOD loss left in many dimensions")
