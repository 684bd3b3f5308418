"""What the networks are compared with under the same rules: ideal learners, which do what a claim
says, and learners that do not. All of them were measured as networks are.

A run's results are a tree with one dataset per experiment: diversity, policies, positions,
transience, inexhaustible, many_states, ascent.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.results import with_experiment
from synthcore.studies.icl_markov.experiments.diversity import SHARES
from synthcore.studies.icl_markov.measure.scores import in_place_of_network

ATTENTIVE = 0.9  # previous-token score of an ideal learner once it counts transitions


def untrained(results: xr.DataTree) -> xr.DataTree:
    """Every checkpoint of every experiment shows the network before training."""
    shown = {}
    for name, node in results.children.items():
        data = node.to_dataset()
        shown[name] = data.copy()
        for variable, values in data.data_vars.items():
            if "step" in values.dims:
                first = values.isel(step=0, drop=True)
                shown[name][variable] = first.broadcast_like(values).transpose(*values.dims)
    return xr.DataTree.from_dict(shown)


def ideal_learner(results: xr.DataTree) -> xr.DataTree:
    """Counts states until the middle checkpoint; from then on it retrieves by transitions if it has
    fewer chains than the middle diversity, and counts transitions otherwise, attending to the
    previous token."""
    data = results["diversity"].to_dataset()
    few = np.arange(data.sizes["diversity"]) < data.sizes["diversity"] // 2
    later = np.arange(data.sizes["step"]) >= data.sizes["step"] // 2
    names = np.where(few[:, None], "Bi-Ret", "Bi-Inf")
    schedule = _schedule(data, np.where(later, names, "Uni-Inf"))
    learner = in_place_of_network(data, results["policies"].to_dataset(), schedule)
    attention = xr.where(learner.step >= learner.step[later.argmax()], ATTENTIVE, 0.0)
    learner["previous_token"] = data.previous_token.isel(step=0, drop=True).clip(
        max=1 - ATTENTIVE
    ) + attention * xr.ones_like(data.previous_token)
    return with_experiment(results, "diversity", learner)


def four_phases(results: xr.DataTree) -> xr.DataTree:
    """A learner with every phase: states first, counted or, with few chains, recognised; then
    transitions, recognised or counted."""
    data = results["diversity"].to_dataset()
    few = (np.arange(data.sizes["diversity"]) < data.sizes["diversity"] // 2)[:, None]
    later = np.arange(data.sizes["step"]) >= data.sizes["step"] // 2
    names = np.where(later, np.where(few, "Bi-Ret", "Bi-Inf"), np.where(few, "Uni-Ret", "Uni-Inf"))
    known = in_place_of_network(data, results["policies"].to_dataset(), _schedule(data, names))
    return with_experiment(results, "diversity", known)


def learner_that_forgets(results: xr.DataTree) -> xr.DataTree:
    """Counts states for a third of the checkpoints and transitions for another; then it recognises
    its chains by them if it has fewer than the middle diversity, and goes on counting otherwise."""
    data = results["diversity"].to_dataset()
    few = (np.arange(data.sizes["diversity"]) < data.sizes["diversity"] // 2)[:, None]
    third = np.arange(data.sizes["step"]) * 3 // data.sizes["step"]
    last = np.where(few, "Bi-Ret", "Bi-Inf")
    names = np.where(third == 0, "Uni-Inf", np.where(third == 1, "Bi-Inf", last))
    known = in_place_of_network(data, results["policies"].to_dataset(), _schedule(data, names))
    return with_experiment(results, "diversity", known)


def gradual_in_diversity(results: xr.DataTree) -> xr.DataTree:
    """A ramp: the share of counting transitions rises in proportion to log N, from none at the
    fewest chains to all at the most."""
    data = results["diversity"].to_dataset()
    octaves = np.log2(data.diversity.values / data.diversity.values[0])
    share = np.broadcast_to((octaves / octaves[-1])[:, None], (octaves.size, data.sizes["step"]))
    return _blend(results, share)


def gradual_in_training(results: xr.DataTree) -> xr.DataTree:
    """A ramp: the share of counting transitions rises in proportion to the logarithm of the step,
    and attention to the previous token with it."""
    data = results["diversity"].to_dataset()
    logs = np.log(data.step.values[1:] / data.step.values[1])
    share = np.concatenate([[0.0], logs / logs[-1]])
    slow = _blend(results, np.broadcast_to(share, (data.sizes["diversity"], share.size)))
    learner = slow["diversity"].to_dataset()
    start = data.previous_token.isel(step=0, drop=True)
    grown = xr.DataArray(share, dims="step", coords={"step": data.step})
    learner["previous_token"] = start + (ATTENTIVE - start) * grown
    return with_experiment(results, "diversity", learner)


def always(policy: str, results: xr.DataTree) -> xr.DataTree:
    """One algorithm, from the start to the end and for every diversity."""
    data = results["diversity"].to_dataset()
    names = np.full((data.sizes["diversity"], data.sizes["step"]), policy)
    known = in_place_of_network(data, results["policies"].to_dataset(), _schedule(data, names))
    return with_experiment(results, "diversity", known)


def few_untrained(results: xr.DataTree) -> xr.DataTree:
    """Networks with the fewest chains that have learned nothing, beside the others as they are."""
    data = results["diversity"].to_dataset()
    first = data.diversity[0]
    blank = untrained(results)["diversity"].to_dataset()
    mixed = {
        str(name): xr.where(data.diversity == first, blank[name], data[name]).transpose(
            *data[name].dims
        )
        for name in ("kl_id", "kl_ood")
    }
    return with_experiment(results, "diversity", data.assign(mixed))


def counts_states(results: xr.DataTree) -> xr.DataTree:
    """Uni-Inf throughout."""
    return always("Uni-Inf", results)


def counts_transitions(results: xr.DataTree) -> xr.DataTree:
    """Bi-Inf throughout."""
    return always("Bi-Inf", results)


def another_algorithm(results: xr.DataTree) -> xr.DataTree:
    """Hybrid-Ret throughout, which is none of the paper's four."""
    return always("Hybrid-Ret", results)


