"""One run of one chapter: papermill in a temporary folder, a record, a rename.

`execute` is all there is; the command line calls it in process, a build through Dask workers.
"""

import contextlib
import json
import os
import re
import shutil
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from synthcore.evidence.files import sha256, visible, write_atomic
from synthcore.evidence.provenance import code_hash, environment, identity, import_closure
from synthcore.evidence.record import (
    RECORD_NAME,
    RESULTS_NAME,
    ClaimRecord,
    CodeRecord,
    Device,
    FigureRecord,
    FileRecord,
    Record,
    StageRecord,
)
from synthcore.press import folders
from synthcore.press.errors import Failed, read_json
from synthcore.press.parameters import Parameters
from synthcore.press.studies import Study
from synthcore.press.surroundings import kernel_environment

NOTEBOOK_NAME = "notebook.ipynb"
STATE_NAME = "cells.json"
STAGES_NAME = "stages.json"  # where the chapter says what its stages are and came from
NOTE_NAME = "not_shipped.json"  # in the folder of a reference run that failed for want of a stage
VERIFIED_NAME = "verified.json"  # beside shipped stages: with which code they came out again
RECORDED_SUFFIXES = (".nc", ".json", ".csv")  # of data, records and tables of sweeps
STARTS = 3  # a kernel that does not start is tried again; nothing else is
RUN_DIRECTORY = "SYNTHCORE_RUN_DIR"
PASSED_ON = ("SYNTHCORE_FRESH", "SYNTHCORE_KEEP_SECONDS")


class KernelDidNotStart(Failed):
    """No cell was reached."""


def _told() -> dict[str, str]:
    """What this process was told about stages, for kernels that others start on other machines."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


@dataclass(frozen=True)
class Job:
    """What to run and where its folder shall be; its lock is held by whoever calls `execute`."""

    study: Study
    scale: str
    parameters: Parameters
    folder: Path
    threads: int | None = None
    time_limit: float | None = None
    env: Mapping[str, str] = field(default_factory=_told)  # set in the kernel beside ours


@dataclass(frozen=True)
class Outcome:
    """A finished run's record, or one sentence on what failed and the folder kept.

    `raised` is the class of the exception that a cell raised, if one did.
    """

    job: Job
    record: Record | None
    error: str = ""
    kept: Path | None = None
    raised: str = ""


def current_code(study: Study) -> CodeRecord:
    """Hashes of everything a run of the study would read, as of now."""
    root = study.root
    closure = import_closure(study.notebook, root)
    lock = root / "constraints.txt"
    files = [path for path in visible(study.reference.glob("*")) if path.name != VERIFIED_NAME]
    return CodeRecord(
        notebook=code_hash(study.notebook),
        closure={str(path.relative_to(root)): code_hash(path) for path in closure},
        lock=sha256(lock) if lock.is_file() else "",
        recorded={path.name: sha256(path) for path in files if path.suffix in RECORDED_SUFFIXES},
    )


def run_identity(study: Study, scale: str, parameters: Mapping[str, Any], code: CodeRecord) -> str:
    """The identity of a run of this study with these parameters and this code."""
    return identity(study.name, scale, parameters, code.model_dump())


def execute(job: Job) -> Outcome:
    """Run the chapter. On success the folder is complete; on failure it is as it was before.

    A failed run's notebook, traceback and kernel log are kept in `<folder>.failed`.
    """
    work = folders.partial(job.folder)
    stop_orphans(work)
    try:
        for attempt in range(1, STARTS + 1):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            try:
                record = _run(job, work)
                break
            except KernelDidNotStart:
                if attempt == STARTS:
                    raise
    except Exception as error:
        kept = _keep_failure(job, work, error)
        return Outcome(job, None, _sentence(error, job), kept, str(getattr(error, "ename", "")))
    except BaseException:  # interrupted: leave nothing
        shutil.rmtree(work, ignore_errors=True)
        raise
    try:
        folders.publish(work, job.folder)
    except OSError as error:  # the next start tries again
        return Outcome(job, None, f"it is finished and could not be put there: {error}", work)
    folders.discard(folders.failed(job.folder), NOTE_NAME)
    return Outcome(job, record)


def stop_orphans(work: Path) -> None:
    """Kill kernels that still write to `work`: their runner was killed, and a new run begins."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.pid == os.getpid()
            if not ours and process.environ().get(RUN_DIRECTORY) == str(work):
                process.kill()
                process.wait(10)


