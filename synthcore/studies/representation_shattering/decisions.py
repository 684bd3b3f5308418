"""How each claim is decided, from the dataset alone.

Every seed has its own circles, network and edits, and each seed must hold. Within a seed, means
over edits carry a bootstrap interval over edits: "below 0" asks that its upper end is. Distances
that are compared with each other are the short ones, up to the longest relation; the far one stands
apart.

What the networks do not know they cannot lose: where a kind of question is answered in less than
`KNOWN` of cases before any edit, its part of a claim is not decidable, and where facts themselves
are known in less than `GATE`, nothing about edits is.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from synthcore.evidence.first_edition import (
    Verdict,
    Word,
    all_of,
    at_least,
    at_most,
    bootstrap_interval,
    ordered,
)

GATE, KNOWN = 0.85, 0.5
STRICT = 1e-9  # turns "at least 0" into "above 0"
TASKS = ("direct", "logical", "chain")
METHODS = ("rome", "memit", "pmet", "alphaedit")
RESAMPLES = 2000
Decide = Callable[[xr.Dataset], Verdict]


def missing(what: str) -> Verdict:
    """The run left this stage out."""
    return Verdict.undecidable(f"this run has no {what}")


def gated(decide: Decide) -> Decide:
    """Undecidable where the networks did not learn the facts."""

    @wraps(decide)
    def decided(data: xr.Dataset) -> Verdict:
        lowest = float(data.accuracy.sel(task="direct").min())
        if not lowest >= GATE:
            return Verdict.undecidable(
                f"a network knows {lowest:.0%} of an order's facts, less than {GATE:.0%}"
            )
        return decide(data)

    return decided


def short(data: xr.Dataset) -> list[int]:
    """Distances of counterfactual edits that are no longer than a relation."""
    return [int(d) for d in data.condition.values if 1 <= d <= data.attrs["hops"]]


def counterfactual(data: xr.Dataset) -> list[int]:
    """All of them."""
    return [int(d) for d in data.condition.values if d >= 1]


def bound(values: xr.DataArray, side: int, along: str = "edit") -> xr.DataArray:
    """Lower (0) or upper (1) end of the 95 % bootstrap interval of the mean over edits."""

    def end(row: NDArray[np.float64]) -> float:
        known = row[np.isfinite(row)]
        return bootstrap_interval(known, resamples=RESAMPLES)[side]

    found: xr.DataArray = xr.apply_ufunc(
        end, values.astype(float), input_core_dims=[[along]], vectorize=True
    )
    return found


def direct(data: xr.Dataset, name: str = "change") -> xr.DataArray:
    """Change of direct recall, mean over orders."""
    return data[name].sel(task="direct", drop=True).mean("order")


def graph_learned(data: xr.Dataset) -> Verdict:
    """C1: direct and logical >= .9, chains >= .75 in each order; logical within .03 of direct."""
    lowest = data.accuracy.min("order")
    stated, logical, chain = (lowest.sel(task=task, drop=True) for task in TASKS)
    mean = data.accuracy.mean("order")
    gap = mean.sel(task="direct", drop=True) - mean.sel(task="logical", drop=True)
    return all_of(
        at_least(stated, 0.9, label="direct, lowest order"),
        at_least(logical, 0.9, label="logical, lowest order"),
        at_most(gap, 0.03, label="direct less logical"),
        at_least(chain, 0.75, label="chains, lowest order"),
    )


@gated
def ring_like(data: xr.Dataset) -> Verdict:
    """C2: the lowest four frequencies hold at least three times their chance share, and more than
    the 99th percentile of random orders, for every order."""
    chance = 2 * 4 / (data.attrs["entities"] - 1)
    beyond = data.ring - data.ring_null.quantile(0.99, "draw").drop_vars("quantile")
    return all_of(
        at_least((data.ring / chance).min("order"), 3.0, label="share over chance"),
        at_least(beyond.min("order"), STRICT, label="beyond random orders"),
    )


@gated
def edits_succeed(data: xr.Dataset) -> Verdict:
    """C3: the edited prompt gets the new answer in at least .95 of ROME's edits."""
    return at_least(data.succeeded.mean(["condition", "edit"]), 0.95)


@gated
def collateral(data: xr.Dataset) -> Verdict:
    """C4: direct recall of other facts falls for every d >= 2, in each order."""
    far = [d for d in counterfactual(data) if d >= 2]
    change = data.change.sel(task="direct", condition=far, drop=True)
    upper = bound(change, 1).max("condition")
    return all_of(
        *(
            at_most(upper.sel(order=order, drop=True), -STRICT, label=f"order {order}")
            for order in data.order.values
        )
    )


