"""How each claim about the main sweep is decided, from the dataset alone.

A time is a step; one that is never reached is infinite, and ranks last. Claims about what seeds do
on average are decided on the mean with its interval, claims about every seed in each of them.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most
from synthcore.studies.concept_space import times
from synthcore.studies.concept_space.resampling import over_resampled, spearman
from synthcore.studies.concept_space.task import TRAINED
from synthcore.studies.concept_space.toy import Toy, fit_toys

TARGET = "blue small"
WEAK = (0.175, 0.25)
"""signals at which the paper finds the hidden capability"""
FACTOR = np.log(1.5)
LEAST = 1e-6
"""more than nothing, where a claim names a direction: no change must not do"""
NOWHERE = 0.5
"""both coordinates of a network that draws no discs yet"""


def per_run(values: xr.DataArray, measure: Callable[[NDArray[np.float64]], float]) -> xr.DataArray:
    """`measure` of the values over `step` of every run; further dimensions are kept."""
    found = np.apply_along_axis(measure, values.get_axis_num("step"), values.values.astype(float))
    kept = [d for d in values.dims if d != "step"]
    return xr.DataArray(found, dims=kept, coords={d: values[d] for d in kept if d in values.coords})


def crossing(accuracy: xr.DataArray) -> xr.DataArray:
    """Learning time of every run: the smoothed accuracy exceeds .8 and stays."""
    steps = accuracy.step.values
    return per_run(accuracy, lambda row: times.learning_time(steps, row))


def learned(data: xr.Dataset) -> xr.DataArray:
    """Learning time of every concept on the held-out class: (signal, seed, concept)."""
    return crossing(data.right.sel(asked=TARGET, drop=True))


def naive(data: xr.Dataset) -> xr.DataArray:
    """Accuracy on the plain prompt: (signal, seed, step)."""
    return data.joint.sel(asked=TARGET, drop=True)


def capability(data: xr.Dataset) -> xr.DataArray:
    """Accuracy on the bluer prompt of the fixed factor: (signal, seed, step)."""
    return data.over_joint.sel(factor=data.attrs["over"], drop=True)


def path(data: xr.Dataset) -> xr.DataArray:
    """The held-out class in concept space: (signal, seed, step, concept), NaN without discs."""
    return data.coordinates.sel(asked=TARGET, drop=True)


def mean_paths(data: xr.Dataset) -> xr.DataArray:
    """Over seeds, where most of them draw discs: (signal, step, concept)."""
    found = path(data)
    return found.mean("seed").where(found.notnull().mean("seed") > 0.5)


def converged(data: xr.Dataset) -> xr.DataArray:
    """Step of train convergence of every run: (signal, seed)."""
    corners = np.array(TRAINED, dtype=float)[:, : data.sizes["concept"]]
    trained = data.coordinates.isel(asked=slice(0, len(TRAINED))).fillna(NOWHERE)
    steps = data.step.values
    table = trained.transpose("signal", "seed", "step", "asked", "concept").values
    found = [[times.convergence(steps, run, corners) for run in seeds] for seeds in table]
    return xr.DataArray(found, dims=("signal", "seed"), coords={"signal": data.signal})


def at_convergence(data: xr.Dataset) -> xr.DataArray:
    """Where the held-out class is then: (signal, seed, concept); NaN if there is no such step."""
    when = converged(data)
    near = data.step.values.searchsorted(when.where(np.isfinite(when), 0).values)
    index = xr.DataArray(near, dims=("signal", "seed"))
    return path(data).isel(step=index).drop_vars("step").where(np.isfinite(when))


def bends(data: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Gain in BIC of two straight pieces over one, and the step of the break: (signal, seed)."""
    table = path(data).transpose("signal", "seed", "step", "concept").values
    gain, when = (np.full(table.shape[:2], np.nan) for _ in range(2))
    for place in np.ndindex(*gain.shape):
        known = np.isfinite(table[place]).all(1)
        if known.sum() >= 8:
            found = times.bend(times.smooth(table[place][known], 1.0))
            gain[place], when[place] = found.gain, data.step.values[known][found.index]
    return xr.DataArray(gain, dims=("signal", "seed")), xr.DataArray(when, dims=("signal", "seed"))


