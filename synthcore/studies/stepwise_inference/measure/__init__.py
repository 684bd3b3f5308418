"""What is measured: answers of any policy and what is wrong with them, in the modules; here numbers
that figures and claims read off a dataset, accuracies, gaps, half-times.

Every gap is against the better of the direct network and of the best shortcut that was fitted on
negatives of the same kind: a direct network that has not been trained as well as it can be, or
knows less than two counts per node, makes no gap.
"""

import math

import numpy as np
import xarray as xr
from scipy import stats


def accuracy(
    recall: xr.DataArray, test: str = "hard", hard_share: xr.DataArray | None = None
) -> xr.DataArray:
    """Balanced accuracy from recalls per group: connected pairs against hard negatives, or against
    the paper's mixture, in which the share of hard ones is that of all pairs out of reach."""
    connected, hard, easy = (
        recall.sel(group=name, drop=True) for name in ("connected", "hard", "easy")
    )
    if test == "hard":
        return (connected + hard) / 2
    if hard_share is None:
        raise ValueError("the paper's mixture needs the share of hard negatives")
    return (connected + hard_share * hard + (1 - hard_share) * easy) / 2


def final_accuracy(data: xr.Dataset, kind: str, written: str, test: str = "hard") -> xr.DataArray:
    """Accuracy after training, per seed, of one format on one kind of graph."""
    some = data.sel(kind=kind, format=written, drop=True)
    last = some.recall.isel(step=-1, drop=True) if "step" in some.recall.dims else some.recall
    return accuracy(last, test, some.hard_share)


def best_shortcut(baselines: xr.DataArray, test: str = "hard") -> xr.DataArray:
    """Accuracy of the best shortcut of each seed."""
    return baselines.sel(test=test, drop=True).max("baseline")


def alternative(data: xr.Dataset, kind: str, test: str = "hard") -> xr.DataArray:
    """Accuracy of the better of the direct network and the best shortcut, per seed."""
    shortcut = best_shortcut(data.baseline_accuracy.sel(kind=kind, drop=True), test)
    better: xr.DataArray = xr.ufuncs.maximum(final_accuracy(data, kind, "direct", test), shortcut)
    return better


def accuracy_gap(
    data: xr.Dataset, kind: str, test: str = "hard", written: str = "step"
) -> xr.DataArray:
    """Accuracy of stepwise (or `written`) networks less `alternative`, per seed."""
    return final_accuracy(data, kind, written, test) - alternative(data, kind, test)


def far_accuracy(data: xr.Dataset, written: str) -> xr.DataArray:
    """Accuracy on far pairs with hard negatives at the end: (near, seed)."""
    return accuracy(data.far_recall.sel(format=written, drop=True).isel(step=-1, drop=True))


def far_alternative(data: xr.Dataset) -> xr.DataArray:
    """The better of the direct networks and the best shortcut on far pairs: (near, seed)."""
    shortcut = best_shortcut(data.far_baseline)
    better: xr.DataArray = xr.ufuncs.maximum(far_accuracy(data, "direct"), shortcut)
    return better


def far_gap(data: xr.Dataset, written: str = "step") -> xr.DataArray:
    """Accuracy on far pairs less `far_alternative`: (near, seed)."""
    return far_accuracy(data, written) - far_alternative(data)


def half_time(rate: xr.DataArray) -> xr.DataArray:
    """Steps until a rate is half of what it was at first, interpolated in log steps; infinite where
    it never is. Steps at which it could not be measured are passed over."""
    log_steps = np.log(np.maximum(rate.step.values, 1.0))
    times = []
    for row in rate.transpose("seed", "step").values:
        known = np.isfinite(row)
        times.append(_first_half(row[known], log_steps[known]))
    return xr.DataArray(times, dims="seed", coords={"seed": rate.seed.values})


def at_first(rate: xr.DataArray) -> xr.DataArray:
    """A rate at the first step at which it could be measured, per seed; nan if at none."""
    rows = rate.transpose("seed", "step").values
    known = [row[np.isfinite(row)] for row in rows]
    return xr.DataArray([row[0] if len(row) else np.nan for row in known], dims="seed")


def _first_half(row: np.ndarray, log_steps: np.ndarray) -> float:
    below = np.flatnonzero(row < row[0] / 2) if len(row) else row
    if not len(below):
        return math.inf
    i = int(below[0])
    part = (row[i - 1] - row[0] / 2) / (row[i - 1] - row[i])
    return float(np.exp(log_steps[i - 1] + part * (log_steps[i] - log_steps[i - 1])))


def octaves(first: xr.DataArray, second: xr.DataArray) -> xr.DataArray:
    """log2 of the second over the first; nan where both are infinite."""
    with np.errstate(invalid="ignore"):
        return second.copy(data=np.log2(second.values) - np.log2(first.values))


def rank_correlation(values: xr.DataArray, along: str) -> xr.DataArray:
    """Rank correlation of each seed's values with the coordinate; nan where they are all alike."""
    table = values.transpose("seed", along).values
    found = [
        float(stats.spearmanr(values[along].values, row).statistic) if np.ptp(row) > 0 else np.nan
        for row in table
    ]
    return xr.DataArray(found, dims="seed", coords={"seed": values.seed.values})
