"""Tables for a terminal."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from synthcore.evidence.interval_plot import number
from synthcore.evidence.record import WORDS, ClaimRecord, Record
from synthcore.evidence.table import against, interval
from synthcore.press.estimate import Estimate
from synthcore.press.progress import clock
from synthcore.press.verify import Comparison

UNCUT = 1000  # columns of a line that no terminal shows
ROOMY = 160  # columns that a table of claims wants


def console() -> Console:
    """Where tables go: as wide as the terminal; in a file or a pipe no column is cut."""
    told = sys.stdout.isatty() or bool(os.environ.get("COLUMNS"))
    # a dumb terminal has 80 columns to rich, unless both are given
    return Console() if told else Console(width=UNCUT, height=25)


def show_claims(claims: Sequence[tuple[str, str, ClaimRecord]]) -> None:
    """Study, scale and claim, one per row; without the room for it, one below the other."""
    if not claims:
        return
    screen = console()
    if screen.width < ROOMY:
        _list_claims(screen, claims)
        return
    table = Table("study", "scale", "claim", "verdict", "observed", "95 %, seeds", "power")
    table.add_column("statement")
    for study, scale, claim in claims:
        verdict = claim.verdict + (" (required)" if claim.required else "")
        numbers = (against(claim), interval(claim), number(claim.power))
        table.add_row(study, scale, claim.id, verdict, *numbers, claim.statement)
    screen.print(table)


def _list_claims(screen: Console, claims: Sequence[tuple[str, str, ClaimRecord]]) -> None:
    """A heading per run; per claim a line of verdict and numbers, and below it the statement."""
    heading = ""
    for study, scale, claim in claims:
        if heading != (heading := f"{study}, {scale}"):
            screen.print(f"[bold]{heading}[/bold]", highlight=False)
        words = [claim.id, claim.verdict + (" (required)" if claim.required else "")]
        if claim.observed is not None:
            words += [against(claim), interval(claim)]
        if claim.power is not None:
            words.append(f"power {number(claim.power)}")
        for line, indent in (("  ".join(words), 2), (claim.statement, 6)):
            screen.print(Padding(Text(line), (0, 0, 0, indent), expand=False))


def show_claim_rows(rows: Sequence[dict[str, Any]]) -> None:
    """The same from `claims --json`'s objects."""
    fields = ClaimRecord.model_fields
    show_claims(
        [
            (
                row["study"],
                row["scale"],
                ClaimRecord.model_validate({k: v for k, v in row.items() if k in fields}),
            )
            for row in rows
        ]
    )


def show_studies(described: Sequence[dict[str, Any]]) -> None:
    """Each study with its parameters and runs."""
    screen = console()
    for study in described:
        screen.print(f"[bold]{study['study']}[/bold]  {study['title']}")
        table = Table("parameter", "check", "type", "range", "meaning", box=None)
        for name, about in study["parameters"].items():
            default = "–" if about["default"] is None else str(about["default"])
            table.add_row(name, default, about["type"], about["range"], about["description"])
        screen.print(table)
        for scale, run in study["runs"].items():
            screen.print(f"  {scale}: {run['claims']}; {run['started'][:10]}, {run['device']}")
        if not study["runs"]:
            screen.print("  not run yet")


def show_sweep(records: Sequence[Record]) -> None:
    """Each claim with the number of runs that came to each verdict."""
    if not records:
        return
    counts: dict[str, Counter[str]] = {}
    statements: dict[str, str] = {}
    for claim in (claim for record in records for claim in record.claims):
        counts.setdefault(claim.id, Counter())[claim.verdict] += 1
        statements[claim.id] = claim.statement
    words = [word for word in WORDS if any(count[word] for count in counts.values())]
    table = Table("claim", *words, "statement")
    for name, count in counts.items():
        table.add_row(name, *(str(count[word] or "") for word in words), statements[name])
    console().print(table)


def show_comparisons(rows: Sequence[Comparison]) -> None:
    """Recorded numbers beside the same numbers now."""
    table = Table("study", "scale", "claim", "recorded", "95 % interval", "now", "verdict")
    table.add_column("is it the same?")
    for row in rows:
        low, high = row.interval
        span = "–" if low is None else f"[{number(low)}, {number(high)}]"
        verdict = row.verdict
        if row.verdict_now and row.verdict_now != verdict:
            verdict = f"{verdict}, now {row.verdict_now}"
        cells = (row.claim, number(row.recorded), span, number(row.now), verdict, row.word)
        table.add_row(row.study, row.scale, *cells)
    console().print(table)


def show_estimate(expected: Estimate) -> None:
    """One row per size of training, the rest of the chapter, and the sum."""
    title = f"{expected.study} ({expected.scale}), here: {expected.device}"
    table = Table("trainings of", "count", title=title)
    for name in ("parameters", "updates", "FLOP", "here", "on a GPU"):
        table.add_column(name, justify="right")
    for row in expected.trainings:
        one = row.one
        name = f"{one.members} {one.model}"
        sizes = (name, str(row.count), f"{one.parameters:,}", f"{one.updates:,}")
        times = (clock(row.seconds_here), clock(row.seconds_on_gpu))
        table.add_row(*sizes, f"{row.flop:.2g}", *times)
    rest = clock(expected.rest)
    table.add_row("all the rest", "", "", "", "", rest, f"< {rest}")
    totals = (clock(expected.seconds_here), clock(expected.seconds_on_gpu))
    table.add_row("sum", "", "", "", f"{expected.flop:.2g}", *totals, style="bold")
    console().print(table)
    memory = [f"{expected.peak_rss_mb:,.0f} MB"]
    if expected.peak_gpu_mb:
        memory.append(f"{expected.peak_gpu_mb:,.0f} MB on the GPU")
    print(f"Memory: {' and '.join(memory)}. Times in (h:)min:s; the GPU is one of the H100 class.")


def show_failures(failures: Sequence[tuple[str, str, str]]) -> None:
    """Study, what failed, where its notebook and traceback are."""
    table = Table("study")
    for name in ("what failed", "notebook and traceback"):
        table.add_column(name, overflow="fold")
    for row in failures:
        table.add_row(*row)
    console().print(table)
