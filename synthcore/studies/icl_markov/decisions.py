"""How each claim is decided: pure functions of a run's dataset.

Thresholds were fixed before any result was seen.

Every gate must hold in each seed. Unless it says otherwise a gate reads the longest context. S is
the normalised OOD score (`dataset.normalised_score`): 1 is the Uni-Inf level, 0 the Bi-Inf level.
"""

import numpy as np
import xarray as xr
from scipy import stats

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most, correlates
from synthcore.studies.icl_markov.dataset import (
    after_transition,
    by_condition,
    crossing,
    nearest_algorithm,
    normalised_score,
    phase,
    thresholds_by_width,
    transient_diversity,
)


def from_minimum(data: xr.Dataset, n: int, seed: int) -> xr.Dataset:
    """The checkpoints of one network from its lowest OOD divergence on."""
    one = data.sel(diversity=n, seed=seed).isel(context=-1, step=slice(1, None))
    return one.isel(step=slice(int(one.kl_ood.argmin("step")), None))


def theory_matches_simulation(data: xr.Dataset) -> Verdict:
    """|mean over seeds - closed form| in standard errors, one value per quantity."""
    error = np.sqrt((data.theory_error**2).sum("theory_seed")) / data.sizes["theory_seed"]
    z = np.abs(data.theory_simulated.mean("theory_seed") - data.theory_exact) / error
    return at_most(z, 3, over="quantity", label="standard errors")


def bayes_is_lowest(data: xr.Dataset) -> Verdict:
    """Cross-entropy above Bi-Ret in standard errors: the lowest over diversities and checkpoints,
    per seed.
    """
    main = by_condition(data)
    network = (main.excess_loss / main.excess_loss_error).min(["diversity", "step"])
    others = main.sel(algorithm=["Uni-Ret", "Uni-Inf", "Bi-Inf"])
    ratio = others.excess_loss_algorithm / others.excess_loss_algorithm_error
    return all_of(
        at_least(network, -3, label="network, in standard errors"),
        at_least(ratio.min(["diversity", "algorithm"]), -3, label="algorithms, in standard errors"),
    )


def diversity_threshold(data: xr.Dataset) -> Verdict:
    """S against N at one step after the transition."""
    main = by_condition(data)
    score = normalised_score(main.sel(step=after_transition(main)).isel(context=-1))
    few = score.where(score.diversity <= 8, drop=True)
    many = score.where(score.diversity >= 128, drop=True)
    if not few.size or not many.size:
        return Verdict.undecidable("needs diversities up to 8 and from 128 on")
    octaves = np.log2(score.diversity)
    high = octaves.where(score >= 0.7).max("diversity")
    low = octaves.where(score <= 0.3).min("diversity")
    return all_of(
        at_least(few.min("diversity"), 0.7, label="S at N <= 8"),
        at_most(many.max("diversity"), 0.3, label="S at N >= 128"),
        at_most(low - high, 3, label="octaves from S = 0.7 to 0.3"),
    )


def induction_is_abrupt(data: xr.Dataset) -> Verdict:
    """At the largest N: S reaches 0.3 at all, its fall from 0.8 to 0.3, and the previous-token
    score across it (window widened by 2 in all).
    """
    largest = by_condition(data).isel(diversity=-1)
    score = normalised_score(largest.isel(context=-1))
    start, end = crossing(score, 0.8), crossing(score, 0.3)
    attention = largest.previous_token.isel(step=slice(1, None))
    rise = _interpolated(attention, end * np.sqrt(2)) - _interpolated(attention, start / np.sqrt(2))
    lowest = score.isel(step=slice(1, None)).min("step").reset_coords(drop=True)
    return all_of(
        at_most(lowest, 0.3, label="lowest S"),
        at_most(end / start, 3, label="ratio of steps"),
        at_least(rise, 0.4, label="rise of previous-token score"),
    )


