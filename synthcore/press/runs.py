"""Which runs there are, and what their records say: the source of every list, table and page."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthcore.config import describe
from synthcore.evidence.files import write_atomic
from synthcore.evidence.record import RECORD_NAME, ClaimRecord, Record
from synthcore.press.errors import Refused
from synthcore.press.parameters import cell_defaults
from synthcore.press.studies import Study, load_config

RECORDED_LIMIT = 2_000_000  # bytes per study


def built_run(study: Study, scale: str) -> Record | None:
    """The record in `_build/runs`, or None. Raises DamagedRecord."""
    try:
        return Record.read(study.run_folder(scale) / RECORD_NAME)
    except FileNotFoundError:
        return None


def recorded_runs(study: Study) -> dict[str, Record]:
    """Scale -> record of what is kept with the book. Raises DamagedRecord."""
    return {path.stem: Record.read(path) for path in sorted(study.reference.glob("*.json"))}


def all_runs(study: Study) -> dict[str, Record]:
    """Scale -> record; where a scale has both, the later of the built and the recorded run."""
    runs = recorded_runs(study)
    for scale in study.scales:
        built = built_run(study, scale)
        if built and (scale not in runs or runs[scale].started < built.started):
            runs[scale] = built
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
    """`5 of 8 claims reproduced`."""
    held = sum(claim.verdict == "reproduced" for claim in claims)
    return f"{held} of {len(claims)} claims reproduced"


def keep_with_book(study: Study, folder: Path, record: Record) -> list[Path]:
    """Copy a run's data and record to `book/reference/<study>/<scale>.nc` and `.json`.

    Raises Refused if it has not saved exactly one dataset, or if the study's recorded files would
    be larger than 2 MB together.
    """
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
    _require_room(study, {data: record.data[0].bytes, text: content})
    write_atomic(data, (folder / record.data[0].name).read_bytes())
    renamed.write(text)
    return [data, text]


def keep_sweep_with_book(study: Study, name: str, table: str) -> Path:
    """Write the table of a sweep to `book/reference/<study>/<name>.csv`.

    Raises Refused if the name is that of a recorded run, or if the study's recorded files would be
    larger than 2 MB together.
    """
    path = study.reference / f"{name}.csv"
    if path.with_suffix(".json").exists():
        raise Refused(f"'{name}' is a recorded run of {study.name}; give the sweep another name.")
    _require_room(study, {path: len(table.encode())})
    write_atomic(path, table)
    return path


def _require_room(study: Study, new: Mapping[Path, int]) -> None:
    """Refused if `new`, file -> bytes, does not fit beside what is recorded of the study."""
    size = sum(path.stat().st_size for path in study.reference.glob("*") if path not in new)
    size += sum(new.values())
    if size > RECORDED_LIMIT:
        raise Refused(
            f"Recorded files of {study.name} would take {size / 1e6:.2f} MB and may take "
            f"{RECORDED_LIMIT / 1e6:.0f} MB: save fewer or smaller variables (float32) with "
            "chapter.save."
        )


def replaceable(folder: Path) -> bool:
    """May a run be put here? Only where nothing is, or an earlier run."""
    return not folder.exists() or (
        folder.is_dir() and (not os.listdir(folder) or (folder / RECORD_NAME).is_file())
    )


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
