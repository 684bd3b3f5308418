"""What the runs are compared with under the same rules: ideals, which do what a claim says, and
runs that do not.

A run's results are a tree with one dataset per experiment: streams, toy, simulated, equivalence,
agreement, networks, growth, transformers, grid, tournament.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.results import of, with_experiment
from synthcore.studies.adam_continuous_time.theory import bounds
from synthcore.studies.adam_continuous_time.theory.layers import amplification

SECOND = "second order"


def _with(results: xr.DataTree, name: str, **changed: xr.DataArray) -> xr.DataTree:
    return with_experiment(results, name, of(results, name).assign(changed))


# --- the equation ---------------------------------------------------------------------------------


def first_order(results: xr.DataTree) -> xr.DataTree:
    """The first-order equation in the place of the second; and, beside the transformer, the flow
    under its gradients in another order."""
    toy = of(results, "toy").toy_error.copy(deep=True)
    toy.loc[{"equation": SECOND}] = toy.sel(equation="first order", drop=True)
    flow = of(results, "transformers").flow_error.copy(deep=True)
    flow.loc[{"driven_by": SECOND}] = flow.sel(
        driven_by="second order, other order of gradients", drop=True
    )
    return _with(_with(results, "toy", toy_error=toy), "transformers", flow_error=flow)


def exact_flow(results: xr.DataTree) -> xr.DataTree:
    """Adam itself in the place of the second-order equation."""
    toy = of(results, "toy").toy_error.copy(deep=True)
    toy.loc[{"equation": SECOND}] = 0
    flow = of(results, "transformers").flow_error.copy(deep=True)
    flow.loc[{"driven_by": SECOND}] = 0
    return _with(_with(results, "toy", toy_error=toy), "transformers", flow_error=flow)


# --- bounds and growth ----------------------------------------------------------------------------


def smaller_bound(results: xr.DataTree) -> xr.DataTree:
    """Updates are held against a bound one per cent smaller."""
    data = of(results, "streams")
    return _with(results, "streams", stream_ratio=data.stream_ratio / 0.99)


def points_permuted(results: xr.DataTree) -> xr.DataTree:
    """Every point carries its neighbour's (beta, gamma)."""
    data = of(results, "streams")
    names = ["point_beta", "point_gamma"]
    rolled = {name: data[name].roll(point=1, roll_coords=False) for name in names}
    return with_experiment(results, "streams", data.assign_coords(rolled))


def silence_elsewhere(results: xr.DataTree) -> xr.DataTree:
    """The silence of another weight of the same tensor at the same step."""
    data = of(results, "growth")
    return _with(results, "growth", growth_silence=data.growth_elsewhere)


def growth_by_silence(results: xr.DataTree) -> xr.DataTree:
    """The largest update is e^(r_d x silence), and silence lasts for 60 steps or more."""
    data = of(results, "growth")
    rate = xr.DataArray(
        bounds.exact_rate(data.growth_beta.values, data.growth_gamma.values), dims="growth_point"
    )
    silence = np.maximum(data.growth_silence, 60)
    grown = np.exp(silence * np.maximum(rate, 0)).transpose(*data.growth_most.dims)
    return _with(results, "growth", growth_most=grown, growth_silence=silence)


def usual_pair(results: xr.DataTree) -> xr.DataTree:
    """The transformer with (0.9, 0.999) in the place of every other."""
    data = of(results, "transformers")
    usual = data.language_rate.isel(curve=-1).reset_coords(drop=True)
    rate = usual.broadcast_like(data.language_rate).transpose(*data.language_rate.dims)
    return _with(results, "transformers", language_rate=rate)


def worst_case(results: xr.DataTree) -> xr.DataTree:
    """The stream that attains the bound in the place of the transformer's gradients."""
    data = of(results, "transformers")
    rate = data.bound_rate.broadcast_like(data.language_rate).transpose(*data.language_rate.dims)
    return _with(results, "transformers", language_rate=rate)


# --- the grid of (beta, gamma) --------------------------------------------------------------------


def placebo_frontier(results: xr.DataTree) -> xr.DataTree:
    """Stable points only, with a frontier between them: the lower half is called unstable."""
    data = of(results, "grid")
    stable = data.isel(margin=np.flatnonzero(data.margin.values > 0)).sortby("margin")
    half = stable.sizes["margin"] // 2
    placebo = np.where(np.arange(stable.sizes["margin"]) < half, -1.0, 1.0)
    placebo *= 1 + np.arange(len(placebo))  # names must differ
    return with_experiment(results, "grid", stable.assign_coords(margin=placebo))


def loss_by_region(results: xr.DataTree) -> xr.DataTree:
    """Every seed has one loss inside, and .107 nats more outside."""
    loss = of(results, "grid").grid_test_loss
    inside = loss.where(loss.margin > 0).mean("margin")
    made = inside + 0.107 * (loss.margin < 0)
    return _with(results, "grid", grid_test_loss=made.transpose(*loss.dims))


