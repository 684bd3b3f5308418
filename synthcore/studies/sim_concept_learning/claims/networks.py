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
from synthcore.studies.sim_concept_learning import measure, task
from synthcore.studies.sim_concept_learning.measure import STRONG, WEAK, condition, sweep

ARRIVED = 0.1  # at most so much of the OOD loss is left


def lag(data: xr.Dataset) -> xr.DataArray:
    """ln(t_1 / t_2) of every architecture, condition and seed."""
    return -measure.log_ratio(data.network_arrival)


def _log(times: xr.DataArray) -> xr.DataArray:
    """Logarithm of arrivals; what has not arrived by the end is infinitely late."""
    logs: xr.DataArray = xr.apply_ufunc(np.log, times.fillna(np.inf).clip(min=1e-3))
    return logs


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


def alone_too(results: xr.DataTree) -> Verdict:
    """The same where concepts are shown alone: four of them, ln t_p / t_(p+1), the smallest."""
    alone = [1, 2, 4, 8]  # compositions of one concept, weakest first
    arrival = of(results, "compositions").composition_arrival.isel(composition=alone)
    steps = -_log(arrival).diff("composition").min("composition", skipna=False)
    return at_least(_plain(steps), 0.13, "alone: smallest ln t_p/t_(p+1)")


def diversity_speeds_up(results: xr.DataTree) -> Verdict:
    """Smallest fall of ln t_1 from one sigma_1 to the next."""
    data = of(results, "order")
    first = _log(data.network_arrival.isel(concept=0, drop=True))
    steps = -first.isel(condition=sweep(data)).reset_coords(drop=True).diff("condition")
    smallest = steps.min(["architecture", "condition"], skipna=False)
    return at_least(_plain(smallest), 0.1, "smallest fall of ln t1")


def order_flips(results: xr.DataTree) -> Verdict:
    """Minus the lag at the largest sigma_1."""
    data = of(results, "order")
    lags = -lag(data).isel(condition=sweep(data)[-1], drop=True)
    return at_least(_plain(lags.min("architecture", skipna=False)), 0.2, "ln t2/t1, most diverse")


def slows_down(results: xr.DataTree) -> Verdict:
    """Largest speed of the output at x^ over its mean in the last third, slowest ratio of all."""
    ratio = of(results, "order").network_speed_ratio.min(["architecture", "condition"])
    return at_least(ratio, 5, "networks: largest speed over late speed")


def later_if_it_holds_more(results: xr.DataTree) -> Verdict:
    """Of the 25 pairs, one inside the other, that share their weakest concept: share in which the
    larger is right in all its concepts later than the smaller; a tie counts half."""
    arrival = of(results, "compositions").composition_arrival
    return at_least(later_share(arrival), 0.75, "larger later, weakest concept the same")


def later_share(arrival: xr.DataArray) -> xr.DataArray:
    """The same share of every seed, from arrivals along `composition`; missing is never."""
    held = task.compositions(4).bool().numpy()
    same = [(u, v) for u, v in measure.pairs() if held[u].argmax() == held[v].argmax()]
    smaller, larger = (
        arrival.fillna(np.inf).isel(composition=list(side)).drop_vars("composition")
        for side in zip(*same, strict=True)
    )
    later: xr.DataArray = ((larger > smaller) + 0.5 * (larger == smaller)).mean("composition")
    return later


def parts_come_first(results: xr.DataTree) -> Verdict:
    """Share of all 50 pairs in which the larger is right no sooner (or by at most 5 % of the time)
    than the smaller. The order of concepts alone makes it three quarters and more."""
    arrival = of(results, "compositions").composition_arrival
    return at_least(measure.in_order(arrival, 0.05), 0.75, "no sooner, all pairs")


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
    """Share of a seed's starts that swing by, at the greatest depth less at depth 1: fewest
    dimensions, narrowest layers."""
    share = swinging(of(results, "depth")).isel(dimension=0, width=0)
    more = share.isel(depth=-1, drop=True) - share.isel(depth=0, drop=True)
    return at_least(_plain(more), 0.1, "share, deepest less one layer")


def many_dimensions_do_not(results: xr.DataTree) -> Verdict:
    """The same share in the most dimensions, with layers as narrow, at the depth where it is
    largest."""
    share = swinging(of(results, "depth")).isel(dimension=-1, width=0, drop=True)
    return at_most(_plain(_at_its_depth(share)), 0.02, "share in many dimensions, narrow")


def wide_do_not(results: xr.DataTree) -> Verdict:
    """The same share in the fewest dimensions with the widest layers."""
    share = swinging(of(results, "depth")).isel(dimension=0, width=-1, drop=True)
    return at_most(_plain(_at_its_depth(share)), 0.02, "share in few dimensions, wide")


def _at_its_depth(share: xr.DataArray) -> xr.DataArray:
    """At the depth where most swing, all seeds together: the largest of each seed's few starts
    would be chance's choice."""
    return share.isel(depth=int(share.mean("seed").argmax("depth")), drop=True)


def swinging(depth: xr.Dataset) -> xr.DataArray:
    """Share of a seed's initialisations that swing by: their draw-up is above 2 %, and at the end
    at most a tenth of the loss is left, so that they did arrive."""
    comes = depth.remaining <= ARRIVED
    share: xr.DataArray = ((depth.draw_up > measure.LARGE) & comes).mean("initialisation")
    return share


def many_dimensions_are_learned(results: xr.DataTree) -> Gate:
    """Networks in the most dimensions have come near x^, of every width and depth."""
    left = of(results, "depth").remaining.isel(dimension=-1).median("initialisation")
    left = left.mean("seed").max()  # the mean over depths would hide the slowest behind one layer
    return stays_below(left, ARRIVED, "share of the OOD loss left in many dimensions")
