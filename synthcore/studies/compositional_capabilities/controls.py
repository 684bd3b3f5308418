"""What the networks are compared with under the same rules: ideal learners, which do what a claim
says, and learners or runs that do not. Policies, the network written by hand and untrained ones
were measured as trained networks are.

A run's results are a tree with one dataset per experiment: step, policies, direct, slots,
one_layer, constructed, depth, lstm, deep, bias, sets.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.results import of, with_experiment
from synthcore.studies.compositional_capabilities.experiments.formats import (
    COMMUTING,
    FORMAT_NAMES,
    IN_TURN,
    step_at_direct,
)
from synthcore.studies.compositional_capabilities.experiments.mechanism import BY_HAND
from synthcore.studies.compositional_capabilities.task.subsets import largest_subset

MEASURED = ("seen", "unseen", "by_k", "cell_accuracy")


def with_policy(results: xr.DataTree, policy: str, subset: str | None = None) -> xr.DataTree:
    """A policy in the place of the stepwise networks, of one subset or of all."""
    data, known = of(results, "step"), of(results, "policies").sel(policy=policy, drop=True)
    changed = {}
    for name in MEASURED:
        own = data[name]
        there = known[name].transpose(*own.dims)
        changed[name] = there if subset is None else xr.where(own.subset == subset, there, own)
        changed[name] = changed[name].transpose(*own.dims)
    return with_experiment(results, "step", data.assign(changed))


def exact(results: xr.DataTree) -> xr.DataTree:
    """The algorithm itself, step by step; what it masters is everything."""
    ideal = with_policy(results, "exact")
    data = of(ideal, "step")
    whole = xr.full_like(data.reached_at_least, data.attrs["whole"])
    return with_experiment(ideal, "step", data.assign(reached_at_least=whole))


def memoriser(results: xr.DataTree) -> xr.DataTree:
    """The trained composition that is nearest, step by step."""
    shortcut = with_policy(results, "memoriser")
    data = of(shortcut, "step")
    return with_experiment(shortcut, "step", data.assign(reached_at_least=data.n_train))


def all_but_one(results: xr.DataTree) -> xr.DataTree:
    """Functions are bound to their slots, unless training shows displaced ones; then all but one
    are read right wherever they stand."""
    return with_policy(results, "all but one")


def base_only_fails(results: xr.DataTree) -> xr.DataTree:
    """Base alone is memorised, with others the algorithm is found."""
    return with_policy(with_policy(results, "exact"), "memoriser", subset="base")


def base_twice(results: xr.DataTree) -> xr.DataTree:
    """A placebo: networks of base alone, those of the next seed, in the place of base and
    others."""
    data = of(results, "step")
    larger = largest_subset(data.subset.values, "base")
    by_k = data.by_k.copy(deep=True)
    alone = data.by_k.sel(subset="base").roll(seed=1, roll_coords=False)
    by_k.loc[{"subset": larger}] = alone.reset_coords(drop=True)
    return with_experiment(results, "step", data.assign(by_k=by_k))


# --- learning order -----------------------------------------------------------------------------


def orders_permuted(results: xr.DataTree) -> xr.DataTree:
    """The labels k are permuted, for every seed and subset anew."""
    data = of(results, "step")
    curves = data.k_accuracy.transpose("subset", "seed", "k", "step").copy(deep=True)
    for i, seed in np.ndindex(curves.shape[:2]):
        random = np.random.default_rng([i, int(data.seed[seed])])
        order = 1 + random.permutation(data.sizes["k"] - 1)
        curves[i, seed] = curves.values[i, seed][[0, *order]]
    permuted = curves.transpose(*data.k_accuracy.dims)
    return with_experiment(results, "step", data.assign(k_accuracy=permuted))


def on_schedule(results: xr.DataTree) -> xr.DataTree:
    """A learner that finds compositions of few functions first with base subsets and of many first
    with others, one k after the other."""
    data = of(results, "step")
    share = xr.DataArray(
        np.linspace(0, 1, data.sizes["step"]), dims="step", coords={"step": data.step}
    )
    place = data.k / data.sizes["k"]
    base = xr.DataArray([str(s).startswith("base") for s in data.subset.values], dims="subset")
    late = xr.where(base, place, 1 - place).assign_coords(subset=data.subset)
    reached = (0.9 * share / (0.05 + 0.85 * late)).clip(max=1)
    curves = reached.broadcast_like(data.k_accuracy).transpose(*data.k_accuracy.dims)
    return with_experiment(results, "step", data.assign(k_accuracy=curves))


# --- formats ------------------------------------------------------------------------------------


def formats_alike(results: xr.DataTree) -> xr.DataTree:
    """A placebo: stepwise networks of the next seed in the place of direct ones."""
    data = of(results, "direct")
    step = step_at_direct(of(results, "step"), data, "unseen").roll(seed=1, roll_coords=False)
    alike = step.transpose(*data.direct_unseen.dims).drop_vars("n")
    return with_experiment(
        results, "direct", data.assign(direct_unseen=data.direct_unseen.copy(data=alike.values))
    )


def exact_and_memorised(results: xr.DataTree) -> xr.DataTree:
    """The algorithm step by step, the memoriser directly."""
    data = of(results, "direct")
    shortcut = data.assign(direct_seen=data.memoriser_seen, direct_unseen=data.memoriser_unseen)
    return with_experiment(with_policy(results, "exact"), "direct", shortcut)


# --- two slots ----------------------------------------------------------------------------------


def families_alike(results: xr.DataTree) -> xr.DataTree:
    """Networks of two bijections, of the next seed, in the place of those of a permutation and a
    bijection."""
    data = of(results, "slots")
    unseen = data.slot_unseen.copy(deep=True)
    turn = data.slot_unseen.sel(family=IN_TURN).roll(seed=1, roll_coords=False)
    decided = turn.sel(pairs=data.attrs["decides"])
    filled = turn.fillna(decided).reset_coords(drop=True)
    unseen.loc[{"family": COMMUTING}] = filled.transpose("pairs", "seed")
    return with_experiment(results, "slots", data.assign(slot_unseen=unseen))


def enough_pairs_are_found(results: xr.DataTree) -> xr.DataTree:
    """The algorithm from the size that decides on, for a permutation and a bijection; the memoriser
    everywhere else."""
    data = of(results, "slots")
    found = (data.family == COMMUTING) & (data.pairs >= data.attrs["decides"])
    unseen = xr.where(found, data.slot_exact, data.slot_memoriser)
    unseen = unseen.transpose(*data.slot_unseen.dims)
    return with_experiment(results, "slots", data.assign(slot_unseen=unseen))


# --- inside -------------------------------------------------------------------------------------


def _one_layer(results: xr.DataTree, model: str) -> xr.DataTree:
    data = of(results, "one_layer").copy(deep=True)
    for name in ("selected", "selected_mass", "patched", "patched_value"):
        other = data[name].sel(model=model).reset_coords(drop=True)
        data[name].loc[{"model": "trained"}] = other
    return with_experiment(results, "one_layer", data)


def untrained_attention(results: xr.DataTree) -> xr.DataTree:
    """The same networks before training."""
    return _one_layer(results, "untrained")


def attention_by_hand(results: xr.DataTree) -> xr.DataTree:
    """The network of one layer written by hand."""
    return _one_layer(results, "by hand")


def layers_exchanged(results: xr.DataTree) -> xr.DataTree:
    """In every second seed the halves of all networks change places."""
    data = of(results, "deep").copy(deep=True)
    half = data.sizes["layer"] // 2
    odd = {"seed": slice(1, None, 2)}
    data["ablated_symbols"][odd] = data.ablated_symbols[odd].roll(layer=half, roll_coords=False)
    gain = data.lens.diff("sublayer").roll(sublayer=2 * half, roll_coords=False)
    start = data.lens.isel(sublayer=[0])
    moved = xr.concat(
        [start, start.isel(sublayer=0, drop=True) + gain.cumsum("sublayer")], "sublayer"
    )
    moved = moved.assign_coords(sublayer=data.sublayer).transpose(*data.lens.dims)
    data["lens"][odd] = moved[odd]
    return with_experiment(results, "deep", data)


def last_layer_by_hand(results: xr.DataTree) -> xr.DataTree:
    """Networks whose last layer is the one written by hand and whose others do nothing."""
    data = of(results, "deep").copy(deep=True)
    for name in ("deep_symbols", "deep_exact", "lens", "ablated_symbols"):
        own = data[name].sel(network=BY_HAND).reset_coords(drop=True)
        data[name].loc[{"network": FORMAT_NAMES["step"]}] = own
    return with_experiment(results, "deep", data)


# --- architectures ------------------------------------------------------------------------------


def _lstm(results: xr.DataTree, names: dict[str, str], roll: int = 0) -> xr.DataTree:
    data = of(results, "lstm")
    unseen = data.recurrent_unseen.copy(deep=True)
    for to, source in names.items():
        other = data.recurrent_unseen.sel(model=source).roll(seed=roll, roll_coords=False)
        unseen.loc[{"model": to}] = other.reset_coords(drop=True)
    return with_experiment(results, "lstm", data.assign(recurrent_unseen=unseen))


def transformer_twice(results: xr.DataTree) -> xr.DataTree:
    """A placebo: transformers of the next seed in the place of LSTMs."""
    return _lstm(results, {"LSTM": "Transformer"}, roll=1)


def lstm_memorises(results: xr.DataTree) -> xr.DataTree:
    """The memoriser in the place of the LSTM, the algorithm in that of the transformer."""
    ideal = _lstm(results, {"LSTM": "memoriser"})
    data = of(ideal, "lstm")
    unseen = xr.where(data.model == "Transformer", 1.0, data.recurrent_unseen)
    unseen = unseen.transpose(*data.recurrent_unseen.dims)
    return with_experiment(ideal, "lstm", data.assign(recurrent_unseen=unseen))


def depths_exchanged(results: xr.DataTree) -> xr.DataTree:
    """In every second seed the deepest network is called the shallowest."""
    data = of(results, "depth").copy(deep=True)
    odd = {"seed": slice(1, None, 2)}
    turned = data.depth_seen[odd].isel(depth=slice(None, None, -1))
    data["depth_seen"][odd] = turned.assign_coords(depth=data.depth)
    return with_experiment(results, "depth", data)


def depth_fits(results: xr.DataTree) -> xr.DataTree:
    """The algorithm step by step, and a direct learner that fits in proportion to its layers."""
    data = of(results, "depth")
    fits = (data.depth / data.depth.max()).broadcast_like(data.depth_seen)
    return with_experiment(
        results,
        "depth",
        data.assign(
            depth_unseen=xr.ones_like(data.depth_unseen),
            depth_seen=fits.transpose(*data.depth_seen.dims),
        ),
    )


# --- training sets ------------------------------------------------------------------------------


def identified(results: xr.DataTree) -> xr.DataTree:
    """A learner that answers what is identifiable, as measured on the same training sets."""
    data = of(results, "sets")
    return with_experiment(
        results, "sets", data.assign(sweep_unseen=data.sweep_identifiable.copy())
    )


def a_share_is_needed(results: xr.DataTree) -> xr.DataTree:
    """A learner for whom the share that was trained on counts: the accuracy of the smallest set at
    the same share, in sets of every size."""
    data = of(results, "sets")
    first = data.isel(functions=0)
    accuracies = first.sweep_unseen.transpose("seed", "n").values
    there = np.isfinite(accuracies).all(0)
    logs = np.log(data.n.values[there])
    changed = data.sweep_unseen.transpose("functions", "seed", "n").copy(deep=True)
    for i, whole in enumerate(data.whole.values):
        sizes = np.log(data.n.values * first.whole.item() / whole)
        for s, row in enumerate(accuracies):
            changed[i, s] = np.interp(sizes, logs, row[there])
    shared = changed.transpose(*data.sweep_unseen.dims)
    return with_experiment(results, "sets", data.assign(sweep_unseen=shared))
