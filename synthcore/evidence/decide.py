"""Deciding claims on a run: gates, then primary endpoints, then the controls beside them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from synthcore.evidence import first_edition
from synthcore.evidence.characteristics import Characteristics, simulate
from synthcore.evidence.claim import Claim, Substitute
from synthcore.evidence.defaults import CHANGED
from synthcore.evidence.gates import Gate
from synthcore.evidence.record import ClaimRecord, claim_record, decision_record
from synthcore.evidence.rules import beyond
from synthcore.evidence.verdict import Verdict, Word, together

Data = Any  # a run's dataset, or a tree with one dataset per experiment


@dataclass(frozen=True)
class Decision:
    """A claim, its verdict on one run, and everything that the verdict rests on."""

    claim: Claim
    verdict: Verdict
    required: bool
    gates: tuple[Gate, ...] = ()
    further: tuple[Verdict, ...] = ()
    control: Verdict | None = None
    ideal: Verdict | None = None
    characteristics: Characteristics = field(default_factory=Characteristics)

    @property
    def holds(self) -> bool:
        """False only for a required claim that was not reproduced."""
        return not self.required or self.verdict.verdict is Word.REPRODUCED


def decide_all(
    claims: Iterable[Claim | first_edition.Claim], data: Data, scale: str
) -> list[Decision | first_edition.Decision]:
    """Every claim's decision on `data`, in order, each by the rules it was written for.

    Raises ValueError for two claims of one id; an exception inside a claim's functions gains a note
    with the claim's id and is raised on.
    """
    decisions: list[Decision | first_edition.Decision] = []
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ValueError(f"Two claims have the id {claim.id!r}.")
        seen.add(claim.id)
        if isinstance(claim, Claim):
            decisions.append(decide(claim, data, scale))
        else:
            decisions += first_edition.decide_all([claim], data, scale)
    return decisions


def claim_records(
    claims: Iterable[Claim | first_edition.Claim], data: Data, scale: str
) -> list[ClaimRecord]:
    """Every claim's decision as plain data, what a run keeps; raises as `decide_all` does."""
    return [
        decision_record(decision)
        if isinstance(decision, Decision)
        else claim_record(
            decision.verdict,
            id=decision.claim.id,
            statement=decision.claim.statement,
            where=decision.claim.where,
            required=decision.required,
        )
        for decision in decide_all(claims, data, scale)
    ]


def decide(claim: Claim, data: Data, scale: str) -> Decision:
    """One claim's decision on a run at `scale`.

    At a scale named `check, changed` a claim is decided as at `check`, and nothing is required.
    """
    required = scale in claim.required
    if scale.removesuffix(CHANGED) not in claim.scales:
        verdict = Verdict.not_testable(f"decided at {_listed(claim.scales)}")
        return Decision(claim, verdict, required)
    try:
        return _decide(claim, data, required)
    except Exception as error:
        error.add_note(f"while deciding claim {claim.id}: {claim.statement}")
        raise


def _decide(claim: Claim, data: Data, required: bool) -> Decision:
    gates = tuple(gate(data) for gate in claim.gates)
    if failed := [gate for gate in gates if not gate.holds]:
        note = "; ".join(f"a gate failed: {gate.sentence}" for gate in failed)
        return Decision(claim, Verdict.not_testable(note), required, gates)
    parts = [endpoint(data) for endpoint in claim.endpoints]
    verdict = together(parts)
    deterministic = any(part.method == "exact" for part in parts)
    if deterministic and claim.kind == "empirical":
        raise ValueError("A deterministic quantity is a check of code, not evidence.")
    ideals = _on(claim, claim.ideal, data)
    controls = _on(claim, claim.control, data)
    if ideals and not all(_ideal_passes(part) for part in ideals):
        failing = next(part for part in ideals if not _ideal_passes(part))
        verdict = verdict.but_not_testable(
            f"the exact algorithm itself does not pass ({_number(failing)})"
        )
    elif controls and together(controls).verdict is Word.REPRODUCED:
        verdict = verdict.but_not_testable(
            f"the control without the effect passes as well ({_number(together(controls))})"
        )
    return Decision(
        claim,
        verdict,
        required,
        gates,
        further=tuple(check(data) for check in claim.further),
        control=together(controls) if controls else None,
        ideal=together(ideals) if ideals else None,
        characteristics=simulate(parts, controls, claim.effects),
    )


def _on(claim: Claim, substitute: Substitute | None, data: Data) -> list[Verdict] | None:
    """The primary endpoints on a control's run, or None if there is none."""
    other = substitute(data) if substitute else None
    return None if other is None else [endpoint(other) for endpoint in claim.endpoints]


def _ideal_passes(verdict: Verdict) -> bool:
    """Reproduced; an algorithm without any spread over seeds needs only to be beyond the margin."""
    if verdict.verdict is not Word.UNDECIDED:
        return verdict.verdict is Word.REPRODUCED
    same = len(set(verdict.values)) == 1
    return same and bool(beyond(verdict.observed, verdict.threshold, verdict.direction))


def _number(verdict: Verdict) -> str:
    sign = "≥" if verdict.direction == ">=" else "≤"
    if verdict.verdict is Word.NOT_TESTABLE:
        return verdict.note
    return f"{verdict.observed:.3g}, margin {sign} {verdict.threshold:.3g}"


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "no scale"
