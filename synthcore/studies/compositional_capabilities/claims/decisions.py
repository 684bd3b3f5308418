"""How each claim is decided, from the dataset alone.

Accuracy is exact match unless a name says otherwise: the share of words whose whole answer is
right under greedy free generation. Thresholds were fixed before the runs; each seed must clear
them.
"""

import math

import numpy as np
import xarray as xr
from scipy import stats

from synthcore.evidence.first_edition import (
    Verdict,
    Word,
    all_of,
    at_least,
    at_most,
    ordered,
    t_interval,
)

LEARNED = 0.9  # accuracy that counts as learned, in times


def undecidable_without(what: str) -> Verdict:
    """The run left this stage out."""
    return Verdict.undecidable(f"this run has no {what}")


def largest_subset(data: xr.Dataset, name: str) -> str | None:
    """The largest measured subset of a kind: its name begins so and goes on with numbers only."""
    names = [
        text
        for text in map(str, data.subset.values)
        if text.startswith(name + " ") and text[len(name) + 1 :].isdigit()
    ]
    return max(names, key=lambda text: int(text[len(name) + 1 :]), default=None)


def subset_values(data: xr.Dataset, variable: str, subset: str) -> xr.DataArray:
    """A variable of one subset."""
    return data[variable].sel(subset=subset, drop=True)


def holds_in_most_seeds(values: xr.DataArray, label: str) -> Verdict:
    """True in at least two of three seeds."""
    x = np.asarray(values.values, dtype=float)
    if len(x) < 3:
        return Verdict.undecidable(f"{len(x)} of at least 3 seeds", label, len(x))
    share, threshold = float(x.mean()), 2 / 3
    word = Word.REPRODUCED if share >= threshold - 1e-9 else Word.NOT
    note = f"holds in {int(x.sum())} of {len(x)} (two thirds must)"
    return Verdict(share, threshold, ">=", t_interval(x), len(x), word, note, label=label)


def rank_correlation(values: xr.DataArray, along: str) -> xr.DataArray:
    """Spearman's correlation of each seed's values with the coordinate; 0 if all are equal."""
    table = values.transpose("seed", along).values
    rho = [
        0.0 if np.ptp(row) == 0 else stats.spearmanr(values[along].values, row).statistic
        for row in table
    ]
    return xr.DataArray(rho, dims="seed")


def exponential(data: xr.Dataset) -> Verdict:
    """C1: unseen >= .95 for random subsets of 50 or more; >= .85 for base and 10 or more others;
    at least 15 compositions mastered for each that is trained on (20 is the cap at 50 of 1024)."""
    parts = []
    for text in map(str, data.subset.values):
        if text.startswith("random ") and "," not in text and int(text.split()[1]) >= 50:
            gain = subset_values(data, "reached", text) / subset_values(data, "n_train", text)
            parts.append(at_least(subset_values(data, "unseen", text), 0.95, label=text))
            if int(text.split()[1]) == 50:
                parts.append(at_least(gain, 15, label=f"mastered per trained, {text}"))
    if base := largest_subset(data, "base"):
        parts.append(
            at_least(subset_values(data, "unseen", base), 0.85, label=f"base and {base[5:]} others")
        )
    return all_of(*parts) if parts else undecidable_without("random subset of 50")


def combinatorial(data: xr.Dataset) -> Verdict:
    """C2: the same with functions that repeat at every position."""
    name = largest_subset(data, "repeat random")
    if name is None:
        return undecidable_without("repeat subset")
    return at_least(subset_values(data, "unseen", name), 0.95, label=name)


def out_of_order(data: xr.Dataset) -> Verdict:
    """C3: accuracy falls with displaced functions at full k; displaced training raises it at
    m >= 3; no subset reaches .99 in every cell."""
    in_order = largest_subset(data, "random")
    if in_order is None:
        return undecidable_without("random subset")
    full = data.cell_accuracy.isel(k=-1, drop=True)
    by_m = full.sel(subset=in_order, drop=True).transpose("seed", "m")
    correlation = rank_correlation(by_m, "m")
    displaced = [str(s) for s in data.subset.values if "combo" in str(s) and "," not in str(s)]
    far = data.cell_accuracy.where(data.m >= 3).mean(["k", "m"])
    worst = data.cell_accuracy.min(["k", "m"]).max("subset")
    parts = [
        at_most(correlation, -0.8, label="rank correlation with m"),
        at_least(by_m.isel(m=0) - by_m.isel(m=-1), 0.3, label="fall from m = 0 to m = L"),
        at_most(worst, 0.99, label="worst cell of the best subset"),
    ]
    if displaced:
        gain = far.sel(subset=displaced).max("subset") - far.sel(subset=in_order, drop=True)
        parts.append(at_least(gain, 0.2, label="gain by displaced training, m >= 3"))
    else:
        parts.append(undecidable_without("displaced training"))
    return all_of(*parts)


