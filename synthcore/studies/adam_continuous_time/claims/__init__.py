"""The paper's claims about Adam: statement, place, endpoint, margin and its source, gates, and what
the rule must accept and refuse.

Bounds, rates on streams, simulated layers and the identity of two implementations are theorems:
checks of code. Evidence about networks are C1, C3b, C3c, C4, C5b, C6, C8b and C9. Margins were
fixed before any result of these runs was seen, but for what a `former_margin` tells.
"""

from synthcore.evidence.claim import Claim
from synthcore.studies.adam_continuous_time import controls
from synthcore.studies.adam_continuous_time.claims import endpoints

CLAIMS = (
    Claim(
        "C1",
        "A differential equation of second order tracks Adam; that of first order does less well.",
        where="Sec. 2, Eqs. 2-4 (as the reviews quote them)",
        primary=(endpoints.second_is_nearer, endpoints.transformer_is_followed),
        threshold_source="ours: half of the error; a twentieth of the path",
        further=(endpoints.order_of_second,),
        control=controls.first_order,
        ideal=controls.exact_flow,
        effect=(0.2, 0.02),
    ),
    Claim(
        "C3b",
        "In training an update grows where a gradient is small or gone, and then as predicted.",
        where="our test of Sec. 3",
        primary=(endpoints.growth_needs_silence, endpoints.silence_makes_growth),
        threshold_source="ours: three quarters, either way",
        gates=(endpoints.something_grows,),
        control=controls.silence_elsewhere,
        ideal=controls.growth_by_silence,
        effect=(1.0, 1.0),
        former_margin="any difference above zero in the order sparse, full batch, mini-batch: it "
        "goes one way or the other with the learning rate, which was fixed",
    ),
    Claim(
        "C3c",
        "Outside the region the updates of a transformer grow at the predicted rate.",
        where="abstract; Sec. 3, figure of the normal curve",
        primary=endpoints.transformer_grows,
        threshold_source="ours: three quarters of the predicted rate",
        control=controls.usual_pair,
        ideal=controls.worst_case,
        effect=1.0,
        former_margin="three quarters of r_d, which the bound itself comes to only after many "
        "steps: the worst case failed, so that nothing could have passed",
    ),
    Claim(
        "C4",
        "C predicts generalisation: points outside the stable region generalise worse.",
        where="Sec. 3, figure of the normal curve",
        primary=endpoints.outside_is_worse,
        threshold_source="ours: a quarter of .107 nats, the gap along the paper's curve in an "
        "earlier run of ours",
        gates=(endpoints.grid_is_tuned,),
        further=(endpoints.outside_is_worse_at_large_beta,),
        control=controls.placebo_frontier,
        ideal=controls.loss_by_region,
        effect=0.107,
        former_margin="any difference above zero along the paper's curve, where beta rises from .9 "
        "to .998 as C falls, so that the memory of the momentum outlasts the run",
    ),
    Claim(
        "C5b",
        "In a trained network the norm is the paper's moving average of squared updates.",
        where="abstract; Sec. 4, without the momentum term",
        primary=endpoints.norm_by_the_papers_law,
        threshold_source="ours: a quarter, in either direction",
        further=(endpoints.norm_with_momentum_term,),
        control=controls.other_updates,
        ideal=controls.norm_of_the_paper,
        effect=0.05,
    ),
    Claim(
        "C6",
        "A normalised layer turns by a step that is normalised a second time.",
        where="Sec. 4, meta-adaptive effect",
        primary=(endpoints.turns_by_the_formula, endpoints.forgets_its_norm),
        threshold_source="ours: a tenth; a twentieth",
        gates=(endpoints.layers_have_settled,),
        further=(
            endpoints.bare_turns_by_the_formula,
            endpoints.remembers_early,
            endpoints.remembers_without_decay,
        ),
        control=controls.without_decay,
        ideal=controls.settled_by_formula,
        effect=(0.02, 0.01),
        former_margin="an initial norm that is doubled had to show without normalisation, read at "
        "the end: decay has erased it by then in either network",
    ),
    Claim(
        "C9",
        "With normalisation only the product of learning rate and weight decay matters.",
        where="Sec. 4",
        primary=endpoints.product_sets_the_step,
        threshold_source="ours: a twentieth",
        gates=(endpoints.layers_have_settled,),
        control=controls.other_product,
        ideal=controls.settled_by_formula,
        effect=0.02,
    ),
    Claim(
        "C8b",
        "2-Adam, tuned as Adam is, learns better.",
        where="our question, after Sec. 5",
        primary=endpoints.two_beat_one,
        threshold_source="ours: a loss lower by 5 %, worth twice the state",
        gates=(endpoints.all_are_tuned,),
        further=(
            endpoints.two_beat_one_without_norm,
            endpoints.five_beat_two,
            endpoints.muon_beats_adam,
            endpoints.sgd_beats_adam,
        ),
        control=controls.one_stage_for_all,
        ideal=controls.a_tenth_better,
        effect=0.1,
    ),
    Claim(
        "C8",
        "2-Adam learns better than Adam, and more stages do not help.",
        where="Sec. 5, experiments on CIFAR10",
        primary=endpoints.two_beat_one,
        threshold_source="ours: a loss lower by 5 %",
        gates=(endpoints.cifar_was_used,),
        control=controls.one_stage_for_all,
        ideal=controls.a_tenth_better,
        effect=0.1,
        former_margin="any difference above zero, with the best rate at the end of the grid",
    ),
    Claim(
        "C2",
        "Updates never exceed the bound, which is finite in a stable region of (beta, gamma).",
        where="abstract; Eq. 5",
        primary=(
            endpoints.streams_stay_below,
            endpoints.worst_case_attains,
            endpoints.training_stays_below,
        ),
        threshold_source="ours: rounding, 1e-9",
        control=controls.smaller_bound,
        kind="check of code",
        required=("check",),
    ),
    Claim(
        "C3",
        "Outside the stable region updates can grow exponentially, at the predicted rate.",
        where="abstract; Sec. 3",
        primary=(endpoints.dying_rate, endpoints.worst_rate),
        threshold_source="ours: rounding, 1e-9, and a thousandth per step",
        control=controls.points_permuted,
        kind="check of code",
        required=("check",),
    ),
    Claim(
        "C5",
        "The squared norm of scale-invariant weights is a moving average of squared updates.",
        where="abstract; Sec. 4, with the momentum term that the derivation drops",
        primary=(endpoints.norm_grows_by_the_law, endpoints.norm_forgets_by_the_law),
        threshold_source="ours: a twentieth of the growth, a fiftieth of the rate",
        control=controls.momentum_mislabelled,
        effect=(0.02, 0.008),
        kind="check of code",
        required=("check",),
    ),
    Claim(
        "C7",
        "k-Adam contains Adam (k = 1) and Adam with a normalisation layer (k = 2).",
        where="Sec. 5",
        primary=(endpoints.one_stage_is_adamw, endpoints.two_stages_are_a_norm),
        threshold_source="ours: a millionth; a cosine of .99",
        control=controls.without_correction,
        kind="check of code",
        required=("check",),
    ),
)
