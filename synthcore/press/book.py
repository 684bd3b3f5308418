"""Bring every chapter up to date: run what is stale, leave alone what is not."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthcore.evidence.record import DamagedRecord, Record
from synthcore.press import cluster, folders, tables
from synthcore.press.errors import Failed, Refused
from synthcore.press.parameters import run_parameters, scale_parameters
from synthcore.press.progress import Watcher
from synthcore.press.runner import Job, Outcome, current_code, execute, run_identity
from synthcore.press.runs import built_run
from synthcore.press.studies import CHECK, Study, all_studies, find_study


@dataclass(frozen=True)
class Chapter:
    """A study's place in a build: its fresh record, or why it must run."""

    study: Study
    record: Record | None
    why: str = ""


def make(
    root: Path,
    names: Sequence[str] = (),
    *,
    scale: str = CHECK,
    jobs: int = 2,
    force: bool = False,
    time_limit: float | None = None,
) -> None:
    """Run stale chapters, all or those named, check their claims, build the site.

    Raises Failed if a chapter fails, in which case the site stays as it was, or if a required claim
    was not reproduced; Refused for bad input. Tests make a book at another scale than `check`.
    """
    from synthcore.press import site

    everything = all_studies(root)
    chosen = [find_study(root, name) for name in names] or everything
    chapters = survey(chosen, scale, force)
    for chapter in chapters:
        state = "fresh" if chapter.record else f"to run ({chapter.why})"
        print(f"{chapter.study.name}: {state}", file=sys.stderr)
    outcomes = run_stale(chapters, scale, jobs, time_limit)
    broken = [outcome for outcome in outcomes if outcome.record is None]
    if broken:
        tables.show_failures([(b.job.study.name, b.error, str(b.kept or "")) for b in broken])
        raise Failed(f"{len(broken)} of {len(chapters)} chapters failed; the site is as it was.")
    records = [(chapter.study.name, chapter.record) for chapter in chapters if chapter.record]
    records += [(outcome.job.study.name, outcome.record) for outcome in outcomes if outcome.record]
    if len(chosen) < len(everything):
        require_fresh(everything, scale)
    index, built = site.build(root, everything, scale)
    print(f"{'Built' if built else 'Nothing to build, fresh:'} {index}")
    require_reproduced(records)


def require_reproduced(records: Sequence[tuple[str, Record]]) -> None:
    """Raises Failed, after a table, if a required claim was not reproduced."""
    broken = [(study, r.scale, claim) for study, r in records for claim in r.broken]
    if broken:
        tables.show_claims(broken)
        names = ", ".join(f"{study} {claim.id}" for study, _, claim in broken)
        raise Failed(f"Required claims were not reproduced: {names}.")


def survey(studies: Sequence[Study], scale: str, force: bool = False) -> list[Chapter]:
    """Which chapters are fresh. Compares hashes only: nothing of a study is imported or run.

    Raises Refused naming the file if a record or a file it vouches for is damaged, unless forced.
    """
    return [Chapter(study, None, "forced") if force else _look(study, scale) for study in studies]


def require_fresh(studies: Sequence[Study], scale: str = CHECK) -> None:
    """A page never shows an old number: Failed if a chapter is not up to date."""
    stale = [chapter for chapter in survey(studies, scale) if chapter.record is None]
    if stale:
        told = "; ".join(f"{chapter.study.name}: {chapter.why}" for chapter in stale)
        raise Failed(f"The site needs every chapter up to date ({told}): use synthcore book.")


def _look(study: Study, scale: str) -> Chapter:
    try:
        record = built_run(study, scale)
        if record is None:
            return Chapter(study, None, "never run")
        record.verify(study.run_folder(scale))
    except DamagedRecord as error:
        raise Refused(f"{error} Run again with --force to compute it anew.") from None
    code = current_code(study)
    now = scale_parameters(study, scale).all
    if record.identity == run_identity(study, scale, now, code):
        return Chapter(study, record)
    return Chapter(study, None, _difference(record, now, code.model_dump()))


def _difference(record: Record, parameters: dict[str, object], code: dict[str, object]) -> str:
    """What changed since the record, in words."""
    old = record.code.model_dump()
    names = {
        "notebook": "the notebook's code",
        "closure": "a module it imports",
        "lock": "constraints.txt",
        "recorded": "the recorded run",
    }
    changed = [text for key, text in names.items() if old[key] != code[key]]
    if record.parameters != parameters:
        changed.append("a parameter")
    return " and ".join(changed) + " changed"


def run_stale(
    chapters: Sequence[Chapter], scale: str, jobs: int, time_limit: float | None = None
) -> list[Outcome]:
    """Run the chapters without a record, `jobs` at a time, each with its share of the cores."""
    stale = [chapter.study for chapter in chapters if chapter.record is None]
    if not stale:
        return []
    workers = min(jobs, len(stale))
    threads = max(1, cluster.cores() // workers)
    todo = [
        Job(
            study, scale, run_parameters(study, scale), study.run_folder(scale), threads, time_limit
        )
        for study in stale
    ]
    with contextlib.ExitStack() as stack:
        for job in todo:
            stack.enter_context(folders.locked(job.folder))
        stack.enter_context(Watcher(todo))
        return [execute(todo[0])] if len(todo) == 1 else _run_all(todo, workers)


def _run_all(jobs: Sequence[Job], workers: int) -> list[Outcome]:
    with cluster.local(workers) as client:
        futures = [client.submit(execute, job, pure=False) for job in jobs]
        return [outcome(job, future) for job, future in zip(jobs, futures, strict=True)]


def outcome(job: Job, future: Any) -> Outcome:
    """What became of a submitted job, whatever happened to its worker."""
    try:
        found: Outcome = future.result()
    except Exception as error:  # the worker itself was killed
        return Outcome(job, None, f"the worker was lost ({type(error).__name__})")
    return found
