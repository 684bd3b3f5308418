"""What claims and figures read from the experiments' datasets."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from synthcore.studies.icl_markov.measure.evaluator import VARIABLES

Values = NDArray[Any]
POINTS_OF_A_FALL = 5  # one more than a logistic has parameters
BIGRAM, RETRIEVAL = 0.5, 0.75
"""Where the two probes divide: how much of the gap order is worth, and how often the matrix is
nearer to a training chain than to any other."""


def normalised_score(data: xr.Dataset) -> xr.DataArray:
    """S = (KL - KL of Bi-Inf) / (KL of Uni-Inf - KL of Bi-Inf), OOD: 1 is the Uni-Inf level, 0 the
    Bi-Inf level. Above 1 means that confidence in a wrong chain is worse than counting states.
    """
    lines = data.kl_ood_algorithm
    bigram, unigram = lines.sel(algorithm="Bi-Inf"), lines.sel(algorithm="Uni-Inf")
    return _named((data.kl_ood - bigram) / (unigram - bigram), "normalised OOD score S")


def crossing(score: xr.DataArray, level: float) -> xr.DataArray:
    """Step at which `score` (step, ...) first falls to `level`, interpolated in log steps.

    The first measured step where it is there already; NaN where it never comes there. The untrained
    network (step 0) is left out.
    """

    def one(values: Values, steps: Values) -> float:
        below = np.flatnonzero(values <= level)
        if not below.size:
            return np.nan
        i = below[0]
        if i == 0:
            return float(steps[0])
        share = (values[i - 1] - level) / (values[i - 1] - values[i])
        logs = np.log(steps)
        return float(np.exp(logs[i - 1] + share * (logs[i] - logs[i - 1])))

    trained = score.isel(step=slice(1, None))
    found: xr.DataArray = xr.apply_ufunc(
        one, trained, trained.step, input_core_dims=[["step"], ["step"]], vectorize=True
    )
    return found


def at_step(values: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """`values` (step, seed) at one step per seed, linear in log steps; NaN where that is NaN."""
    logs = np.log(values.step.values[1:])
    trained = values.isel(step=slice(1, None)).transpose("seed", "step").values
    found = [
        float(np.interp(np.log(when), logs, row))
        for when, row in zip(step.values, trained, strict=True)
    ]
    return xr.DataArray(found, dims="seed", coords={"seed": values.seed})


def after_transition(data: xr.Dataset) -> int:
    """A step past the onset of bigram prediction, for comparing diversities.

    The paper compares a few hundred steps after the transition. Onsets differ between seeds, so:
    the first measured step 300 updates or more after the last network of the largest diversity has
    S = 0.5; the last step if there is none.
    """
    largest = normalised_score(data.isel(context=-1, diversity=-1))
    later = data.step.values[data.step.values >= float(crossing(largest, 0.5).max()) + 300]
    return int(later[0]) if later.size else int(data.step[-1])


def logistic(x: Values, low: float, high: float, middle: float, width: float) -> Values:
    """A fall from `high` to `low` around `middle`."""
    fall: Values = low + (high - low) / (1 + np.exp((x - middle) / width))
    return fall


def fall_within_an_octave(score: xr.DataArray) -> xr.Dataset:
    """How sharp S falls with the number of chains: `score` is (diversity, seed).

    A logistic in log2 N is fitted to every seed: `middle` is the N at half height, `share` the part
    of the whole fall that lies in the octave around it, tanh(1 / (4 width)). A step gives 1, a ramp
    over n octaves about 1/n. NaN where no fall can be fitted, as to fewer than five diversities.
    """

    def one(values: Values, x: Values) -> Values:
        if len(values) < POINTS_OF_A_FALL:
            return np.full(2, np.nan)
        start = (values[-1], values[0], float(x.mean()), 0.5)
        bounds = ([-1, -1, x[0], 0.05], [4, 4, x[-1], 5])
        try:
            found, _ = curve_fit(logistic, x, values, np.clip(start, *bounds), bounds=bounds)
        except (RuntimeError, ValueError):
            return np.full(2, np.nan)
        low, high, middle, width = found
        share = np.tanh(1 / (4 * width)) if high > low else np.nan
        return np.array([share, 2**middle])

    octaves = np.log2(score.diversity)
    fit = xr.apply_ufunc(
        one,
        score,
        octaves,
        input_core_dims=[["diversity"], ["diversity"]],
        output_core_dims=[["part"]],
        vectorize=True,
    )
    return xr.Dataset({"share": fit.isel(part=0), "middle": fit.isel(part=1)})


def bigram_use(data: xr.Dataset) -> xr.Dataset:
    """B: what the order of the context is worth, in units of the gap between counting states and
    counting transitions, on ID and on OOD sequences, at the longest context read in random order.

    The same sequences in both orders, and the gap at the same, last position of them. Unigram
    algorithms have 0.
    """
    last = data.isel(shuffled_context=-1, drop=True)

    def gap(lines: xr.DataArray) -> xr.DataArray:
        return lines.sel(algorithm="Uni-Inf", drop=True) - lines.sel(algorithm="Bi-Inf", drop=True)

    on_id = (last.kl_id_shuffled - last.kl_id_ordered) / gap(last.kl_id_algorithm_last)
    on_ood = (last.kl_ood_shuffled - last.kl_ood_ordered) / gap(last.kl_ood_algorithm_last)
    return xr.Dataset({"id": on_id, "ood": on_ood})


def phase(data: xr.Dataset) -> xr.DataArray:
    """Index into the algorithms by the two probes: order matters on ID sequences: bigram; near to
    the training chains on OOD ones: retrieval.

    Proximity is that of transition matrices for bigram cells and of stationary rows for others.
    """
    bigram = bigram_use(data).id > BIGRAM
    proximity = xr.where(bigram, data.proximity_bigram, data.proximity_unigram)
    infers = proximity <= RETRIEVAL
    return _named(bigram.astype(int) + 2 * infers.astype(int), "phase by the two probes")


def from_minimum(data: xr.Dataset, seed: int) -> xr.Dataset:
    """The checkpoints of one long run from its lowest OOD divergence on, at the longest context."""
    one = data.sel(seed=seed).isel(context=-1, step=slice(1, None))
    return one.isel(step=slice(int(one.kl_ood.argmin("step")), None))


def rise(data: xr.Dataset) -> xr.DataArray:
    """OOD divergence at the end over its minimum on the way, per seed, at the longest context.

    Both are geometric means over three neighbouring checkpoints, so that noise makes no minimum.
    """
    logs = np.log(data.kl_ood.isel(context=-1, step=slice(1, None)))
    smooth = logs.rolling(step=3).mean().dropna("step")
    return _named(np.exp(smooth.isel(step=-1) - smooth.min("step")), "rise of the OOD divergence")


def in_place_of_network(
    data: xr.Dataset, policies: xr.Dataset, schedule: xr.DataArray
) -> xr.Dataset:
    """The experiment with known predictors where the networks were: `schedule` (diversity, step)
    names the policy that each diversity follows at each step.
    """
    parts = [
        policies[[*(name for name in VARIABLES if name in data)]]
        .isel(diversity=i)
        .sel(policy=schedule.isel(diversity=i), drop=True)
        for i in range(policies.sizes["diversity"])
    ]
    known = xr.concat(parts, dim="diversity", coords="minimal", compat="override")
    return data.assign({str(name): known[name].transpose(*data[name].dims) for name in known})


def _named(values: xr.DataArray, name: str) -> xr.DataArray:
    return values.assign_attrs(long_name=name, units="1")
