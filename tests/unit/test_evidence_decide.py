"""A claim's decision: scale, gates, endpoints, controls, in this order; each can stop the next."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from synthcore.evidence import first_edition
from synthcore.evidence.claim import Claim
from synthcore.evidence.controls import instead, subject
from synthcore.evidence.decide import claim_records, decide, decide_all
from synthcore.evidence.gates import Gate, can_move, flat, inside_grid, reaches, stays_below
from synthcore.evidence.record import decision_record
from synthcore.evidence.statistics import at_least, at_most, within_tolerance
from synthcore.evidence.table import claims_text
from synthcore.evidence.verdict import Verdict, Word, together

DATA = xr.Dataset(
    {
        "rise": ("seed", [0.9, 1.0, 1.1, 1.05, 0.95]),
        "rise_untrained": ("seed", [0.1, -0.1, 0.05, -0.05, 0.0]),
        "rise_exact": ("seed", [2.0] * 5),
        "wide": ("seed", [0.0, 2.0, 1.0, -1.0, 3.0]),
        "gone": ("seed", [1.0, math.nan, 1.0, 1.0, 1.0]),
    }
)
UNTRAINED = instead(rise="rise_untrained")
EXACT = instead(rise="rise_exact")


def rises(data: xr.Dataset) -> Verdict:
    return at_least(data.rise, 0.5, label="rise")


def spreads(data: xr.Dataset) -> Verdict:
    return at_least(data.wide, 0.5, label="wide")


def falls(data: xr.Dataset) -> Verdict:
    return at_most(data.rise, 0.5, label="fall")


def vanishes(data: xr.Dataset) -> Verdict:
    return at_least(data.gone, 0.5, label="gone")


def never(data: xr.Dataset) -> Any:
    raise AssertionError


def claim(name: str = "C1", **changes: Any) -> Claim:
    given: dict[str, Any] = {
        "where": "Fig. 1",
        "primary": rises,
        "threshold_source": "paper Fig. 1",
    }
    return Claim(name, "It rises.", **{**given, **changes})


def word(scale: str = "check", **changes: Any) -> Word:
    return decide(claim(**changes), DATA, scale).verdict.verdict


@pytest.mark.parametrize(
    ("primary", "expected"),
    [
        (rises, Word.REPRODUCED),
        ((rises, rises), Word.REPRODUCED),
        ((rises, falls), Word.NOT),
        ((rises, spreads), Word.UNDECIDED),
        ((spreads, falls, rises), Word.NOT),
        ((rises, vanishes), Word.NOT_TESTABLE),
        ((falls, vanishes), Word.NOT),
        (vanishes, Word.NOT_TESTABLE),
    ],
)
def test_several_endpoints_are_one_verdict(primary: Any, expected: Word) -> None:
    verdict = decide(claim(primary=primary), DATA, "check").verdict
    assert verdict.verdict is expected
    if isinstance(primary, tuple):
        assert [part.label for part in verdict.parts] == [f(DATA).label for f in primary]
        shown = next(part for part in verdict.parts if part.verdict is expected)
        assert str(verdict.observed) == str(shown.observed)


def test_a_conjunction_needs_what_its_neediest_endpoint_needs() -> None:
    a, b = (at_least(DATA.wide, margin, label="w") for margin in (0.5, 0.8))
    assert a.needed is not None
    assert b.needed is not None
    assert together([a, b]).needed == max(a.needed, b.needed) > a.needed
    assert together([a, at_least(DATA.wide, 1.0)]).needed is None  # its mean is its margin


def test_scales_that_do_not_decide_say_where_it_is_decided() -> None:
    decision = decide(claim(primary=never, gates=(never,)), DATA, "smoke")
    assert decision.verdict.verdict is Word.NOT_TESTABLE
    assert decision.verdict.note == "decided at check, reference and authors"
    assert word(scales=("reference",)) is Word.NOT_TESTABLE
    changed = decide(claim(required=("check",), primary=falls), DATA, "check, changed")
    assert (changed.verdict.verdict, changed.required) == (Word.NOT, False)


def test_a_required_claim_must_be_reproduced() -> None:
    holds = {
        name: decide(claim(primary=primary, required=("check",)), DATA, "check").holds
        for name, primary in (("rises", rises), ("spreads", spreads), ("falls", falls))
    }
    assert holds == {"rises": True, "spreads": False, "falls": False}
    assert decide(claim(primary=falls), DATA, "check").holds


def test_a_failed_gate_comes_before_everything() -> None:
    gates = (
        lambda data: reaches(data.rise, 0.5, "rise"),
        lambda data: reaches(data.rise, 2.0, "accuracy before the edit"),
    )
    decision = decide(claim(primary=never, control=never, gates=gates), DATA, "check")
    assert decision.verdict.verdict is Word.NOT_TESTABLE
    assert decision.verdict.note == "a gate failed: accuracy before the edit: 1, at least 2"
    assert [gate.holds for gate in decision.gates] == [True, False]


def test_controls_can_only_take_a_verdict_away() -> None:
    assert word(control=UNTRAINED, ideal=EXACT) is Word.REPRODUCED
    assert word(primary=falls, control=EXACT, ideal=UNTRAINED) is Word.NOT
    blind = decide(claim(control=EXACT), DATA, "check").verdict
    assert blind.verdict is Word.NOT_TESTABLE
    assert blind.note.startswith("the control without the effect passes as well (2, margin ≥ 0.5)")
    assert blind.observed == 1.0  # the numbers stay
    deaf = decide(claim(ideal=UNTRAINED), DATA, "check").verdict
    assert deaf.verdict is Word.NOT_TESTABLE
    assert "the exact algorithm itself does not pass (0, margin ≥ 0.5)" in deaf.note


def test_an_exact_algorithm_without_spread_passes_with_three_seeds() -> None:
    few = DATA.isel(seed=slice(3))
    assert decide(claim(ideal=EXACT), few, "check").verdict.verdict is Word.REPRODUCED


def test_a_control_that_this_run_does_not_have_is_no_control() -> None:
    decision = decide(claim(control=instead(rise="rise_permuted")), DATA, "check")
    assert decision.verdict.verdict is Word.REPRODUCED
    assert decision.control is None
    assert decision.characteristics.false_positive is None


def test_further_checks_decide_nothing() -> None:
    decision = decide(claim(further=(falls, vanishes)), DATA, "check")
    assert decision.verdict.verdict is Word.REPRODUCED
    assert [each.verdict for each in decision.further] == [Word.NOT, Word.NOT_TESTABLE]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"primary": (rises,) * 4}, "4 primary endpoints; one to three"),
        ({"threshold_source": ""}, "where its margin comes from"),
        ({"threshold_source": "ours:"}, "where its margin comes from"),
        ({"required": ("smoke",)}, "required but not decided at smoke"),
        ({"primary": (rises, falls), "effect": 0.3}, "one effect for each of 2 endpoints"),
    ],
)
def test_a_claim_that_cannot_be_decided_is_refused(changes: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        claim(**changes)


def test_a_deterministic_quantity_is_no_empirical_claim() -> None:
    def exact(data: xr.Dataset) -> Verdict:
        return within_tolerance(0.0, 1e-9)

    assert word(primary=exact, kind="check of code") is Word.REPRODUCED
    with pytest.raises(ValueError, match="check of code, not evidence"):
        word(primary=exact)


def test_errors_and_repeated_ids_name_the_claim() -> None:
    with pytest.raises(AttributeError) as caught:
        decide_all([claim("C7", primary=lambda data: at_least(data.b, 1))], DATA, "check")
    assert caught.value.__notes__ == ["while deciding claim C7: It rises."]
    with pytest.raises(ValueError, match="Two claims have the id 'C1'"):
        decide_all([claim(), claim()], DATA, "check")


def test_claims_of_both_editions_stand_side_by_side() -> None:
    def old(data: xr.Dataset) -> first_edition.Verdict:
        return first_edition.at_least(data.wide, 0.5)

    before = first_edition.Claim("C0", "Old.", "Fig. 0", old, {"check": True}, lambda data: -data)
    records = claim_records([before, claim()], DATA, "check")
    assert [record.kind for record in records] == [None, "empirical"]
    assert [record.verdict for record in records] == ["not reproduced", "reproduced"]
    assert claims_text(records).count("\n") == 1


def test_a_record_keeps_all_that_the_verdict_rests_on() -> None:
    decision = decide(
        claim(
            primary=(rises, spreads),
            control=UNTRAINED,
            ideal=instead(rise="rise_exact", wide="rise_exact"),
            further=(falls,),
            gates=(lambda data: reaches(data.rise, 0.5, "rise"),),
            effect=(0.9, 2.0),
        ),
        DATA,
        "check",
    )
    record = decision_record(decision)
    again = record.model_validate_json(record.model_dump_json())
    assert again.model_dump_json() == record.model_dump_json()
    assert (record.verdict, record.kind, record.threshold_source) == (
        "undecided",
        "empirical",
        "paper Fig. 1",
    )
    assert [part["label"] for part in record.parts] == ["rise", "wide"]
    assert all(0 <= part["power"] <= 1 for part in record.parts)
    assert record.power == decision.characteristics.power
    assert record.effects == (0.9, 2.0)
    assert record.values == tuple(DATA.wide.values)
    assert (record.needed, record.agree) == (decision.verdict.needed, 3)
    assert record.gates[0].holds
    assert record.further[0]["verdict"] == "not reproduced"
    assert record.control is not None
    assert record.control["verdict"] == "not reproduced"
    assert record.ideal is not None


def test_bounds_that_do_not_exist_are_null() -> None:
    median = claim(primary=lambda data: at_least(data.wide[:3], 0.5, method="median"))
    record = decision_record(decide(median, DATA, "check"))
    assert (record.verdict, record.interval) == ("undecided", (None, None))


STEPS = xr.DataArray(
    [[0.0, 5, 9.0, 9.2, 9.1], [0, 4, 9.2, 9.0, 9.1]], dims=("seed", "step"), name="loss"
)


@pytest.mark.parametrize(
    ("gate", "holds", "number"),
    [
        (lambda: flat(STEPS, 0.2), True, 0.0),  # the means are 9.1, 9.1, 9.1
        (lambda: flat(STEPS[0], 0.5), True, 0.2),
        (lambda: flat(STEPS[0], 0.39), False, 0.2),
        (lambda: flat(STEPS[0], -0.3), False, 0.2),
        (lambda: flat(STEPS.where(STEPS != 9.2), 0.5), False, math.nan),
        (lambda: inside_grid([2, 4, 4], [1, 2, 4, 8]), True, 4),
        (lambda: inside_grid([2, 8, 8], [8, 4, 2, 1]), False, 8),
        (lambda: can_move(np.array([0.5, 0.7]), 0, 1), True, 0.6),
        (lambda: can_move(np.array([0.98, 0.96]), 0, 1), False, 0.97),
        (lambda: can_move(np.array([0.02]), 0, math.inf), True, 0.02),
        (lambda: can_move(np.array([math.nan]), 0, 1), False, math.nan),
        (lambda: reaches([0.9, 1.0], 0.95, "accuracy"), True, 0.95),
        (lambda: stays_below([0.9, 1.0], 0.9, "error"), False, 0.95),
        (lambda: reaches([math.nan], 0.5, "accuracy"), False, math.nan),
    ],
)
def test_gates(gate: Callable[[], Gate], holds: bool, number: float) -> None:
    found = gate()
    assert found.holds is holds
    assert found.number == pytest.approx(number, nan_ok=True)
    assert f"{found.number:.3g}" in found.sentence


def test_two_checkpoints_say_nothing_about_flatness() -> None:
    with pytest.raises(ValueError, match="3 checkpoints are needed along step, not 2"):
        flat(STEPS.isel(step=[0, 1]), 1.0)


def test_controls_put_other_measurements_in_the_networks_place() -> None:
    swapped = UNTRAINED(DATA)
    assert swapped is not None
    assert swapped.rise.equals(DATA.rise_untrained.rename("rise"))
    assert instead(rise="rise_permuted")(DATA) is None
    with pytest.raises(KeyError, match="rise_permuted"):
        instead(rise="rise_exact", wide="rise_permuted")(DATA)
    with pytest.raises(ValueError, match="other dimensions"):
        instead(rise="curve")(DATA.assign(curve=STEPS.isel(seed=0)))
    names = xr.Dataset(
        {"loss": (("seed", "subject"), [[0.1, 0.2], [0.3, 0.4]])},
        coords={"subject": ["network", "bigram"]},
    )
    bigram = subject("bigram")(names)
    assert bigram is not None
    assert bigram.loss.sel(subject="network").values.tolist() == [0.2, 0.4]
    assert subject("untrained")(names) is None
