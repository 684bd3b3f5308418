"""What is estimated per seed of the oracle, of diversity, emergence and context.

Unless it says otherwise an endpoint reads the longest context. S is the normalised OOD score: 1 is
the level of counting states, 0 that of counting transitions.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import stays_below
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most, within_tolerance
from synthcore.studies.icl_markov.measure import scores


def octaves(start: xr.DataArray, end: xr.DataArray) -> xr.DataArray:
    """log2 of a ratio."""
    ratio: xr.DataArray = xr.apply_ufunc(np.log2, end / start)
    return ratio


def closed_forms_match(results: xr.DataTree) -> Verdict:
    """Simulated mean less closed form, in standard errors, the largest of all quantities."""
    data = of(results, "closed_forms")
    error = np.sqrt((data.error**2).sum("seed")) / data.sizes["seed"]
    z = (data.simulated.mean("seed") - data.exact) / error
    return within_tolerance(z, 4, "standard errors, worst of all quantities")


def nothing_beats_bayes(results: xr.DataTree) -> Verdict:
    """How far any network or algorithm is below Bi-Ret's ID loss, in standard errors."""
    data = of(results, "diversity")
    others = data.sel(algorithm=["Uni-Ret", "Uni-Inf", "Bi-Inf", "Hybrid-Ret"])
    lowest = [
        (data.excess_loss / data.excess_loss_error).min(),
        (others.excess_loss_algorithm / others.excess_loss_algorithm_error).min(),
    ]
    return within_tolerance(np.minimum(lowest, 0), 4, "standard errors below Bayes")


def _score(results: xr.DataTree) -> xr.DataArray:
    return scores.normalised_score(of(results, "diversity").isel(context=-1))


def _score_after(results: xr.DataTree) -> xr.DataArray:
    """S of every diversity and seed at one step after the transition."""
    data = of(results, "diversity")
    after = scores.normalised_score(data.isel(context=-1)).sel(step=scores.after_transition(data))
    return after.reset_coords(drop=True)


def few_do_not_generalise(results: xr.DataTree) -> Verdict:
    """S at the fewest chains."""
    return at_least(_score_after(results).isel(diversity=0, drop=True), 0.75, "S, fewest chains")


def few_are_recalled(results: xr.DataTree) -> Verdict:
    """ID divergence at the fewest chains over that of counting transitions, at the same step."""
    data = of(results, "diversity")
    few = data.isel(diversity=0, context=-1, drop=True)
    counting = few.kl_id_algorithm.sel(algorithm="Bi-Inf", drop=True)
    own = few.kl_id.sel(step=scores.after_transition(data), drop=True)
    return at_most(own / counting, 0.5, "ID divergence, fewest chains, over Bi-Inf's")


def many_generalise(results: xr.DataTree) -> Verdict:
    """S at the most chains."""
    return at_most(_score_after(results).isel(diversity=-1, drop=True), 0.3, "S, most chains")


def falls_at_a_threshold(results: xr.DataTree) -> Verdict:
    """Share of the fall of S over log N that lies within one octave, by a logistic fit."""
    share = scores.fall_within_an_octave(_score_after(results)).share
    return at_least(share, 0.5, "share of the fall within one octave", method="median")


def falls_from_counting_states(results: xr.DataTree) -> Verdict:
    """The same where only what lies below the level of counting states counts: S is cut at 1, so
    that it does not matter how badly a wrong chain is recalled."""
    share = scores.fall_within_an_octave(_score_after(results).clip(max=1)).share
    return at_least(share, 0.5, "the same with S cut at 1", method="median")


def many_have_learned(results: xr.DataTree) -> Gate:
    """The networks with most chains have left the plateau."""
    return stays_below(_score_after(results).isel(diversity=-1), 0.5, "S at the most chains")


def _fall(results: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray]:
    """Steps at which S falls to .8 and to .3, per seed, at the most chains."""
    score = _score(results).isel(diversity=-1, drop=True)
    ends = (scores.crossing(score, level) for level in (0.8, 0.3))
    start, end = (value.reset_coords(drop=True) for value in ends)
    return start, end


def falls_abruptly(results: xr.DataTree) -> Verdict:
    """Octaves of training between S = .8 and S = .3."""
    start, end = _fall(results)
    return at_most(octaves(start, end), 1.0, "octaves from S = .8 to .3")


def attends_to_previous_token(results: xr.DataTree) -> Verdict:
    """Rise of the previous-token score across that fall, widened by a factor 2 in all."""
    start, end = _fall(results)
    attention = of(results, "diversity").previous_token.isel(diversity=-1, drop=True)
    after, before = (
        scores.at_step(attention, step) for step in (end * np.sqrt(2), start / np.sqrt(2))
    )
    return at_least(after - before, 0.4, "rise of the previous-token score")


def rotary_is_earlier(results: xr.DataTree) -> Verdict:
    """Octaves by which S = .5 is reached later with learned positions; where it is not reached at
    all, the octaves to the end of the training."""
    score = scores.normalised_score(of(results, "positions").isel(context=-1))
    onset = scores.crossing(score, 0.5).fillna(float(score.step[-1])).reset_coords(drop=True)
    kinds = (onset.sel(positions=kind, drop=True) for kind in ("rotary", "learned"))
    return at_least(octaves(*kinds), float(np.log2(1.5)), "octaves later")


