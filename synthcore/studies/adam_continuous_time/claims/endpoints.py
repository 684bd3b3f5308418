"""What is estimated per seed, and what must hold first."""

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import reaches, stays_below
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most, within_tolerance
from synthcore.studies.adam_continuous_time import measure
from synthcore.studies.adam_continuous_time.experiments.comparison import CONTESTANTS
from synthcore.studies.adam_continuous_time.theory import bounds
from synthcore.studies.adam_continuous_time.theory.layers import amplification

ROUNDING = 1e-9
GROWN = 10.0  # an update this large, in learning rates, is more than dense noise makes
SAME = ("base", "half the rate, twice the decay", "twice the rate, half the decay")


# --- the equation ---------------------------------------------------------------------------------


def second_is_nearer(results: xr.DataTree) -> Verdict:
    """Toy loss: error of the second-order equation over that of the first, at the smallest eta."""
    error = of(results, "toy").toy_error
    smallest = error.sel(eta=float(error.eta.min()), drop=True)
    ratio = smallest.sel(equation="second order", drop=True) / smallest.sel(
        equation="first order", drop=True
    )
    return at_most(ratio, 0.5, "second over first order error")


def transformer_is_followed(results: xr.DataTree) -> Verdict:
    """Distance of the second-order flow from a transformer over the length of its path."""
    error = of(results, "transformers").flow_error
    last = error.sel(driven_by="second order", drop=True).isel(flow_step=-1, drop=True)
    return at_most(last, 0.05, "distance over path, transformer")


def order_of_second(results: xr.DataTree) -> Verdict:
    """Slope of ln error in ln eta of the second-order equation."""
    slope = measure.error_slope(of(results, "toy").toy_error)
    return at_least(slope.sel(equation="second order", drop=True), 1.5, "order of the second")


# --- bounds and growth ----------------------------------------------------------------------------


def streams_stay_below(results: xr.DataTree) -> Verdict:
    """Largest ratio of an update of a stream to the exact bound, less 1."""
    ratio = of(results, "streams").stream_ratio
    return within_tolerance(np.maximum(ratio - 1, 0), ROUNDING, "streams beyond the bound")


def worst_case_attains(results: xr.DataTree) -> Verdict:
    """Smallest ratio of the worst case to the bound, from 1."""
    least = of(results, "streams").stream_ratio_least.sel(stream="worst case")
    return within_tolerance(1 - least, ROUNDING, "worst case below the bound")


def training_stays_below(results: xr.DataTree) -> Verdict:
    """Largest ratio of an update of a training to the bound, less 1."""
    most = max(
        float(of(results, "growth").growth_bound_ratio.max()),
        float(of(results, "transformers").language_ratio.max()),
    )
    return within_tolerance(max(most - 1, 0.0), ROUNDING, "networks beyond the bound")


def dying_rate(results: xr.DataTree) -> Verdict:
    """Rate of ln |u| after the last gradient, from r_d."""
    data = of(results, "streams")
    rate = bounds.exact_rate(data.point_beta.values, data.point_gamma.values)
    return within_tolerance(data.dying_rate - rate, ROUNDING, "dying coordinate, from r_d")


def worst_rate(results: xr.DataTree) -> Verdict:
    """Late rate of the worst case at the unstable points, from r_d."""
    data = of(results, "streams")
    rate = bounds.exact_rate(data.point_beta.values, data.point_gamma.values)
    apart = data.worst_rate - rate
    return within_tolerance(apart[:, rate > 0], 1e-3, "worst case, from r_d")


def grown(results: xr.DataTree) -> xr.Dataset:
    """The runs of perceptrons at unstable points, as one dimension `run`, with `excess`, ln of the
    largest update, and `explained`, silence x r_d; NaN where no update was above 10."""
    data = of(results, "growth")
    rate = xr.DataArray(
        bounds.exact_rate(data.growth_beta.values, data.growth_gamma.values), dims="growth_point"
    )
    runs = xr.Dataset(
        {
            "excess": np.log(data.growth_most.where(data.growth_most > GROWN)),
            "explained": rate * data.growth_silence,
        }
    )
    runs = runs.isel(growth_point=np.flatnonzero(rate.values > 0)).reset_coords(drop=True)
    names = ("growth_point", "regime", "condition")
    return runs.drop_vars(names, errors="ignore").stack(run=names, create_index=False)


def growth_needs_silence(results: xr.DataTree) -> Verdict:
    """Steps for which the gradient has been gone times r_d, over ln of the largest update: median
    over the runs that grew."""
    runs = grown(results)
    share = (runs.explained / runs.excess).median("run")
    return at_least(share, 0.75, "growth that silence explains")


def silence_makes_growth(results: xr.DataTree) -> Verdict:
    """The inverse: growth over what is predicted for the silence."""
    runs = grown(results)
    share = (runs.excess / runs.explained.where(runs.explained > 0)).median("run")
    return at_least(share, 0.75, "growth over r_d x silence")


