"""Which runs there are, and what their records say: the source of every list, table and page."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthcore.config import describe
from synthcore.evidence.files import visible, write_atomic
from synthcore.evidence.record import RECORD_NAME, ClaimRecord, Record
from synthcore.press.errors import Refused
from synthcore.press.parameters import cell_defaults
from synthcore.press.runner import VERIFIED_NAME, Job
from synthcore.press.shipping import require_room, ship
from synthcore.press.studies import REFERENCE, Study, load_config

OTHERWISE = {
    "partly reproduced": "partly",
    "not reproduced": "not",
    "undecided": "undecided",
    "not testable here": "not testable here",
    "not decidable at this scale": "not decidable at this scale",
}


def built_run(study: Study, scale: str) -> Record | None:
    """The record in `_build/runs`, or None. Raises DamagedRecord."""
    return read_run(study.run_folder(scale))


def read_run(folder: Path) -> Record | None:
    """The record of the run in a folder, or None. Raises DamagedRecord."""
    try:
        return Record.read(folder / RECORD_NAME)
    except FileNotFoundError:
        return None


def recorded_runs(study: Study) -> dict[str, Record]:
    """Scale -> record of what is kept with the book. Raises DamagedRecord."""
    others = {VERIFIED_NAME, *(f"{stage}.json" for stage in study.shipped)}
    return {
        path.stem: Record.read(path)
        for path in visible(study.reference.glob("*.json"))
        if path.name not in others
    }


def all_runs(study: Study) -> dict[str, Record]:
    """Scale -> record; where a scale has several, the last of the recorded and the built runs."""
    runs = recorded_runs(study)
    built = {scale: built_run(study, scale) for scale in study.scales}
    for scale, record in [*built.items(), (REFERENCE, read_run(study.page_folder))]:
        if record and (scale not in runs or runs[scale].started < record.started):
            runs[scale] = record
    return runs


def describe_study(study: Study) -> dict[str, Any]:
    """What `synthcore list --json` prints for one study."""
    defaults = cell_defaults(study)
    parameters = {
        name: {**about, "default": defaults.get(name)}
        for name, about in describe(load_config(study)).items()
    }
    return {
        "study": study.name,
        "title": study.title,
        "question": study.question,
        "scales": study.scales,
        "parameters": parameters,
        "runs": {scale: _summary(record) for scale, record in all_runs(study).items()},
    }


def describe_claims(study: Study) -> list[dict[str, Any]]:
    """What `synthcore claims --json` prints for one study: one object per claim and scale."""
    return claim_rows(study, all_runs(study))


def claim_rows(study: Study, runs: Mapping[str, Record]) -> list[dict[str, Any]]:
    """One object per scale and claim of the given runs."""
    return [
        {"study": study.name, "id": claim.id, "scale": scale, **_without_id(claim)}
        for scale, record in runs.items()
        for claim in record.claims
    ]


def verdict_line(claims: tuple[ClaimRecord, ...]) -> str:
    """`5 of 8 claims reproduced`; of the second edition's claims also how many came out otherwise:
    `5 of 8 claims reproduced, 1 not, 2 undecided`.
    """
    words = Counter(claim.verdict for claim in claims)
    line = f"{words['reproduced']} of {len(claims)} claims reproduced"
    if not any(claim.kind for claim in claims):
        return line
    others = {word: words[word] for word in OTHERWISE if words[word]}
    return ", ".join([line, *(f"{count} {OTHERWISE[word]}" for word, count in others.items())])


def keep_with_book(study: Study, folder: Path, record: Record) -> list[Path]:
    """Copy a run's data and record to `book/reference/<study>/<scale>.nc` and `.json`; of a run
    with stages, these and the record.

    Raises Refused if it has no stages and has not saved exactly one dataset, or if the study's
    files would be larger than 3 MB together.
    """
    if record.stages:
        return ship(study, folder, record)
    if len(record.data) != 1:
        raise Refused(
            f"Only a run that saved one dataset can be recorded; this one saved {len(record.data)}."
        )
    data, text = (study.reference / f"{record.scale}{end}" for end in (".nc", ".json"))
    renamed = record.model_copy(
        update={
            "data": (record.data[0].model_copy(update={"name": data.name}),),
            "notebook": None,
            "figures": (),
        }
    )
    content = len(json.dumps(renamed.model_dump(mode="json"), indent=1))
    require_room(study, {data: record.data[0].bytes, text: content})
    write_atomic(data, (folder / record.data[0].name).read_bytes())
    renamed.write(text)
    return [data, text]


def keep_sweep_with_book(study: Study, name: str, table: str) -> Path:
    """Write the table of a sweep to `book/reference/<study>/<name>.csv`.

    Raises Refused if the name is that of a recorded run, or if the study's recorded files would be
    larger than 3 MB together.
    """
    path = study.reference / f"{name}.csv"
    if path.with_suffix(".json").exists():
        raise Refused(f"'{name}' is a recorded run of {study.name}; give the sweep another name.")
    require_room(study, {path: len(table.encode())})
    write_atomic(path, table)
    return path


def require_replaceable(job: Job, force: bool) -> None:
    """Refused unless nothing is in a job's folder, or an earlier run of the same study, scale and
    parameters; with `force` any earlier run.
    """
    folder = job.folder
    if not folder.exists() or (folder.is_dir() and not os.listdir(folder)):
        return
    if not (folder / RECORD_NAME).is_file():
        raise Refused(f"{folder} holds something that is not a run: give --out another folder.")
    if force:
        return
    record = Record.read(folder / RECORD_NAME)
    if (record.study, record.scale, _asked(record.parameters)) != (
        job.study.name,
        job.scale,
        _asked(job.parameters.all),
    ):
        changed = ", ".join(f"{name}={record.parameters[name]}" for name in record.overrides)
        raise Refused(
            f"{folder} holds another run, of {record.study} ({record.scale}"
            f"{', ' if changed else ''}{changed}): give --out another folder, or replace it "
            "with --force."
        )


def _asked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name != "device"}


def _without_id(claim: ClaimRecord) -> dict[str, Any]:
    return claim.model_dump(mode="json", exclude={"id"})


def _summary(record: Record) -> dict[str, Any]:
    return {
        "started": record.started,
        "seconds": record.seconds,
        "cpu_seconds": record.cpu_seconds,
        "peak_rss_mb": record.peak_rss_mb,
        "peak_gpu_mb": record.peak_gpu_mb,
        "device": str(record.device),
        "parameters": record.parameters,
        "seeds": list(record.seeds),
        "versions": record.versions,
        "claims": verdict_line(record.claims),
    }
