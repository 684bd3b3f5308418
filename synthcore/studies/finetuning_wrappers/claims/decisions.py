"""How each claim is decided, from the dataset alone.

Accuracies: O_PT, answers to prompts for a; O_FT, to prompts for b; `clean` texts never allow the
shortcut, `spurious` ones always do.
"""

from typing import Any

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most, ordered
from synthcore.studies.finetuning_wrappers.measure import (
    RelearningTimes,
    relearning_times,
    speedup,
)

Where = dict[str, Any]
LITTLE, LARGE = 0.1, 0.3  # ten and thirty points
SELECTOR = 1  # the second block of the compiled counter, where it selects


def final_accuracy(data: xr.Dataset, target: str, test: str) -> xr.DataArray:
    """Accuracy after fine-tuning: prior, rate, share, seed."""
    return data.accuracy.sel(target=target, test=test, drop=True).isel(step=-1, drop=True)


def uptake(data: xr.Dataset) -> Verdict:
    """C1, at both rates."""
    pure: Where = {"prior": "L", "share": 1.0, "drop": True}
    mixed: Where = {"prior": "H", "share": 0.8, "drop": True}
    new = {test: final_accuracy(data, "b", test) for test in ("clean", "spurious")}
    wrapped = data.wrapper_index.isel(step=-1, drop=True).sel(**pure).min("rate")
    return all_of(
        at_least(
            final_accuracy(data, "b", "spurious").sel(**pure).min("rate"),
            0.95,
            label="shortcut right",
        ),
        at_most(
            final_accuracy(data, "b", "clean").sel(**pure).max("rate"), 0.1, label="shortcut wrong"
        ),
        at_least(wrapped, 0.8, label="wrapper index"),
        *(
            at_least(new[t].sel(**mixed).min("rate"), 0.95, label=f"P_H, C_Tr .8, {t}")
            for t in ("spurious", "clean")
        ),
    )


def prior_protects(data: xr.Dataset) -> Verdict:
    """C2: the gap between priors at either rate, and the loss against C_Tr = 0, over both rates."""
    kept = final_accuracy(data, "a", "clean")
    gap = kept.sel(prior="H", drop=True) - kept.sel(prior="L", drop=True)
    gap = gap.sel(share=1.0, drop=True)
    lost = kept.sel(share=0.0, drop=True) - kept.sel(share=1.0, drop=True)
    strong = [str(p) for p in data.prior.values if p != "L"]
    return all_of(
        *(at_least(gap.sel(rate=r, drop=True), 0.2, label=f"P_H less P_L, eta_{r}") for r in "MS"),
        *(
            at_least(
                lost.sel(prior=p, drop=True).mean("rate"),
                0.0,
                rule="mean",
                label=f"P_{p}: lost at C_Tr 1 beyond 0",
            )
            for p in strong
        ),
    )


def rate_decides(data: xr.Dataset) -> Verdict:
    """C3."""
    new = final_accuracy(data, "b", "clean").sel(prior="L", share=0.0, drop=True)
    return at_least(new.sel(rate="M", drop=True) - new.sel(rate="S", drop=True), LARGE)


