"""How the claims about masked prompts, three concepts and real digits are decided.

A scale that leaves a stage out decides nothing about it.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most
from synthcore.studies.concept_space import times
from synthcore.studies.concept_space.decisions import LEAST, NOWHERE, crossing, per_run_smooth
from synthcore.studies.concept_space.decoder import CLEAR
from synthcore.studies.concept_space.resampling import over_resampled, spearman
from synthcore.studies.concept_space.task import TRAINED
from synthcore.studies.concept_space.three import HIDDEN, SHOWN

LAST = slice(-3, None)
"""checkpoints over which an end is the mean"""
APART = 1.5
"""ratio of two signals from which their order counts"""
NEVER = 2.0
"""log of a ratio of times, in place of one with a time that is never reached"""
ABSENT = Verdict.undecidable("not measured at this scale")


def measured(
    name: str,
) -> Callable[[Callable[[xr.Dataset], Verdict]], Callable[[xr.Dataset], Verdict]]:
    """A decision for scales that measured this variable; undecidable at others."""

    def of(decide: Callable[[xr.Dataset], Verdict]) -> Callable[[xr.Dataset], Verdict]:
        @wraps(decide)
        def decided(data: xr.Dataset) -> Verdict:
            return decide(data) if name in data else ABSENT

        return decided

    return of


def mask_times(data: xr.Dataset) -> xr.DataArray:
    """Learning time of blue in the held-out class: (alpha, seed)."""
    return crossing(data.mask_right.sel(concept="colour", drop=True).dropna("seed"))


def mask_ends(data: xr.Dataset) -> xr.DataArray:
    """Share of blue among what is drawn for the held-out class in the end: (alpha, seed)."""
    blue = data.mask_coordinates.sel(concept="colour", drop=True).isel(step=LAST).mean("step")
    return blue.dropna("seed", how="all")


@measured("mask_right")
def underspecified(data: xr.Dataset) -> Verdict:
    """C12."""
    when = mask_times(data)
    table, alpha = when.transpose("seed", "alpha").values, when.alpha.values.astype(float)

    def rank(chosen: NDArray[np.int64]) -> float:
        return spearman(1 / np.array([times.median(c) for c in table[chosen].T]), alpha)

    ends = mask_ends(data)
    redder = ends.isel(alpha=-1, drop=True) - ends.isel(alpha=0, drop=True)
    plain = data.mask_joint.dropna("seed").isel(step=LAST).mean("step").isel(alpha=-1, drop=True)
    asked = crossing(data.mask_over.dropna("seed"))
    some = asked.isel(alpha=slice(1, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        later = xr.apply_ufunc(np.log, some / asked.isel(alpha=0, drop=True))
    finite = (some < np.inf).all("alpha").astype(float)
    later = later.fillna(-NEVER).clip(-NEVER, NEVER).min("alpha")
    return all_of(
        over_resampled(rank, len(table), -0.9, "<=", "speed of blue against alpha"),
        at_most(redder.dropna("seed"), -LEAST, label="end: redder at alpha 1", rule="mean"),
        at_most(plain, 0.4, label="alpha 1: plain prompt fails"),
        at_least(finite, 1.0, label="alpha < 1: bluer prompt works"),
        at_least(later, LEAST, label="but later: log of times", rule="mean"),
    )


def class_times(data: xr.Dataset) -> xr.DataArray:
    """Learning time of every held-out class of three concepts: (trio, seed, kind)."""
    return crossing(data.three_joint.isel(kind=slice(len(SHOWN), None)).dropna("seed"))


def class_distances(data: xr.Dataset) -> xr.DataArray:
    """How far from its corner every held-out class is drawn at train convergence: (trio, seed,
    kind); NaN if training does not converge."""
    seeds = class_times(data).seed
    table = data.three_coordinates.sel(seed=seeds).fillna(NOWHERE)
    table = table.transpose("trio", "seed", "step", "kind", "axis")
    shown, corners = np.array(SHOWN, float), np.array(HIDDEN, float)
    found = np.full((table.sizes["trio"], table.sizes["seed"], len(HIDDEN)), np.nan)
    for place in np.ndindex(*found.shape[:2]):
        run = table.values[place]
        when = times.convergence(table.step.values, run[:, : len(shown)], shown)
        if np.isfinite(when):
            there = run[table.step.values.searchsorted(when), len(shown) :]
            found[place] = np.linalg.norm(there - corners, axis=-1)
    coordinates = {"trio": table.trio, "seed": seeds}
    return xr.DataArray(found, dims=("trio", "seed", "kind"), coords=coordinates)


def ordered_share(data: xr.Dataset) -> xr.DataArray:
    """Of all pairs of concepts of clearly different signal, the share of which the stronger is
    learned first on the held-out classes: (seed). Ties and pairs never learned are left out."""
    right = data.three_right.isel(kind=slice(len(SHOWN), None)).dropna("seed")
    when = crossing(right).transpose("seed", "trio", "kind", "axis").values
    signal = data.three_signal.transpose("trio", "axis").values
    good, known = np.zeros(len(when)), np.zeros(len(when))
    for trio, levels in enumerate(signal):
        for one in range(3):
            for other in range(3):
                if levels[one] < APART * levels[other]:
                    continue
                first, second = when[:, trio, :, one], when[:, trio, :, other]
                good += (first < second).sum(1)
                known += (first != second).sum(1)
    with np.errstate(invalid="ignore"):
        return xr.DataArray(good / known, dims="seed")


@measured("three_joint")
def three_concepts(data: xr.Dataset) -> Verdict:
    """C13."""
    when, far = class_times(data).values, class_distances(data).values

    def rank(chosen: NDArray[np.int64]) -> float:
        late, off = when[:, chosen].ravel(), far[:, chosen].ravel()
        known = np.isfinite(off)
        return spearman(late[known], off[known]) if known.sum() >= 4 else float("nan")

    weakest = data.trio_ground == data.trio_ground.min()
    missing = (class_times(data) == np.inf).sel(trio=weakest).sum(["trio", "kind"]).astype(float)
    return all_of(
        at_least(
            ordered_share(data).dropna("seed"), 0.8, label="stronger concept first", rule="mean"
        ),
        at_least(missing, 1.0, label="weak ground: classes not reached", rule="mean"),
        over_resampled(rank, when.shape[1], 0.6, ">=", "time against distance"),
    )


def ink_bend(data: xr.Dataset) -> xr.DataArray:
    """Blue less one of the held-out digit when the three others have arrived: (ink, seed); NaN if
    they do not."""
    table = data.ink_coordinates.dropna("seed", how="all").fillna(NOWHERE)
    table = table.transpose("ink", "seed", "step", "asked", "concept")
    steps, corners = table.step.values, np.array(TRAINED, float)
    found = np.full((table.sizes["ink"], table.sizes["seed"]), np.nan)
    for place in np.ndindex(*found.shape):
        run = table.values[place]
        when = times.convergence(steps, run[:, : len(corners)], corners)
        if np.isfinite(when):
            there = run[steps.searchsorted(when), -1]
            found[place] = there[0] - there[1]
    return xr.DataArray(found, dims=("ink", "seed"), coords={"ink": table.ink})


def ink_lead(data: xr.Dataset) -> xr.DataArray:
    """Largest lead of the bluer prompt or the push over the plain prompt before that crosses .8,
    smoothed, at the contrast of inks where it is largest in the mean: (seed)."""
    plain = per_run_smooth(data.ink_joint.isel(asked=-1, drop=True).dropna("seed"))
    leads = []
    for name in ("ink_over", "ink_push"):
        more = per_run_smooth(data[name].dropna("seed").transpose(*plain.dims)) - plain
        when = crossing(data.ink_joint.isel(asked=-1, drop=True).dropna("seed"))
        leads.append(more.where(more.step < when).max("step").fillna(0.0))
    both = xr.concat(leads, "road").stack(place=("road", "ink"))
    return both.isel(place=int(both.mean("seed").values.argmax()), drop=True).reset_coords(
        drop=True
    )


@measured("ink_joint")
def real_digits(data: xr.Dataset) -> Verdict:
    """C14."""
    bend = ink_bend(data)
    strong, weak = bend.isel(ink=-1, drop=True), bend.isel(ink=0, drop=True)
    return all_of(
        at_least(strong.dropna("seed"), 0.1, label="strong ink: bluer than one", rule="mean"),
        at_most(weak.dropna("seed"), -0.1, label="weak ink: rather one than blue", rule="mean"),
        at_least(ink_lead(data), 0.2, label="lead of the other prompts", rule="mean"),
    )


def way_times(data: xr.Dataset) -> xr.DataArray:
    """When blue small is drawn on the plain prompt, by the way prompts enter: (way, way_signal,
    seed)."""
    return crossing(data.way_joint.dropna("seed"))


def way_lead(data: xr.Dataset) -> xr.DataArray:
    """Largest lead, smoothed, of the smaller prompt over the plain one: (way, way_signal, seed)."""
    known = data[["way_joint", "way_small"]].dropna("seed")
    more = per_run_smooth(known.way_small) - per_run_smooth(known.way_joint)
    return more.max("step")


def alike(data: xr.Dataset) -> dict[str, float]:
    """Share of values that classifier and decoder name alike, over clear images and the others."""
    share, count = data.classified_alike.fillna(0).mean("concept"), data.classified_images
    clear = xr.DataArray(
        [float(str(c).split()[0]) >= CLEAR for c in data.clearness.values], dims="clearness"
    )
    return {
        name: float((share * count).where(those).sum() / count.where(those).sum())
        for name, those in (("clear", clear), ("unclear", ~clear))
    }


def readings(data: xr.Dataset) -> dict[str, xr.Dataset]:
    """The networks that a classifier read, once with the decoder's coordinates and once with its
    own: what decides about coordinates can be asked of both."""
    read = data.classified_coordinates.dropna("seed", how="all")
    same = data.sel(seed=read.seed)
    return {"decoder": same, "classifier": same.assign(coordinates=read)}


# --- controls on which they must fail -----------------------------------------------------------


def masks_alike(data: xr.Dataset) -> xr.Dataset:
    """Every probability of a mask gives what none gives."""
    names = [n for n in data.data_vars if str(n).startswith("mask_")]
    return data.assign({n: data[n].isel(alpha=0, drop=True).broadcast_like(data[n]) for n in names})


def concepts_shuffled(data: xr.Dataset) -> xr.Dataset:
    """Times of one held-out class and concept under the name of another; all are reached."""
    if "three_joint" not in data:
        return data
    turned = data.three_joint.isel(kind=slice(None, None, -1)).values
    joint = data.three_joint.copy(data=turned)
    last = joint.step == joint.step[-1]
    early = joint.step >= joint.step[len(joint.step) // 2]
    right = data.three_right.copy(data=data.three_right.isel(axis=slice(None, None, -1)).values)
    return data.assign(three_joint=joint.where(~(early | last), 1.0), three_right=right)


def inks_alike(data: xr.Dataset) -> xr.Dataset:
    """Other prompts do what the plain one does, and paths stay in the middle."""
    if "ink_joint" not in data:
        return data
    plain = data.ink_joint.isel(asked=-1, drop=True)
    middle = xr.full_like(data.ink_coordinates, NOWHERE)
    return data.assign(ink_over=plain, ink_push=plain, ink_coordinates=middle)
