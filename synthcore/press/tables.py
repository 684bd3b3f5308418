"""Tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from synthcore.evidence.record import ClaimRecord
from synthcore.evidence.table import against, interval


def show_claims(claims: Sequence[tuple[str, str, ClaimRecord]]) -> None:
    """Study, scale and claim, one per row."""
    if not claims:
        return
    table = Table("study", "scale", "claim", "verdict", "observed", "95 % interval", "statement")
    for study, scale, claim in claims:
        verdict = claim.verdict + (" (required)" if claim.required else "")
        table.add_row(
            study, scale, claim.id, verdict, against(claim), interval(claim), claim.statement
        )
    Console().print(table)


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
    console = Console()
    for study in described:
        console.print(f"[bold]{study['study']}[/bold]  {study['title']}")
        table = Table("parameter", "book scale", "type", "range", "meaning", box=None)
        for name, about in study["parameters"].items():
            default = "–" if about["default"] is None else str(about["default"])
            table.add_row(name, default, about["type"], about["range"], about["description"])
        console.print(table)
        for scale, run in study["runs"].items():
            console.print(f"  {scale}: {run['claims']}; {run['started'][:10]}, {run['device']}")
        if not study["runs"]:
            console.print("  not run yet")


def show_failures(failures: Sequence[tuple[str, str, str]]) -> None:
    """Study, what failed, where its notebook and traceback are."""
    table = Table("study")
    for name in ("what failed", "notebook and traceback"):
        table.add_column(name, overflow="fold")
    for row in failures:
        table.add_row(*row)
    Console().print(table)
