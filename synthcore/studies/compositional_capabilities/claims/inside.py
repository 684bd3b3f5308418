"""What is estimated per seed of two slots, of the networks' inside, of other architectures and of
the sweep of training sets."""

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import can_move, flat, reaches
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most, within_tolerance
from synthcore.studies.compositional_capabilities.claims.endpoints import FITTED
from synthcore.studies.compositional_capabilities.experiments.formats import (
    COMMUTING,
    FORMAT_NAMES,
    IN_TURN,
)
from synthcore.studies.compositional_capabilities.experiments.training_sets import (
    HALF,
    seen_at_half,
)

STEP, DIRECT = FORMAT_NAMES["step"], FORMAT_NAMES["direct"]


def _plain(values: xr.DataArray) -> xr.DataArray:
    return values.reset_coords(drop=True)


# --- two slots ----------------------------------------------------------------------------------


def slot_values(results: xr.DataTree, variable: str, family: str) -> xr.DataArray:
    """A measurement of one family at the sizes at which it was made: (pairs, seed)."""
    values = of(results, "slots")[variable].sel(family=family)
    return _plain(values).dropna("pairs", how="all")


def _decides(results: xr.DataTree) -> int:
    return int(of(results, "slots").attrs["decides"])


def enough_pairs_compose(results: xr.DataTree) -> Verdict:
    """Unseen pairs at two fifths of all."""
    unseen = slot_values(results, "slot_unseen", COMMUTING).sel(pairs=_decides(results))
    label = f"unseen, {_decides(results)} pairs"
    return at_least(_plain(unseen), 0.9, label, method="median")


def few_pairs_do_not(results: xr.DataTree) -> Verdict:
    """Unseen pairs at a tenth of all."""
    unseen = slot_values(results, "slot_unseen", COMMUTING).isel(pairs=0)
    return at_most(_plain(unseen), 0.6, f"unseen, {int(unseen.pairs)} pairs", method="median")


def pairs_are_fitted(results: xr.DataTree) -> Gate:
    """Seen pairs are right at every size."""
    seen = slot_values(results, "slot_seen", COMMUTING).mean("seed").min("pairs")
    return reaches(seen, FITTED, "seen pairs, worst size")


def pairs_have_settled(results: xr.DataTree) -> Gate:
    """Accuracy on unseen pairs no longer changes at the size that decides."""
    late = slot_values(results, "slot_late", COMMUTING).sel(pairs=_decides(results))
    return flat(_plain(late), 0.1, what="unseen pairs")


def commuting_is_easier(results: xr.DataTree) -> Verdict:
    """Unseen pairs, a permutation and a bijection less two bijections, at the same size."""
    first, second = (
        _plain(slot_values(results, "slot_unseen", family).sel(pairs=_decides(results)))
        for family in (COMMUTING, IN_TURN)
    )
    return at_least(first - second, 0.3, "permutation less bijection", method="median")


def control_is_fitted(results: xr.DataTree) -> Gate:
    """Pairs of two bijections that were trained on are right."""
    seen = slot_values(results, "slot_seen", IN_TURN).sel(pairs=_decides(results))
    return reaches(seen, FITTED, "seen pairs of two bijections")


# --- one layer ----------------------------------------------------------------------------------


def _trained(results: xr.DataTree, variable: str) -> xr.DataArray:
    return _plain(of(results, "one_layer")[variable].sel(model="trained"))


def own_task_token_is_first(results: xr.DataTree) -> Verdict:
    """Share of (block, symbol) in which the own task token gets most of the task tokens."""
    return at_least(_trained(results, "selected"), 0.9, "own task token first", method="median")


def attention_is_on_both(results: xr.DataTree) -> Verdict:
    """Attention on the own task token and the source."""
    mass = _trained(results, "selected_mass")
    return at_least(mass, 0.6, "attention on task token and source", method="median")


def follows_the_patch(results: xr.DataTree) -> Verdict:
    """Share of answers that follow a patched task token, worst block."""
    return at_least(_trained(results, "patched"), 0.9, "follows the patch", method="median")


def one_layer_composes(results: xr.DataTree) -> Gate:
    """The one layer answers unseen compositions."""
    unseen = of(results, "one_layer").one_layer_unseen.median("seed")
    return reaches(unseen, 0.9, "one layer, unseen (median)")


# --- deep networks ------------------------------------------------------------------------------


def deepest(results: xr.DataTree, network: str) -> xr.Dataset:
    """The network of most layers of one kind."""
    data = of(results, "deep").isel(layers=-1).sel(network=network)
    return data.reset_coords(drop=True)


def late_share(network: xr.Dataset, known: str) -> xr.DataArray:
    """Of the symbols that networks lose when the attention of one layer is at its mean, the share
    that falls on layers of the second half; a half if nothing is lost."""
    one = network.sel(known=known)
    ablated = one.ablated_symbols.sel(part="attention")
    lost = (one.deep_symbols - ablated).clip(min=0) + 1e-6
    late = lost.layer > network.sizes["layer"] // 2
    share: xr.DataArray = lost.where(late).sum("layer") / lost.sum("layer")
    return _plain(share)


def lens_gain(network: xr.Dataset, known: str) -> xr.DataArray:
    """What every sub-layer adds to the lens's accuracy, over the whole gain: (seed, sublayer)."""
    gain = network.lens.sel(known=known).diff("sublayer")
    return _plain(gain / gain.sum("sublayer")).transpose("seed", "sublayer")


def late_sublayers(network: xr.Dataset, part: str = "") -> list[str]:
    """Names of the sub-layers of the second half."""
    half = network.sizes["layer"] // 2
    parts = [part] if part else network.part.values.tolist()
    return [f"{name} {i}" for i in network.layer.values[half:] for name in parts]


