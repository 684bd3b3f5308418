"""The generated pieces of the site: header cards, claims, tables of studies and benchmarks.

All of it is MyST Markdown made from records.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthcore.evidence.record import Record
from synthcore.evidence.table import against, interval, verdict_mark
from synthcore.press.runs import verdict_line
from synthcore.press.studies import Study

CLAIMS_MARKER = "<!-- claims-table -->"
STUDIES_MARKER = "<!-- studies-table -->"
BENCHMARKS_MARKER = "<!-- benchmarks-table -->"


def header_card(study: Study, record: Record, others: Mapping[str, Record]) -> str:
    """What a reader wants to know before reading: paper, question, verdict, run, commands."""
    lines = [
        (term, text)
        for term, text in (("Paper", study.paper), ("Question", study.question))
        if text
    ]
    lines.append(("Verdict", f"{verdict_line(record.claims)} at {record.scale} scale"))
    lines += [
        (f"At {scale} scale", f"{verdict_line(other.claims)} ({_run(other)})")
        for scale, other in others.items()
    ]
    lines.append(("Last run", f"{_run(record)}, {record.peak_rss_mb / 1000:.1f} GB of memory"))
    scale = "" if record.scale == "book" else f" --scale {record.scale}"
    lines.append(("Run it", f"`synthcore run {study.name}{scale}`"))
    other_seed = record.seeds[-1] + 1
    command = f"synthcore run {study.name}{scale} -p seed {other_seed}"
    lines.append(("With other seeds", f"`{command}`"))
    terms = "\n\n".join(f"{term}\n: {text}" for term, text in lines)
    return f"::::{{div}} model-card\n{terms}\n::::"


def claims_page(studies: Sequence[tuple[Study, Mapping[str, Record]]]) -> str:
    """One table per study: claims down, scales across."""
    return "\n\n".join(_claims_of(study, runs) for study, runs in studies)


def studies_table(studies: Sequence[tuple[Study, Mapping[str, Record]]]) -> str:
    """One row per study."""
    rows = [("Study", "Question", "Claims", "Run")]
    for study, runs in studies:
        verdicts = "; ".join(
            f"{verdict_line(record.claims)} ({scale})" for scale, record in runs.items()
        )
        record = next(iter(runs.values()))
        rows.append((_link(study), study.question or "–", verdicts, _run(record)))
    return _list_table(rows, "24 34 24 18", "studies-table")


def benchmarks_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of benchmarks/results.json, with the spread of their runs and the load of others."""
    lines = ["| benchmark | measured | target | runs | met | load of others |", "|---" * 6 + "|"]
    for row in rows:
        unit = row["unit"]
        runs = f"{min(row['runs']):.3g} to {max(row['runs']):.3g}"
        lines.append(
            f"| `{row['name']}`: {row['what']} | {row['value']:.3g} {unit} "
            f"| {row['direction']} {row['target']:g} {unit} | {runs} "
            f"| {'yes' if row['met'] else 'no'} | {row['load']:g} |"
        )
    machines = sorted({f"{row['machine']}; {row['date']}" for row in rows})
    return "\n".join([*lines, "", *(f"Measured on {machine}." for machine in machines)])


def explorer_marker(text: str) -> tuple[str, str, str] | None:
    """`<!-- explorer: study/id -->` in a page: the marker, the study, the id."""
    start = text.find("<!-- explorer:")
    if start < 0:
        return None
    marker = text[start : text.index("-->", start) + 3]
    study, _, name = (
        marker.removeprefix("<!-- explorer:").removesuffix("-->").strip().partition("/")
    )
    return marker, study, name


def _claims_of(study: Study, runs: Mapping[str, Record]) -> str:
    claims = {claim.id: claim for record in runs.values() for claim in record.claims}
    rows: list[tuple[str, ...]] = [("Claim", *(f"{scale} scale" for scale in runs))]
    for name, claim in claims.items():
        first = f"**{name}.** {claim.statement} *({claim.where})*"
        rows.append((first, *(_verdict(record, name) for record in runs.values())))
    widths = " ".join(["40", *["30"] * len(runs)])
    runs_text = "\n".join(
        f"- *{scale}*: {verdict_line(record.claims)}; {_run(record)}"
        for scale, record in runs.items()
    )
    heading = f"## {study.title}\n\n{_link(study, 'Read the chapter')}.\n\n{runs_text}"
    return f"{heading}\n\n{_list_table(rows, widths, 'claims-table')}"


def _verdict(record: Record, name: str) -> str:
    claim = next((claim for claim in record.claims if claim.id == name), None)
    if claim is None:
        return "–"
    parts = [verdict_mark(claim) + (" (required)" if claim.required else "")]
    if claim.observed is not None:
        parts += [against(claim), interval(claim)]
    if claim.note:
        parts.append(claim.note)
    return "<br>".join(parts)


def _run(record: Record) -> str:
    return f"{record.started[:10]}, {record.device}, {_minutes(record.seconds)}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


def _link(study: Study, text: str = "") -> str:
    return f"{{doc}}`{text or study.title} </notebooks/{study.name}>`"


def _list_table(rows: Sequence[Sequence[str]], widths: str, css: str) -> str:
    lines = [":::{list-table}", ":header-rows: 1", f":widths: {widths}", f":class: {css}", ""]
    for row in rows:
        for index, cell in enumerate(row):
            bullet = "* -" if index == 0 else "  -"
            lines.append(f"{bullet} {' '.join(cell.split())}")
    return "\n".join([*lines, ":::"])


def fill(path: Path, pieces: Mapping[str, str]) -> str:
    """The page's text with every marker replaced."""
    text = path.read_text("utf-8")
    for marker, piece in pieces.items():
        text = text.replace(marker, piece)
    return text