def something_grows(results: xr.DataTree) -> Gate:
    """In every seed there are runs to look at."""
    share = grown(results).excess.notnull().mean("run").min("seed")
    return reaches(share, 0.1, "share of runs outside the region with an update above 10")


def transformer_grows(results: xr.DataTree) -> Verdict:
    """Rate of the largest update over that of the exact bound in the same steps, mean over the
    points outside the region."""
    data = of(results, "transformers")
    outside = data.isel(curve=np.flatnonzero(data.curve_exponent.values < -1e-6))
    ratio = (outside.language_rate / outside.bound_rate).mean("curve")
    return at_least(ratio.reset_coords(drop=True), 0.75, "rate over that of the bound")


# --- the grid of (beta, gamma) --------------------------------------------------------------------


def frontier_gap(data: xr.Dataset) -> xr.DataArray:
    """Tuned test loss outside the region less inside, at the same beta: (beta, seed)."""
    loss = data.grid_test_loss
    outside = loss.where(loss.margin < 0, drop=True).mean("margin")
    gap: xr.DataArray = outside - loss.where(loss.margin > 0, drop=True).mean("margin")
    return gap.reset_coords(drop=True)


def outside_is_worse(results: xr.DataTree) -> Verdict:
    """That gap, mean over beta."""
    return at_least(frontier_gap(of(results, "grid")).mean("beta"), 0.027, "nats, outside - inside")


def outside_is_worse_at_large_beta(results: xr.DataTree) -> Verdict:
    """The gap at the largest beta, where the paper's curve crosses the frontier."""
    gap = frontier_gap(of(results, "grid")).isel(beta=-1, drop=True)
    return at_least(gap, 0.027, "nats, largest beta")


def grid_is_tuned(results: xr.DataTree) -> Gate:
    """The best rate lies between others."""
    return reaches(of(results, "grid").grid_inside, 0.9, "share of best rates inside the grid")


# --- layers ---------------------------------------------------------------------------------------


def norm_grows_by_the_law(results: xr.DataTree) -> Verdict:
    """Growth of |W|^2 over eta^2 |u|^2 against K, noisy gradients: the worst of all conditions."""
    noisy = of(results, "simulated").growth_ratio.sel(gradient=["noise", "mixed"])
    law = xr.DataArray([amplification(float(b)) for b in noisy.layer_beta], dims="layer_beta")
    off = np.abs(noisy / law - 1).max(["gradient", "moment", "layer_beta"])
    return at_most(off, 0.05, "growth of the norm against K")


def norm_forgets_by_the_law(results: xr.DataTree) -> Verdict:
    """Rate at which an initial norm is forgotten against 2 eta lambda."""
    data = of(results, "simulated").sel(layer=["twice the initial norm", "no momentum"])
    rate = data.layer_memory / (2 * data.layer_eta * data.layer_decay)
    return at_most(np.abs(rate - 1).max("layer"), 0.02, "rate of forgetting")


def _net(results: xr.DataTree, setting: str, norm: str = "layer") -> xr.Dataset:
    return (
        of(results, "networks").sel(norm=norm, setting=setting, drop=True).reset_coords(drop=True)
    )


def _norm_error(results: xr.DataTree, correction: str) -> xr.DataArray:
    data = _net(results, "base")
    predicted = data.net_norm2_predicted.sel(correction=correction, drop=True)
    error: xr.DataArray = abs(np.log(data.net_norm2 / predicted))
    return error


def norm_by_the_papers_law(results: xr.DataTree) -> Verdict:
    """ln of |W|^2 of a trained layer over the law without the momentum term, either way."""
    return at_most(_norm_error(results, "none"), float(np.log(1.25)), "ln |W|^2 over the law")


def norm_with_momentum_term(results: xr.DataTree) -> Verdict:
    """The same with it."""
    return at_most(_norm_error(results, "momentum"), float(np.log(1.25)), "with the momentum term")


def turns_by_the_formula(results: xr.DataTree) -> Verdict:
    """Angle per step at the end against sqrt(2 eta lambda / K), relative."""
    return at_most(_off_formula(results, "layer"), 0.1, "angle against the formula")


def bare_turns_by_the_formula(results: xr.DataTree) -> Verdict:
    """The same without normalisation."""
    return at_most(_off_formula(results, "none"), 0.1, "the same, not normalised")


def _off_formula(results: xr.DataTree, norm: str) -> xr.DataArray:
    data = of(results, "networks")
    product = float(data.net_product.sel(setting="base"))
    formula = float(np.sqrt(2 * product / amplification(0.9)))
    off: xr.DataArray = abs(_net(results, "base", norm).net_angle / formula - 1)
    return off


def _change(results: xr.DataTree, setting: str, base: str, norm: str, what: str) -> xr.DataArray:
    pair = [_net(results, each, norm)[what] for each in (setting, base)]
    change: xr.DataArray = abs(pair[0] / pair[1] - 1)
    return change