def late_attention_is_needed(results: xr.DataTree) -> Verdict:
    """Share of what ablated attention costs that the second half accounts for; unseen, step by
    step."""
    share = late_share(deepest(results, STEP), "unseen")
    return at_least(share, 0.6, "step by step, unseen: share of the second half")


def late_attention_is_needed_directly(results: xr.DataTree) -> Verdict:
    """The same of direct networks, on seen compositions: they answer no others."""
    share = late_share(deepest(results, DIRECT), "seen")
    return at_least(share, 0.6, "direct, seen: share of the second half")


def lens_gains_late(results: xr.DataTree) -> Verdict:
    """The paper's measure: share of the logit lens's gain in the second half; unseen, step by
    step."""
    network = deepest(results, STEP)
    late = lens_gain(network, "unseen").sel(sublayer=late_sublayers(network)).sum("sublayer")
    return at_least(late, 0.8, "lens, step by step: gain in the second half")


def late_mlps_write(results: xr.DataTree) -> Verdict:
    """Share of the lens's gain at MLPs of the second half; unseen, step by step."""
    network = deepest(results, STEP)
    late = lens_gain(network, "unseen").sel(sublayer=late_sublayers(network, "MLP"))
    return at_least(late.sum("sublayer"), 0.5, "lens: gain at MLPs of the second half")


def deep_composes(results: xr.DataTree) -> Gate:
    """The deep stepwise network answers unseen compositions."""
    exact = deepest(results, STEP).deep_exact.sel(known="unseen")
    return reaches(exact, 0.9, "deep network, step by step, unseen")


def ablation_costs(results: xr.DataTree) -> Gate:
    """Some layer's attention is needed."""
    one = deepest(results, STEP).sel(known="unseen")
    lost = (one.deep_symbols - one.ablated_symbols.sel(part="attention")).max("layer")
    return reaches(lost, 0.1, "symbols lost without the most needed attention")


# --- architectures ------------------------------------------------------------------------------


def lstm_is_worse(results: xr.DataTree) -> Verdict:
    """Unseen, a transformer less an LSTM."""
    unseen = of(results, "lstm").recurrent_unseen
    gap = _plain(unseen.sel(model="Transformer") - unseen.sel(model="LSTM"))
    return at_least(gap, 0.3, "Transformer less LSTM, unseen")


def lstm_is_fitted(results: xr.DataTree) -> Gate:
    """The LSTM answers what it was trained on."""
    return reaches(of(results, "lstm").recurrent_seen.sel(model="LSTM"), FITTED, "LSTM, seen")


def _depth(results: xr.DataTree, variable: str, format: str) -> xr.DataArray:
    data = of(results, "depth")
    return _plain(data[variable].sel(format=format, heads=data.attrs["heads"]))


def two_layers_do(results: xr.DataTree) -> Verdict:
    """Step by step, unseen, the worst depth from two layers on."""
    worst = _depth(results, "depth_unseen", "step").sel(depth=slice(2, None)).min("depth")
    return at_least(worst, 0.9, "step by step, two layers and more")


def direct_gains_by_depth(results: xr.DataTree) -> Verdict:
    """Directly, seen, deepest less shallowest."""
    seen = _depth(results, "depth_seen", "direct")
    return at_least(_plain(seen.isel(depth=-1) - seen.isel(depth=0)), 0.1, "direct, seen, by depth")


def depth_can_help(results: xr.DataTree) -> Gate:
    """The shallowest direct network leaves room, and has left the ground."""
    seen = _depth(results, "depth_seen", "direct").mean("seed")
    return can_move(seen.mean("depth"), 0, 1, what="direct, seen, mean over depths")


def by_hand_answers_all(results: xr.DataTree) -> Verdict:
    """Weights of one layer, written by hand, on samples of every cell of C."""
    return within_tolerance(of(results, "constructed").constructed - 1, 1e-9, "one layer by hand")


def loss_ends_at_its_floor(results: xr.DataTree) -> Verdict:
    """Relative distance of the loss over all tokens from its closed form, the largest over subsets
    that have a floor."""
    data = of(results, "step")
    counted = data.isel(subset=np.flatnonzero((data.floor > 0).all("seed").values))
    if not counted.sizes["subset"]:
        return Verdict.not_testable("this run has no subset with the loss on all tokens")
    off = abs(counted.loss / counted.floor - 1).max("subset")
    return at_most(off, 0.02, "relative distance from the floor")


# --- training sets ------------------------------------------------------------------------------


def growth(data: xr.Dataset) -> xr.DataArray:
    """Slope of the logarithm of the number that must be seen over that of the number there are."""
    half, sizes = np.log(seen_at_half(data)), np.log(data.whole)
    off = sizes - sizes.mean()
    slope: xr.DataArray = (half * off).sum("functions", skipna=False) / (off**2).sum()
    return _plain(slope)


def needed_grows_slowly(results: xr.DataTree) -> Verdict:
    """That slope: 1 if a share must be seen, nearly 0 if a number is enough."""
    return at_most(growth(of(results, "sets")), 0.5, "slope, needed over all")


def half_is_inside_the_sweep(results: xr.DataTree) -> Gate:
    """For every N the fewest compositions are too few for half of the answers, and the most are
    enough: the share of N for which that holds."""
    means = of(results, "sets").sweep_unseen.mean("seed").transpose("functions", "n").values
    measured = [row[np.isfinite(row)] for row in means]
    inside = [row[0] < HALF <= row[-1] for row in measured]
    return reaches(inside, 1, "share of N with half inside the sweep")
