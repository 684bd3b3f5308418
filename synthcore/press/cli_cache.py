"""The command for what stages have kept: `cache` lists it and clears it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from synthcore.press.errors import Refused
from synthcore.press.options import AsJson, print_json

if TYPE_CHECKING:
    from synthcore.stages.catalogue import Kept


def cache(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="one study only; all if none is named")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="remove what is listed")] = False,
    as_json: AsJson = False,
) -> None:
    """Results of stages that are kept, with their sizes; --clear removes them.

    The folder is SYNTHCORE_CACHE, or the user's cache folder.
    """
    from synthcore.config import nearest
    from synthcore.press.tables import console
    from synthcore.stages import catalogue
    from synthcore.stages.store import cache_folder

    rows = catalogue.kept(study)
    if study and not rows:
        studies = {row.study for row in catalogue.kept()}
        raise Refused(f"Nothing is kept of '{study}'. {nearest(study, studies)}")
    if clear:
        freed, busy = catalogue.clear(study)
        for row in busy:
            print(f"{row.study} {row.stage} is being computed and stays.", file=sys.stderr)
        print(f"Removed {len(rows) - len(busy)} results, {_size(freed)}: {cache_folder()}")
        return
    if as_json:
        print_json([row.as_dict() for row in rows])
        return
    if rows:
        table = Table("study", "stage", "seeds", "size", "of", "CPU time", "where they differ")
        differing = catalogue.varying(rows)
        for row in rows:
            first, last = row.seeds
            table.add_row(
                row.study,
                row.stage,
                f"{first}" if first == last else f"{first} to {last}",
                _size(row.bytes),
                _of(row),
                f"{row.about.cpu_seconds:.0f} s" if row.about else "",
                ", ".join(f"{name}={value}" for name, value in differing[row.path].items()),
            )
        console().print(table)
    print(f"{len(rows)} results, {_size(sum(row.bytes for row in rows))}: {cache_folder()}")


def _of(row: "Kept") -> str:
    """The day of a result, or what it is instead of one."""
    if row.about:
        return row.about.created[:10]
    return "unfinished" if row.unfinished else "damaged"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
