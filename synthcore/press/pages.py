"""The generated pieces of the site that are shared: tables of studies and benchmarks, markers.

All of it is MyST Markdown made from records.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthcore.evidence.record import Record
from synthcore.press.runs import verdict_line
from synthcore.press.studies import Study


def studies_table(studies: Sequence[tuple[Study, Mapping[str, Record]]]) -> str:
    """One row per study."""
    rows = [("Study", "Question", "Claims", "Run")]
    for study, runs in studies:
        verdicts = "; ".join(
            f"{verdict_line(record.claims)} ({scale})" for scale, record in runs.items()
        )
        record = next(iter(runs.values()))
        rows.append((link(study), study.question or "–", verdicts, run_line(record)))
    return list_table(rows, "24 34 24 18", "studies-table")


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


def estimates_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of benchmarks/estimates.json: what a run would take."""
    columns = ["study", "count", "largest", "updates", "FLOP", "here", "GPU", "memory"]
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    for row in rows:
        lines.append(
            f"| {_tried(row)} | {row['networks']:,} | {row['largest']:,} "
            f"| {row['updates']:,} | {row['flop']:.1e} | {_hours(row['seconds_here'])} "
            f"| {_hours(row['seconds_on_gpu'])} | {row['peak_rss_mb'] / 1000:.1f} GB |"
        )
    devices = sorted({f"{row['device']}; {row['date']}" for row in rows})
    return "\n".join([*lines, "", *(f"Here: {device}." for device in devices)])


def _tried(row: Mapping[str, Any]) -> str:
    """
    >>> _tried({"study": "toy", "scale": "authors", "changed": {"n_seeds": 1, "rates": [1, 2]}})
    'toy (authors; n_seeds: 1, rates: 2 values)'
    """
    changes = (
        f"{name}: {f'{len(value)} values' if isinstance(value, (list, tuple)) else value}"
        for name, value in row["changed"].items()
    )
    return f"{row['study']} ({'; '.join(filter(None, [row['scale'], ', '.join(changes)]))})"


def _hours(seconds: float) -> str:
    """
    >>> _hours(90), _hours(7200), _hours(1e6)
    ('2 min', '2.0 h', '12 days')
    """
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


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


def run_line(record: Record) -> str:
    """Day, device and time of a run; of one whose stages were found, when these were computed."""
    if any(stage.source != "computed" for stage in record.stages):
        day = max(stage.created for stage in record.stages)[:10]
        spent = sum(stage.cpu_seconds for stage in record.stages)
        return f"stages of {day}, {_hours(spent)} of CPU time"
    return f"{record.started[:10]}, {record.device}, {_minutes(record.seconds)}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


def link(study: Study, text: str = "") -> str:
    """A link to a chapter, as MyST."""
    return f"{{doc}}`{text or study.title} </notebooks/{study.name}>`"


def list_table(rows: Sequence[Sequence[str]], widths: str, css: str) -> str:
    """A MyST table whose first row is the head; every cell becomes one line."""
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
