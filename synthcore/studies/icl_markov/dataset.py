"""The study's results: one dataset with named dimensions, and the views of it that claims and
figures share.
"""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from synthcore.evidence.dataset import labelled

Values = NDArray[Any]

LONG_NAMES = {
    "kl_id": "KL(network || truth), in distribution",
    "kl_ood": "KL(network || truth), out of distribution",
    "kl_shuffled": "KL(network || truth), OOD, context shuffled",
    "kl_to_algorithm": "KL(network || algorithm), OOD",
    "kl_to_uniform": "KL(network || uniform), ID",
    "kl_ood_foretold": "KL(LIA || truth), OOD, weights fitted ID",
    "lia_kl": "KL(network || LIA), ID, mean",
    "lia_kl_median": "KL(network || LIA), ID, median",
    "loss_id": "cross-entropy on ID sequences",
    "excess_loss": "cross-entropy above the Bayes predictor, ID",
    "regret": "cross-entropy above the Bayes predictor, ID",
}
# Everything else is in nats.
DIMENSIONLESS = {
    "weight",
    "lia_residual",
    "single_residual",
    "irrelevant_residual",
    "frozen_residual",
    "lia_condition",
    "previous_token",
    "induction",
    "proximity_unigram",
    "proximity_bigram",
}


def with_frozen_control(data: xr.Dataset) -> xr.Dataset:
    """Add the residual of LIA with one set of weights for all of training: their mean over the
    trained checkpoints.

    Replaces the inner products that only this control needs.
    """
    frozen = data.weight.isel(step=slice(1, None)).mean("step")
    gram = data.lia_gram
    quadratic = (frozen * gram * frozen.rename(algorithm="other")).sum(["algorithm", "other"])
    square = data.lia_power - 2 * (frozen * data.lia_cross).sum("algorithm") + quadratic
    data["frozen_residual"] = np.sqrt(square.clip(min=0))
    return data.drop_vars(["lia_gram", "lia_cross", "lia_power"])


def assemble(
    parts: list[xr.Dataset], closed_forms: xr.Dataset, attributes: dict[str, int]
) -> xr.Dataset:
    """One dataset: populations one after the other along `member`, closed forms beside them.

    Populations may be measured at different steps; a step at which a member was not measured holds
    NaN. What networks score is float32.
    """
    parts = [part.astype("float32") for part in parts]
    joined = xr.concat(parts, dim="member", join="outer") if len(parts) > 1 else parts[0]
    joined = joined.assign_coords(member=np.arange(joined.sizes["member"]))
    data = xr.merge([joined, closed_forms], join="outer", compat="no_conflicts")
    for name, variable in data.data_vars.items():
        variable.attrs["units"] = "1" if name in DIMENSIONLESS else "nats"
        variable.attrs["long_name"] = LONG_NAMES.get(str(name), str(name).replace("_", " "))
    data.step.attrs = {"long_name": "training step", "units": "updates"}
    data.context.attrs = {"long_name": "context length c", "units": "tokens"}
    data.diversity.attrs = {"long_name": "data diversity N", "units": "chains"}
    data.attrs = {"study": "icl_markov", **attributes}
    return labelled(data, {})


def by_condition(data: xr.Dataset, **changed: object) -> xr.Dataset:
    """Members of one population, with dimensions diversity and seed in place of member.

    Without arguments the main population; otherwise the one that differs from it in these member
    coordinates, for example `positions="learned"`. Empty along diversity and seed if no such
    population was trained. Steps at which it was not measured are gone.
    """
    usual = {"positions": "rotary", "two_token": False}
    usual |= {name: data.attrs[name] for name in ("width", "states")}
    keep = np.ones(data.sizes["member"], dtype=bool)
    for name, value in (usual | changed).items():
        keep &= data[name].values == value
    part = data.isel(member=np.flatnonzero(keep)).drop_vars(["member", *usual])
    part = part.set_index(member=["diversity", "seed"]).unstack("member")
    return part.dropna("step", how="all", subset=["kl_ood"]) if keep.any() else part


def normalised_score(data: xr.Dataset) -> xr.DataArray:
    """S = (KL - KL of Bi-Inf) / (KL of Uni-Inf - KL of Bi-Inf), OOD: 1 is the Uni-Inf level, 0 the
    Bi-Inf level.
    """
    lines = data.kl_ood_algorithm
    bigram, unigram = lines.sel(algorithm="Bi-Inf"), lines.sel(algorithm="Uni-Inf")
    return _named((data.kl_ood - bigram) / (unigram - bigram), "normalised OOD score S")