def log_ratio(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """|log(one / other)|, by value; not finite where either is never reached."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return xr.apply_ufunc(lambda a, b: np.abs(np.log(a / b)), one, other, join="override")


def generalised(data: xr.Dataset) -> xr.DataArray:
    """Whether a run draws the held-out class in the end: (signal, seed)."""
    return naive(data).isel(step=slice(-3, None)).mean("step").reset_coords(drop=True) >= 0.8


def speed_against(
    when: xr.DataArray, along: str, threshold: float, label: str, over: str = "seed"
) -> Verdict:
    """Spearman of 1 / (median learning time) with the coordinate of `along`."""
    table = when.transpose(over, along).values
    signal = when[along].values.astype(float)

    def statistic(chosen: NDArray[np.int64]) -> float:
        return spearman(1 / np.array([times.median(c) for c in table[chosen].T]), signal)

    return over_resampled(statistic, len(table), threshold, ">=", label)


def signal_sets_speed(data: xr.Dataset) -> Verdict:
    """C1, on the held-out class."""
    colour = learned(data).sel(concept="colour", drop=True)
    size = crossing(data.size_right.sel(concept="size", drop=True).dropna("seed"))
    return all_of(
        speed_against(colour, "signal", 0.9, "colour against Delta_c"),
        speed_against(size, "size", 0.7, "size against Delta_s"),
    )


def order(data: xr.Dataset, signal: float) -> xr.DataArray:
    """log2 of (time of size / time of colour) per seed, within +-5; NaN if neither is learned."""
    when = learned(data).sel(signal=signal, drop=True)
    colour, size = (when.sel(concept=c, drop=True) for c in ("colour", "size"))
    some = np.isfinite(colour) | np.isfinite(size)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: xr.DataArray = size / colour
        return xr.apply_ufunc(np.log2, ratio).clip(-5, 5).where(some)


def signal_sets_order(data: xr.Dataset) -> Verdict:
    """C2, at the ends of the sweep. Equal times count as the wrong order."""
    strong, weak = float(data.signal[-1]), float(data.signal[0])
    return all_of(
        at_least(order(data, strong).dropna("seed"), LEAST, label="strong: colour first"),
        at_most(order(data, weak).dropna("seed"), -LEAST, label="weak: size first"),
    )


def memorises(data: xr.Dataset) -> Verdict:
    """C3, at train convergence."""
    there = at_convergence(data)
    colour, size = (there.sel(concept=c, drop=True) for c in ("colour", "size"))
    strong, weak = {"signal": float(data.signal[-1])}, {"signal": float(data.signal[0])}
    table = colour.transpose("seed", "signal").values
    signal = data.signal.values.astype(float)

    def rank(chosen: NDArray[np.int64]) -> float:
        known = np.isfinite(table[chosen]).any(0)
        if known.sum() < 4:
            return float("nan")
        return spearman(np.nanmedian(table[chosen][:, known], axis=0), signal[known])

    def of(values: xr.DataArray, where: dict[str, float]) -> xr.DataArray:
        return values.sel(where, drop=True)

    lead = colour - size
    return all_of(
        at_least(of(colour, strong), 0.7, label="strong: blue", rule="mean"),
        at_least(of(lead, strong), 0.1, label="strong: bluer than small", rule="mean"),
        at_most(of(colour, weak), 0.25, label="weak: not blue", rule="mean"),
        at_most(of(lead, weak), -0.4, label="weak: smaller than blue", rule="mean"),
        over_resampled(rank, len(table), 0.9, ">=", "colour against Delta_c"),
    )


def turns(data: xr.Dataset) -> Verdict:
    """C4, over runs that generalise."""
    gain, when = bends(data)
    known = generalised(data)
    bent = (gain > 10).where(known).mean("signal")
    off = log_ratio(when, converged(data).reset_coords(drop=True))
    off = off.where(np.isfinite(off)).where(known).median("signal")
    return all_of(
        at_least(bent.dropna("seed"), 0.8, label="share of paths with a turn", rule="mean"),
        at_most(off.dropna("seed"), FACTOR, label="log of turn / train convergence", rule="mean"),
    )


def in_distribution(data: xr.Dataset) -> Verdict:
    """C5: the class, signal and concept that end furthest from their corner in the mean."""
    corners = xr.DataArray(
        np.array(TRAINED, float)[:, : data.sizes["concept"]], dims=("asked", "concept")
    )
    last = data.coordinates.isel(step=slice(-3, None), asked=slice(0, len(TRAINED)))
    last = last.sel(signal=data.signal >= 0.174).mean("step").drop_vars(["asked", "concept"])
    off = abs(last - corners).stack(place=("signal", "asked", "concept"))
    worst = off.isel(place=int(off.mean("seed").values.argmax()), drop=True).reset_coords(drop=True)
    return at_most(worst, 0.05, label="furthest from its corner", rule="mean")


def weak_signal(data: xr.Dataset) -> float:
    """The signal at which the paper finds the gap; the weakest if there is none in its range."""
    inside = data.signal[(data.signal >= WEAK[0]) & (data.signal <= WEAK[1])]
    return float(inside[0]) if len(inside) else float(data.signal[0])


def hidden_now(data: xr.Dataset, prompted: xr.DataArray) -> xr.DataArray:
    """Least naive accuracy at steps where the other prompt reaches .8, both smoothed; 1 if none."""
    plain = per_run_smooth(naive(data))
    return plain.where(per_run_smooth(prompted) >= times.LEARNED).min("step").fillna(1.0)


def per_run_smooth(values: xr.DataArray) -> xr.DataArray:
    """The same, smoothed along the steps of every run."""
    axis = values.get_axis_num("step")
    smoothed = np.moveaxis(times.smooth(np.moveaxis(values.values, axis, 0)), 0, axis)
    return values.copy(data=smoothed)


def hidden(data: xr.Dataset) -> Verdict:
    """C6, with two controls that must not be capable: untrained, and trained without blue."""
    signal = weak_signal(data)
    weak = data.sel(signal=signal, drop=True)
    off = log_ratio(crossing(capability(weak)), converged(data).sel(signal=signal, drop=True))
    untrained = data.over_joint.isel(step=0, drop=True).max(["factor", "signal"])
    blind = data.blind_over.max("step").dropna("seed")
    return all_of(
        at_most(hidden_now(weak, capability(weak)), 0.4, label="naive where capable"),
        at_most(off.where(np.isfinite(off), 5.0), FACTOR, label="log of capable / converged"),
        at_most(untrained, 0.2, label="control: untrained"),
        at_most(blind, 0.2, label="control: never saw blue"),
    )


def consistent(data: xr.Dataset) -> Verdict:
    """C8: spread over seeds of the two times; a time that is not reached counts as the horizon."""
    weak, horizon = data.sel(signal=weak_signal(data), drop=True), float(data.step[-1])
    able, shown = (crossing(v).clip(max=horizon).values for v in (capability(weak), naive(weak)))

    def ratio(chosen: NDArray[np.int64]) -> float:
        spread = [float(stats.variation(v[chosen])) for v in (able, shown)]
        return spread[0] / spread[1] if spread[1] > 0 and spread[0] > 0 else float("nan")

    return over_resampled(ratio, len(able), 0.5, "<=", "variation, capable / naive")


def turn_is_emergence(data: xr.Dataset) -> Verdict:
    """C9, over runs that turn and become capable."""
    turn = bends(data)[1].values
    able = crossing(capability(data)).transpose("signal", "seed").values
    fine = np.isfinite(turn) & np.isfinite(able)

    def rank(chosen: NDArray[np.int64]) -> float:
        known = fine[:, chosen]
        if known.sum() < 4:
            return float("nan")
        return spearman(able[:, chosen][known], turn[:, chosen][known])

    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.array(
            [
                np.median(able[:, s][fine[:, s]] / turn[:, s][fine[:, s]])
                if fine[:, s].any()
                else np.nan
                for s in range(turn.shape[1])
            ]
        )
    off = xr.DataArray(abs(np.log(ratio)), dims="seed").dropna("seed")
    return all_of(
        over_resampled(rank, turn.shape[1], 0.7, ">=", "capable against turn"),
        at_most(off, FACTOR, label="log of capable / turn", rule="mean"),
    )


def gap_area(data: xr.Dataset) -> xr.DataArray:
    """Mean over training of capability less naive accuracy: (signal, seed)."""
    gap = capability(data) - naive(data)
    return gap.integrate("step") / float(data.step[-1])


def gap_shrinks(data: xr.Dataset) -> Verdict:
    """C10."""
    area = gap_area(data).transpose("seed", "signal")
    signal = data.signal.values.astype(float)

    def rank(chosen: NDArray[np.int64]) -> float:
        return spearman(area.values[chosen].mean(0), signal)

    strong = abs(area.sel(signal=data.signal >= 0.6)).max("signal")
    weak = area.isel(signal=0, drop=True)
    return all_of(
        over_resampled(rank, len(area), -0.9, "<=", "gap against Delta_c"),
        at_most(strong, 0.05, label="none at strong signal", rule="mean"),
        at_least(weak, LEAST, label="positive at the weakest", rule="mean"),
    )


def toys(data: xr.Dataset) -> list[Toy]:
    """The fitted toy path of every signal's mean path."""
    table = mean_paths(data).transpose("signal", "step", "concept").values.astype(float)
    return fit_toys(data.step.values, list(table))


def toy_fits(data: xr.Dataset) -> Verdict:
    """C15: distance of the mean path from the toy path fitted to it, at the worst signal."""
    found = toys(data)
    worst = int(np.argmax([toy.distance for toy in found]))
    walked = path(data).isel(signal=worst).transpose("seed", "step", "concept").values
    known = np.isfinite(walked).all(axis=(0, 2))
    if not np.isfinite(found[worst].distance) or not known.any():
        return Verdict.undecidable("a path with too few discs", "", data.sizes["seed"])
    table, made = walked[:, known], found[worst].path[known]

    def distance(chosen: NDArray[np.int64]) -> float:
        return float(np.linalg.norm(table[chosen].mean(0) - made, axis=1).mean())

    return over_resampled(distance, data.sizes["seed"], 0.1, "<=", "furthest mean path")
