"""How each claim is decided: pure functions of a run's dataset.

Thresholds were fixed before any result was seen. "In every seed" and identities are decided seed by
seed; everything else by the mean, which must clear its threshold by two standard errors.
"""

import math

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most, correlates
from synthcore.studies.sim_concept_learning import partial_order
from synthcore.studies.sim_concept_learning.frequencies import more_often, share_verdict

LARGE = 0.02  # a draw-up that counts
SOURCES = {"one_layer": "one_layer_case", "network": "network_case", "tied": "tied_case"}


def reduction(data: xr.Dataset) -> Verdict:
    """Loss over samples against the one from their second moment, and A_n against diag(a)."""
    parts = []
    for source, case in SOURCES.items():
        direct, reduced = data[f"{source}_loss_direct"], data[f"{source}_loss_reduced"]
        error = abs(reduced / direct - 1).max(case)
        parts.append(at_most(error, 1e-6, label=f"relative error, {source.replace('_', ' ')}"))
    signal = data.moment_error.isel(condition=np.flatnonzero(_signal_settings(data)))
    return all_of(
        *parts,
        at_most(signal.max("condition"), 5, label="error of A_n times sqrt(sn), sigma .05"),
        at_most(data.moment_z.max("condition"), 5, label="error of A_n in standard errors"),
        note="5 / sqrt(sn) presumes entries of unit variance, so wide clusters are judged in "
        "standard errors",
    )


def _signal_settings(data: xr.Dataset) -> np.ndarray:
    """Conditions in which both sigmas are equal: only the signals differ."""
    equal: np.ndarray = data.sigma_1.values == data.sigma_2.values
    return equal


def closed_form(data: xr.Dataset) -> Verdict:
    """Largest relative error of f(x^) over 20 times and all conditions, by size of W(0)."""
    error = data.one_layer_output - data.one_layer_theory
    relative = np.sqrt((error**2).sum("concept") / (data.one_layer_theory**2).sum("concept"))
    worst = relative.max(["one_layer_time", "condition"])
    return all_of(
        *(
            at_most(
                worst.sel(gain=gain, drop=True),
                0.01,
                rule="mean",
                label=f"relative error, W(0) at {float(gain)} of the usual",
            )
            for gain in data.gain.values
        )
    )


def order_by_signal(data: xr.Dataset) -> Verdict:
    """ln(t_2 / t_1) at fraction .5: below 0 for mu = (1, 2) and above 0 for (3, 2) in every seed,
    near 0 for (2, 2) on average.
    """
    parts = []
    lag = log_ratio(data, "network_arrival")
    balanced = log_ratio(data, "balanced_arrival").rename(balanced="seed")
    for name in data.architecture.values.tolist():
        one = lag.sel(architecture=name, drop=True)
        weak_first, strong_first = (
            one.isel(condition=_condition(data, signal, 2.0), drop=True) for signal in (1.0, 3.0)
        )
        equal = balanced.sel(architecture=name, drop=True)
        parts += [
            at_most(_plain(weak_first), 0, label=f"{name}: ln t2/t1 at (1, 2)"),
            at_least(_plain(strong_first), 0, label=f"{name}: ln t2/t1 at (3, 2)"),
            at_most(_plain(equal), math.log(1.1), rule="mean", label=f"{name}: ln t2/t1 at (2, 2)"),
            at_least(
                _plain(equal), math.log(0.9), rule="mean", label=f"{name}: ln t2/t1 at (2, 2)"
            ),
        ]
    return all_of(*parts)


def log_ratio(data: xr.Dataset, name: str) -> xr.DataArray:
    """ln(t_2 / t_1) of arrivals. A concept that has not arrived by the end is infinitely late, one
    that was there from the start arrives with the first update; NaN if neither arrives.
    """
    times = data[name].fillna(np.inf).clip(min=float(data.attrs["learning_rate"]))
    second, first = times.isel(concept=1), times.isel(concept=0)
    known = (second < np.inf) | (first < np.inf)
    return xr.apply_ufunc(np.log, (second / first.where(known)))


def _condition(data: xr.Dataset, first: float, second: float) -> int:
    """Index of the condition with these signals and the smallest sigma."""
    found = (data.mu_1 == first) & (data.mu_2 == second) & (data.sigma_1 == data.sigma_2)
    return int(np.flatnonzero(found.values)[0])


def _plain(values: xr.DataArray) -> xr.DataArray:
    return values.reset_coords(drop=True)


def sweep(data: xr.Dataset) -> np.ndarray:
    """Indices of the conditions that differ in sigma_1 only."""
    return np.flatnonzero(((data.mu_1 == 1) & (data.mu_2 == 2)).values)


