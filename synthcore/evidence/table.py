"""The claims table a chapter shows: plain HTML that inherits the page's colours.

One row per claim says what was observed, how surely, and what follows; a second, folded row says
what that rests on. A narrow page shows each claim as a card.
"""

from collections.abc import Sequence
from html import escape

from synthcore.evidence.details import details_html
from synthcore.evidence.interval_plot import interval_plot, margin_word, number
from synthcore.evidence.record import ClaimRecord

HEAD = ("Claim", "Observed", "n", "Power", "Verdict")
LEFT = ' style="text-align: left; vertical-align: top"'


def against(claim: ClaimRecord) -> str:
    """`0.83 (threshold ≥ 0.7)`: the observed value beside the threshold it had to meet."""
    if claim.observed is None or claim.threshold is None:
        return "–"
    sign = "≥" if claim.direction == ">=" else "≤"
    return f"{number(claim.observed)} ({margin_word(claim)} {sign} {number(claim.threshold)})"


def interval(claim: ClaimRecord) -> str:
    """`[0.71, 0.95], n = 3`."""
    return "–" if claim.observed is None else f"{bounds(claim)}, n = {claim.n}".lstrip(", ")


def bounds(claim: ClaimRecord) -> str:
    """`[0.71, 0.95]`: the interval, or the two one-sided bounds; empty if there is neither."""
    low, high = claim.interval
    if claim.kind is None:
        return "" if low is None else f"[{number(low)}, {number(high)}]"
    ends = "−∞" if low is None else number(low), "∞" if high is None else number(high)
    return "" if claim.observed is None else f"[{ends[0]}, {ends[1]}]"


def verdict_mark(claim: ClaimRecord) -> str:
    """The verdict as a word, which the site's style sheet may also mark."""
    return f'<span class="verdict" data-verdict="{claim.verdict}">{claim.verdict}</span>'


def claims_html(claims: Sequence[ClaimRecord]) -> str:
    """A table with one row per claim: sentence, drawing and numbers, seeds, power, verdict."""
    cells = "".join(f'<th scope="col"{LEFT}>{name}</th>' for name in HEAD)
    bodies = "".join(_body(claim) for claim in claims)
    return (
        '<div class="table-scroll"><table class="claims-table verdicts">'
        f"<thead><tr>{cells}</tr></thead>{bodies}</table></div>"
    )


def claims_text(claims: Sequence[ClaimRecord]) -> str:
    """The same for a terminal."""
    return "\n".join(f"{c.id}  {c.verdict}  {against(c)}  {c.statement}" for c in claims)


def verdict_cells(claim: ClaimRecord) -> str:
    """The four cells of a row that say what came out: observed, n, power, verdict."""
    columns = (
        ("Observed", "".join(_numbers(part) for part in claim.endpoints)),
        ("n", str(claim.n) if claim.n else "–"),
        ("Power", power(claim)),
        ("Verdict", _verdict(claim)),
    )
    return "".join(f'<td data-label="{name}"{LEFT}>{cell}</td>' for name, cell in columns)


def power(claim: ClaimRecord) -> str:
    """Share of simulated runs with the effect that pass; marked below .8."""
    if claim.power is None:
        return "–"
    return f"{claim.power:.2f}" + (" <br><small>low</small>" if claim.weak else "")


def reason(claim: ClaimRecord) -> str:
    """Why a claim is not testable, as a small line, or nothing."""
    if claim.kind is None or claim.verdict != "not testable here" or not claim.note:
        return ""
    return f'<br><small class="reason">{escape(claim.note)}</small>'


def _numbers(claim: ClaimRecord) -> str:
    if claim.observed is None:
        return "–"
    label = f"<small>{escape(claim.label)}</small><br>" if claim.label and claim.kind else ""
    sign = "≥&nbsp;" if claim.direction == ">=" else "≤&nbsp;"
    text = f"{number(claim.observed)} {bounds(claim)}; {sign}{number(claim.threshold)}"
    return f'<div class="endpoint">{label}{interval_plot(claim)}<small>{text}</small></div>'


def _verdict(claim: ClaimRecord) -> str:
    lines = [verdict_mark(claim)]
    if claim.required:
        lines.append("<small>required</small>")
    if claim.kind and claim.verdict == "undecided":
        seeds = "more than 10,000" if claim.needed is None else f"about {claim.needed:,}"
        lines.append(f"<small>{seeds} seeds would decide</small>")
    if claim.unsound:
        lines.append("<small>passes too often without an effect</small>")
    return " <br>".join(lines)


def _body(claim: ClaimRecord) -> str:
    sentence = f"<strong>{escape(claim.id)}</strong> {escape(claim.statement)}{reason(claim)}"
    return (
        f'<tbody><tr data-verdict="{claim.verdict}">'
        f'<th scope="row" class="claim"{LEFT[:-1]}; font-weight: normal">{sentence}</th>'
        f"{verdict_cells(claim)}</tr>"
        f'<tr class="more"><td colspan="{len(HEAD)}"{LEFT}>{details_html(claim)}</td></tr></tbody>'
    )
