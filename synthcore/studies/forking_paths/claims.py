"""The paper's claims about forking paths: statement, place, decision, control it fails on."""

from synthcore.evidence.first_edition import Claim
from synthcore.studies.forking_paths import controls, decisions

EVERYWHERE = {"smoke": False, "check": False, "reference": False, "authors": False}
# Held on four sets of four seeds.
REQUIRED = {**EVERYWHERE, "check": True}
# About the paper's own runs, which only the longer run has.
RELEASED = {"reference": False, "authors": False}

CLAIMS = (
    Claim(
        "C1",
        "There are forking tokens, and they can be found from samples.",
        "abstract; Fig. 1",
        decisions.forks_exist,
        REQUIRED,
        controls.without_time,
    ),
    Claim(
        "C2",
        "They are few: most tokens change nothing.",
        "abstract; section 4",
        decisions.sparse,
        REQUIRED,
        controls.without_time,
    ),
    Claim(
        "C3",
        "Confidence in the final answer does not show them.",
        "introduction; baselines",
        decisions.confidence_hides,
        RELEASED,
        controls.told_by_confidence,
    ),
    Claim(
        "C4",
        "How much texts fork depends on the task: CoinFlip least, LastLetter most.",
        "results by task",
        decisions.depends_on_task,
        RELEASED,
        controls.tasks_shuffled,
    ),
    Claim(
        "C5",
        "Punctuation can fork, as words do.",
        "abstract; gallery of tokens",
        decisions.surprising,
        REQUIRED,
        controls.blind_to_marks,
    ),
    Claim(
        "C6",
        "The analysis needs completions and token probabilities, and nothing else of a model.",
        "abstract",
        decisions.black_box,
        REQUIRED,
        controls.forgetful,
    ),
    Claim(
        "C7",
        "Change points and hazards answer different questions; forks below the threshold are seen "
        "by neither.",
        "methods; ours",
        decisions.two_questions,
        EVERYWHERE,
        controls.detectors_alike,
    ),
    Claim(
        "C8",
        "Sampling noise is multinomial: it falls as the root of the number of completions.",
        "sample size; ours",
        decisions.multinomial,
        REQUIRED,
        controls.noise_without_root,
    ),
    Claim(
        "C9",
        "The exact detector raises no false alarms and counts right.",
        "change-point model; ours",
        decisions.exact_counts,
        REQUIRED,
        controls.always_a_change,
    ),
    Claim(
        "C10",
        "The cost is text length x branches x samples x half the length.",
        "cost",
        decisions.cost,
        REQUIRED,
        controls.short_completions,
    ),
)