def rotary_twice(results: xr.DataTree) -> xr.DataTree:
    """A placebo: the rotary network of the next seed in place of the one with learned positions."""
    data = results["positions"].to_dataset()
    rotary = data.sel(positions="rotary")
    both = [rotary, rotary.roll(seed=1, roll_coords=False).assign_coords(positions="learned")]
    return with_experiment(
        results,
        "positions",
        xr.concat(both, dim="positions", data_vars="all", coords="minimal", compat="override"),
    )


def positions_matter(results: xr.DataTree) -> xr.DataTree:
    """Ideal learners that change from Uni-Inf to Bi-Inf at once: with rotary positions at a tenth
    of the training, with learned ones at four times that."""
    data = results["positions"].to_dataset()
    end = int(data.step[-1])
    lines = data.kl_ood_algorithm
    onset = xr.where(data.positions == "rotary", 0.1 * end, 0.4 * end)
    states, transitions = (lines.sel(algorithm=name, drop=True) for name in ("Uni-Inf", "Bi-Inf"))
    counting = xr.where(data.step >= onset, transitions, states)
    ideal = data.assign(kl_ood=counting.transpose(*data.kl_ood.dims))
    return with_experiment(results, "positions", ideal)


def recalls_by_halves(results: xr.DataTree) -> xr.DataTree:
    """With few chains of more states, the mean of Bi-Ret and Uni-Inf in place of the networks: a
    wrong chain misleads at first, and counts take over. No exact algorithm alone does this."""
    data = results["ascent"].to_dataset()
    return _in_ascent(results, data.kl_ood_undecided)


def counts_exactly(results: xr.DataTree) -> xr.DataTree:
    """With few chains of more states, Bi-Inf in place of the networks."""
    data = results["ascent"].to_dataset()
    return _in_ascent(results, data.kl_ood_algorithm.sel(algorithm="Bi-Inf", drop=True))


def _in_ascent(results: xr.DataTree, line: xr.DataArray) -> xr.DataTree:
    data = results["ascent"].to_dataset()
    known = line.broadcast_like(data.kl_ood).transpose(*data.kl_ood.dims)
    halves = {"kl_ood_first_half": known, "kl_ood_second_half": known}
    return with_experiment(results, "ascent", data.assign(halves))


def without_retrieval(results: xr.DataTree) -> xr.DataTree:
    """The networks that never saw a chain twice."""
    return with_experiment(results, "transience", results["inexhaustible"].to_dataset())


def ideal_competition(results: xr.DataTree) -> xr.DataTree:
    """A learner that counts states for a third of the checkpoints, then transitions, and at two
    thirds goes over to recognising its chains by them."""
    data = results["transience"].to_dataset()
    third = data.sizes["step"] // 3
    names = ["Uni-Inf"] * third + ["Bi-Inf"] * third
    names += ["Bi-Ret"] * (data.sizes["step"] - len(names))
    follows = xr.DataArray(names, dims="step", coords={"step": data.step})
    kl_ood = data.kl_ood_algorithm.sel(algorithm=follows, drop=True)
    kl_id = data.kl_id_algorithm.sel(algorithm=follows, drop=True)
    weight = (data.algorithm == follows).astype(float).broadcast_like(data.weight)
    ideal = data.assign(weight=weight, kl_ood=kl_ood, kl_id=kl_id, kl_ood_foretold=kl_ood)
    ideal = ideal.transpose(*data.kl_ood.dims, ...).drop_vars("algorithm")
    return with_experiment(results, "transience", ideal.assign_coords(algorithm=data.algorithm))


def foretold_to_stay(results: xr.DataTree) -> xr.DataTree:
    """A forecast that knows the minimum and nothing of what follows: the OOD divergence stays."""
    data = results["transience"].to_dataset()
    lowest = data.kl_ood.isel(step=slice(1, None)).min("step")
    stays = lowest.broadcast_like(data.kl_ood).transpose(*data.kl_ood.dims)
    return with_experiment(results, "transience", data.assign(kl_ood_foretold=stays))


def _blend(results: xr.DataTree, share: np.ndarray) -> xr.DataTree:
    """Networks replaced by the nearest of the measured blends of counting states and transitions;
    `share` is (diversity, step)."""
    data = results["diversity"].to_dataset()
    nearest = np.abs(share[..., None] - np.array(SHARES)).argmin(-1)
    names = np.array([f"bigram share {s:.1f}" for s in SHARES])[nearest]
    known = in_place_of_network(data, results["policies"].to_dataset(), _schedule(data, names))
    return with_experiment(results, "diversity", known)


def _schedule(data: xr.Dataset, names: np.ndarray) -> xr.DataArray:
    coordinates = {"diversity": data.diversity, "step": data.step}
    return xr.DataArray(names, dims=("diversity", "step"), coords=coordinates)