def layers_have_settled(results: xr.DataTree) -> Gate:
    """The angle of every setting that is compared is the same in the last two quarters."""
    data = of(results, "networks").sel(norm="layer", setting=[*SAME, "twice the initial norm"])
    path = data.net_angle_path.mean("seed")
    count = path.sizes["net_step"]
    last, before = (
        path.isel(net_step=slice(count * first // 4, count * (first + 1) // 4)).mean("net_step")
        for first in (3, 2)
    )
    worst = abs(last / before - 1).max()
    return stays_below(worst, 0.05, "change of the angle in the last quarter")


def forgets_its_norm(results: xr.DataTree) -> Verdict:
    """Relative change of the angle at the end by twice the initial norm."""
    change = _change(results, "twice the initial norm", "base", "layer", "net_angle")
    return at_most(change, 0.05, "initial norm x 2, at the end")


def remembers_early(results: xr.DataTree) -> Verdict:
    """The same with and without normalisation, before decay has erased a twentieth of a norm."""
    rows = [
        _change(results, "twice the initial norm", "base", norm, "net_angle_early")
        for norm in ("layer", "none")
    ]
    least = xr.concat(rows, "norm").min("norm")
    return at_least(least, 0.05, "initial norm x 2, at first, either network")


def remembers_without_decay(results: xr.DataTree) -> Verdict:
    """The same at the end of training without decay, normalised."""
    change = _change(results, "no decay, twice the initial norm", "no decay", "layer", "net_angle")
    return at_least(change, 0.05, "initial norm x 2, no decay")


def product_sets_the_step(results: xr.DataTree) -> Verdict:
    """Angles at equal eta lambda, eta varied fourfold: largest over smallest, less 1."""
    data = of(results, "networks").sel(norm="layer", setting=list(SAME), drop=True)
    angle = data.net_angle.reset_coords(drop=True)
    return at_most(angle.max("setting") / angle.min("setting") - 1, 0.05, "spread of the angle")


# --- k-Adam ---------------------------------------------------------------------------------------


def one_stage_is_adamw(results: xr.DataTree) -> Verdict:
    """Largest difference of a weight after 100 updates."""
    apart = of(results, "agreement").agreement.sel(compared_k=1)
    return within_tolerance(apart, 1e-6, "k = 1 minus AdamW")


def two_stages_are_a_norm(results: xr.DataTree) -> Verdict:
    """1 less the smallest cosine with an explicit second normalisation, over four settings."""
    cosine = of(results, "equivalence").equivalence.sel(correction="momentum")
    return within_tolerance(1 - cosine, 0.01, "1 - cosine, k = 2")


def gain(results: xr.DataTree, over: str, of_: str, norm: str | None = None) -> xr.DataArray:
    """ln of the tuned test loss of `over` less that of `of_`, mean over arenas, per seed."""
    loss = np.log(of(results, "tournament").test_loss)
    difference = loss.sel(optimizer=over, drop=True) - loss.sel(optimizer=of_, drop=True)
    if norm is not None:
        chosen = [a for a in difference.arena.values.tolist() if a.endswith(norm)]
        difference = difference.sel(arena=chosen)
    mean: xr.DataArray = difference.mean("arena")
    return mean


def two_beat_one(results: xr.DataTree) -> Verdict:
    """ln of Adam's tuned test loss less that of 2-Adam, mean over arenas."""
    return at_least(gain(results, "Adam", "2-Adam"), 0.05, "ln loss, Adam - 2-Adam")


def five_beat_two(results: xr.DataTree) -> Verdict:
    """The same of five stages over two."""
    return at_least(gain(results, "2-Adam", "5-Adam"), 0.05, "ln loss, 2-Adam - 5-Adam")


def two_beat_one_without_norm(results: xr.DataTree) -> Verdict:
    """Adam over 2-Adam where no layer norm normalises already."""
    return at_least(gain(results, "Adam", "2-Adam", "no norm"), 0.05, "the same, no layer norm")


def muon_beats_adam(results: xr.DataTree) -> Verdict:
    """Adam over Muon."""
    return at_least(gain(results, "Adam", "Muon"), 0.05, "ln loss, Adam - Muon")


def sgd_beats_adam(results: xr.DataTree) -> Verdict:
    """Adam over SGD with momentum."""
    return at_least(gain(results, "Adam", "SGD"), 0.05, "ln loss, Adam - SGD")


def all_are_tuned(results: xr.DataTree) -> Gate:
    """The best rates of the optimiser that is least often inside lie between others."""
    inside = of(results, "tournament").best_inside.sel(optimizer=list(CONTESTANTS))
    least = inside.mean(["arena", "seed"]).min("optimizer")
    return reaches(least, 0.9, "share of best rates inside the grid, worst optimiser")


def cifar_was_used(results: xr.DataTree) -> Gate:
    """The paper's comparison is on CIFAR-10, with strategies whose formulas we do not know."""
    arenas = of(results, "tournament").arena.values.tolist()
    return reaches(any("CIFAR" in arena for arena in arenas), 1, "arenas with CIFAR-10")