def rotary_has_learned(results: xr.DataTree) -> Gate:
    """The rotary networks have left the plateau."""
    score = scores.normalised_score(of(results, "positions").isel(context=-1, step=-1))
    return stays_below(score.sel(positions="rotary"), 0.5, "S of rotary networks at the end")


def boundary_turns_context_on(results: xr.DataTree) -> Verdict:
    """What context is worth after the transition less what it was worth at half its onset."""
    before, after = _worth_across_boundary(results)
    return at_least(after - before, 0.25, "worth of context, gained")


def context_is_worth_little_before(results: xr.DataTree) -> Verdict:
    """What it was worth at half the onset beyond what it is worth to counting states."""
    return at_most(_worth_across_boundary(results)[0], 0.25, "worth of context, before")


def _worth_across_boundary(results: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray]:
    """What context is worth at half the onset of the transition and after it, at the most chains:
    0 is its worth to counting states, 1 that to counting transitions.

    Its worth is the fall of OOD divergence from twice as many tokens as states to the longest
    context. Where S never falls through .5 the middle checkpoint is taken.
    """
    data = of(results, "diversity").isel(diversity=-1, drop=True)
    exact = _worth_of_context(data, data.kl_ood_algorithm)
    states, transitions = (exact.sel(algorithm=name, drop=True) for name in ("Uni-Inf", "Bi-Inf"))
    worth = (_worth_of_context(data, data.kl_ood) - states) / (transitions - states)
    onset = scores.crossing(_score(results).isel(diversity=-1, drop=True), 0.5)
    onset = onset.fillna(float(data.step[data.sizes["step"] // 2])).reset_coords(drop=True)
    after = worth.sel(step=scores.after_transition(of(results, "diversity")), drop=True)
    return scores.at_step(worth, onset / 2), after.reset_coords(drop=True)


def _worth_of_context(data: xr.Dataset, divergence: xr.DataArray) -> xr.DataArray:
    distance = np.abs(data.context.values - 2 * data.attrs["states"])
    short = divergence.isel(context=int(distance.argmin()), drop=True)
    return short - divergence.isel(context=-1, drop=True)


def order_matters_if_long(results: xr.DataTree) -> Verdict:
    """log2 of shuffled over original OOD divergence at the longest context, most chains, end."""
    return at_least(_order(results).isel(shuffled_context=-1, drop=True), 1, "octaves, long")


def not_if_short(results: xr.DataTree) -> Verdict:
    """The same at a context of as many tokens as there are states."""
    short = _order(results).sel(shuffled_context=of(results, "diversity").attrs["states"])
    return at_most(short.reset_coords(drop=True), np.log2(1.3), "octaves, short")


def _order(results: xr.DataTree) -> xr.DataArray:
    last = of(results, "diversity").isel(diversity=-1, step=-1, drop=True)
    return octaves(last.kl_ood_ordered, last.kl_ood_shuffled)


def context_misleads_first(results: xr.DataTree) -> Verdict:
    """Rise of OOD divergence with context from one token to its highest point, few chains, end."""
    start, highest, _ = _context_curve(results)
    return at_least(highest - start, 0.02, "nats, from one token to the highest point")


def then_helps(results: xr.DataTree) -> Verdict:
    """Its fall from there to the longest context."""
    _, highest, end = _context_curve(results)
    return at_least(highest - end, 0.012, "nats, from there to the longest context")


def _context_curve(results: xr.DataTree) -> list[xr.DataArray]:
    """At one token, at the highest point of the first half of the sequences (mean over seeds), and
    at the longest context; on the other half."""
    last = of(results, "ascent").isel(step=-1, drop=True)
    highest = int(last.kl_ood_first_half.mean("seed").argmax("context"))
    return [last.kl_ood_second_half.isel(context=at, drop=True) for at in (0, highest, -1)]


def rises_with_training(results: xr.DataTree) -> Verdict:
    """Largest rise of OOD divergence between neighbouring measured steps."""
    return _largest_change(results, "step", 1)


def falls_with_training(results: xr.DataTree) -> Verdict:
    """Largest fall between neighbouring measured steps."""
    return _largest_change(results, "step", -1)


def rises_with_context(results: xr.DataTree) -> Verdict:
    """Largest rise between neighbouring contexts."""
    return _largest_change(results, "context", 1)


def falls_with_context(results: xr.DataTree) -> Verdict:
    """Largest fall between neighbouring contexts."""
    return _largest_change(results, "context", -1)


def _largest_change(results: xr.DataTree, along: str, sign: int) -> Verdict:
    """In the cell where it is largest on one half of the sequences, mean over seeds; measured on
    the other half."""
    data = of(results, "diversity").isel(step=slice(1, None))
    chosen, measured = data.kl_ood_first_half.diff(along), data.kl_ood_second_half.diff(along)
    cells = [dim for dim in chosen.dims if dim != "seed"]
    cell = int((sign * chosen.mean("seed").stack(cell=cells)).argmax("cell"))
    change = sign * measured.stack(cell=cells).isel(cell=cell).reset_coords(drop=True)
    word = "rise" if sign > 0 else "fall"
    return at_least(change, 0.02, f"nats, {word} with {'training' if along == 'step' else along}")