def step_beats_direct(data: xr.Dataset) -> Verdict:
    """C4: unseen better by .3 at equal n and shape; the direct networks fit what they are trained
    on (>= .95) and stay at .9 at most elsewhere."""
    unseen = data.format_unseen
    gap = unseen.sel(format="step", drop=True) - unseen.sel(format="direct", drop=True)
    direct = data.sel(format="direct", drop=True)
    return all_of(
        at_least(gap.min("n"), 0.3, label="smallest gap over n"),
        at_most(direct.format_unseen.max("n"), 0.9, label="direct, unseen"),
        at_least(direct.format_seen.max("n"), 0.95, label="direct, seen, best n"),
    )


def slot_accuracy(data: xr.Dataset, family: str) -> xr.DataArray:
    """Accuracy on unseen pairs of the two-slot task where it was measured: (pairs, seed)."""
    return data.slot_unseen.sel(family=family, drop=True).dropna("pairs", how="all")


def permutation_works(data: xr.Dataset) -> Verdict:
    """C5: unseen >= .9 at two fifths of the pairs, <= .6 at a tenth, rising with n."""
    unseen = slot_accuracy(data, "permutation, bijection")
    decides = int(data.attrs["slot_decides"])
    return all_of(
        at_least(unseen.sel(pairs=decides, drop=True), 0.9, label=f"{decides} pairs"),
        at_most(unseen.isel(pairs=0, drop=True), 0.6, label=f"{int(unseen.pairs[0])} pairs"),
        ordered(unseen.transpose("seed", "pairs"), "pairs", -0.02, label="never falls by .02"),
    )


def control_fails(data: xr.Dataset) -> Verdict:
    """C5's control: a bijection after a bijection is worse by .3 at the same n, though fitted."""
    control = "bijection, bijection"
    trained = data.sel(pairs=int(data.attrs["slot_decides"]), drop=True)
    unseen = trained.slot_unseen
    gap = unseen.sel(family="permutation, bijection", drop=True)
    gap = gap - unseen.sel(family=control, drop=True)
    seen = trained.slot_seen.sel(family=control, drop=True)
    return all_of(
        at_least(gap, 0.3, label="permutation less bijection"),
        at_least(seen, 0.95, label="control fits its pairs"),
    )


def data_decides(data: xr.Dataset) -> Verdict:
    """C6: base alone fails with k; a few others repair it; nothing exceeds the ceiling."""
    if "base" not in data.subset.values or (larger := largest_subset(data, "base")) is None:
        return undecidable_without("base subsets")
    alone, helped = subset_values(data, "by_k", "base"), subset_values(data, "by_k", larger)
    small = [str(s) for s in data.subset.values if str(s) in ("random 5", "random 10")]
    parts = [
        at_least(alone.sel(k=[0, 1]).min("k"), 0.95, label="base, k <= 1"),
        at_most(alone.isel(k=-1, drop=True), 0.5, label="base, k = L"),
        ordered(alone.sel(k=slice(1, None)), "k", -0.02, "decreasing", label="base, falls with k"),
        at_least((helped - alone).isel(k=-1, drop=True), 0.3, label=f"{larger} less base, k = L"),
    ]
    for name in small:
        ceiling = subset_values(data, "ceiling", name)
        excess = subset_values(data, "unseen", name) - ceiling - 0.1 * (1 - ceiling)
        parts.append(at_most(excess, 0.02, label=f"above the ceiling, {name}"))
    return all_of(*parts)


def learning_times(curve: xr.DataArray) -> xr.DataArray:
    """Steps until accuracy .9, interpolated in log steps, of (seed, k, step) curves; the last step
    where it is not reached."""
    steps = np.log(np.maximum(curve.step.values, 1.0))
    out = curve.isel(step=-1, drop=True).transpose("seed", "k").copy()
    for index, row in zip(
        np.ndindex(out.shape),
        curve.transpose("seed", "k", "step").values.reshape(-1, len(steps)),
        strict=True,
    ):
        high = np.flatnonzero(row >= LEARNED)
        time = steps[-1]
        if len(high):
            i = high[0]
            part = 0.0 if i == 0 else (LEARNED - row[i - 1]) / (row[i] - row[i - 1])
            time = steps[max(i - 1, 0)] + part * (steps[i] - steps[max(i - 1, 0)])
        out.values[index] = math.exp(time)
    return out


def order_correlation(data: xr.Dataset, subset: str) -> xr.DataArray:
    """Rank correlation of k with the time to .9, per seed; 0 if all times are equal."""
    return rank_correlation(learning_times(subset_values(data, "k_accuracy", subset)), "k")


def learning_order(data: xr.Dataset) -> Verdict:
    """C7: few functions first with base subsets, many functions first with random ones."""
    base, drawn = largest_subset(data, "base"), largest_subset(data, "random")
    if base is None or drawn is None:
        return undecidable_without("base and random subsets")
    return all_of(
        holds_in_most_seeds(order_correlation(data, base) > 0, f"{base}: time rises with k"),
        holds_in_most_seeds(order_correlation(data, drawn) < 0, f"{drawn}: time falls with k"),
    )