def order_by_diversity(data: xr.Dataset) -> Verdict:
    """sigma_1 at which t_1 = t_2 in the one-layer network with small W(0), over its prediction;
    rank correlation of t_1 / t_2 with a_2 / a_1 in the others.
    """
    chosen = sweep(data)
    sigma = data.sigma_1.values[chosen]
    exact = math.sqrt(float(data.sigma_2[chosen[0]]) ** 2 + 1.5)
    lag = -log_ratio(data, "one_layer_arrival").isel(condition=chosen, gain=0, drop=True)
    # Between two conditions the closed form is a straight line in ln a_1, so interpolate there.
    strength_1 = np.log(sigma**2 + 0.5)
    found = [crossing(strength_1, lag.sel(seed=seed).values) for seed in lag.seed]
    ratio = xr.DataArray(np.sqrt(np.exp(found) - 0.5), dims="seed") / exact
    parts = [
        at_least(ratio, 0.95, rule="mean", label="crossing / exact, 1 layer"),
        at_most(ratio, 1.05, rule="mean", label="crossing / exact, 1 layer"),
    ]
    networks = -log_ratio(data, "network_arrival").isel(condition=chosen)
    strength = np.log(data.a_2 / data.a_1).isel(condition=chosen)
    for name in data.architecture.values.tolist()[1:]:
        one = _plain(networks.sel(architecture=name, drop=True))
        label = f"rank correlation, {name}"
        parts.append(correlates(one, _plain(strength), "condition", 0.95, rule="mean", label=label))
    return all_of(*parts)


def crossing(x: np.ndarray, y: np.ndarray) -> float:
    """Where y falls through 0, by linear interpolation; NaN if it does not."""
    falls = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0))
    if not falls.size:
        return np.nan
    i = falls[0]
    return float(x[i] + (x[i + 1] - x[i]) * y[i] / (y[i] - y[i + 1]))


def terminal_slow_down(data: xr.Dataset) -> Verdict:
    """Late slope of ln |df/dt| over its prediction, and the speed of the networks."""
    chosen = np.flatnonzero(_signal_settings(data))
    slowest = np.minimum(data.a_1, data.a_2).isel(condition=chosen)
    one = data.one_layer_slope.isel(condition=chosen).sel(gain=1.0, drop=True)
    error = np.abs(one / -slowest - 1).max("condition")
    weak = float(data.attrs["sigma"]) ** 2 + float(data.attrs["mu"][0]) ** 2 / 2
    ratio = data.network_speed_ratio.min(["architecture", "condition"])
    return all_of(
        at_most(error, 0.05, rule="mean", label="1 layer: slope / -a_min - 1"),
        at_most(
            np.abs(data.tied_slope / (-2 * weak) - 1),
            0.05,
            rule="mean",
            label="tied: slope / -2 a_min - 1, clock tau",
        ),
        at_least(ratio, 5, rule="mean", label="networks: largest speed / late speed"),
    )


def hierarchy(data: xr.Dataset) -> Verdict:
    """Share of the 65 pairs in order at epochs 1, 3, 5, and at the worst look before convergence.

    Converged: the training loss is below 1 % of its first value.
    """
    held = partial_order.ordered_share(data)
    parts = [
        at_least(
            _plain(held.sel(epoch=epoch, method="nearest")),
            0.95,
            rule="mean",
            label=f"share of pairs, epoch {epoch}",
        )
        for epoch in (1, 3, 5)
    ]
    training = data.hierarchy_loss.mean("seed")
    before = (training >= 0.01 * training[0]).values
    worst = held.isel(epoch=np.flatnonzero(before)).min("epoch")
    parts.append(at_least(worst, 0.95, rule="mean", label="share of pairs, worst look"))
    return all_of(*parts)


def field_decomposition(data: xr.Dataset) -> Verdict:
    """Finite differences against 2 (G - S - N), per entry, relative root mean square."""
    error = ((data.velocity_measured - data.velocity_field) ** 2).mean("tau")
    relative = np.sqrt(error / (data.velocity_field**2).mean("tau")).max("entry")
    rise = data.tied_train_rise.sel(tied_condition="swing-by", drop=True)
    return all_of(
        at_most(relative, 0.02, label="relative error, worst entry"),
        at_most(rise, 0, label="largest rise of the training loss"),
    )


def swing_by(data: xr.Dataset) -> Verdict:
    """The swing-by network trained on samples, its controls, and the ablation of minor entries."""
    main = data.sel(tied_condition="swing-by", drop=True)
    parts = [
        at_least(main.tied_draw_up, 0.05, label="draw-up"),
        at_least(main.tied_advance, 0, label="first move, both coordinates"),
        at_least(main.tied_weak_fall, 0.3, label="fall of f_weak from its peak"),
        at_most(np.abs(main.tied_weak_end - 1), 0.05, label="distance of f_weak from 1 at the end"),
        at_most(main.tied_train_rise, 0, label="largest rise of the training loss"),
    ]
    for name in ("rho 0", "rho -0.5"):
        control = data.tied_draw_up.sel(tied_condition=name, drop=True)
        parts.append(at_most(control, 0.002, label=f"draw-up, {name}"))
    parts.append(
        at_most(data.ablation_draw_up, 0, over="slope_rho", label="draw-up without minor entries")
    )
    return all_of(*parts)