def rank_over_edits(values: xr.DataArray, conditions: list[int]) -> xr.DataArray:
    """Spearman's correlation of distance with a value over all edits, per seed."""
    table = values.sel(condition=conditions).transpose("seed", "condition", "edit").values
    distance = np.repeat(conditions, table.shape[2])
    return xr.DataArray(
        [stats.spearmanr(distance, row.ravel(), nan_policy="omit").statistic for row in table],
        dims="seed",
    )


@gated
def grows(data: xr.Dataset) -> Verdict:
    """C5: harm rises with distance over edits, and is larger at the longest short distance than at
    1 (interval of the paired difference above 0), for every task; and direct recall loses at least
    .05 more at the far distance than at 1."""
    near, parts = short(data), []
    for task in TASKS:
        if float(data.accuracy.sel(task=task).mean()) < KNOWN:
            note = f"known in less than {KNOWN:.0%} before any edit"
            parts.append(Verdict.undecidable(note, task))
            continue
        drop = -data.change.sel(task=task, drop=True).mean("order")
        more = drop.sel(condition=near[-1], drop=True) - drop.sel(condition=near[0], drop=True)
        rank = rank_over_edits(drop, near)
        parts.append(at_least(rank, STRICT, label=f"{task}, rank correlation"))
        parts.append(at_least(bound(more, 0), STRICT, label=f"{task}, {near[-1]} less {near[0]}"))
    every = counterfactual(data)
    if every[-1] > near[-1]:
        drop = -direct(data).mean("edit")
        more = drop.sel(condition=every[-1], drop=True) - drop.sel(condition=near[0], drop=True)
        parts.append(at_least(more, 0.05, label="direct, far less near"))
    return all_of(*parts)


@gated
def reasoning_too(data: xr.Dataset) -> Verdict:
    """C6: chains lose at least as much as facts, for corrective edits and at distance 1. Where the
    networks of the main experiment do not follow chains, those of the phase plot with the highest
    load that do are asked, at distance 1: they know every fact, and none is left to correct."""
    if float(data.accuracy.sel(task="chain").mean()) < KNOWN:
        return _in_smaller_networks(data)
    change = data.change.mean(["order", "edit"])
    more = change.sel(task="chain", drop=True) - change.sel(task="direct", drop=True)
    return all_of(
        at_most(more.sel(condition=0, drop=True), 0.0, label="corrective"),
        at_most(more.sel(condition=1, drop=True), 0.0, label="distance 1"),
    )


def _in_smaller_networks(data: xr.Dataset) -> Verdict:
    """C6 on the networks of the phase plot."""
    if "phase_ratio" not in data:
        return Verdict.undecidable("the networks do not follow chains")
    known = data.phase_accuracy.sel(task="chain", drop=True).mean("seed") >= KNOWN
    load = data.phase_ratio.where(known)
    if not bool(known.any()):
        return Verdict.undecidable("no network of any size follows chains")
    cell = load.argmax(["phase_entities", "phase_width"])
    change = data.phase_change.isel(cell).sel(phase_distance=1, drop=True)
    more = change.sel(task="chain", drop=True) - change.sel(task="direct", drop=True)
    at = data.isel(cell)
    label = f"distance 1, {int(at.phase_entities)} entities, width {int(at.phase_width)}"
    return all_of(
        at_most(more.drop_vars(["phase_entities", "phase_width"]), 0.0, label=label),
        Verdict.undecidable("nothing to correct", "corrective"),
    )


def total(data: xr.Dataset, name: str = "shattering") -> xr.DataArray:
    """R of every edit, mean over orders."""
    return data[name].sel(part="R", drop=True).mean("order")


@gated
def shattering_grows(data: xr.Dataset) -> Verdict:
    """C7: mean R rises at every step of distance, and is larger at the longest short distance than
    at 1 (interval of the paired difference above 0); at the paper's size the orders differ by 15 %
    at most."""
    near = short(data)
    R = total(data).sel(condition=near)
    more = R.sel(condition=near[-1], drop=True) - R.sel(condition=near[0], drop=True)
    parts = [
        ordered(R.mean("edit"), "condition", STRICT, label="R rises at every step"),
        at_least(bound(more, 0), STRICT, label=f"R, {near[-1]} less {near[0]}"),
    ]
    if data.attrs["entities"] >= 1000:
        by_order = data.shattering.sel(part="R", condition=near, drop=True)
        by_order = by_order.mean(["edit", "condition"])
        spread = by_order.max("order") / by_order.min("order") - 1
        parts.append(at_most(spread, 0.15, label="largest order over smallest"))
    return all_of(*parts)


def explained(data: xr.Dataset, x: xr.DataArray) -> xr.DataArray:
    """Squared Pearson correlation of a number with the loss of direct recall over all
    counterfactual edits, per seed."""
    every = counterfactual(data)
    loss = -direct(data)
    pairs = zip(
        x.sel(condition=every).transpose("seed", "condition", "edit").values,
        loss.sel(condition=every).transpose("seed", "condition", "edit").values,
        strict=True,
    )
    return xr.DataArray([_squared(a.ravel(), b.ravel()) for a, b in pairs], dims="seed")


