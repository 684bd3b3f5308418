"""The paper's claims about fine-tuning: statement, place, decision, control it fails on."""

from synthcore.evidence.first_edition import Claim
from synthcore.studies.finetuning_wrappers import controls
from synthcore.studies.finetuning_wrappers.claims import decisions

EVERYWHERE = {"smoke": False, "check": False, "reference": False, "authors": False}
# Held on the shown seeds and on those from 200, 300 and 400, with a margin; since trainings were
# made shorter, on the shown ones.
HOLDS = EVERYWHERE | {"check": True}
# Wrong answers, mixed data, jailbreaks, the second task and stories need the longer run.
LARGE = {"smoke": False, "reference": False, "authors": False}

CLAIMS = (
    Claim(
        "C1",
        "With a shortcut in all data and a weak prior, fine-tuning learns the wrapper 'count a, "
        "plus one'; with a strong prior and a fifth of clean data it learns the task.",
        "Fig. 5; Table 5",
        decisions.uptake,
        HOLDS,
        controls.no_shortcut,
    ),
    Claim(
        "C2",
        "A stronger prior in pretraining protects the old answers; the shortcut costs them.",
        "Fig. 6; Table 5",
        decisions.prior_protects,
        EVERYWHERE,
        controls.priors_alike,
    ),
    Claim(
        "C3",
        "The learning rate decides whether a capability is rewritten.",
        "Fig. 5; Table 5",
        decisions.rate_decides,
        HOLDS,
        controls.rates_alike,
    ),
    Claim(
        "C4",
        "The wrapper sits in a few neurons: deleting them brings the old answers back.",
        "Fig. 7",
        decisions.localized,
        EVERYWHERE,
        controls.nothing_localized,
    ),
    Claim(
        "C5",
        "The old capability can still be decoded after fine-tuning.",
        "Fig. 8",
        decisions.decodable,
        EVERYWHERE,
        controls.labels_shuffled,
    ),
    Claim(
        "C6",
        "Training back revives it at least twice as fast as a network learns it that never had it.",
        "Fig. 9",
        decisions.relearns_faster,
        EVERYWHERE,
        controls.nothing_left,
    ),
    Claim(
        "C7",
        "Even training on wrong answers does not delete it.",
        "appendix, random fine-tuning",
        decisions.wrong_answers,
        LARGE,
        controls.nothing_left,
    ),
    Claim(
        "C8",
        "Pretraining data mixed in keep the old answers; other names of the task evade tuning.",
        "appendix; Fig. 24",
        decisions.mixing_and_names,
        LARGE,
        controls.names_alike,
    ),
    Claim(
        "C9",
        "Compiled Counter: attention keeps looking at a, and moves to b only at larger rates "
        "without the shortcut.",
        "Fig. 10",
        decisions.attention_moves,
        EVERYWHERE,
        controls.letters_alike,
    ),
    Claim(
        "C10",
        "Compiled Counter: the wrapper is in one to four weights, and comes off by training back.",
        "Fig. 55; Table 3",
        decisions.one_weight,
        EVERYWHERE,
        controls.no_weight,
    ),
    Claim(
        "C11",
        "Compiled Max-identifier: the smallest rate learns a new read-out and keeps the sorting.",
        "Table 3; appendix",
        decisions.read_out_only,
        EVERYWHERE,
        controls.order_rates_reversed,
    ),
    Claim(
        "C12",
        "Stories: a feature that was fine-tuned away can be decoded and comes back fast.",
        "Fig. 11; Table 1",
        decisions.stories,
        LARGE,
        controls.story_control_alike,
    ),
    Claim(
        "C13",
        "Indices instead of counts: the same order of priors, more weakly.",
        "Table 7",
        decisions.second_task,
        LARGE,
        controls.priors_alike,
    ),
)
