"""What is estimated per seed of the tied and the one-layer network, and what the exact flow
says."""

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import reaches
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most, within_tolerance
from synthcore.studies.sim_concept_learning import measure
from synthcore.studies.sim_concept_learning.experiments import one_layer, tied


def _main(results: xr.DataTree) -> xr.Dataset:
    """The tied networks whose rows start alike."""
    return of(results, "tied").sel(condition=tied.ALIKE).reset_coords(drop=True)


def _at(results: xr.DataTree, name: str) -> xr.Dataset:
    return of(results, "tied").sel(condition=name).reset_coords(drop=True)


# --- the loss and the one-layer network -----------------------------------------------------------


def moment_is_enough(results: xr.DataTree) -> Verdict:
    """Loss from the second moment against the loss over samples, relative."""
    network, single, two = (of(results, name) for name in ("order", "one_layer", "full_batch"))
    pairs = (
        (network.network_loss_from_moment, network.network_loss_over_samples),
        (single.one_layer_loss_from_moment, single.one_layer_loss_over_samples),
        (two.loss_from_moment, two.loss_over_samples),
    )
    errors = [float(np.abs(short / full - 1).max()) for short, full in pairs]
    return within_tolerance(errors, 1e-6, "relative error")


def moment_is_the_mixtures(results: xr.DataTree) -> Verdict:
    """Entries of A_n less diag(a) in standard errors, the largest of all."""
    return within_tolerance(of(results, "one_layer").moment_z.max(), 5, "standard errors")


def follows_closed_form(results: xr.DataTree) -> Verdict:
    """Largest distance of f(x^) from T1 at 20 times, over |x^|, worst condition and start."""
    error = of(results, "one_layer").one_layer_error.max(["gain", "condition"])
    return at_most(error, 0.01, "error over |x^|")


def crosses_where_strengths_are_equal(results: xr.DataTree) -> Verdict:
    """sigma_1 at which both concepts take equally long, over its exact value."""
    base = float(of(results, "order").sigma_2[0])
    ratio = one_layer.crossing(of(results, "one_layer"), base)
    return at_most(abs(ratio - 1), 0.05, "error of the crossing, 1 layer")


def one_layer_slows_down(results: xr.DataTree) -> Verdict:
    """Late slope of ln |df/dt| against -a_min, at equal sigmas."""
    data = of(results, "one_layer").isel(condition=[0, -2, -1]).sel(gain=1.0, drop=True)
    slowest = np.minimum(data.a_1, data.a_2)
    error = np.abs(data.one_layer_slope / -slowest - 1).max("condition")
    return at_most(error, 0.05, "1 layer: error of the slope")


def tied_slows_down(results: xr.DataTree) -> Verdict:
    """The same in the clock tau against -2 a_min."""
    data = of(results, "full_batch")
    return at_most(np.abs(data.slope / (-2 * data.attrs["a_weak"]) - 1), 0.05, "tied: error")


# --- the swing-by ---------------------------------------------------------------------------------


def moves_by_the_field(results: xr.DataTree) -> Verdict:
    """Finite differences against G - S - N, relative root mean square, worst entry."""
    data = of(results, "full_batch")
    error = ((data.velocity_measured - data.velocity_field) ** 2).mean("tau")
    relative = np.sqrt(error / (data.velocity_field**2).mean("tau")).max("entry")
    return at_most(relative, 0.02, "relative error")


def training_loss_falls(results: xr.DataTree) -> Verdict:
    """Largest rise of the training loss between measurements, share of its start."""
    return within_tolerance(of(results, "full_batch").train_rise.clip(min=0), 1e-9, "largest rise")


def approaches(results: xr.DataTree) -> Verdict:
    """How far the weak coordinate comes before it turns back, in units of its target."""
    return at_least(_main(results).approach, 0.1, "approach of the weak coordinate")


def leaves(results: xr.DataTree) -> Verdict:
    """Draw-up of the OOD loss."""
    return at_least(_main(results).draw_up, measure.LARGE, "draw-up")


def arrives(results: xr.DataTree) -> Verdict:
    """Distance from where the output should be at the end: that of the weak coordinate in units of
    its target, or that of the whole output in units of its distance at the start, if larger."""
    data = _main(results)
    whole = np.sqrt(data.ood_loss.isel(tau=-1, drop=True) / data.ood_loss.isel(tau=0, drop=True))
    return at_most(np.maximum(np.abs(data.end - 1), whole), 0.05, "distance at the end")


def weak_coordinate_falls(results: xr.DataTree) -> Verdict:
    """Share of its first peak that the weak coordinate loses."""
    return at_least(_main(results).fall, 0.3, "fall from the first peak")


def minor_entries_cause_it(results: xr.DataTree) -> Verdict:
    """Draw-up of the same starts without their minor entries."""
    return at_most(_at(results, tied.WITHOUT).draw_up, 0.002, "draw-up without minor entries")


def opposed_rows_do_not(results: xr.DataTree) -> Verdict:
    """Draw-up of starts whose rows point away from each other."""
    return at_most(_at(results, tied.OPPOSED).draw_up, 0.002, "draw-up, rho -0.5")


def size_is_foretold(results: xr.DataTree) -> Verdict:
    """Draw-up against that of the exact flow from the same start, relative."""
    data = _main(results)
    return at_most(np.abs(data.draw_up / data.flow_draw_up - 1), 0.1, "error of the size")


def time_is_foretold(results: xr.DataTree) -> Verdict:
    """Clock tau of minor peak, loss minimum, loss maximum and weak half against the exact flow,
    relative, the worst of the four."""
    data = _main(results)
    return at_most(np.abs(data.time / data.flow_time - 1).max("event", skipna=False), 0.1, "times")