# --- layers ---------------------------------------------------------------------------------------


def momentum_mislabelled(results: xr.DataTree) -> xr.DataTree:
    """The layers without momentum carry the label of those with most of it."""
    data = of(results, "simulated")
    swapped = data.assign_coords(layer_beta=data.layer_beta.values[::-1])
    return with_experiment(results, "simulated", swapped)


def other_updates(results: xr.DataTree) -> xr.DataTree:
    """The law under the updates of networks with twice the learning rate."""
    law = of(results, "networks").net_norm2_predicted.copy(deep=True)
    law.loc[{"setting": "base"}] = law.sel(setting="twice the rate", drop=True)
    return _with(results, "networks", net_norm2_predicted=law)


def norm_of_the_paper(results: xr.DataTree) -> xr.DataTree:
    """Norms are what the law without the momentum term makes of the updates."""
    law = of(results, "networks").net_norm2_predicted.sel(correction="none", drop=True)
    return _with(results, "networks", net_norm2=law)


def without_decay(results: xr.DataTree) -> xr.DataTree:
    """Networks without weight decay, which have no moving average, in the place of those with."""
    angle = of(results, "networks").net_angle.copy(deep=True)
    pairs = {
        "base": "no decay",
        "twice the initial norm": "no decay, twice the initial norm",
    }
    for to, source in pairs.items():
        angle.loc[{"setting": to}] = angle.sel(setting=source, drop=True)
    return _with(results, "networks", net_angle=angle)


def settled_by_formula(results: xr.DataTree) -> xr.DataTree:
    """Every layer turns by sqrt(2 eta lambda / K)."""
    data = of(results, "networks")
    formula = np.sqrt(2 * data.net_product / amplification(0.9)).broadcast_like(data.net_angle)
    return _with(results, "networks", net_angle=formula.transpose(*data.net_angle.dims))


def other_product(results: xr.DataTree) -> xr.DataTree:
    """Twice the rate at the same decay in the place of twice the rate at half the decay."""
    angle = of(results, "networks").net_angle.copy(deep=True)
    angle.loc[{"setting": "twice the rate, half the decay"}] = angle.sel(
        setting="twice the rate", drop=True
    )
    return _with(results, "networks", net_angle=angle)


# --- k-Adam ---------------------------------------------------------------------------------------


def without_correction(results: xr.DataTree) -> xr.DataTree:
    """The second normalisation without the momentum term, and two stages for one."""
    plain = of(results, "equivalence").equivalence.copy(deep=True)
    plain.loc[{"correction": "momentum"}] = plain.sel(correction="none", drop=True)
    swapped = of(results, "agreement").assign_coords(compared_k=[2, 1])
    changed = _with(results, "equivalence", equivalence=plain)
    return with_experiment(changed, "agreement", swapped)


def one_stage_for_all(results: xr.DataTree) -> xr.DataTree:
    """2-Adam has the losses of Adam, of another seed: no difference but chance."""
    loss = of(results, "tournament").test_loss.copy(deep=True)
    one = loss.sel(optimizer="Adam", drop=True)
    loss.loc[{"optimizer": "2-Adam"}] = one.roll(seed=1, roll_coords=False)
    return _with(results, "tournament", test_loss=loss)


def a_tenth_better(results: xr.DataTree) -> xr.DataTree:
    """2-Adam has nine tenths of Adam's losses."""
    loss = of(results, "tournament").test_loss.copy(deep=True)
    loss.loc[{"optimizer": "2-Adam"}] = 0.9 * loss.sel(optimizer="Adam", drop=True)
    return _with(results, "tournament", test_loss=loss)


def untrained(results: xr.DataTree) -> xr.DataTree:
    """Networks before training: no update, no growth, no flow, the loss of chance everywhere."""
    growth, words, nets = (of(results, n) for n in ("growth", "transformers", "networks"))
    grid, games = (of(results, name) for name in ("grid", "tournament"))
    changed = _with(
        results,
        "growth",
        growth_most=xr.zeros_like(growth.growth_most),
        growth_silence=xr.zeros_like(growth.growth_silence),
    )
    changed = _with(
        changed,
        "transformers",
        flow_error=xr.full_like(words.flow_error, np.nan),
        language_rate=xr.zeros_like(words.language_rate),
    )
    changed = _with(
        changed,
        "networks",
        net_angle=xr.zeros_like(nets.net_angle),
        net_norm2_predicted=xr.full_like(nets.net_norm2_predicted, np.nan),
    )
    changed = _with(changed, "grid", grid_test_loss=xr.full_like(grid.grid_test_loss, np.log(65)))
    return _with(changed, "tournament", test_loss=xr.full_like(games.test_loss, np.log(10)))