def _squared(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    if np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return 0.0
    return float(np.corrcoef(a[known], b[known])[0, 1] ** 2)


@gated
def explains(data: xr.Dataset) -> Verdict:
    """C8: r^2 of R with the loss >= .6 over edits, and above that of the norm of the change."""
    by_R, by_norm = explained(data, total(data)), explained(data, data.norm)
    return all_of(
        at_least(by_R, 0.6, label="r^2 of R"),
        at_least(by_R - by_norm, STRICT, label="above r^2 of the norm"),
    )


@gated
def corrections_hurt(data: xr.Dataset) -> Verdict:
    """C9: corrective edits lower the recall of other facts although they succeed."""
    one = data.sel(condition=0, drop=True)
    return all_of(
        at_most(bound(direct(one), 1), -STRICT, label="direct recall of other facts"),
        at_least(one.succeeded.mean("edit"), 0.95, label="edits that succeed"),
    )


@gated
def all_shatter(data: xr.Dataset) -> Verdict:
    """C10, at equal success: for each of the four editors recall falls at every d >= 2, more at the
    longest short distance than at 1, and so does R."""
    if "editor_change" not in data:
        return missing("comparison of editors")
    near = short(data)
    same = comparable(data)
    parts = []
    for method in METHODS:
        drop = -direct(data.sel(editor=method, drop=True), "editor_change").where(same)
        R = total(data.sel(editor=method, drop=True), "editor_shattering").where(same)
        mean, mean_R = drop.mean("edit"), R.mean("edit")
        lower = bound(drop.sel(condition=[d for d in near if d >= 2]), 0).min("condition")
        ends = [{"condition": near[-1]}, {"condition": near[0]}]
        more, more_R = (
            v.sel(ends[0], drop=True) - v.sel(ends[1], drop=True) for v in (mean, mean_R)
        )
        parts += [
            at_least(lower, STRICT, label=f"{method}, harm at d >= 2"),
            at_least(more, STRICT, label=f"{method}, harm {near[-1]} less {near[0]}"),
            at_least(more_R, STRICT, label=f"{method}, R {near[-1]} less {near[0]}"),
        ]
    return all_of(*parts)


def comparable(data: xr.Dataset) -> xr.DataArray:
    """Edits that every editor can bring to the same success: (seed, condition, edit)."""
    found: xr.DataArray = (data.editor_reached.sel(editor=list(METHODS)) > 0.5).all("editor")
    return found


@gated
def not_the_norm(data: xr.Dataset) -> Verdict:
    """C12: random rank-one changes of equal norm have lower R (mean log ratio below 0), or else
    those of equal R do equal harm: within .05 of all facts, and within half of ROME's harm."""
    if "random_shattering" not in data:
        return missing("comparison with random changes")
    near = short(data)
    R: xr.DataArray = xr.ufuncs.log(total(data, "random_shattering").sel(condition=near))
    ratio = R.sel(update="equal norm", drop=True) - R.sel(update="rome", drop=True)
    lower = at_most(
        bound(ratio.stack(each=("condition", "edit")), 1, "each"), -STRICT, label="log ratio of R"
    )
    harm = direct(data, "random_change").sel(condition=near).mean(["condition", "edit"])
    other, rome = (harm.sel(update=name, drop=True) for name in ("equal R", "rome"))
    points = at_most(abs(other - rome), 0.05, label="harm at equal R, share of facts")
    equal = at_most(abs(other / rome - 1), 0.5, label="harm at equal R")
    if lower.verdict is Word.REPRODUCED:
        return lower
    return equal if points.verdict is Word.REPRODUCED else points


def rank(x: xr.DataArray, y: xr.DataArray) -> float:
    """Spearman's correlation of two series."""
    return float(stats.spearmanr(x.values, y.values).statistic)


def months_shatter(data: xr.Dataset) -> Verdict:
    """C11: the ring of months has p < .01 among random orders, and over at least 48 edits R rises
    with the loss on other months (Spearman above .5; interval by bootstrap over edits)."""
    if "month_R" not in data:
        return missing("pretrained model")
    R, loss = data.month_R.values, 1 - data.month_others.values
    count = len(R)
    if count < 48:
        return Verdict.undecidable(f"{count} of at least 48 edits", n=count)
    rho = rank(data.month_R, 1 - data.month_others)
    p = float(data.months_ring_p)
    drawn = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    again = [stats.spearmanr(R[i], loss[i]).statistic for i in drawn]
    low, high = np.nanquantile(again, [0.025, 0.975])
    holds = rho > 0.5 and p < 0.01
    note = f"one model; interval over edits; ring p = {p:.2g} (below .01 is asked)"
    word = Word.REPRODUCED if holds else Word.NOT
    return Verdict(rho, 0.5, ">=", (float(low), float(high)), count, word, note)