def size_by_closed_form(results: xr.DataTree) -> Verdict:
    """Draw-up against T4 from the same start, relative."""
    data = _main(results)
    return at_most(np.abs(data.draw_up / data.closed_form_draw_up - 1), 0.25, "T4: error of size")


def stages_in_order(results: xr.DataTree) -> Verdict:
    """The smallest of the three waits between the four events, over the one foretold by the flow
    from the average start of the seeds."""
    data = _main(results)
    wait = data.time.diff("event")
    foretold = data.flow_time.diff("event").mean("seed")
    return at_least((wait / foretold).min("event", skipna=False), 0.5, "wait over foretold wait")


def slopes_are_the_limits(results: xr.DataTree) -> Verdict:
    """Logarithmic slopes of the minor entry in three phases against their limits, relative."""
    data = of(results, "slopes")
    return within_tolerance(data.slope_measured / data.slope_limit - 1, 0.1, "slopes, limits")


def slopes_by_closed_form(results: xr.DataTree) -> Verdict:
    """The same against T4 in the same windows."""
    data = of(results, "slopes")
    return within_tolerance(data.slope_measured / data.slope_closed_form - 1, 0.1, "slopes, T4")


# --- the data -------------------------------------------------------------------------------------


def shrinks_with_spread(results: xr.DataTree) -> Verdict:
    """Smallest fall of the draw-up from one spread to the next."""
    data = of(results, "tied")
    names = [tied.ALIKE, *(n for n in data.condition.values.tolist() if n.startswith("sigma "))]
    rises = data.draw_up.sel(condition=names).reset_coords(drop=True)
    falls = -rises.diff("condition")
    return at_least(falls.min("condition", skipna=False), 0.0035, "smallest fall of the draw-up")


def _rejected_over_all(results: xr.DataTree) -> xr.DataArray:
    data = of(results, "tied")
    wide = next(n for n in data.condition.values.tolist() if n.startswith("sigma "))
    ratio = _at(results, tied.REJECTED).draw_up / _at(results, wide).draw_up
    return ratio.reset_coords(drop=True)


def rejection_changes_little(results: xr.DataTree) -> Verdict:
    """Relative change of the draw-up when samples near x^ are rejected."""
    return at_most(abs(_rejected_over_all(results) - 1), 0.1, "change by rejection")


def swings_with_all(results: xr.DataTree) -> Gate:
    """With all samples there is a swing."""
    data = of(results, "tied")
    wide = next(n for n in data.condition.values.tolist() if n.startswith("sigma "))
    return reaches(_at(results, wide).draw_up, measure.LARGE, "draw-up with all samples")


def rejection_leaves_it(results: xr.DataTree) -> Verdict:
    """Draw-up with samples near x^ rejected, over the one with all."""
    return at_least(_rejected_over_all(results), 0.75, "draw-up, rejected over all")


def change_is_the_moments(results: xr.DataTree) -> Verdict:
    """Draw-up with rejection against the flow under the second moment of what is left."""
    data = _at(results, tied.REJECTED)
    return at_most(np.abs(data.draw_up / data.flow_draw_up - 1), 0.1, "error of the flow")


def something_is_rejected(results: xr.DataTree) -> Gate:
    """The control rejects samples at all."""
    return reaches(_at(results, tied.REJECTED).rejected, 0.01, "share of samples rejected")


# --- the exact flow -------------------------------------------------------------------------------


def triple_descents(results: xr.DataTree) -> Verdict:
    """Share of a seed's starts with three descents, three concepts."""
    return at_least(share_of_descents(results, 3), 0.01, "three descents, three concepts")


def quadruple_descents(results: xr.DataTree) -> Verdict:
    """Share with four, four concepts."""
    return at_least(share_of_descents(results, 4), 0.001, "four descents, four concepts")


def share_of_descents(results: xr.DataTree, count: int) -> xr.DataArray:
    """Share of a seed's starts of `count` concepts with as many descents or more."""
    found = of(results, "searches").descents.sel(concepts=count, drop=True) >= count
    share: xr.DataArray = found.mean("draw")
    return share


def late(data: xr.Dataset) -> xr.DataArray:
    """Which starts keep the weakest concept at least five times as long as its diagonal entry says,
    while the OOD loss changes by at most 10 %."""
    waits = data.failure_measured.fillna(np.inf) >= 5 * data.failure_diagonal
    return waits & (data.failure_plateau <= 0.1)


def concepts_seem_lost(results: xr.DataTree) -> Verdict:
    """Share of such starts."""
    return at_least(late(of(results, "searches")).mean("draw"), 0.01, "starts five times late")


def pivot_foretells_the_late(results: xr.DataTree) -> Verdict:
    """Error of the pivot law over those that arrive, mean per seed."""
    data = of(results, "searches")
    error = np.abs(data.failure_law / data.failure_measured - 1).where(late(data))
    return at_most(error.mean("draw"), 0.1, "error of the pivot law")


def pivots_foretell(results: xr.DataTree) -> Verdict:
    """Error of the pivot law for every concept but the strongest, on a grid of starts."""
    data = of(results, "laws")
    weaker = data.isel(case=np.flatnonzero((data.pivot_rank > 1).values))
    return within_tolerance(weaker.pivot_law / weaker.pivot_measured - 1, 0.03, "pivot law")


def closed_form_is_near(results: xr.DataTree) -> Verdict:
    """Largest error of an entry of W for starts up to .01."""
    error = of(results, "laws").closed_form_error.sel(size=slice(None, 0.011))
    return within_tolerance(error, 0.02, "error of an entry")
