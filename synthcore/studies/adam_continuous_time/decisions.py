"""How each claim is decided: pure functions of a run's dataset.

Thresholds were fixed before any result was seen. Unless it says otherwise a gate must hold in each
seed.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most, ordered
from synthcore.studies.adam_continuous_time import theory
from synthcore.studies.adam_continuous_time.dataset import (
    error_slope,
    in_unstable_region,
    tuned,
)
from synthcore.studies.adam_continuous_time.invariance import amplification

RANDOM = ("dense", "sparse 0.3", "sparse 0.1", "sparse 0.02", "correlated")
ROUNDING = 1 + 1e-9


def flow_tracks_adam(data: xr.Dataset) -> Verdict:
    """Toy loss without weight decay: slopes of ln error in ln eta, and the error at the smallest
    eta; transformer: distance of the second-order flow over the length of the path.
    """
    toy = data.toy_error.sel(toy_decay=0.0)
    slope = error_slope(toy)
    first, second = (slope.sel(equation=e, drop=True) for e in ("first order", "second order"))
    smallest = toy.sel(eta=float(toy.eta.min()), drop=True)
    ratio = smallest.sel(equation="second order", drop=True) / smallest.sel(
        equation="first order", drop=True
    )
    distance = data.flow_error.isel(order=1, flow_step=-1)
    return all_of(
        at_least(first, 0.8, label="slope of first order, at least"),
        at_most(first, 1.2, label="slope of first order, at most"),
        at_least(second, 1.5, label="slope of second order"),
        at_most(ratio, 0.5, label="second over first order error"),
        at_most(distance.drop_vars("flow_step", errors="ignore"), 0.05, label="transformer"),
    )


def updates_stay_below_the_bound(data: xr.Dataset) -> Verdict:
    """Largest ratio of an update to the exact bound, over all streams, points, steps and training
    runs; and what attains it.
    """
    beta, gamma = data.point_beta, data.point_gamma
    last = data.stream_update.isel(stream_step=-1).sel(stream=list(RANDOM))
    bound = theory.exact_bound(beta.values, gamma.values, int(last.stream_step))
    below = (last / xr.DataArray(bound, dims="point")).max(["stream", "point"])
    worst = data.stream_ratio_least.sel(stream="worst case", drop=True).min("point")
    images = data.growth_bound_ratio.max(["growth_point", "regime"])
    limits = theory.continuous_limit(0.9, 0.999), theory.exact_limit(0.9, 0.999)
    strain = [
        abs(limits[0] - 7.467) / 5e-4,
        abs(limits[1] - 7.270) / 5e-4,
        (limits[0] / limits[1] - 1) / 0.03,
    ]
    return all_of(
        at_most(data.stream_ratio.max(["stream", "point"]), ROUNDING, label="streams"),
        at_most(data.language_ratio.max(["curve", "learning_rate"]), ROUNDING, label="transformer"),
        at_most(images, ROUNDING, label="image networks"),
        at_least(worst, 1 - 1e-6, label="worst case attains"),
        at_most(below.drop_vars("stream_step"), 1, label="random streams at the end"),
        at_most(xr.DataArray(strain, dims="limit"), 1, "limit", label="limits over tolerance"),
        ordered(_gaps(data), "gamma", label="T2 / T3 grows towards the frontier"),
    )


def _gaps(data: xr.Dataset) -> xr.DataArray:
    """T2 / T3 at beta = 0.9 for gamma falling from beta, where both are 1, to the frontier; the
    same in every seed.
    """
    gamma = np.array([0.9, 0.88, 0.86, 0.84, 0.82])
    ratio = theory.continuous_limit(0.9, gamma) / theory.exact_limit(0.9, gamma)
    return xr.DataArray(ratio, dims="gamma").expand_dims(seed=data.sizes["seed"])


def growth_at_the_predicted_rate(data: xr.Dataset) -> Verdict:
    """Rates of ln |u| per step on the dying coordinate and on the worst case, bias factors out."""
    beta, gamma = data.point_beta.values, data.point_gamma.values
    exact = xr.DataArray(theory.exact_rate(beta, gamma), dims="point")
    continuous = xr.DataArray(theory.continuous_rate(beta, gamma), dims="point")
    outside, inside = exact.values > 0, theory.exponent(beta, gamma) > 0
    near = outside & (beta >= 0.99) & (gamma >= 0.9)
    if not near.any():
        return Verdict.undecidable("needs unstable points with beta >= .99 and gamma >= .9")
    dying, worst = np.abs(data.dying_rate - exact), np.abs(data.worst_rate - exact)
    early = np.abs(data.worst_rate_early - exact)
    apart = np.abs(data.dying_rate / continuous - 1)
    return all_of(
        at_most(dying[:, outside].max("point"), 1e-3, label="dying coordinate"),
        at_most(worst[:, outside].max("point"), 1e-3, label="worst case, late"),
        at_most((worst - early)[:, outside].max("point"), 0, label="worst case, late minus early"),
        at_most(apart[:, near].max("point"), 0.1, label="continuous rate, near 1"),
        at_most(data.dying_rate[:, inside].max("point"), 0, label="rate inside"),
    )


def growth_needs_intermittent_gradients(data: xr.Dataset) -> Verdict:
    """Fitted growth rates of image networks at points with C < -0.05: smallest differences over
    the points.
    """
    exponent = theory.exponent(data.growth_beta.values, data.growth_gamma.values)
    chosen = exponent < -0.05
    if chosen.sum() < 3:
        return Verdict.undecidable("needs three points with C < -0.05")
    rate = data.growth_rate[chosen]
    sparse, full, dense = (
        rate.sel(regime=r, drop=True) for r in ("2 % inputs", "full batch", "mini-batch")
    )
    by_sparsity = rate.sel(regime=["mini-batch", "10 % inputs", "2 % inputs"])
    return all_of(
        at_least((sparse - full).min("growth_point"), 0, label="2 % inputs minus full batch"),
        at_least((full - dense).min("growth_point"), 0, label="full batch minus mini-batch"),
        ordered(by_sparsity.mean("growth_point"), "regime", label="rate rises with sparsity"),
    )


def exponent_predicts_generalisation(data: xr.Dataset) -> Verdict:
    """Test loss at the learning rate with the lowest validation loss: mean over the points with
    C < 0 minus mean over those with C > 0.
    """
    loss = tuned(data.test_loss, data.validation_loss, "learning_rate")
    unstable, stable = in_unstable_region(data), data.curve_exponent > 1e-6
    if not unstable.any() or not stable.any():
        return Verdict.undecidable("needs points on both sides of C = 0")
    gap = loss.where(unstable).mean("curve") - loss.where(stable).mean("curve")
    return at_least(gap, 0, label="nats, B- minus B+", rule="mean")


def norm_is_a_moving_average(data: xr.Dataset) -> Verdict:
    """Growth of |W|^2 over eta^2 |u|^2 against (1 + beta) / (1 - beta) for noisy gradients, and
    the rate at which an initial norm is forgotten against 2 eta lambda.
    """
    noisy = data.growth_ratio.sel(gradient=["noise", "mixed"])
    expected = xr.DataArray([amplification(float(b)) for b in noisy.layer_beta], dims="layer_beta")
    off = np.abs(noisy / expected - 1).max(["gradient", "moment"])
    plain = off.where(noisy.layer_beta == 0, drop=True).max("layer_beta")
    momentum = off.where(noisy.layer_beta > 0, drop=True).max("layer_beta")
    fitted = data.sel(layer=["twice the initial norm", "no momentum"])
    rate = fitted.layer_memory / (2 * fitted.layer_eta * fitted.layer_decay)
    return all_of(
        at_most(plain, 0.02, label="growth, beta = 0"),
        at_most(momentum, 0.05, label="growth, beta > 0"),
        at_most(np.abs(rate - 1).max("layer"), 0.02, label="rate of forgetting"),
        note="the rate -ln gamma_2 is asked to 2 %; gamma_2 itself would be met by any small rate",
    )


def step_is_normalised_twice(data: xr.Dataset) -> Verdict:
    """Angular steps of simulated layers and of a network with layer normalisation."""
    base = data.sel(layer="base", drop=True)
    eta, decay = (float(data[name].sel(layer="base")) for name in ("layer_eta", "layer_decay"))
    formula = np.sqrt(2 * eta * decay / amplification(0.9))
    net = data.sel(norm="layer", drop=True)
    parts = [
        at_most(base.layer_angle_error, 0.05, label="angle against eta |u| / |W|, simulated"),
        at_most(
            net.net_angle_error.sel(setting="base", drop=True), 0.05, label="the same, network"
        ),
        at_most(np.abs(base.layer_angle / formula - 1), 0.05, label="angle against the formula"),
    ]
    for name, label in (
        ("loss x 100", "loss x 100"),
        ("twice the initial norm", "initial norm x 2"),
    ):
        parts += [
            at_most(_change(data.layer_angle, "layer", name), 0.05, label=f"{label}, simulated"),
            at_most(_change(net.net_angle, "setting", name), 0.05, label=f"{label}, network"),
        ]
    bare = data.net_angle.sel(norm="none", drop=True)
    without = _change(bare, "setting", "twice the initial norm")
    return all_of(*parts, at_least(without, 0.05, label="initial norm x 2 without normalisation"))


def _change(angle: xr.DataArray, along: str, name: str) -> xr.DataArray:
    """Relative change of an angle from the base condition."""
    pair = [angle.sel({along: which}, drop=True) for which in (name, "base")]
    change: xr.DataArray = abs(pair[0] / pair[1] - 1)
    return change


def k_adam_generalises_adam(data: xr.Dataset) -> Verdict:
    """KAdam with k = 1 against torch's AdamW, and AdamW on a normalised layer against an explicit
    second normalisation (smallest cosine over four settings).
    """
    cosine = data.equivalence.sel(correction="momentum", drop=True).min("pair")
    return all_of(
        at_most(data.agreement.sel(compared_k=1, drop=True), 1e-6, label="k = 1 minus AdamW"),
        at_least(cosine, 0.99, label="cosine, k = 2"),
    )


def two_stages_are_best(data: xr.Dataset) -> Verdict:
    """Differences of tuned test loss with the uniform strategy, means over image sets."""
    loss = tuned(data.k_test_loss, data.k_validation_loss, "k_learning_rate")
    loss = loss.sel(strategy="uniform", drop=True).mean("images")
    ks = [int(k) for k in loss.k]
    if not {1, 2} <= set(ks) or max(ks) < 3:
        return Verdict.undecidable("needs k = 1, 2 and a larger one")
    parts = []
    for norm, words in (("none", "without normalisation"), ("layer", "with layer normalisation")):
        one = loss.sel(k_norm=norm, drop=True)
        gain = one.sel(k=1, drop=True) - one.sel(k=2, drop=True)
        more = one.sel(k=max(ks), drop=True) - one.sel(k=2, drop=True)
        parts += [
            at_least(gain, 0, label=f"k = 1 minus k = 2, {words}", rule="mean"),
            at_least(more, 0, label=f"k = {max(ks)} minus k = 2, {words}", rule="mean"),
        ]
    return all_of(*parts)


def product_sets_the_step(data: xr.Dataset) -> Verdict:
    """Angular steps at equal eta lambda, eta varied fourfold: largest over smallest, minus 1."""
    same = ["base", "half the rate, twice the decay", "twice the rate, half the decay"]
    layer = data.layer_angle.sel(layer=same)
    net = data.net_angle.sel(norm="layer", setting=same, drop=True)
    return all_of(
        at_most(layer.max("layer") / layer.min("layer") - 1, 0.05, label="simulated"),
        at_most(net.max("setting") / net.min("setting") - 1, 0.05, label="network"),
    )
