"""The paper's claims about Adam: statement, place, decision, control it must fail on."""

from synthcore.evidence.first_edition import Claim
from synthcore.studies.adam_continuous_time import controls, decisions

# Scale -> required there: only what held with a wide margin on further seeds.
EVERYWHERE = {"smoke": False, "check": False, "reference": False, "authors": False}
REQUIRED = EVERYWHERE | {"check": True}

CLAIMS = (
    Claim(
        "C1",
        "A differential equation of second order tracks Adam; that of first order does less well.",
        "Sec. 2, Eqs. 2-4 (as the reviews quote them)",
        decisions.flow_tracks_adam,
        REQUIRED,
        controls.equations_swapped,
    ),
    Claim(
        "C2",
        "Updates never exceed the bound, which is finite in a stable region of (beta, gamma).",
        "abstract; Eq. 5",
        decisions.updates_stay_below_the_bound,
        REQUIRED,
        controls.smaller_bound,
    ),
    Claim(
        "C3",
        "Outside the stable region updates can grow exponentially, at the predicted rate.",
        "abstract; Sec. 3",
        decisions.growth_at_the_predicted_rate,
        REQUIRED,
        controls.points_permuted,
    ),
    Claim(
        "C3b",
        "In training, growth needs small or intermittent gradients.",
        "our test of Sec. 3",
        decisions.growth_needs_intermittent_gradients,
        EVERYWHERE,
        controls.regimes_permuted,
    ),
    Claim(
        "C4",
        "C predicts generalisation: points outside the stable region generalise worse.",
        "Sec. 3, figure of the normal curve",
        decisions.exponent_predicts_generalisation,
        EVERYWHERE,
        controls.curve_reversed,
    ),
    Claim(
        "C5",
        "The squared norm of scale-invariant weights is a moving average of squared updates.",
        "abstract; Sec. 4, with the momentum term that the derivation drops",
        decisions.norm_is_a_moving_average,
        REQUIRED,
        controls.momentum_mislabelled,
    ),
    Claim(
        "C6",
        "A normalised layer turns by a step that is normalised a second time.",
        "Sec. 4, meta-adaptive effect",
        decisions.step_is_normalised_twice,
        EVERYWHERE,
        controls.not_settled,
    ),
    Claim(
        "C7",
        "k-Adam contains Adam (k = 1) and Adam with a normalisation layer (k = 2).",
        "Sec. 5",
        decisions.k_adam_generalises_adam,
        REQUIRED,
        controls.without_correction,
    ),
    Claim(
        "C8",
        "2-Adam learns better than Adam, and more stages do not help.",
        "Sec. 5, experiments on CIFAR10",
        decisions.two_stages_are_best,
        EVERYWHERE,
        controls.one_stage_for_all,
    ),
    Claim(
        "C9",
        "With normalisation only the product of learning rate and weight decay matters.",
        "Sec. 4",
        decisions.product_sets_the_step,
        EVERYWHERE,
        controls.not_settled,
    ),
)