def _interpolated(values: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """`values` (step, seed) at one step per seed, linear in log steps."""
    logs = np.log(values.step.values)
    found = [
        np.interp(np.log(float(step.sel(seed=s))), logs, values.sel(seed=s).values)
        for s in values.seed
    ]
    return xr.DataArray(found, dims="seed")


def rotary_is_earlier(data: xr.Dataset) -> Verdict:
    """Step at which S = 0.5, learned positions over rotary ones, at the largest N that has both."""
    learned = by_condition(data, positions="learned")
    if not learned.sizes["diversity"]:
        return Verdict.undecidable("no learned-position networks in this run")
    n = int(learned.diversity[-1])
    onset = [
        crossing(normalised_score(part.sel(diversity=n).isel(context=-1)), 0.5)
        for part in (learned, by_condition(data))
    ]
    return at_least(onset[0] / onset[1], 1.5, label="ratio of steps")


def transience(data: xr.Dataset) -> Verdict:
    """OOD divergence at the end over its minimum at intermediate N, ID still falling, and no such
    rise at N >= 2^10.
    """
    main = by_condition(data).isel(context=-1, step=slice(1, None))
    n = transient_diversity(main)
    if n is None:
        return Verdict.undecidable("needs a diversity from 64 to 128")
    one = main.sel(diversity=n)
    lowest = one.kl_ood.argmin("step")
    rise = one.kl_ood.isel(step=-1) / one.kl_ood.min("step")
    fall = one.kl_id.isel(step=lowest) - one.kl_id.isel(step=-1)
    parts = [
        at_least(rise, 1.5, label=f"OOD rise at N = {n}"),
        at_least(fall.reset_coords(drop=True), 0.001, label="ID fall since, nats"),
    ]
    many = main.kl_ood.where(main.diversity >= 1024, drop=True)
    if many.size:
        steady = (many.isel(step=-1) / many.min("step")).max("diversity")
        parts.append(at_most(steady, 1.15, label="OOD rise at N >= 1024"))
    else:
        parts.append(Verdict.undecidable("needs a diversity from 1024 on", "OOD rise at N >= 1024"))
    return all_of(*parts, note="the ID gate was 0 at first, which an unchanged value met")


def context_helps_after_the_boundary(data: xr.Dataset) -> Verdict:
    """Rank correlation of OOD divergence with context at the largest N, after the transition and at
    half its onset.
    """
    largest = by_condition(data).isel(diversity=-1)
    onset = float(crossing(normalised_score(largest.isel(context=-1)), 0.5).mean())
    if not np.isfinite(onset):
        return Verdict.undecidable("no transition in this run")
    after = largest.kl_ood.sel(step=after_transition(by_condition(data)))
    before = largest.kl_ood.isel(step=slice(1, None)).sel(step=onset / 2, method="nearest")
    length = largest.context.astype(float)
    ranks = xr.DataArray(
        [_rank_correlation(before.sel(seed=seed), length) for seed in before.seed], dims="seed"
    )
    return all_of(
        correlates(after, length, "context", -0.8, label="after"),
        at_least(ranks, -0.5, label="before"),
        note=f"before: step {int(before.step)}",
    )


def _rank_correlation(a: xr.DataArray, b: xr.DataArray) -> float:
    """Spearman's; NaN where one of the two is constant."""
    if np.ptp(a.values) == 0 or np.ptp(b.values) == 0:
        return np.nan
    return float(stats.spearmanr(a.values, b.values).statistic)


def early_ascent(data: xr.Dataset) -> Verdict:
    """At the smallest N, at the end: OOD divergence rises from c = 1 to 40 and falls again to the
    longest context.
    """
    curve = by_condition(data).kl_ood.isel(diversity=0, step=-1)
    if not {1, 40} <= set(curve.context.values) or curve.context[-1] <= 40:
        return Verdict.undecidable("needs contexts 1, 40 and a longer one")
    return all_of(
        at_least(_at(curve, 40) - _at(curve, 1), 0.05, label="rise to c = 40, nats"),
        at_least(_at(curve, 40) - _at(curve, -1), 0.0, label="fall after c = 40, nats"),
    )


def _at(curve: xr.DataArray, context: int) -> xr.DataArray:
    chosen = curve.isel(context=-1) if context < 0 else curve.sel(context=context)
    return chosen.drop_vars("context")


def bounded_efficacy(data: xr.Dataset) -> Verdict:
    """Shuffled over original OOD divergence at the largest N, at the end."""
    last = by_condition(data).isel(diversity=-1, step=-1)
    ratio = last.kl_shuffled / last.kl_ood
    short = ratio.where(ratio.context <= 10, drop=True)
    return all_of(
        at_most(short.max("context"), 1.3, label="shuffled / original, c <= 10"),
        at_least(_at(ratio, -1), 3.0, label="shuffled / original, longest c"),
    )


def four_phases(data: xr.Dataset) -> Verdict:
    """Labels of the two probes over (N, step): how many occur, and how often the nearest algorithm
    has the same name.
    """
    main = by_condition(data).isel(step=slice(1, None))
    labels = phase(main)
    nearest = nearest_algorithm(main).isel(context=-1)
    kinds = [np.unique(labels.sel(seed=seed)).size for seed in main.seed]
    return all_of(
        at_least(xr.DataArray(kinds, dims="seed"), 4, label="labels that occur"),
        at_least((labels == nearest).mean(["step", "diversity"]), 0.8, label="agreement"),
    )


def interpolation_fits(data: xr.Dataset) -> Verdict:
    """LIA over all checkpoints, at contexts from half the longest on; the worst diversity for the
    distances, means for the ratios.
    """
    main = by_condition(data).isel(step=slice(1, None))
    late = main.sel(context=main.context >= main.context[-1] / 2)
    cells = ["step", "context"]
    every = [*cells, "diversity"]
    share = (late.lia_kl / late.kl_to_uniform).median(cells).max("diversity")
    median = late.lia_kl_median.median(cells).max("diversity")
    own = late.lia_residual.mean(every)
    best_single = late.single_residual.min("algorithm")
    return all_of(
        at_most(share, 0.1, label="KL to LIA / KL to uniform, worst N"),
        at_most(median, 0.02, label="median KL to LIA, nats, worst N"),
        at_least(best_single.mean(every) / own, 2, label="residual of best single algorithm"),
        at_least(
            late.irrelevant_residual.mean(every) / own, 2, label="residual of irrelevant three"
        ),
        at_least(late.frozen_residual.mean(every) / own, 2, label="residual with frozen weights"),
    )


def interpolation_foretells(data: xr.Dataset) -> Verdict:
    """Network and LIA (fitted ID) out of distribution over checkpoints in the transient range."""
    main = by_condition(data).isel(context=-1, step=slice(1, None))
    n = transient_diversity(main)
    if n is None:
        return Verdict.undecidable("needs a diversity from 64 to 128")
    one = main.sel(diversity=n)
    when = [one.step[values.argmin("step")] for values in (one.kl_ood, one.kl_ood_foretold)]
    apart = np.abs(np.log2(when[0] / when[1])).reset_coords(drop=True)
    return all_of(
        correlates(
            np.log(one.kl_ood_foretold),
            np.log(one.kl_ood),
            "step",
            0.9,
            "pearson",
            label="correlation",
        ),
        at_most(apart, 1, label="octaves between the minima"),
    )


def competition_explains(data: xr.Dataset) -> Verdict:
    """After the OOD minimum in the transient range: Bi-Inf hands over to Bi-Ret, and OOD divergence
    follows.
    """
    main = by_condition(data)
    n = transient_diversity(main)
    if n is None:
        return Verdict.undecidable("needs a diversity from 64 to 128")
    trade, unigram, agree = [], [], []
    for seed in main.seed.values.tolist():
        rest = from_minimum(main, n, seed)
        if rest.sizes["step"] < 4:
            return Verdict.undecidable(f"fewer than 4 checkpoints after the minimum at N = {n}")
        weight = rest.weight
        trade.append(
            _rank_correlation(weight.sel(algorithm="Bi-Inf"), weight.sel(algorithm="Bi-Ret"))
        )
        unigram.append(float(weight.sel(algorithm=["Uni-Ret", "Uni-Inf"]).sum("algorithm").max()))
        up = rest.kl_ood.diff("step") > 0
        agree.append(float((up == (weight.sel(algorithm="Bi-Ret").diff("step") > 0)).mean()))
    return all_of(
        at_most(xr.DataArray(trade, dims="seed"), -0.9, label="correlation of the bigram weights"),
        at_most(xr.DataArray(unigram, dims="seed"), 0.1, label="largest total unigram weight"),
        at_least(xr.DataArray(agree, dims="seed"), 0.8, label="share of equal signs"),
    )


def design_moves_boundaries(data: xr.Dataset) -> Verdict:
    """Order of the diversity thresholds by width; unigram weight of two-token networks after step
    100.
    """
    if np.unique(data.width).size < 2 or not bool(data.two_token.any()):
        return Verdict.undecidable("no design variants in this run")
    steps = thresholds_by_width(data).diff("width").min("width", skipna=False)
    pairs = by_condition(data, two_token=True).isel(context=-1)
    late = pairs.weight.sel(algorithm=["Uni-Ret", "Uni-Inf"]).sum("algorithm", skipna=False)
    late = late.sel(step=late.step > 100)
    if not late.sizes["step"]:
        return Verdict.undecidable("needs more than 100 steps of two-token networks")
    return all_of(
        at_least(steps, 0.0, label="octaves the threshold rises per width"),
        at_most(late.max(["step", "diversity"]), 0.2, label="unigram weight, two-token input"),
    )


def signs_flip(data: xr.Dataset) -> Verdict:
    """OOD divergence rises and falls with training, and rises and falls with context, by 0.02 nats
    in every seed of some cell.
    """
    ood = by_condition(data).kl_ood.isel(step=slice(1, None))
    steps = ood.isel(context=-1).diff("step")
    contexts = ood.diff("context")
    parts = []
    for name, change in (("step", steps), ("context", contexts)):
        flat = change.stack(cell=[dim for dim in change.dims if dim != "seed"]).dropna("cell")
        for word, sign in (("rise", 1), ("fall", -1)):
            best = flat.isel(cell=int((sign * flat).min("seed").argmax("cell")))
            parts.append(
                at_least(
                    sign * best.reset_coords(drop=True),
                    0.02,
                    label=f"largest {word} with {name}, nats",
                )
            )
    return all_of(*parts)
