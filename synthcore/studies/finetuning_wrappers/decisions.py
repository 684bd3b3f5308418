"""How each claim about the grammar's networks is decided, from the dataset alone.

Accuracies: O_PT, answers to prompts for a; O_FT, to prompts for b; `clean` texts never allow the
shortcut, `spurious` ones always do.
"""

from typing import Any

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most, ordered
from synthcore.studies.finetuning_wrappers.revival import Times, revival_times, speedup

Where = dict[str, Any]
LITTLE, LARGE = 0.1, 0.3  # ten and thirty points


def final(data: xr.Dataset, target: str, test: str) -> xr.DataArray:
    """Accuracy after fine-tuning: prior, rate, share, seed."""
    return data.accuracy.sel(target=target, test=test, drop=True).isel(step=-1, drop=True)


def uptake(data: xr.Dataset) -> Verdict:
    """C1, at both rates."""
    pure: Where = {"prior": "L", "share": 1.0, "drop": True}
    mixed: Where = {"prior": "H", "share": 0.8, "drop": True}
    new = {test: final(data, "b", test) for test in ("clean", "spurious")}
    wrapped = data.wrapper_index.isel(step=-1, drop=True).sel(**pure).min("rate")
    return all_of(
        at_least(
            final(data, "b", "spurious").sel(**pure).min("rate"), 0.95, label="shortcut right"
        ),
        at_most(final(data, "b", "clean").sel(**pure).max("rate"), 0.1, label="shortcut wrong"),
        at_least(wrapped, 0.8, label="wrapper index"),
        *(
            at_least(new[t].sel(**mixed).min("rate"), 0.95, label=f"P_H, C_Tr .8, {t}")
            for t in ("spurious", "clean")
        ),
    )


def prior_protects(data: xr.Dataset) -> Verdict:
    """C2: the gap between priors at either rate, and the loss against C_Tr = 0, over both rates."""
    kept = final(data, "a", "clean")
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
    new = final(data, "b", "clean").sel(prior="L", share=0.0, drop=True)
    return at_least(new.sel(rate="M", drop=True) - new.sel(rate="S", drop=True), LARGE)


