"""The paper's claims about stepwise inference: statement, place, decision, control it fails on."""

from synthcore.evidence.first_edition import Claim
from synthcore.studies.stepwise_inference import controls, decisions

EVERYWHERE = {"smoke": False, "check": False, "reference": False, "authors": False}
# Held on four sets of four seeds.
REQUIRED = {**EVERYWHERE, "check": True}
# The motif setting needs the longer runs.
LARGE = {"smoke": False, "reference": False, "authors": False}

CLAIMS = (
    Claim(
        "C1",
        "Writing the way makes the verdict on held-out pairs better, in both kinds of graph.",
        "Fig. 3a and b",
        decisions.gap_exists,
        EVERYWHERE,
        controls.formats_alike,
    ),
    Claim(
        "C2",
        "The gap is larger in layered graphs.",
        "Fig. 3b",
        decisions.larger_when_layered,
        EVERYWHERE,
        controls.graphs_alike,
    ),
    Claim(
        "C3",
        "The gap comes from stitching: the shorter the training pieces, the larger it is.",
        "Fig. 3c",
        decisions.stitching,
        EVERYWHERE,
        controls.formats_alike,
    ),
    Claim(
        "C4",
        "Temperature trades accuracy for diversity; a middle one finds most valid paths.",
        "temperature figure",
        decisions.trade_off,
        REQUIRED,
        controls.temperature_reversed,
    ),
    Claim(
        "C5",
        "Generated paths are shorter than paths of the training distribution.",
        "simplicity bias figure",
        decisions.shorter,
        EVERYWHERE,
        controls.uniform_walker,
    ),
    Claim(
        "C6",
        "Missteps are unlearned before failures of planning.",
        "failure figure",
        decisions.missteps_first,
        EVERYWHERE,
        controls.errors_alike,
    ),
    Claim(
        "C7",
        "Exemplars in the context steer the path.",
        "motif setting",
        decisions.steerable,
        LARGE,
        controls.without_exemplars,
    ),
    Claim(
        "C8",
        "Unseen orders of motifs are followed as well as seen ones.",
        "motif setting",
        decisions.composes,
        LARGE,
        controls.without_exemplars,
    ),
    Claim(
        "C9",
        "Chains longer than any in training fail.",
        "motif setting",
        decisions.length_limit,
        LARGE,
        controls.without_exemplars,
    ),
    Claim(
        "C10",
        "Every exemplar that is left out lowers success.",
        "motif setting",
        decisions.exemplars_count,
        LARGE,
        controls.without_exemplars,
    ),
    Claim(
        "C11",
        "Of two conflicting chains the first is followed.",
        "primacy figure",
        decisions.primacy,
        LARGE,
        controls.chains_swapped,
    ),
    Claim(
        "C12",
        "One attention layer adds a goal vector and a node vector and steps to the nearest node.",
        "mechanism section",
        decisions.mechanism,
        EVERYWHERE,
        controls.nodes_relabelled,
    ),
)
