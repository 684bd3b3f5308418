"""The paper's claims about emergence: statement, place, decision, control it must fail on."""

from synthcore.evidence.claim import Claim
from synthcore.studies.percolation import controls, decisions, pair_decisions

# Scale -> required there. One |K| is enough for the phases and for copying; exponents need three.
EVERYWHERE = {"smoke": False, "book": False, "recorded": False, "large": False, "paper": False}
REQUIRED = EVERYWHERE | {"book": True}
SEVERAL_SIZES = {"smoke": False, "recorded": False, "paper": False}
WITH_WORLDS = SEVERAL_SIZES  # interventions are left out elsewhere

CLAIMS = (
    Claim(
        "T1",
        "Joined pairs follow the fixed point; the threshold is one over the root of |E||K|.",
        "percolation model; percolation figure",
        pair_decisions.percolation_theory,
        REQUIRED,
        controls.another_graph,
    ),
    Claim(
        "T2",
        "Reachability of graphs of one shape collapses with exponent one half.",
        "scaling of the percolation model",
        pair_decisions.simulated_collapse,
        REQUIRED,
        controls.one_sided,
    ),
    Claim(
        "T3",
        "Powers of the propagation matrix join exactly what short paths join.",
        "concept density and propagation matrix",
        pair_decisions.powers_are_walks,
        REQUIRED,
        controls.one_step_more,
    ),
    Claim(
        "T4",
        "Distinct edges seen after some iterations follow one exponential.",
        "from iterations to edges",
        pair_decisions.distinct_edges,
        REQUIRED,
        controls.seen_twice,
    ),
    Claim(
        "C1",
        "Grammar, relative types and descriptive types are acquired in three phases, in order.",
        "abstract; learning curves figure",
        decisions.three_phases,
        EVERYWHERE,
        controls.last_first,
    ),
    Claim(
        "C2",
        "Relative types jump where grammaticality first reaches its maximum.",
        "learning curves figure, second phase",
        decisions.relative_jump,
        EVERYWHERE,
        controls.gradual,
    ),
    Claim(
        "C3",
        "Unscrambling and conditional generation jump after the structure has been acquired.",
        "learning curves figure, narrower tasks",
        decisions.structure_helps,
        EVERYWHERE,
        controls.copying_first,
    ),
    Claim(
        "C4",
        "The gain of the second phase is carried by relative sentences.",
        "learning curves figure, by type of sentence",
        decisions.relative_sentences_first,
        EVERYWHERE,
        controls.sorts_alike,
    ),
    Claim(
        "C5",
        "Descriptive types wait at one over the number of classes, then grow with log time.",
        "learning curves figure, third phase",
        pair_decisions.plateau,
        EVERYWHERE,
        controls.steady,
    ),
    Claim(
        "C6",
        "Never-shown pairs of a class become likely: more than memorising gives.",
        "third phase, memorisation ceiling",
        pair_decisions.beyond_memory,
        EVERYWHERE,
        controls.memoriser,
    ),
    Claim(
        "C7",
        "More properties leave grammar and relative types alone and delay descriptive ones.",
        "figure over the number of properties",
        pair_decisions.size_delays_properties,
        EVERYWHERE,
        controls.size_blind,
    ),
    Claim(
        "C8",
        "The descriptive transition point scales with the root of the number of properties.",
        "abstract; collapse figure",
        decisions.exponent_half,
        SEVERAL_SIZES,
        controls.size_blind,
    ),
    Claim(
        "C9",
        "Unscrambling scales with a much larger exponent than the descriptive check.",
        "collapse figure, unscrambling",
        decisions.unscrambling_steeper,
        SEVERAL_SIZES,
        controls.size_blind,
    ),
    Claim(
        "C10",
        "The first rise, driven by syntax, does not scale with the number of properties.",
        "collapse figure, what is subtracted",
        decisions.first_rise_fixed,
        SEVERAL_SIZES,
        controls.syntax_waits,
    ),
    Claim(
        "C11",
        "Several tasks bend together, when the structure they need is acquired.",
        "definition of emergence",
        decisions.emergence,
        EVERYWHERE,
        controls.copying_first,
    ),
    Claim(
        "C12",
        "The order of the phases is the same in continuous metrics.",
        "discussion of metrics",
        decisions.other_metrics,
        EVERYWHERE,
        controls.last_first,
    ),
    Claim(
        "I1",
        "What no path of edges joins is never learned.",
        "not in the paper: fragmented classes",
        pair_decisions.never_without_paths,
        WITH_WORLDS,
        controls.fragments_joined,
    ),
    Claim(
        "I2",
        "Presentations set the clock: twice the batch halves the time, unused words do not matter.",
        "not in the paper: controls",
        pair_decisions.mentions_set_the_clock,
        WITH_WORLDS,
        controls.steps_set_the_clock,
    ),
)
