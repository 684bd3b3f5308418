"""What is estimated per seed of phases, of mixtures of algorithms, and of the transient."""

import numpy as np
import xarray as xr
from scipy import stats

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import reaches, stays_below
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most
from synthcore.studies.icl_markov import theory
from synthcore.studies.icl_markov.claims.learning import octaves
from synthcore.studies.icl_markov.measure import scores

SMALLEST = 1e-6  # nats: exact recall diverges by nothing, up to the guard of the logarithm


def all_phases_occur(results: xr.DataTree) -> Verdict:
    """Share of trained cells (diversity, step) that the rarest of the four labels has."""
    labels = scores.phase(of(results, "diversity").isel(step=slice(1, None)))
    shares = [(labels == i).mean(["diversity", "step"]) for i in range(len(theory.FOUR))]
    rarest = xr.concat(shares, dim="label", coords="minimal").min("label")
    return at_least(rarest.reset_coords(drop=True), 0.02, "share of cells of the rarest phase")


def probes_agree_with_nearest(results: xr.DataTree) -> Verdict:
    """Share of cells in which the label names the algorithm with the nearest predictions, ID."""
    data = of(results, "diversity").isel(step=slice(1, None))
    nearest = data.nearest_id.isel(context=-1, drop=True)
    agree = (scores.phase(data) == nearest).mean(["diversity", "step"])
    return at_least(agree.reset_coords(drop=True), 0.8, "share of cells that agree")


def mixture_fits(results: xr.DataTree) -> Verdict:
    """Residual of LIA over that of four irrelevant predictors, at the end, mean over diversities
    and over contexts from half the longest on."""
    data = of(results, "diversity").isel(step=-1, drop=True)
    late = data.sel(context=data.context >= data.context[-1] / 2)
    ratio = late.lia_residual / late.irrelevant_residual
    return at_most(ratio.mean(["diversity", "context"]), 0.5, "residual, over irrelevant ones")


def divergence_from_mixture(results: xr.DataTree) -> Verdict:
    """KL to LIA over KL to uniform at the end, worst diversity."""
    data = of(results, "diversity").isel(step=-1, context=-1, drop=True)
    return at_most((data.lia_kl / data.kl_to_uniform).max("diversity"), 0.1, "share, worst N")


def ood_rises_again(results: xr.DataTree) -> Verdict:
    """log2 of the OOD divergence at the end over its minimum."""
    rise = scores.rise(of(results, "transience")).reset_coords(drop=True)
    return at_least(octaves(xr.ones_like(rise), rise), float(np.log2(1.5)), "octaves of rise")


def has_counted(results: xr.DataTree) -> Gate:
    """There was an episode of counting: S falls below .5."""
    score = scores.normalised_score(of(results, "transience").isel(context=-1))
    return stays_below(score.min("step"), 0.5, "lowest S")


def id_falls_on(results: xr.DataTree) -> Gate:
    """ID divergence at the end is below that at the OOD minimum."""
    data = of(results, "transience")
    falls = []
    for seed in data.seed.values:
        rest = scores.from_minimum(data, int(seed)).kl_id
        ends = rest.clip(min=SMALLEST)
        falls.append(float(np.log2(ends[0] / ends[-1])))
    return reaches(falls, 0.1, "octaves of ID fall since the OOD minimum")


def _since_minimum(results: xr.DataTree, measure: str) -> list[xr.DataArray]:
    data = of(results, "transience")
    return [scores.from_minimum(data, int(seed))[measure] for seed in data.seed.values]


def retrieval_displaces_counting(results: xr.DataTree) -> Verdict:
    """What Bi-Ret gains and Bi-Inf loses in weight from the OOD minimum to the end: the smaller."""
    moved = []
    for weight in _since_minimum(results, "weight"):
        change = weight.isel(step=-1) - weight.isel(step=0)
        gains, losses = change.sel(algorithm="Bi-Ret"), -change.sel(algorithm="Bi-Inf")
        moved.append(min(float(gains), float(losses)))
    return at_least(xr.DataArray(moved, dims="seed"), 0.15, "weight that changes hands")


def ood_follows_retrieval(results: xr.DataTree) -> Verdict:
    """Rank correlation of Bi-Ret's weight with OOD divergence over all trained checkpoints from the
    first at which S is below .5 on."""
    data = of(results, "transience")
    score = scores.normalised_score(data.isel(context=-1))
    found = []
    for seed in data.seed.values:
        counted = np.flatnonzero(score.sel(seed=seed) < 0.5)
        first = int(counted[0]) if counted.size else data.sizes["step"]
        rest = data.sel(seed=seed).isel(context=-1, step=slice(first, None))
        enough = rest.sizes["step"] >= 5
        weight = rest.weight.sel(algorithm="Bi-Ret")
        found.append(float(stats.spearmanr(weight, rest.kl_ood).statistic) if enough else np.nan)
    return at_least(xr.DataArray(found, dims="seed"), 0.5, "rank correlation")


def forecast_beats_shortcuts(results: xr.DataTree) -> Verdict:
    """1 - mean squared error of LIA's forecast over that of the better of two shortcuts, of log OOD
    divergence from its minimum to the end.

    The shortcuts: it stays as it is at the minimum; it moves as the network's own ID curve does.
    """
    skill = []
    curves = (_since_minimum(results, name) for name in ("kl_ood", "kl_ood_foretold", "kl_id"))
    for curve in zip(*curves, strict=True):
        truth, forecast, own = (np.log(values.clip(min=SMALLEST)) for values in curve)
        moves = own - own[0] + truth[0]
        naive = min(float(((guess - truth) ** 2).mean()) for guess in (truth[0], moves))
        error = float(((forecast - truth) ** 2).mean())
        skill.append(1 - error / naive if naive > 0 else np.nan)
    values = xr.DataArray(skill, dims="seed")
    return at_least(values, 0.5, "skill over the better shortcut", method="median")