def at_chosen_number(data: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """`values` at the number of neurons that was best on the texts kept for choosing."""
    best = data.pruned_choice.argmax("deciding")
    return values.isel(deciding=best).drop_vars("deciding", errors="ignore")


def at_deciding_numbers(data: xr.Dataset, name: str) -> xr.DataArray:
    """A pruning curve at the numbers of neurons that may decide."""
    curve = data[name].sel(deleted=data.deciding.values)
    return curve.rename(deleted="deciding").assign_coords(deciding=data.deciding)


def pruning_gain(data: xr.Dataset) -> xr.DataArray:
    """What pruning adds to O_PT: rate, share, seed."""
    start = data.pruned_a.sel(deleted=0, drop=True)
    return at_chosen_number(data, at_deciding_numbers(data, "pruned_a")) - start


def localized(data: xr.Dataset) -> Verdict:
    """C4, at most 15 neurons, over both rates; the same neurons must not matter to the pretrained
    network, or their loss merely shifts every count down."""
    gained = pruning_gain(data)
    new = at_chosen_number(data, at_deciding_numbers(data, "pruned_b"))
    lowered = data.pruned_b.sel(deleted=0, drop=True) - new
    random = at_chosen_number(data, data.pruned_controls.sel(order="random", drop=True))
    beaten = at_chosen_number(data, at_deciding_numbers(data, "pruned_a")) - random
    diverse = at_chosen_number(data, at_deciding_numbers(data, "pruned_entropy"))
    control = at_chosen_number(data, data.pruned_before)
    parts = []
    for share in (0.8, 1.0):
        one: Where = {"share": share, "drop": True}
        named = f"C_Tr {share:g}"
        parts += [
            at_least(gained.sel(**one).mean("rate"), LARGE, label=f"{named}: O_PT back"),
            at_least(lowered.sel(**one).mean("rate"), 0.0, label=f"{named}: O_FT down"),
            at_least(beaten.sel(**one).mean("rate"), 0.2, label=f"{named}: beyond random"),
            at_least(diverse.sel(**one).mean("rate"), 0.5, label=f"{named}: diverse answers"),
            at_least(control.sel(**one).mean("rate"), 0.9, label=f"{named}: pretrained unharmed"),
        ]
    clean = gained.sel(share=0.0, drop=True)
    return all_of(
        *parts,
        at_most(clean.sel(rate="M", drop=True), LARGE, label="eta_M, C_Tr 0: nothing to prune"),
        at_least(clean.sel(rate="S", drop=True), LARGE, label="eta_S, C_Tr 0: O_PT back"),
    )


def best_probe_accuracy(probe: xr.DataArray) -> xr.DataArray:
    """Accuracy for count a at prompts for a, best block."""
    return probe.sel(asked="a", counted="a", labels="true", drop=True).max("place")


def decodable(data: xr.Dataset) -> Verdict:
    """C5."""
    lost = best_probe_accuracy(data.probe_pretrained) - best_probe_accuracy(data.probe_tuned)
    weak = lost.sel(rate="M", prior="L", drop=True).max("share")
    untrained = best_probe_accuracy(data.probe_pretrained).min("prior") - best_probe_accuracy(
        data.probe_untrained
    )
    rest = [str(p) for p in data.prior.values if p != "L"]
    return all_of(
        at_most(lost.sel(rate="S", drop=True).max(["prior", "share"]), LITTLE, label="eta_S: kept"),
        at_least(weak, LITTLE, label="eta_M, P_L: a drop"),
        at_most(
            lost.sel(rate="M", prior=rest).max(["prior", "share"]),
            LITTLE,
            label="eta_M, other priors: kept",
        ),
        at_least(untrained, 0.2, label="untrained networks far below"),
    )


def times_until_back(data: xr.Dataset, curves: xr.DataArray) -> RelearningTimes:
    """Times until curves over `revival_step` are back, with the dimensions left, in order."""
    table = curves.transpose(..., "revival_step")
    return relearning_times(data.revival_step.values.tolist(), table.values)


def speedup_over(data: xr.Dataset, curves: xr.DataArray, slow: xr.DataArray) -> xr.DataArray:
    """How many times faster than `slow` (by seed) each run is back; a lower bound if that one never
    is."""
    rest = [dim for dim in curves.dims if dim != "revival_step"]
    baseline = slow.broadcast_like(curves).transpose(*curves.dims)
    taken, known = times_until_back(data, curves), times_until_back(data, baseline)
    ratio = speedup(taken, known, resolution=float(data.attrs["revive_every"]))
    return xr.DataArray(ratio, dims=rest, coords={d: curves[d] for d in rest})


def relearns_faster(data: xr.Dataset) -> Verdict:
    """C6, against networks that were trained to count b only, in every prior and at both rates."""
    baseline = data.revival_baseline.sel(baseline="counts b only", drop=True)
    ratio = speedup_over(data, data.revival, baseline).min(["prior", "rate"])
    return all_of(
        at_least(ratio.sel(end_share=1.0, drop=True), 2.0, label="C_Tr 1"),
        at_least(ratio.sel(end_share=0.0, drop=True), 2.0, label="C_Tr 0"),
        at_most(baseline.isel(revival_step=-1, drop=True), 0.9, label="baseline not there yet"),
    )


def wrong_answers(data: xr.Dataset) -> Verdict:
    """C7: times as the geometric mean over priors and rates."""
    every = float(data.attrs["revive_every"])
    curves = data.misled_revival.transpose("treatment", "prior", "rate", "seed", "revival_step")
    taken = np.log(np.maximum(times_until_back(data, curves).steps, every)).mean((1, 2))
    ratio = xr.DataArray(np.exp(taken[1] - taken[0]), dims="seed")
    wrong = data.misled_revival.sel(treatment="wrong answers", drop=True)
    untrained = data.revival_baseline.sel(baseline="untrained", drop=True)
    sooner = [speedup_over(data, wrong, slow) for slow in (data.misled_baseline, untrained)]
    unlearned = data.misled_before.sel(treatment="wrong answers", drop=True).max(["prior", "rate"])
    read = data.misled_probe.sel(treatment="wrong answers", drop=True).min(["prior", "rate"])
    return all_of(
        at_most(unlearned, 0.5, label="old answers gone"),
        at_most(ratio, 1.5, label="as fast as usual"),
        at_least(sooner[0].min(["prior", "rate"]), 1.0, label="faster than b only"),
        at_least(sooner[1].min(["prior", "rate"]), 1.0, label="faster than untrained"),
        at_least(read, 0.9, label="count a decodable"),
    )


def mixing_and_names(data: xr.Dataset) -> Verdict:
    """C8: mixing at eta_M; names at eta_M, probes in blocks but the last."""
    kept = data.mixed.sel(target="a", test="clean", drop=True)
    kept = kept.sel(mixture=[m for m in data.mixture.values if m > 0])
    other = data.named.sel(name=["count, J1", "count, J2"]).min("name")
    middle = data.named_probe.isel(place=slice(1, -1)).max("place")
    at: Where = {"rate": "M", "drop": True}
    return all_of(
        *(
            ordered(kept.sel(mixed_prior=p, drop=True), "mixture", label=f"P_{p}: more is kept")
            for p in data.mixed_prior.values
        ),
        at_least(other.sel(**at), 0.95, label="other names answer a"),
        at_most(data.named.sel(name="count", **at), 0.5, label="the tuned name does not"),
        at_least(middle.sel(**at), 0.9, label="count a decodable under it"),
    )


def second_task(data: xr.Dataset) -> Verdict:
    """C13 at eta_S and C_Tr = 1."""
    at: Where = {"rate": "S", "test": "clean", "drop": True}
    accuracy = data.index_accuracy.sel(end_share=1.0, **at)
    gap = accuracy.sel(prior="H", drop=True) - accuracy.sel(prior="L", drop=True)
    counting = data.accuracy.isel(step=-1, drop=True).sel(share=1.0, **at)
    weaker = (accuracy - counting).sel(target="a", prior="L", drop=True)
    return all_of(
        at_least(gap.sel(target="a", drop=True), 0.2, label="O_PT: P_H beyond P_L"),
        at_least(gap.sel(target="b", drop=True), 0.2, label="O_FT: P_H beyond P_L"),
        at_least(weaker, 0.2, label="P_L: O_PT beyond that of counting"),
    )


# --- compiled networks and stories ---------------------------------------------------------------


def relative_attention(data: xr.Dataset) -> xr.DataArray:
    """Attention on letters a and b where the compiled counter selects, relative to what a counter
    of that letter pays: rate, share, seed, looked_at."""
    compiled = data.compiled_attention.isel(block=SELECTOR, drop=True).sel(looked_at="a", drop=True)
    return data.counter_attention.isel(block=SELECTOR, drop=True) / compiled


def attention_moves(data: xr.Dataset) -> Verdict:
    """C9. A counter of b attends to b as one of a does to a: letters are exchangeable."""
    share = relative_attention(data)
    a, b = (share.sel(looked_at=letter, drop=True) for letter in "ab")
    raw = data.counter_attention.isel(block=SELECTOR, drop=True).sel(looked_at="b", drop=True)
    small: Where = {"counter_rate": "S", "drop": True}
    middle: Where = {"counter_rate": "M", "drop": True}
    clean: Where = {"counter_share": 0.0, "drop": True}
    spurious: Where = {"counter_share": 1.0, "drop": True}
    return all_of(
        at_least(a.sel(**small).sel(**clean), 0.8, label="eta_S, C_Tr 0: looks at a"),
        at_least(a.sel(**small).sel(**spurious), 0.8, label="eta_S, C_Tr 1: looks at a"),
        at_most(raw.sel(**small).max("counter_share"), 0.1, label="eta_S: not at b"),
        at_least(b.sel(**middle).sel(**clean), 0.3, label="eta_M, C_Tr 0: looks at b"),
        at_least(b.sel(counter_rate="L", drop=True).sel(**clean), 0.3, label="eta_L, C_Tr 0: at b"),
        at_most(raw.sel(**middle).sel(**spurious), 0.1, label="eta_M, C_Tr 1: not at b"),
        ordered(
            raw.sel(**middle), "counter_share", 0.0, "decreasing", label="eta_M: falls with C_Tr"
        ),
    )


def weight_gain(data: xr.Dataset) -> xr.DataArray:
    """The most that deleting one to four weights adds to O_PT: rate, share, seed."""
    old = data.weights_pruned.sel(weights_what="old, clean", drop=True)
    return old.sel(weights=[1, 2, 3, 4]).max("weights") - old.sel(weights=0, drop=True)


def one_weight(data: xr.Dataset) -> Verdict:
    """C10."""
    gained = weight_gain(data)
    end = data.counter_revival.isel(counter_revival_step=-1, drop=True)
    spurious, clean = (gained.sel(counter_share=c, drop=True) for c in (1.0, 0.0))
    return all_of(
        *(
            at_least(spurious.sel(counter_rate=r, drop=True), 0.4, label=f"eta_{r}: O_PT back")
            for r in ("M", "S")
        ),
        at_most(clean.sel(counter_rate=["M", "S"]).max("counter_rate"), 0.4, label="C_Tr 0: not"),
        at_least(end.sel(counter_rate="M", drop=True), 0.9, label="eta_M revived at eta_VS"),
        at_most(end.sel(counter_rate="L", drop=True), 0.9, label="eta_L not revived"),
    )


def read_out_only(data: xr.Dataset) -> Verdict:
    """C11 at C_Tr = 0."""
    new = data.order_accuracy.sel(
        order_share=0.0, string_test="clean", string_target="new", drop=True
    )
    moved = data.order_distance.sel(order_share=0.0, role="sorting", drop=True)

    def beyond(values: xr.DataArray, rate: str, sign: int) -> xr.DataArray:
        least = values.sel(order_rate="VS", drop=True)
        return sign * (least - values.sel(order_rate=rate, drop=True))

    return all_of(
        *(
            at_least(beyond(new, r, 1), 0.3, label=f"new answers: eta_VS beyond eta_{r}")
            for r in ("S", "M")
        ),
        *(
            at_least(beyond(moved, r, -1), 0.0, label=f"sorting: eta_{r} moved further")
            for r in ("S", "M")
        ),
    )


def early_area(data: xr.Dataset, curve: xr.DataArray) -> xr.DataArray:
    """Mean over the first tenth of the recovery's steps, by trapezoids."""
    last = float(data.story_step[-1]) / 10
    early = curve.sel(story_step=slice(0, last + 1e-9))
    if early.sizes["story_step"] < 2:
        return early.isel(story_step=0, drop=True) * np.nan
    span = float(early.story_step[-1] - early.story_step[0])
    area: xr.DataArray = early.integrate("story_step") / span
    return area


def stories(data: xr.Dataset) -> Verdict:
    """C12: the loss on stories with a twist rises under every protocol; the probe for it drops by
    at most half of its distance to a network that never saw one, other probes by 0.05; and over the
    first tenth of the recovery more stories have a twist than in that control."""
    rise = data.story_loss.isel(story_step=-1) - data.story_loss_before.sel(
        kind="with twist", drop=True
    )
    probe = data.story_probe_before.max("story_place")
    before = probe.sel(kind="with twist", drop=True)
    lost = before - data.story_probe.max("story_place")
    gap = before - probe.sel(kind="never saw one", drop=True)
    within = 0.5 * gap.sel(feature="twist", drop=True) - lost.sel(feature="twist", drop=True)
    others = [f for f in data.feature.values if f != "twist"]
    areas = early_area(data, data.story_score)
    control = early_area(data, data.story_score_control)
    cells = ["protocol", "story_rate"]
    return all_of(
        at_least(rise.min(cells), 0.0, label="loss on twists rises"),
        at_least(within.min(cells), 0.0, label="probe drops by less than half the gap"),
        at_most(lost.sel(feature=others).mean("feature").max(cells), 0.05, label="others kept"),
        *(
            at_least(
                (areas - control).sel(protocol=p, drop=True).min("story_rate"),
                0.0,
                label=f"{p}: back sooner than learned",
            )
            for p in data.protocol.values
        ),
    )
