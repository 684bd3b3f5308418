"""What a verdict rests on, folded below a claim: place, margin, gates, seeds and controls."""

from collections.abc import Iterator
from html import escape

from synthcore.evidence.interval_plot import margin_word, number
from synthcore.evidence.record import RUNS, ClaimRecord

TITLE = "What it rests on"
METHODS = {
    "t": "mean over seeds, Student's one-sided 95 % bounds",
    "median": "median over seeds, exact one-sided 95 % bounds",
    "share": "share of seeds, Clopper and Pearson's one-sided 95 % bounds",
    "exact": "deterministic: one number, no bounds",
}


def details_html(claim: ClaimRecord, where: bool = True) -> str:
    """A fold with one line per thing that the verdict rests on; `where` keeps the place's line."""
    lines = [(term, text) for term, text in _lines(claim) if where or term != "Where"]
    listed = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in lines)
    summary = f'<summary aria-label="{TITLE}: {escape(claim.id)}">{TITLE}</summary>'
    return f"<details>{summary}<dl>{listed}</dl></details>"


def _lines(claim: ClaimRecord) -> Iterator[tuple[str, str]]:
    yield "Where", escape(claim.where)
    if claim.kind is None:
        yield "Decided by", "the first edition's rules"
        if claim.note:
            yield "Rule", escape(claim.note)
        for part in claim.parts:
            yield "Part", _verdict(claim.part(part))
        return
    if claim.kind != "empirical":
        yield "Kind", escape(claim.kind)
    yield margin_word(claim).capitalize(), escape(claim.threshold_source)
    if claim.former_margin:
        yield "Former margin", escape(claim.former_margin)
    for gate in claim.gates:
        yield "Gate", f"{'holds' if gate.holds else 'fails'}: {escape(gate.sentence)}"
    for endpoint in claim.endpoints:
        named = f"{escape(endpoint.label)}: " if claim.parts and endpoint.label else ""
        for term, text in _endpoint(endpoint):
            yield term, named + text
    if claim.observed is not None:
        yield "Without effect", _simulated(claim)
        ideal = claim.part({**claim.ideal, "label": ""}) if claim.ideal else None
        yield "Exact algorithm", _verdict(ideal) if ideal else "none in this run"
    if claim.power is not None:
        sizes = " and ".join(number(effect) for effect in claim.effects)
        yield "Power", f"{claim.power:.2f} for an effect of {sizes} at this run's noise"
    for check in claim.further:
        yield "Further check", f"{_verdict(claim.part(check))}; decides nothing"
    if claim.note and not claim.parts and claim.verdict != "not testable here":
        yield "Note", escape(claim.note)


def _endpoint(claim: ClaimRecord) -> Iterator[tuple[str, str]]:
    """How it was estimated, which values, how many seeds agree, and what the control gives."""
    if claim.method:
        yield "Estimate", METHODS[claim.method]
    if claim.n > 1 and claim.values:
        values = ", ".join(number(value) for value in claim.values)
        yield "Seeds", f"{claim.agree} of {claim.n} agree ({values})"
    if claim.control:
        yield "Control", _verdict(claim.part({**claim.control, "label": ""}))


def _simulated(claim: ClaimRecord) -> str:
    if not claim.control:
        return "no control in this run"
    if claim.false_positive is None:
        return "no spread over seeds, so that nothing can be simulated"
    passing = round(claim.false_positive * RUNS)
    return f"{passing} of {RUNS} runs, simulated around the control, pass"


def _verdict(claim: ClaimRecord) -> str:
    """`label: 0.83 [0.71, 0.95] ≥ 0.5, reproduced`."""
    label = f"{escape(claim.label)}: " if claim.label else ""
    if claim.observed is None:
        return f"{label}{claim.verdict} ({escape(claim.note)})"
    low, high = claim.interval
    ends = "" if low is None or high is None else f" [{number(low)}, {number(high)}]"
    sign = "≥" if claim.direction == ">=" else "≤"
    return (
        f"{label}{number(claim.observed)}{ends} {sign} {number(claim.threshold)}, {claim.verdict}"
    )