def _run(job: Job, work: Path) -> Record:
    import papermill

    from synthcore.press.kernel import ENGINE, Session
    from synthcore.press.notebooks import clean, read_source, to_json

    study = job.study
    code = current_code(study)
    started = datetime.now(UTC)
    with (work / "kernel.log").open("wb") as log:
        session = Session(study.root, _env(job, work), log, work / STATE_NAME, job.time_limit)
        try:
            notebook = papermill.execute_notebook(
                read_source(study.notebook),
                work / NOTEBOOK_NAME,
                parameters=job.parameters.injected,
                engine_name=ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                session=session,
            )
        except Exception as error:
            if session.timed_out:
                raise Failed(f"time limit of {job.time_limit:g} seconds reached") from None
            if not session.started and isinstance(error, RuntimeError):
                raise KernelDidNotStart(f"the kernel did not start ({error})") from None
            raise
    seconds = (datetime.now(UTC) - started).total_seconds()
    write_atomic(work / NOTEBOOK_NAME, to_json(clean(notebook)))
    claims = tuple(map(ClaimRecord.model_validate, read_json(work / "claims.json", [])))
    results = read_json(work / RESULTS_NAME, {})
    stages = _stages(work)
    for name in ("progress.json", STATE_NAME, STAGES_NAME, "kernel.log", RESULTS_NAME):
        (work / name).unlink(missing_ok=True)
    used = session.usage
    seed = int(job.parameters.all.get("seed", 0))
    record = Record(
        study=study.name,
        scale=job.scale,
        identity=run_identity(study, job.scale, job.parameters.all, code),
        parameters=job.parameters.all,
        overrides=job.parameters.overridden,
        seeds=tuple(range(seed, seed + int(job.parameters.all.get("n_seeds", 1)))),
        code=code,
        versions=environment(),
        device=Device(**used["device"]),
        started=started.isoformat(timespec="seconds"),
        seconds=round(seconds, 2),
        cpu_seconds=used["cpu_seconds"],
        peak_rss_mb=used["peak_rss_mb"],
        peak_gpu_mb=used["peak_gpu_mb"],
        figures=tuple(
            FigureRecord(id=path.stem, sha256=sha256(path))
            for path in sorted((work / "figures").glob("*.png"))
        ),
        claims=claims,
        results=results,
        data=tuple(_file(path) for path in sorted(work.glob("*.nc"))),
        stages=stages,
        notebook=_file(work / NOTEBOOK_NAME),
    )
    record.write(work / RECORD_NAME)
    return record


def _env(job: Job, work: Path) -> dict[str, str]:
    env = kernel_environment(os.environ, job.study.root) | {
        RUN_DIRECTORY: str(work),
        "SYNTHCORE_SCALE": job.scale,
        "SYNTHCORE_ROOT": str(job.study.root),
    }
    if job.threads:
        env |= {"OMP_NUM_THREADS": str(job.threads), "MKL_NUM_THREADS": str(job.threads)}
    return env | dict(job.env)


def _file(path: Path) -> FileRecord:
    return FileRecord(name=path.name, sha256=sha256(path), bytes=path.stat().st_size)


def _stages(work: Path) -> tuple[StageRecord, ...]:
    """What the chapter's stages were; each has left `stages/<name>.nc` and `.json`."""
    found = []
    for name, told in read_json(work / STAGES_NAME, {}).items():
        path = work / "stages" / f"{name}.nc"
        about = json.loads(path.with_suffix(".json").read_bytes())
        file = _file(path)
        found.append(
            StageRecord(
                name=name,
                sha256=file.sha256,
                bytes=file.bytes,
                seeds=about["seeds"],
                source=told["source"],
                code=sha256(json.dumps(about["code"], sort_keys=True).encode()),
                changed=told["changed"],
                cpu_seconds=about["cpu_seconds"],
                created=about["created"],
            )
        )
    return tuple(found)


def _keep_failure(job: Job, work: Path, error: Exception) -> Path | None:
    if not work.exists():  # a disk so full that it takes no folder
        return None
    kept = folders.failed(job.folder)
    folders.discard(kept, NOTE_NAME)
    lines = getattr(error, "traceback", None) or traceback.format_exception(error)
    try:
        for name in ("progress.json", STATE_NAME):
            (work / name).unlink(missing_ok=True)
        write_atomic(work / "traceback.txt", _without_colour("\n".join(lines)) + "\n")
        folders.publish(work, kept)
    except OSError:  # a full disk: what is there is kept as it is
        try:
            os.replace(work, kept)
        except OSError:
            return work
    return kept


def _sentence(error: Exception, job: Job) -> str:
    """What failed, in one line."""
    if hasattr(error, "ename"):
        count = getattr(error, "exec_count", None)
        where = f"cell {count} raised " if count else ""
        value = _without_colour(str(getattr(error, "evalue", ""))).partition("\n")[0]
        return f"{where}{error.ename}" + (f": {value}" if value else "")
    if type(error).__name__ == "DeadKernelError":
        return "the kernel died (killed, out of memory, or a crash in compiled code)"
    return f"{error}" if isinstance(error, Failed) else f"{type(error).__name__}: {error}"


def _without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
