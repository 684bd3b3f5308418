"""The card below a chapter's title: paper, question, verdict, how it came about, commands."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from synthcore.evidence.record import Record
from synthcore.press.pages import run_line
from synthcore.press.runs import recorded_runs, verdict_line
from synthcore.press.shipping import unverified
from synthcore.press.shown import Shown
from synthcore.press.studies import CHECK, REFERENCE, Study

MORE = "Run it, other runs, related chapters"


def header_card(
    study: Study, page: Shown, runs: Mapping[str, Record], see_also: str = "", answer: str = ""
) -> str:
    """What a reader wants to know before reading, as MyST: question, answer, verdicts, provenance.

    `runs` are all of the study's, the page's and its check run among them; `answer` is what the
    chapter says itself. Commands and other runs are folded.
    """
    record = page.record
    lines = [
        (term, text)
        for term, text in (
            ("Paper", study.paper),
            ("Question", study.question),
            ("Answer", answer),
        )
        if text
    ]
    if record.scale == REFERENCE:
        lines.append(("Verdict", f"{verdict_line(record.claims)} in the reference run"))
        lines.append(("Check run", _agreement(page)))
        lines.append(("Reference run", _provenance(study, page)))
    else:
        lines.append(("Verdict", f"{verdict_line(record.claims)} at {record.scale} scale"))
        if page.why_not:
            lines.append(("Shown", f"the check run, not the reference run: {page.why_not}"))
    if record.scale != REFERENCE:
        memory = f"{record.peak_rss_mb / 1000:.1f} GB of memory"
        lines.append(("Last run", f"{run_line(record)}, {memory}"))
    more = [
        (f"At {scale} scale", f"{verdict_line(other.claims)} ({run_line(other)})")
        for scale, other in runs.items()
        if other is not record and other is not page.check
    ]
    check = page.check
    scale = "" if check.scale == CHECK else f" --scale {check.scale}"
    more.append(("Run it", f"`synthcore run {study.name}{scale}`"))
    if record.scale == REFERENCE:
        command = f"`synthcore run {study.name} --scale {REFERENCE}`"
        more.append(
            ("As on this page", f"{command}; the cell of parameters has those of the check run")
        )
    other_seed = f"synthcore run {study.name}{scale} -p seed {check.seeds[-1] + 1}"
    more.append(("With other seeds", f"`{other_seed}`"))
    if see_also:
        more.append(("See also", see_also))
    folded = f'<details class="card-more"><summary>{MORE}</summary>\n\n{_terms(more)}\n\n</details>'
    return f"::::{{div}} model-card\n{_terms(lines)}\n\n{folded}\n::::"


def _terms(lines: Sequence[tuple[str, str]]) -> str:
    """A list of definitions."""
    return "\n\n".join(f"{term}\n: {text}" for term, text in lines)


def _agreement(page: Shown) -> str:
    """Does the check run bear the page out?"""
    run = f"{verdict_line(page.check.claims)}; {run_line(page.check)}"
    if page.disagreements:
        names = ", ".join(page.disagreements)
        return f"**disagrees**: {names} reproduced here and not reproduced in it ({run})"
    return f"agrees: nothing that is reproduced here is not reproduced in it ({run})"


def _provenance(study: Study, page: Shown) -> str:
    """When, where and how long the shipped stages were computed, and whether code changed since."""
    made = recorded_runs(study).get(REFERENCE)
    line = run_line(page.record) + (f", {made.device}" if made else "")
    modules = sorted({Path(name).name for stage in page.record.stages for name in stage.changed})
    if not modules:
        return line
    since = f"{line}; since then {', '.join(f'`{name}`' for name in modules)} changed"
    if unverified(study, page.record, page.check):
        return since
    return f"{since}, and a block of seeds run again came out as before"
