"""The paper's claims about edits and representations: statement, place, decision, control it fails
on."""

from synthcore.evidence.first_edition import Claim
from synthcore.studies.representation_shattering import controls, decisions

EVERYWHERE = {"smoke": False, "check": False, "reference": False, "authors": False}
# Held on four sets of seeds, each by two standard errors.
REQUIRED = {**EVERYWHERE, "check": True}
# The pretrained model is asked in the longer runs.
LARGE = {"reference": False, "authors": False}

CLAIMS = (
    Claim(
        "C1",
        "The network learns the graph, and infers what it was not shown.",
        "accuracies before edits",
        decisions.graph_learned,
        EVERYWHERE,
        controls.memoriser,
    ),
    Claim(
        "C2",
        "Representations of the entities form rings that mirror the cyclic orders.",
        "abstract; Isomap figures",
        decisions.ring_like,
        REQUIRED,
        controls.orders_shuffled,
    ),
    Claim(
        "C3",
        "ROME's edits are taken in.",
        "experimental setup",
        decisions.edits_succeed,
        REQUIRED,
        controls.nothing_written,
    ),
    Claim(
        "C4",
        "An edit harms the recall of other facts, in all orders.",
        "table of accuracy changes",
        decisions.collateral,
        REQUIRED,
        controls.nothing_written,
    ),
    Claim(
        "C5",
        "The farther the new answer is from the old one, the larger the harm.",
        "table of accuracy changes",
        decisions.grows,
        EVERYWHERE,
        controls.distances_reversed,
    ),
    Claim(
        "C6",
        "Reasoning suffers at least as much as recall.",
        "table of accuracy changes",
        decisions.reasoning_too,
        EVERYWHERE,
        controls.tasks_swapped,
    ),
    Claim(
        "C7",
        "The farther the new answer, the more the representation is shattered.",
        "table of R",
        decisions.shattering_grows,
        EVERYWHERE,
        controls.distances_reversed,
    ),
    Claim(
        "C8",
        "Shattering explains the loss of accuracy.",
        "figure of R against accuracy",
        decisions.explains,
        EVERYWHERE,
        controls.edits_shuffled,
    ),
    Claim(
        "C9",
        "Correcting a wrong fact harms other facts.",
        "table of accuracy changes",
        decisions.corrections_hurt,
        REQUIRED,
        controls.nothing_written,
    ),
    Claim(
        "C10",
        "All editors shatter: ROME, MEMIT, PMET and AlphaEdit, at equal success.",
        "appendix on other editors",
        decisions.all_shatter,
        EVERYWHERE,
        controls.distances_reversed,
    ),
    Claim(
        "C11",
        "In a pretrained model months form a ring, and edits that distort it harm other months.",
        "naturalistic section",
        decisions.months_shatter,
        LARGE,
        controls.months_shuffled,
    ),
    Claim(
        "C12",
        "It is the mechanism, not the size of the change: random changes shatter less.",
        "not in the paper",
        decisions.not_the_norm,
        REQUIRED,
        controls.random_is_worse,
    ),
)
