"""The commands for many or long runs: `sweep` makes them, `collect` tabulates them, `verify`
repeats recorded ones, `estimate` says beforehand what one would take.
"""

import datetime
import sys
from pathlib import Path
from typing import Annotated

import typer

from synthcore.press.errors import Failed, Refused
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
    Work,
    below,
    pair,
    print_json,
    project_root,
)
from synthcore.press.studies import CHECK, refuse_old_scale


def sweep(
    study: StudyName,
    out: Annotated[Path, typer.Option(help="folder of the sweep; start again there to go on")],
    scale: Scale = CHECK,
    grid: Annotated[
        list[str] | None,
        typer.Option("-g", "--grid", metavar="NAME=V1,V2,...", help="values to combine with all"),
    ] = None,
    zipped: Annotated[
        list[str] | None,
        typer.Option("-z", "--zip", metavar="NAME=V1,V2,...", help="values that advance together"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="blocks of n_seeds disjoint seeds per combination")
    ] = None,
    sweep_file: Annotated[
        Path | None, typer.Option("--sweep-file", help="YAML with grid, zip, seeds, parameters")
    ] = None,
    parameter: Parameter = None,
    file: ParameterFile = None,
    device: Device = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="runs at once; one per GPU or core if not given")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="compute damaged runs anew")] = False,
    fresh: Fresh = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be run")] = False,
    time_limit: TimeLimit = None,
    root: Root = None,
) -> None:
    """Run a study over a grid of parameters. Stopped, it goes on when it is started again.

    Exit code 1 if a run failed; claims are results here, none is required.
    """
    from synthcore.press import cluster, tables
    from synthcore.press.parameters import given_values
    from synthcore.press.studies import find_study
    from synthcore.press.sweep import Grid, finished, plan, read_axes, read_grid, run_sweep

    found = find_study(project_root(root), study)
    if workers and scheduler:
        raise Refused("Give --workers for this machine or --scheduler for a cluster, not both.")
    from_file, fixed = read_grid(sweep_file) if sweep_file else (Grid(), {})
    axes = Grid(
        {**from_file.crossed, **read_axes(grid or [])},
        {**from_file.zipped, **read_axes(zipped or [])},
        from_file.seeds if seeds is None else seeds,
    )
    fixed |= given_values(file or [], list(map(pair, parameter or [])), device)
    at_once = workers or cluster.default_workers()
    threads = None if scheduler else cluster.threads(at_once)
    folder = out.resolve()
    jobs = plan(found, scale, fixed, axes, folder, threads, time_limit)
    if dry_run:
        done = sum(finished(job, force) is not None for job in jobs)
        print(f"{len(jobs)} runs of {study} ({scale}), {done} of them done: {folder}")
        return
    result = run_sweep(jobs, folder, workers=at_once, scheduler=scheduler, force=force)
    tables.show_sweep(result.records)
    print(
        f"{len(result.records)} of {len(jobs)} runs done, {result.found} of them before: {folder}"
    )
    if result.failed:
        tables.show_failures(
            [(f.job.folder.name, f.error, str(f.kept or "")) for f in result.failed]
        )
        raise Failed(f"{len(result.failed)} of {len(jobs)} runs failed.")


