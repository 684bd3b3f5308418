"""A claim's interval against its threshold as a small drawing that takes the page's colours."""

from synthcore.evidence.record import ClaimRecord

WIDTH, HEIGHT, EDGE = 190, 30, 9  # pixels
LINE, SEEDS = 11, 23  # heights of the interval and of the single seeds


def number(value: float | None) -> str:
    """Three significant digits, or a dash for no number."""
    return "–" if value is None else f"{value:.3g}"


def interval_plot(claim: ClaimRecord) -> str:
    """SVG: the observed value as a dot on its interval; the threshold dashed, its far side shaded.

    Below, each seed as a tick; the control without the effect as an open diamond. A bound that does
    not exist reaches the edge. Empty where nothing was observed.
    """
    if claim.observed is None or claim.threshold is None:
        return ""
    low, high = claim.interval
    if claim.kind is None:  # two-sided, and absent for a single value
        low, high = (claim.observed if end is None else end for end in (low, high))
    control = claim.control["observed"] if claim.control else None
    seeds = [value for value in claim.values if value is not None] if claim.n > 1 else []
    known = [low, high, claim.observed, claim.threshold, control, *seeds]
    inside = [value for value in known if value is not None]
    start, span = min(inside), (max(inside) - min(inside)) or 1.0

    def x(value: float | None, edge: float = 0.0) -> float:
        return (
            edge if value is None else round(EDGE + (WIDTH - 2 * EDGE) * (value - start) / span, 1)
        )

    at = x(claim.threshold)
    left, wide = (at, WIDTH - at) if claim.direction == ">=" else (0, at)
    ink = 'stroke="currentColor" fill="none"'
    ticks = "".join(f"M{x(value)} {SEEDS - 3}v6" for value in seeds)
    parts = [
        f'<rect class="claimed" x="{left}" y="1" width="{round(wide, 1)}" height="{HEIGHT - 2}" '
        'fill="currentColor" fill-opacity="0.1"/>',
        f'<path class="threshold" d="M{at} 0V{HEIGHT}" {ink} stroke-dasharray="3 2"/>',
        f'<path class="span" d="M{x(low)} {LINE}H{x(high, WIDTH)}" {ink} stroke-width="2"/>',
        f'<circle cx="{x(claim.observed)}" cy="{LINE}" r="4" fill="currentColor"/>',
    ]
    if ticks:
        parts.append(f'<path class="seeds" d="{ticks}" {ink} stroke-opacity="0.6"/>')
    if control is not None:
        diamond = f"M{x(control)} {LINE - 5}l5 5l-5 5l-5 -5z"
        parts.append(f'<path class="control" d="{diamond}" {ink} stroke-width="1.3"/>')
    return (
        f'<svg class="interval" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'style="display: block" role="img" aria-label="{described(claim)}">{"".join(parts)}</svg>'
    )


def described(claim: ClaimRecord) -> str:
    """The drawing in words."""
    low, high = claim.interval
    ends = f"{number(low)} to {number(high)}"
    if claim.kind is None:
        words = [f"observed {number(claim.observed)}"]
        words += [f"interval {ends}"] if low is not None else []
    else:
        words = [f"observed {number(claim.observed)}", f"bounds {_end(low)} to {_end(high)}"]
    side = "at least" if claim.direction == ">=" else "at most"
    words.append(f"{margin_word(claim)} {side} {number(claim.threshold)}")
    if claim.control:
        words.append(f"control {number(claim.control['observed'])}")
    return ", ".join(words)


def margin_word(claim: ClaimRecord) -> str:
    """`margin`, or `threshold` for a claim that was decided by the first edition's rules."""
    return "threshold" if claim.kind is None else "margin"


def _end(value: float | None) -> str:
    return "without end" if value is None else number(value)
