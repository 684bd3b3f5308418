"""What the commands have in common: options, JSON, and how they find the project."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import synthcore
from synthcore.evidence.files import find_root
from synthcore.press.errors import Refused

YEAR = 366 * 24 * 3600  # no timer waits for ever
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="a study, such as icl_markov")]
StudyNames = Annotated[
    list[str] | None, typer.Argument(metavar="[STUDY]...", help="all studies if none is named")
]
Scale = Annotated[str, typer.Option(help="smoke, check, reference or authors")]
TimeLimit = Annotated[
    float | None,
    typer.Option(min=1, max=YEAR, help="seconds after which a run is stopped and has failed"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Root = Annotated[
    Path | None, typer.Option(help="the project's folder; found from here upwards if not given")
]
Parameter = Annotated[
    list[str] | None,
    typer.Option("-p", metavar="NAME VALUE", help="a parameter; may be given again"),
]
ParameterFile = Annotated[
    list[Path] | None, typer.Option("-f", help="a flat YAML file of parameters")
]
Work = Annotated[
    Path | None, typer.Option("--out", help="where it works, in place of the project's _build")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda")]


def _forget(fresh: bool) -> bool:
    """Every kernel that this command starts is told."""
    if fresh:
        os.environ["SYNTHCORE_FRESH"] = "1"
    return fresh


Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", callback=_forget, help="compute stages anew, whatever results are kept"
    ),
]


def below(folder: Path | None) -> Path | None:
    """A folder as given, whatever the working directory becomes."""
    return folder.resolve() if folder else None


def warn_of_other_code(root: Path) -> None:
    """Say so if the project has a `synthcore` of its own and another one is running."""
    own, running = root / "synthcore", Path(synthcore.__file__).parent
    if (own / "__init__.py").is_file() and own.resolve() != running.resolve():
        print(
            f"Warning: {running} checks parameters and plans runs; the project's own code is "
            f"{own}: install the project in an environment of its own, or set "
            f"PYTHONPATH={root}.",
            file=sys.stderr,
        )


def pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE` in two. Raises Refused."""
    name, equals, value = text.partition("=")
    if not equals:
        raise Refused(f"Parameter '{name}' has no value: -p NAME VALUE.")
    return name, value


def project_root(root: Path | None) -> Path:
    """The project's folder, given or found. Raises Refused."""
    try:
        found = find_root(root)
    except FileNotFoundError:
        raise Refused("The folder this shell is in is gone: change to another.") from None
    if found is None or (root and found != root.resolve()):
        where = root or Path.cwd()
        raise Refused(
            f"No project at {where}: it needs _toc.yml and notebooks/ (choose one with --root)."
        )
    return found


def print_json(content: Any) -> None:
    """To stdout, for programs; a number that is not finite is an error."""
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(content, indent=1, allow_nan=False, ensure_ascii=ascii_only))