def bigram_use(data: xr.Dataset) -> xr.DataArray:
    """B = (KL shuffled - KL) / (KL of Uni-Inf - KL of Bi-Inf), OOD: how much the order of the
    context is worth to the network.
    """
    lines = data.kl_ood_algorithm
    gap = lines.sel(algorithm="Uni-Inf") - lines.sel(algorithm="Bi-Inf")
    return _named((data.kl_shuffled - data.kl_ood) / gap, "bigram utilisation B")


def phase(data: xr.Dataset) -> xr.DataArray:
    """Index into the algorithms by the two probes at the longest context: B > 0.5 is bigram, R >
    0.75 retrieval.

    R is the proximity to the training chains, of transition matrices for bigram cells and of
    stationary rows for unigram ones.
    """
    bigram = bigram_use(data).isel(context=-1) > 0.5
    proximity = xr.where(bigram, data.proximity_bigram, data.proximity_unigram)
    retrieves = proximity > 0.75
    return _named(bigram.astype(int) + 2 * (~retrieves).astype(int), "phase by the two probes")


def nearest_algorithm(data: xr.Dataset) -> xr.DataArray:
    """Index of the algorithm with the smallest KL(network || algorithm) on OOD sequences, per
    context.
    """
    return _named(data.kl_to_algorithm.argmin("algorithm"), "nearest algorithm")


def crossing(score: xr.DataArray, level: float) -> xr.DataArray:
    """Step at which `score` (step, ...) first falls to `level`, interpolated in log steps.

    NaN where it never does. The untrained network (the first step) is left out.
    """

    def one(values: Values, steps: Values) -> float:
        below = np.flatnonzero(values <= level)
        if not below.size or below[0] == 0:
            return np.nan
        i = below[0]
        share = (values[i - 1] - level) / (values[i - 1] - values[i])
        logs = np.log(steps)
        return float(np.exp(logs[i - 1] + share * (logs[i] - logs[i - 1])))

    trained = score.isel(step=slice(1, None))
    found: xr.DataArray = xr.apply_ufunc(
        one, trained, trained.step, input_core_dims=[["step"], ["step"]], vectorize=True
    )
    return found


def after_transition(data: xr.Dataset) -> int:
    """A step past the onset of bigram prediction, for comparing diversities.

    The paper compares a few hundred steps after the transition. Onsets differ by a factor of three
    between seeds, so: the first measured step 300 updates or more after the last network of the
    diversities from 128 on (or the largest) has S = 0.5; the last step if there is none.
    """
    many = data.sel(diversity=data.diversity >= min(128, int(data.diversity[-1])))
    onset = float(crossing(normalised_score(many.isel(context=-1)), 0.5).max())
    later = data.step.values[data.step.values >= onset + 300]
    return int(later[0]) if later.size else int(data.step[-1])


def transient_diversity(data: xr.Dataset) -> int | None:
    """The smallest diversity from 2^6 to 2^7, where the paper sees transience."""
    inside = [int(n) for n in data.diversity.values if 64 <= n <= 128]
    return inside[0] if inside else None


def thresholds_by_width(data: xr.Dataset) -> xr.DataArray:
    """log2 N at which S falls through 0.5, (width, seed), at the last step of the variants.

    Only diversities that every width has are used; NaN where S does not cross.
    """
    parts = {int(width): by_condition(data, width=int(width)) for width in np.unique(data.width)}
    common = sorted(set.intersection(*(set(part.diversity.values) for part in parts.values())))
    end = min(int(part.step[-1]) for part in parts.values())
    found = []
    for part in parts.values():
        last = part.sel(diversity=common).isel(context=-1).sel(step=end, method="nearest")
        score = normalised_score(last).transpose("seed", "diversity").values
        found.append([_falls_through(row, np.log2(common), 0.5) for row in score])
    seeds = next(iter(parts.values())).seed.values
    return xr.DataArray(found, dims=("width", "seed"), coords={"width": list(parts), "seed": seeds})


def _falls_through(values: Values, at: Values, level: float) -> float:
    """Where a sequence last falls through `level`, by linear interpolation; NaN if nowhere."""
    falls = np.flatnonzero((values[:-1] > level) & (values[1:] <= level))
    if not falls.size:
        return np.nan
    i = falls[-1]
    share = (values[i] - level) / (values[i] - values[i + 1])
    return float(at[i] + share * (at[i + 1] - at[i]))


def _named(values: xr.DataArray, name: str) -> xr.DataArray:
    return values.assign_attrs(long_name=name, units="1")
