"""What the networks are compared with under the same rules: policies that do what a claim says, and
policies that do not. All of them were measured as networks are.

A run's results are a tree with one dataset per experiment: navigation, policies, lengths,
temperatures, stitching, one_layer, two_layers, and where they were run steering, factors.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from synthcore.evidence.results import of, with_experiment
from synthcore.studies.stepwise_inference.experiments.navigation import NOISES, noisy

EXACT, SHORTCUT = "uniform path", "shortcut"


# --- the gap --------------------------------------------------------------------------------------


def stepwise_is(results: xr.DataTree, by_kind: Mapping[str, str]) -> xr.DataTree:
    """A policy in the place of the stepwise networks, by kind of graph."""
    data = of(results, "navigation").copy(deep=True)
    known = of(results, "policies")
    for kind, policy in by_kind.items():
        for name in ("recall", "valid"):
            own = known[name].sel(kind=kind, policy=policy, drop=True)
            cell = {"kind": kind, "format": "step"}
            data[name].loc[cell] = own.broadcast_like(data[name].sel(cell, drop=True)).transpose(
                *data[name].sel(cell, drop=True).dims
            )
    return with_experiment(results, "navigation", data)


def shortcut_answers(results: xr.DataTree) -> xr.DataTree:
    """Stepwise networks know no more than the best shortcut."""
    return stepwise_is(results, {"bernoulli": SHORTCUT, "layered": SHORTCUT})


def exact_answers(results: xr.DataTree) -> xr.DataTree:
    """Stepwise networks are the exact algorithm."""
    return stepwise_is(results, {"bernoulli": EXACT, "layered": EXACT})


def exact_when_layered(results: xr.DataTree) -> xr.DataTree:
    """The exact algorithm on layered graphs, the best shortcut on Bernoulli graphs."""
    return stepwise_is(results, {"bernoulli": SHORTCUT, "layered": EXACT})


def far_is(results: xr.DataTree, smallest: str, others: str) -> xr.DataTree:
    """A policy in the place of the stepwise networks of the smallest Delta, one in that of the
    others."""
    data = of(results, "stitching").copy(deep=True)
    for i, delta in enumerate(data.near.values):
        policy = smallest if i == 0 else others
        own = data.policy_recall.sel(near=delta, policy=policy, drop=True)
        cell = {"near": delta, "format": "step"}
        target = data.far_recall.sel(cell, drop=True)
        data.far_recall.loc[cell] = own.broadcast_like(target).transpose(*target.dims)
    return with_experiment(results, "stitching", data)


def far_shortcut(results: xr.DataTree) -> xr.DataTree:
    """The best shortcut, whatever was trained on."""
    return far_is(results, SHORTCUT, SHORTCUT)


def far_stitcher(results: xr.DataTree) -> xr.DataTree:
    """The exact algorithm where training lines were shortest, the best shortcut elsewhere."""
    return far_is(results, EXACT, SHORTCUT)


# --- written ways ---------------------------------------------------------------------------------


def in_place_of_network(results: xr.DataTree, experiment: str, subject: str) -> xr.DataTree:
    """A subject that was measured beside the network in its place."""
    data = of(results, experiment)
    other = data.sel(subject=[subject]).assign_coords(subject=["network"])
    return with_experiment(results, experiment, other)


def one_path_only(results: xr.DataTree) -> xr.DataTree:
    """A policy that writes shortest paths at every temperature."""
    return in_place_of_network(results, "temperatures", "shortest path")


def exact_with_noise(results: xr.DataTree) -> xr.DataTree:
    """The exact policy whose every tenth step is random, read out at every temperature."""
    return in_place_of_network(results, "temperatures", "noise 0.1")


def uniform_with_noise(results: xr.DataTree) -> xr.DataTree:
    """Uniform paths with every tenth step at random: right ones among them are short."""
    return in_place_of_network(results, "lengths", "noise 0.1")


def shortest_paths(results: xr.DataTree) -> xr.DataTree:
    """A policy that writes shortest paths."""
    return in_place_of_network(results, "lengths", "shortest path")


def on_schedule(results: xr.DataTree, policies: Sequence[str]) -> xr.DataTree:
    """Stepwise networks of Bernoulli graphs that are these policies, one after the other, for
    equally many checkpoints."""
    data = of(results, "navigation").copy(deep=True)
    known = of(results, "policies").sel(kind="bernoulli", drop=True)
    steps = data.sizes["step"]
    for i in range(steps):
        policy = policies[i * len(policies) // steps]
        for name in ("edge_error", "planning_error", "misstep", "astray"):
            cell = {"kind": "bernoulli", "format": "step", "step": data.step.values[i]}
            data[name].loc[cell] = known[name].sel(policy=policy, drop=True).values
    return with_experiment(results, "navigation", data)


def edges_then_goals(results: xr.DataTree) -> xr.DataTree:
    """Random nodes first, then any walk over edges, then the exact policy."""
    return on_schedule(results, (noisy(1.0), "wanderer", EXACT))


def noise_falls(results: xr.DataTree) -> xr.DataTree:
    """The exact policy with less and less noise: every step becomes right at one rate."""
    return on_schedule(results, [*(noisy(noise) for noise in reversed(NOISES)), EXACT])


# --- one layer ------------------------------------------------------------------------------------


def nodes_renamed(results: xr.DataTree) -> xr.DataTree:
    """The rule with tables whose nodes were renamed at random."""
    data = of(results, "one_layer")
    return with_experiment(
        results, "one_layer", data.assign(rule_accuracy=data.renamed_rule_accuracy)
    )


def exact_rule(results: xr.DataTree) -> xr.DataTree:
    """A policy that is the rule: a table of the goal's distances and a table of edges."""
    data = of(results, "one_layer")
    kept = data.exact_kept.broadcast_like(data.full_accuracy)
    return with_experiment(
        results, "one_layer", data.assign(rule_accuracy=kept * data.full_accuracy)
    )