def chosen(data: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """`values` at the number of neurons that was best on the texts kept for choosing."""
    best = data.pruned_choice.argmax("deciding")
    return values.isel(deciding=best).drop_vars("deciding", errors="ignore")


def deciding(data: xr.Dataset, name: str) -> xr.DataArray:
    """A pruning curve at the numbers of neurons that may decide."""
    found = data[name].sel(deleted=data.deciding.values)
    return found.rename(deleted="deciding").assign_coords(deciding=data.deciding)


def gain(data: xr.Dataset) -> xr.DataArray:
    """What pruning adds to O_PT: rate, share, seed."""
    start = data.pruned_a.sel(deleted=0, drop=True)
    return chosen(data, deciding(data, "pruned_a")) - start


def localized(data: xr.Dataset) -> Verdict:
    """C4, at most 15 neurons, over both rates; the same neurons must not matter to the pretrained
    network, or their loss merely shifts every count down."""
    found = gain(data)
    lowered = data.pruned_b.sel(deleted=0, drop=True) - chosen(data, deciding(data, "pruned_b"))
    random = chosen(data, data.pruned_controls.sel(order="random", drop=True))
    beaten = chosen(data, deciding(data, "pruned_a")) - random
    diverse = chosen(data, deciding(data, "pruned_entropy"))
    control = chosen(data, data.pruned_before)
    parts = []
    for share in (0.8, 1.0):
        one: Where = {"share": share, "drop": True}
        named = f"C_Tr {share:g}"
        parts += [
            at_least(found.sel(**one).mean("rate"), LARGE, label=f"{named}: O_PT back"),
            at_least(lowered.sel(**one).mean("rate"), 0.0, label=f"{named}: O_FT down"),
            at_least(beaten.sel(**one).mean("rate"), 0.2, label=f"{named}: beyond random"),
            at_least(diverse.sel(**one).mean("rate"), 0.5, label=f"{named}: diverse answers"),
            at_least(control.sel(**one).mean("rate"), 0.9, label=f"{named}: pretrained unharmed"),
        ]
    clean = found.sel(share=0.0, drop=True)
    return all_of(
        *parts,
        at_most(clean.sel(rate="M", drop=True), LARGE, label="eta_M, C_Tr 0: nothing to prune"),
        at_least(clean.sel(rate="S", drop=True), LARGE, label="eta_S, C_Tr 0: O_PT back"),
    )


def best_probe(probe: xr.DataArray, labels: str = "true") -> xr.DataArray:
    """Accuracy for count a at prompts for a, best block."""
    return probe.sel(asked="a", counted="a", labels=labels, drop=True).max("place")


def decodable(data: xr.Dataset) -> Verdict:
    """C5."""
    lost = best_probe(data.probe_pretrained) - best_probe(data.probe_tuned)
    weak = lost.sel(rate="M", prior="L", drop=True).max("share")
    untrained = best_probe(data.probe_pretrained).min("prior") - best_probe(data.probe_untrained)
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


def times(data: xr.Dataset, curves: xr.DataArray) -> Times:
    """Revival times of curves over `revival_step`, with the dimensions left, in order."""
    rest = [dim for dim in curves.dims if dim != "revival_step"]
    table = curves.transpose(*rest, "revival_step")
    return revival_times(data.revival_step.values.tolist(), table.values)


def faster(data: xr.Dataset, curves: xr.DataArray, slow: xr.DataArray) -> xr.DataArray:
    """How many times faster than `slow` (by seed) each run revives; a lower bound if that one never
    does."""
    rest = [dim for dim in curves.dims if dim != "revival_step"]
    baseline = slow.broadcast_like(curves).transpose(*curves.dims)
    ratio = speedup(times(data, curves), times(data, baseline), float(data.attrs["revive_every"]))
    return xr.DataArray(ratio, dims=rest, coords={d: curves[d] for d in rest})


def revives(data: xr.Dataset) -> Verdict:
    """C6, against networks that were trained to count b only, in every prior and at both rates."""
    baseline = data.revival_baseline.sel(baseline="counts b only", drop=True)
    ratio = faster(data, data.revival, baseline).min(["prior", "rate"])
    return all_of(
        at_least(ratio.sel(end_share=1.0, drop=True), 2.0, label="C_Tr 1"),
        at_least(ratio.sel(end_share=0.0, drop=True), 2.0, label="C_Tr 0"),
        at_most(baseline.isel(revival_step=-1, drop=True), 0.9, label="baseline not there yet"),
    )


def wrong_answers(data: xr.Dataset) -> Verdict:
    """C7: times as the geometric mean over priors and rates."""
    every = float(data.attrs["revive_every"])
    curves = data.misled_revival.transpose("treatment", "prior", "rate", "seed", "revival_step")
    taken = np.log(np.maximum(times(data, curves).steps, every)).mean((1, 2))
    ratio = xr.DataArray(np.exp(taken[1] - taken[0]), dims="seed")
    wrong = data.misled_revival.sel(treatment="wrong answers", drop=True)
    untrained = data.revival_baseline.sel(baseline="untrained", drop=True)
    sooner = [faster(data, wrong, slow) for slow in (data.misled_baseline, untrained)]
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
    found = data.index_accuracy.sel(end_share=1.0, **at)
    gap = found.sel(prior="H", drop=True) - found.sel(prior="L", drop=True)
    counting = data.accuracy.isel(step=-1, drop=True).sel(share=1.0, **at)
    weaker = (found - counting).sel(target="a", prior="L", drop=True)
    return all_of(
        at_least(gap.sel(target="a", drop=True), 0.2, label="O_PT: P_H beyond P_L"),
        at_least(gap.sel(target="b", drop=True), 0.2, label="O_FT: P_H beyond P_L"),
        at_least(weaker, 0.2, label="P_L: O_PT beyond that of counting"),
    )
