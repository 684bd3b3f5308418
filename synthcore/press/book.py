"""Bring every chapter up to date: run what is stale, leave alone what is not."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthcore.evidence.record import DamagedRecord, Record
from synthcore.press import cluster, folders, tables
from synthcore.press.errors import OUTSIDE, Failed, Refused, sentence
from synthcore.press.parameters import run_parameters, scale_parameters
from synthcore.press.progress import Watcher
from synthcore.press.runner import Job, Outcome, current_code, execute, run_identity
from synthcore.press.runs import read_run
from synthcore.press.shipping import SHIPPED
from synthcore.press.shown import page_of, read_note, write_note
from synthcore.press.studies import CHECK, REFERENCE, Study, all_studies, find_study


@dataclass(frozen=True)
class Chapter:
    """A study's run in a build: its fresh record, or why it must run.

    A reference run for whose stages the book was searched in vain has `missing` and no record; it
    need not be tried again.
    """

    study: Study
    scale: str
    record: Record | None
    why: str = ""
    missing: str = ""

    @property
    def stale(self) -> bool:
        return self.record is None and not self.missing


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

    Raises Failed if a chapter fails, in which case the site stays as it was; if a required claim
    was not reproduced; if one that is reproduced on a page is not so in the check run. Refused for
    bad input. Tests make a book at another scale than `check`.
    """
    from synthcore.press import site

    everything = all_studies(root)
    chosen = [find_study(root, name) for name in names] or everything
    chapters = survey(chosen, scale, force)
    for chapter in chapters:
        state = f"to run ({chapter.why})" if chapter.stale else chapter.missing or "fresh"
        print(f"{_name(chapter)}: {state}", file=sys.stderr)
    outcomes = run_stale(chapters, jobs, time_limit)
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
    require_agreement(chosen, scale)


def require_reproduced(records: Sequence[tuple[str, Record]]) -> None:
    """Raises Failed, after a table, if a required claim was not reproduced."""
    broken = [(study, r.scale, claim) for study, r in records for claim in r.broken]
    if broken:
        tables.show_claims(broken)
        names = ", ".join(f"{study} {claim.id}" for study, _, claim in broken)
        raise Failed(f"Required claims were not reproduced: {names}.")


def require_agreement(studies: Sequence[Study], scale: str = CHECK) -> None:
    """Raises Failed if a claim is reproduced on a page and not reproduced in its check run."""
    found = [
        (study.name, claim) for study in studies for claim in page_of(study, scale).disagreements
    ]
    if found:
        names = ", ".join(f"{study} {claim}" for study, claim in found)
        raise Failed(f"Reproduced at {REFERENCE}, but not reproduced at {scale}: {names}.")


def survey(studies: Sequence[Study], scale: str = CHECK, force: bool = False) -> list[Chapter]:
    """Which chapters are fresh: at `scale` and, where stages are shipped, at `reference`.

    Compares hashes only: nothing of a study is imported or run. Raises Refused naming the file if a
    record or a file it vouches for is damaged, unless forced.
    """
    asked = [(study, scale) for study in studies]
    if scale == CHECK:
        asked += [(study, REFERENCE) for study in studies if study.shipped]
    return [
        Chapter(study, at, None, "forced") if force else _look(study, at)
        for study, at in sorted(asked, key=lambda one: one[0].name)
    ]


def require_fresh(studies: Sequence[Study], scale: str = CHECK) -> None:
    """A page never shows an old number: Failed if a chapter is not up to date."""
    stale = [chapter for chapter in survey(studies, scale) if chapter.stale]
    if stale:
        told = "; ".join(f"{_name(chapter)}: {chapter.why}" for chapter in stale)
        raise Failed(f"The site needs every chapter up to date ({told}): use synthcore book.")


def _name(chapter: Chapter) -> str:
    at = f" at {REFERENCE}" if chapter.scale == REFERENCE else ""
    return f"{chapter.study.name}{at}"


def _look(study: Study, scale: str) -> Chapter:
    code = current_code(study)
    now = scale_parameters(study, scale).all
    identity = run_identity(study, scale, now, code)
    folder = _folder(study, scale)
    try:
        record = read_run(folder)
        if record is not None:
            record.verify(folder)
    except DamagedRecord as error:
        raise Refused(f"{error} Run again with --force to compute it anew.") from None
    if record is not None and record.identity == identity:
        return Chapter(study, scale, record)
    if scale == REFERENCE:
        tried, missing = read_note(study)
        if tried == identity:
            return Chapter(study, scale, None, missing=missing)
    if record is None:
        return Chapter(study, scale, None, "never run")
    return Chapter(study, scale, None, _difference(record, now, code.model_dump()))


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
    chapters: Sequence[Chapter], jobs: int, time_limit: float | None = None
) -> list[Outcome]:
    """Run the chapters that are stale, `jobs` at a time, each with its share of the cores.

    A reference run that finds a stage missing or damaged is no failure: its reason is noted for the
    page, and it is not among the outcomes.
    """
    stale = [chapter for chapter in chapters if chapter.stale]
    if not stale:
        return []
    workers = min(jobs, len(stale))
    threads = cluster.threads(workers)
    todo = [_job(chapter.study, chapter.scale, threads, time_limit) for chapter in stale]
    with contextlib.ExitStack() as stack:
        for job in todo:
            stack.enter_context(folders.locked(job.folder))
        stack.enter_context(Watcher(todo))
        outcomes = [execute(todo[0])] if len(todo) == 1 else _run_all(todo, workers)
        return [outcome for outcome in outcomes if not _not_shipped(outcome)]


def _job(study: Study, scale: str, threads: int, time_limit: float | None) -> Job:
    """What is shipped is used at `reference`, there alone, and there nothing else."""
    parameters = run_parameters(study, scale)
    env = {SHIPPED: "only" if scale == REFERENCE else "ignore"}
    return Job(study, scale, parameters, _folder(study, scale), threads, time_limit, env)


def _folder(study: Study, scale: str) -> Path:
    return study.page_folder if scale == REFERENCE else study.run_folder(scale)


def _not_shipped(outcome: Outcome) -> bool:
    """Whether a reference run stopped for want of a stage; notes why."""
    if outcome.job.scale != REFERENCE or outcome.raised != "NotShipped":
        return False
    study, parameters = outcome.job.study, outcome.job.parameters.all
    identity = run_identity(study, REFERENCE, parameters, current_code(study))
    why = write_note(outcome, identity)
    print(f"{study.name} shows its check run: {why}.", file=sys.stderr)
    return True


def _run_all(jobs: Sequence[Job], workers: int) -> list[Outcome]:
    with cluster.local(workers) as client:
        futures = [client.submit(execute, job, pure=False) for job in jobs]
        return [outcome(job, future) for job, future in zip(jobs, futures, strict=True)]


def outcome(job: Job, future: Any) -> Outcome:
    """What became of a submitted job, whatever happened to its worker."""
    try:
        found: Outcome = future.result()
    except (*OUTSIDE, Refused, DamagedRecord) as error:
        return Outcome(job, None, sentence(error))
    except Exception as error:  # the worker itself was killed
        return Outcome(job, None, f"the worker was lost ({type(error).__name__})")
    return found