def loss_floor(data: xr.Dataset) -> Verdict:
    """C12: the loss over all tokens ends within 2 % of its closed form."""
    name = next((str(s) for s in data.subset.values if "all tokens" in str(s)), None)
    if name is None:
        return undecidable_without("subset with the loss on all tokens")
    off = abs(subset_values(data, "loss", name) / subset_values(data, "floor", name) - 1)
    return at_most(off, 0.02, label="relative distance from the floor")


def selection(data: xr.Dataset) -> Verdict:
    """C9: the own task token is the most attended of the task tokens in 90 % of (block, symbol);
    it and the source get .6 of the attention; the answer follows a patched task token in 90 %."""
    if "selected" not in data:
        return undecidable_without("one-layer network")
    return all_of(
        at_least(data.selected, 0.9, label="own task token first"),
        at_least(data.selected_mass, 0.6, label="attention on task token and source"),
        at_least(data.patched, 0.9, label="follows the patch, worst block"),
    )


def read_on(network: xr.Dataset) -> str:
    """Which compositions one network is read on: unseen ones where it answers them, else seen."""
    unseen = network.deep_exact.sel(known="unseen")
    return "unseen" if float(unseen.mean()) >= 0.5 else "seen"


def lens_gain(data: xr.Dataset, network: str) -> xr.DataArray:
    """What every sub-layer adds to the lens's accuracy, as a share of the whole gain: (seed,
    sublayer). Read on unseen compositions where the network answers them, else on seen ones."""
    one = data.sel(network=network, drop=True)
    gain = one.lens.sel(known=read_on(one), drop=True).diff("sublayer")
    return (gain / gain.sum("sublayer")).transpose("seed", "sublayer")


def late_sublayers(data: xr.Dataset) -> list[str]:
    """Names of the sub-layers of the second half."""
    half = data.sizes["layer"] // 2
    return [f"{part} {i}" for i in data.layer.values[half:] for part in data.part.values]


def ablation_ratio(data: xr.Dataset, network: str) -> xr.DataArray:
    """Symbols lost without the attention of a layer of the second half, over the same in the first
    (sums over layers); unseen or seen compositions as in `lens_gain`."""
    one = data.sel(network=network, drop=True)
    one = one.sel(known=read_on(one), drop=True)
    loss = (one.deep_symbols - one.ablated_symbols.sel(part="attention", drop=True)).clip(0)
    half = data.sizes["layer"] // 2
    first, second = (
        loss.isel(layer=part).sum("layer") for part in (slice(half), slice(half, None))
    )
    return second / first.clip(1e-3)


def late_attention(data: xr.Dataset) -> Verdict:
    """C8: .8 of the lens's gain comes in the second half of the layers, and the attention of that
    half is 1.5 times as needed as that of the first; step by step and at once."""
    if "lens" not in data:
        return undecidable_without("deep networks")
    parts = []
    for network in map(str, data.network.values[:2]):
        gain = lens_gain(data, network).sel(sublayer=late_sublayers(data)).sum("sublayer")
        ratio = ablation_ratio(data, network)
        parts.append(at_least(gain, 0.8, label=f"{network}: gain in the second half"))
        parts.append(at_least(ratio, 1.5, label=f"{network}: attention, second half to first"))
    return all_of(*parts)


def execution(data: xr.Dataset) -> Verdict:
    """C8, later wording: MLPs of the second half bring half of the lens's gain or more, step by
    step and at once, and attention selects (C9)."""
    if "lens" not in data:
        return undecidable_without("deep networks")
    names = [name for name in late_sublayers(data) if name.startswith("MLP")]
    parts = [
        at_least(
            lens_gain(data, network).sel(sublayer=names).sum("sublayer"),
            0.5,
            label=f"{network}: gain at MLPs of the second half",
        )
        for network in map(str, data.network.values[:2])
    ]
    return all_of(*parts, selection(data))


def lstm_fails(data: xr.Dataset) -> Verdict:
    """C10: an LSTM of the same width and depth is worse on unseen compositions by .3 or more."""
    if "recurrent_unseen" not in data:
        return undecidable_without("LSTM")
    unseen = data.recurrent_unseen
    gap = unseen.sel(model="Transformer", drop=True) - unseen.sel(model="LSTM", drop=True)
    return at_least(gap, 0.3, label="Transformer less LSTM, unseen")


def depth_needed(data: xr.Dataset) -> Verdict:
    """C11: hand-written weights of one layer answer everything; trained step by step, networks are
    at .95 from two layers on; at once, fitting improves with depth."""
    if "depth_unseen" not in data:
        return undecidable_without("depth sweep")
    heads = int(data.attrs["heads"])
    step = data.depth_unseen.sel(format="step", heads=heads, drop=True)
    direct = data.depth_seen.sel(format="direct", heads=heads, drop=True)
    flat = step.sel(depth=slice(2, None)).min("depth")
    return all_of(
        at_least(data.constructed, 1.0, label="one layer, written by hand, all of C"),
        at_least(flat, 0.95, label="step by step, two layers and more"),
        ordered(direct.transpose("seed", "depth"), "depth", 0.0, label="at once, seen, rises"),
    )