# --- steering -------------------------------------------------------------------------------------


def reads_exemplars(results: xr.DataTree) -> xr.DataTree:
    """The exact reader, which follows the first chain that it sees whole."""
    return in_place_of_network(results, "steering", "reader")


def takes_any_chain(results: xr.DataTree) -> xr.DataTree:
    """A reader that is blind to position."""
    return in_place_of_network(results, "steering", "reader of any")


def without_exemplars(results: xr.DataTree) -> xr.DataTree:
    """Every prompt is asked bare: success is what the network has without exemplars."""
    data = of(results, "steering")
    bare = data.steering_given.isel(exemplars=0, drop=True)
    return with_experiment(
        results,
        "steering",
        data.assign(
            steering=bare.broadcast_like(data.steering),
            steering_given=bare.broadcast_like(data.steering_given),
        ),
    )


def only_seen_links(results: xr.DataTree) -> xr.DataTree:
    """A reader that is lost where a link was never trained."""
    found = reads_exemplars(results)
    data, bare = of(found, "steering"), of(without_exemplars(results), "steering")
    network = bare.steering.sel(subject=["network"])
    mixed = xr.where(data.order == "seen", data.steering, network)
    mixed = mixed.transpose(*data.steering.dims)
    return with_experiment(results, "steering", data.assign(steering=mixed))


def reads_short_chains(results: xr.DataTree) -> xr.DataTree:
    """A reader that is lost in chains longer than those of training."""
    found = reads_exemplars(results)
    data, bare = of(found, "steering"), of(without_exemplars(results), "steering")
    network = bare.steering.sel(subject=["network"])
    mixed = xr.where(data.between <= data.attrs["between"], data.steering, network)
    mixed = mixed.transpose(*data.steering.dims)
    return with_experiment(results, "steering", data.assign(steering=mixed))


def every_link_helps(results: xr.DataTree) -> xr.DataTree:
    """A reader to whom every exemplar it sees is worth as much: success is their share."""
    found = reads_exemplars(results)
    data = of(found, "steering")
    full = data.steering_given.isel(exemplars=-1, drop=True)
    share = xr.DataArray(
        np.linspace(0, 1, data.sizes["exemplars"]),
        {"exemplars": data.exemplars.values},
        ("exemplars",),
    )
    graded = (full * share).transpose(*data.steering_given.dims)
    return with_experiment(results, "steering", data.assign(steering_given=graded))
