"""The claim table a chapter shows: plain HTML that inherits the page's colours."""

from collections.abc import Sequence
from html import escape

from synthcore.evidence.record import ClaimRecord


def number(value: float | None) -> str:
    """Three significant digits, or a dash for no number."""
    return "–" if value is None else f"{value:.3g}"


def against(claim: ClaimRecord) -> str:
    """`0.83 ≥ 0.7`: the observed value beside the threshold it had to meet."""
    if claim.observed is None or claim.threshold is None:
        return "–"
    sign = "≥" if claim.direction == ">=" else "≤"
    return f"{number(claim.observed)} (threshold {sign} {number(claim.threshold)})"


def interval(claim: ClaimRecord) -> str:
    """`[0.71, 0.95], n = 3`."""
    low, high = claim.interval
    return "–" if low is None else f"[{number(low)}, {number(high)}], n = {claim.n}"


def verdict_mark(claim: ClaimRecord) -> str:
    """The verdict as a word, which the site's style sheet may also mark."""
    return f'<span class="verdict" data-verdict="{claim.verdict}">{claim.verdict}</span>'


def claims_html(claims: Sequence[ClaimRecord]) -> str:
    """A table with one row per claim: sentence, place in the paper, numbers, verdict."""
    head = ("Claim", "Statement", "Observed", "95 % interval", "Verdict")
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    rows = "".join(_row(claim) for claim in claims)
    return (
        '<div class="table-scroll"><table class="claims-table">'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def claims_text(claims: Sequence[ClaimRecord]) -> str:
    """The same for a terminal."""
    return "\n".join(f"{c.id}  {c.verdict}  {against(c)}  {c.statement}" for c in claims)


def _row(claim: ClaimRecord) -> str:
    verdict = verdict_mark(claim)
    if claim.required:
        verdict += "<br><small>required</small>"
    if claim.note:
        verdict += f"<br><small>{escape(claim.note)}</small>"
    style = ' style="text-align: left; vertical-align: top"'
    columns = (
        f"{escape(claim.statement)}<br><small>{escape(claim.where)}</small>",
        escape(against(claim)),
        escape(interval(claim)),
        verdict,
    )
    data = "".join(f"<td{style}>{column}</td>" for column in columns)
    return f'<tr><th scope="row"{style}>{escape(claim.id)}</th>{data}</tr>'
