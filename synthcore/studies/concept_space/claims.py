"""The paper's claims about concept space: statement, place, decision, control it fails on."""

from synthcore.evidence.first_edition import Claim
from synthcore.studies.concept_space import (
    bridge,
    controls,
    decisions,
    further_decisions,
    inside_decisions,
)

EVERYWHERE = {"smoke": False, "check": False, "reference": False, "authors": False}
# Measured in a run of their own.
FURTHER = {"smoke": False, "further": False, "authors": False}

CLAIMS = (
    Claim(
        "C1",
        "The stronger the signal of a concept, the faster it is learned.",
        "Fig. 4; Sec. 4.1",
        decisions.signal_sets_speed,
        EVERYWHERE,
        controls.signals_alike,
    ),
    Claim(
        "C2",
        "The concept with the stronger signal is learned first.",
        "Fig. 4; Sec. 4.1",
        decisions.signal_sets_order,
        EVERYWHERE,
        controls.concepts_swapped,
    ),
    Claim(
        "C3",
        "Before it generalises, the network draws the training class of the stronger concept.",
        "Fig. 5; Sec. 4.2",
        decisions.memorises,
        EVERYWHERE,
        controls.signals_alike,
    ),
    Claim(
        "C4",
        "The path of the held-out class turns suddenly, when training converges.",
        "Fig. 5; Sec. 4.2",
        decisions.turns,
        EVERYWHERE,
        controls.straight,
    ),
    Claim(
        "C5",
        "Trained classes end in their corners of concept space.",
        "Fig. 5a",
        decisions.in_distribution,
        EVERYWHERE,
        controls.untrained,
    ),
    Claim(
        "C6",
        "A capability is there long before a plain prompt shows it.",
        "abstract; Fig. 6",
        decisions.hidden,
        EVERYWHERE,
        controls.prompts_alike,
    ),
    Claim(
        "C7",
        "A push inside the network brings it out too, at the same time as a bluer prompt.",
        "Fig. 6; Sec. 4.3",
        inside_decisions.two_roads,
        EVERYWHERE,
        controls.nothing_inside,
    ),
    Claim(
        "C8",
        "Seeds agree on when the capability comes, not on when the plain prompt shows it.",
        "Fig. 6",
        decisions.consistent,
        EVERYWHERE,
        controls.prompts_alike,
    ),
    Claim(
        "C9",
        "The capability comes when the path turns.",
        "Sec. 4.3",
        decisions.turn_is_emergence,
        EVERYWHERE,
        controls.capable_backwards,
    ),
    Claim(
        "C10",
        "The stronger the colour, the smaller the gap between capable and shown.",
        "Fig. 6; App.",
        decisions.gap_shrinks,
        EVERYWHERE,
        controls.prompts_alike,
    ),
    Claim(
        "C11",
        "The prompt encoder tells the colours apart late: there lies the backlog.",
        "App., embedding analysis",
        inside_decisions.disentangled_late,
        EVERYWHERE,
        controls.nothing_inside,
    ),
    Claim(
        "C12",
        "Prompts that leave out a colour slow its concept down and pull the held-out class to red.",
        "Sec. 5, underspecification",
        further_decisions.underspecified,
        FURTHER,
        further_decisions.masks_alike,
    ),
    Claim(
        "C13",
        "With three concepts signals set the order, and a class is learned the later, the further "
        "off it is.",
        "App., three concepts",
        further_decisions.three_concepts,
        FURTHER,
        further_decisions.concepts_shuffled,
    ),
    Claim(
        "C14",
        "Real images do the same: the path bends to the stronger concept, capability is hidden.",
        "Sec. 5, real images; here digits",
        further_decisions.real_digits,
        FURTHER,
        further_decisions.inks_alike,
    ),
    Claim(
        "C15",
        "Two linear equations with a gate give the fan of paths.",
        "Sec. 4.2, toy model",
        decisions.toy_fits,
        EVERYWHERE,
        controls.time_reversed,
    ),
    Claim(
        "B1",
        "The bridge: a diffusion model's error in concept space moves as the identity map's does.",
        "Yang et al. (2410.08309), Sec. 5 and Fig. 6",
        bridge.like_the_identity_map,
        EVERYWHERE,
        bridge.backwards,
    ),
)
