"""The command line. Exit codes: 0 all required claims hold; 1 something failed; 2 bad input."""

import io
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from synthcore.evidence.files import find_root
from synthcore.evidence.record import DamagedRecord
from synthcore.press import cli_batch, cli_cache
from synthcore.press.errors import OUTSIDE, Failed, Refused, sentence
from synthcore.press.options import (
    AsJson,
    Device,
    Fresh,
    Parameter,
    ParameterFile,
    Root,
    Scale,
    StudyName,
    StudyNames,
    TimeLimit,
    pair,
    print_json,
    project_root,
    warn_of_other_code,
)
from synthcore.press.studies import (
    CHECK,
    REFERENCE,
    Study,
    all_studies,
    find_study,
    load_command,
    refuse_old_scale,
    study_commands,
)


class WithStudies(typer.core.TyperGroup):
    """The commands below, and those that studies offer; the latter are loaded when asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *study_commands()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        study = study_commands().get(cmd_name)
        if study is None:
            return super().get_command(ctx, cmd_name)
        return typer.main.get_command(load_command(study))


app = typer.Typer(
    cls=WithStudies,
    help="Model Systems: run studies, check their claims, build the book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_(as_json: AsJson = False, root: Root = None) -> None:
    """Studies, their parameters and last verdicts."""
    from synthcore.press import runs, tables

    described = [runs.describe_study(study) for study in all_studies(project_root(root))]
    if as_json:
        print_json(described)
    else:
        tables.show_studies(described)


@app.command()
def run(
    study: StudyName,
    scale: Scale = CHECK,
    parameter: Parameter = None,
    file: ParameterFile = None,
    device: Device = None,
    out: Annotated[Path | None, typer.Option(help="folder for the run")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="replace another run that --out holds")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="keep record and data, or stages, in book/reference")
    ] = False,
    fresh: Fresh = False,
    time_limit: TimeLimit = None,
    root: Root = None,
) -> None:
    """Run one chapter, with other parameters if given."""
    from synthcore.press import folders, runs, tables
    from synthcore.press.book import require_reproduced
    from synthcore.press.parameters import run_parameters
    from synthcore.press.progress import Watcher, clock
    from synthcore.press.runner import Job, execute
    from synthcore.press.shipping import SHIPPED

    found = find_study(project_root(root), study)
    pairs = [pair(text) for text in parameter or []]
    parameters = run_parameters(found, scale, file or [], pairs, device)
    folder = out.resolve() if out else found.run_folder(scale, parameters.suffix)
    job = Job(found, scale, parameters, folder, time_limit=time_limit)
    require = partial(runs.require_replaceable, job, force=force or out is None)
    require()
    if record and found.has_stages:
        if scale != REFERENCE or parameters.overridden:
            raise Refused(f"Stages are recorded at scale {REFERENCE}, with its own parameters.")
        job = replace(job, env={**job.env, SHIPPED: "ignore"})
    if record:
        folders.require_writable(found.reference)
    with folders.locked(folder), Watcher([job]):
        require()  # a finished run may have been found
        outcome = execute(job)
    if outcome.record is None:
        raise Failed(f"{study} failed: {outcome.error}. Notebook and traceback: {outcome.kept}")
    done = outcome.record
    tables.show_claims([(study, scale, claim) for claim in done.claims])
    print(
        f"{study} ({scale}) ran on {done.device} in {clock(done.seconds)}, "
        f"{done.cpu_seconds:.0f} s of CPU time, {done.peak_rss_mb:.0f} MB: {folder}"
    )
    if record:
        kept = runs.keep_with_book(found, folder, done)
        print(f"Recorded: {', '.join(str(path.relative_to(found.root)) for path in kept)}")
    require_reproduced([(study, done)])


@app.command()
def claims(
    study: Annotated[str | None, typer.Argument(help="one study only")] = None,
    scale: Annotated[str | None, typer.Option(help="one scale only")] = None,
    as_json: AsJson = False,
    root: Root = None,
) -> None:
    """Verdicts of all claims at all scales that were run."""
    from synthcore.press import runs, tables

    folder = project_root(root)
    studies = [find_study(folder, study)] if study else all_studies(folder)
    if scale:
        _known_scale(studies, scale)
    rows = [row for one in studies for row in runs.describe_claims(one)]
    rows = [row for row in rows if scale in (None, row["scale"])]
    if not rows:
        print("No runs yet: synthcore run STUDY, or synthcore book.", file=sys.stderr)
    if as_json:
        print_json(rows)
    elif rows:
        tables.show_claim_rows(rows)


@app.command()
def book(
    studies: StudyNames = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="chapters run at once")] = 2,
    force: Annotated[bool, typer.Option("--force", help="run chapters that are fresh too")] = False,
    fresh: Fresh = False,
    time_limit: TimeLimit = None,
    root: Root = None,
) -> None:
    """Run stale chapters, check their claims, build the site."""
    from synthcore.press.book import make

    make(project_root(root), studies or [], jobs=jobs, force=force, time_limit=time_limit)


@app.command("site")
def site_(
    out: Annotated[Path | None, typer.Option(help="folder for the pages")] = None,
    root: Root = None,
) -> None:
    """Build the site from the runs there are."""
    from synthcore.press import site
    from synthcore.press.book import require_fresh

    folder = project_root(root)
    html = out.resolve() if out else None
    if html:
        site.require_replaceable(html)
    require_fresh(all_studies(folder))
    index, built = site.build(folder, all_studies(folder), html=html)
    print(f"{'Built' if built else 'Nothing to build, fresh:'} {index}")


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    root: Root = None,
) -> None:
    """Show the built site to browsers on this machine."""
    from synthcore.press.serve import serve_folder
    from synthcore.press.site import site_folder

    serve_folder(site_folder(project_root(root)) / "html", port)


@app.command()
def release(
    out: Annotated[Path | None, typer.Option(help="folder; _build/release if not given")] = None,
    root: Root = None,
) -> None:
    """Archives of the built site, the executed notebooks and the records, and their digests."""
    from synthcore.press.book import require_fresh
    from synthcore.press.folders import require_writable
    from synthcore.press.release import check
    from synthcore.press.release import release as write

    folder = project_root(root)
    studies = all_studies(folder)
    require_fresh(studies)
    target = out.resolve() if out else folder / "_build" / "release"
    require_writable(target)
    for path in write(folder, studies, target):
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    check(target)


app.command("sweep")(cli_batch.sweep)
app.command("collect")(cli_batch.collect)
app.command("verify")(cli_batch.verify)
app.command("estimate")(cli_batch.estimate)
app.command("cache")(cli_cache.cache)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show is a question mark
            stream.reconfigure(errors="replace")
    try:
        if arguments is None and (here := find_root()):
            warn_of_other_code(here)
        app(_join_pairs(given))
    except (Refused, DamagedRecord, *OUTSIDE) as error:
        _leave(sentence(error), 2)
    except Failed as error:
        _leave(f"{error}", 1)
    except KeyboardInterrupt:
        _leave("Interrupted.", 1)
    sys.exit(0)


def _join_pairs(arguments: list[str]) -> list[str]:
    """`-p NAME VALUE` as `-p NAME=VALUE`, `--plot x=A y=B` as `--plot x=A --plot y=B`: Typer's
    options take one value.
    """
    joined: list[str] = []
    rest = deque(arguments)
    while rest:
        joined.append(argument := rest.popleft())
        if argument == "-p":
            if not rest:
                _leave("-p needs a parameter's name and value: -p NAME VALUE.", 2)
            name = rest.popleft()
            joined.append(f"{name}={rest.popleft()}" if "=" not in name and rest else name)
        elif argument == "--plot" and rest:
            joined.append(rest.popleft())
            while rest and "=" in rest[0] and not rest[0].startswith("-"):
                joined += ["--plot", rest.popleft()]
    return joined


def _known_scale(studies: Sequence[Study], scale: str) -> None:
    from synthcore.config import nearest
    from synthcore.press.runs import recorded_runs

    refuse_old_scale(scale)
    valid = {name for study in studies for name in study.scales}
    valid |= {name for study in studies for name in recorded_runs(study)}
    if scale not in valid:
        raise Refused(f"Unknown scale '{scale}'. {nearest(scale, valid)}")


def _leave(message: str, code: int) -> NoReturn:
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(code)