def collect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a sweep")],
    out: Annotated[
        Path | None, typer.Option(help="a .csv or .parquet file; both in DIR if not given")
    ] = None,
    plot: Annotated[
        list[str] | None,
        typer.Option(
            "--plot", metavar="x=... y=... [hue=...]", help="draw one column against another"
        ),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="keep the table in book/reference as NAME.csv"),
    ] = None,
    root: Root = None,
) -> None:
    """Put all runs of a folder into one tidy table: parameters, verdicts, results."""
    from synthcore.press import tables
    from synthcore.press.collect import (
        TABLE_SUFFIXES,
        draw,
        one_study,
        read_plot,
        read_records,
        table,
        varying,
        write_tables,
    )
    from synthcore.press.runs import keep_sweep_with_book
    from synthcore.press.studies import find_study

    records = read_records(folder)
    frame = table(records)
    chosen = read_plot(plot, frame) if plot else None
    paths = [out] if out else [folder / f"table{suffix}" for suffix in TABLE_SUFFIXES]
    write_tables(frame, paths)
    tables.show_sweep(list(records.values()))
    if len({record.code.digest for record in records.values()}) > 1:
        print("These runs are of different versions of the code: see column code.", file=sys.stderr)
    print(f"{len(frame)} runs, varying {', '.join(varying(records)) or 'nothing'}.")
    if chosen:
        paths.append(folder / f"{chosen['y']}-by-{chosen['x']}.png".replace("/", "_"))
        draw(frame, chosen, paths[-1])
    if record:
        study = find_study(project_root(root), one_study(records))
        paths.append(keep_sweep_with_book(study, record, frame.to_csv(index=False)))
    for path in paths:
        print(path)


def verify(
    studies: StudyNames = None,
    scale: Annotated[str | None, typer.Option(help="one recorded scale only")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="only so many of the recorded seeds")
    ] = None,
    out: Work = None,
    as_json: AsJson = False,
    time_limit: TimeLimit = None,
    root: Root = None,
) -> None:
    """Run recorded parameters again: does every number lie in its recorded interval?

    Of shipped stages one block of seeds is run. Exit code 1 if a number does not.
    """
    from synthcore.press import tables
    from synthcore.press.runs import recorded_runs
    from synthcore.press.shipping import mark_verified
    from synthcore.press.studies import all_studies, find_study
    from synthcore.press.verify import compare, run_again

    folder = project_root(root)
    refuse_old_scale(scale or CHECK)
    chosen = [find_study(folder, name) for name in studies or []] or all_studies(folder)
    todo = [
        (study, name, record)
        for study in chosen
        for name, record in recorded_runs(study).items()
        if scale in (None, name)
    ]
    if not todo:
        raise Refused("No recorded run of that study and scale: see book/reference.")
    rows = []
    for study, name, record in todo:
        again = run_again(study, name, record, sample, time_limit, below(out))
        found = compare(record, again)
        if record.stages and all(row.holds for row in found):
            mark_verified(study, record, again)
        rows += found
    if as_json:
        print_json([row.as_dict() for row in rows])
    else:
        tables.show_comparisons(rows)
    broken = [f"{row.study} ({row.scale}) {row.claim}" for row in rows if not row.holds]
    if broken:
        raise Failed(
            f"{len(broken)} of {len(rows)} numbers are not as recorded: {'; '.join(broken)}."
        )


def estimate(
    study: StudyName,
    scale: Scale = "authors",
    parameter: Parameter = None,
    file: ParameterFile = None,
    device: Device = None,
    updates: Annotated[
        int, typer.Option(min=1, help="updates of each training that are taken")
    ] = 3,
    keep: Annotated[
        bool, typer.Option("--record", help="keep it in benchmarks/, for the book's table")
    ] = False,
    out: Work = None,
    as_json: AsJson = False,
    time_limit: TimeLimit = None,
    root: Root = None,
) -> None:
    """What a run would take: parameters, FLOP, minutes here and on one H100-class GPU, memory.

    The whole chapter is run at its full size with a few updates of every training.
    """
    from synthcore.press import tables
    from synthcore.press.estimate import estimate as rehearse
    from synthcore.press.estimate import store
    from synthcore.press.parameters import run_parameters
    from synthcore.press.studies import find_study

    found = find_study(project_root(root), study)
    pairs = [pair(text) for text in parameter or []]
    parameters = run_parameters(found, scale, file or [], pairs, device)
    expected = rehearse(found, scale, parameters, updates, time_limit, below(out))
    if keep:
        store(expected, found.root, str(datetime.date.today()))
    if as_json:
        print_json(expected.as_dict())
    else:
        tables.show_estimate(expected)