def stages(data: xr.Dataset) -> Verdict:
    """Order of events in the clock tau, and logarithmic slopes of the minor entry."""
    main = data.sel(tied_condition="swing-by", drop=True)
    peak, low = main.tied_minor_peak_time, main.tied_loss_minimum_time
    high, half = main.tied_loss_maximum_time, main.tied_weak_half_time
    closed = np.abs(data.slope_measured / data.slope_closed_form - 1).max("phase")
    limit = np.abs(data.slope_measured / data.slope_limit - 1).max("phase")
    return all_of(
        at_least(low - peak, 0, label="minimum of L after peak of w_12"),
        at_most(low / peak, math.e, label="their ratio"),
        at_least(high - low, 0, label="maximum of L after its minimum"),
        at_least(half - high, 0, label="w_weak = .5 after the maximum"),
        at_most(closed, 0.1, over="slope_rho", label="slopes against T4"),
        at_most(limit, 0.1, over="slope_rho", label="slopes against their limits"),
    )


def depth_and_dimension(data: xr.Dataset) -> Verdict:
    """Share of initialisations with a draw-up above 2 %."""
    large = data.deep_draw_up > LARGE
    if not {2, 64} <= set(data.dimension.values.tolist()) or 1 not in data.depth:
        return Verdict.undecidable("needs depth 1 and dimensions 2 and 64")
    deepest = [int(depth) for depth in data.depth.values if depth >= 3]
    shallow = large.sel(dimension=2, depth=1).values
    parts = [
        more_often(
            large.sel(dimension=2, depth=depth).values, shallow, f"d = 2: depth {depth} over 1"
        )
        for depth in deepest
    ]
    parts += [
        share_verdict(
            large.sel(dimension=64, depth=depth).values, 0.02, "at most", f"d = 64, depth {depth}"
        )
        for depth in data.depth.values.tolist()
    ]
    return all_of(*parts)


def multiple_descents(data: xr.Dataset) -> Verdict:
    """There are starts with three descents (three concepts) and with four (four concepts)."""
    return all_of(
        *(
            share_verdict(counted(data, s) >= s, 0, "above", f"{s} concepts: at least {s} descents")
            for s in data.setting.values.tolist()
        )
    )


def counted(data: xr.Dataset, s: int) -> np.ndarray:
    """Descents of every draw of a setting, from their histogram."""
    histogram = data.search_count.sel(setting=s)
    return np.repeat(data.descents.values, histogram.values.astype(int))


def lost(data: xr.Dataset) -> np.ndarray:
    """Draws, of those with a naive prediction, whose weakest concept is at least five times late
    while the OOD loss changes by at most 10 %.
    """
    known = data.failure_naive.notnull()
    late = data.failure_measured.fillna(np.inf) >= 5 * data.failure_naive
    found: np.ndarray = (late & (data.failure_plateau <= 0.1)).values[known.values]
    return found


def failure(data: xr.Dataset) -> Verdict:
    """There are such draws, and the pivot law predicts when they end."""
    known = data.failure_naive.notnull().values
    late = np.flatnonzero(known)[lost(data)]
    parts = [share_verdict(lost(data), 0, "above", "draws five times late")]
    error = np.abs(data.failure_law / data.failure_measured - 1).isel(failure_draw=late)
    parts.append(
        at_most(error, 0.1, over="failure_draw", rule="mean", label="error of the pivot law")
    )
    return all_of(*parts)


def out_of_distribution(data: xr.Dataset) -> Verdict:
    """Draw-up against sigma, and with points near x^ rejected."""
    sigma = float(data.attrs["sigma"])
    rows = [name for name in data.tied_condition.values.tolist() if name.startswith("sigma ")]
    rise = data.tied_draw_up.sel(tied_condition=["swing-by", *rows])
    widths = data.tied_sigma.sel(tied_condition=["swing-by", *rows]).values
    parts = []
    for i in range(len(rows)):
        fall = rise.isel(tied_condition=i, drop=True) - rise.isel(tied_condition=i + 1, drop=True)
        label = f"fall of draw-up, sigma {widths[i]:g} to {widths[i + 1]:g}"
        parts.append(at_least(fall, 0, rule="mean", label=label))
    control = data.sel(tied_condition=f"rejection, sigma {sigma:g}", drop=True)
    change = np.abs(control.tied_draw_up / rise.isel(tied_condition=0, drop=True) - 1)
    parts += [
        at_most(change, 0.1, rule="mean", label="change by rejection"),
        at_most(control.tied_rejected, 0.01, rule="mean", label="share of points rejected"),
    ]
    return all_of(*parts)


def pivots_beat_diagonal(data: xr.Dataset) -> Verdict:
    """Error of both predictions of tau(.8), for every concept but the strongest."""
    weaker = np.flatnonzero((data.pivot_rank > 1).values)
    part = data.isel(pivot_case=weaker)
    law = np.abs(part.pivot_law / part.pivot_measured - 1)
    naive = np.abs(part.pivot_naive / part.pivot_measured - 1)
    return all_of(
        at_most(law, 0.03, over="pivot_case", label="error of the pivot law"),
        at_least(naive - law, 0, over="pivot_case", label="error of the diagonal seed minus that"),
    )
