"""Stages that come with the book: how they get there, and whether today's code still makes them.

`book/reference/<study>/` holds `<stage>.nc` and `<stage>.json` of the reference run, its record
`reference.json`, and `verified.json`: with which code a block of its seeds came out again.
"""

import json
from pathlib import Path
from typing import Any

from synthcore.evidence.files import write_atomic
from synthcore.evidence.record import Record, verify_file
from synthcore.press.errors import Refused
from synthcore.press.runner import VERIFIED_NAME
from synthcore.press.studies import REFERENCE, Study

SHIPPED = "SYNTHCORE_SHIPPED"  # read by synthcore.stages: use, only or ignore
LIMIT = 3_000_000  # bytes per study


def ship(study: Study, folder: Path, record: Record) -> list[Path]:
    """Copy the stages and the record of a run to `book/reference/<study>/`, in place of others.

    Raises Refused if the run is not of scale `reference`, or has other parameters than that, or if
    the study's files would take more than 3 MB.
    """
    if record.scale != REFERENCE or record.overrides:
        raise Refused(f"Stages are shipped from a run at scale {REFERENCE} without changes.")
    stages = {
        study.reference / f"{stage.name}{end}": folder / "stages" / f"{stage.name}{end}"
        for stage in record.stages
        for end in (".nc", ".json")
    }
    old = [study.reference / f"{name}{end}" for name in study.shipped for end in (".nc", ".json")]
    old += [study.reference / f"{REFERENCE}.nc", study.reference / VERIFIED_NAME]
    text = study.reference / f"{REFERENCE}.json"
    kept = record.model_copy(update={"data": (), "notebook": None, "figures": ()})
    require_room(
        study,
        {
            **dict.fromkeys(old, 0),
            **{target: source.stat().st_size for target, source in stages.items()},
            text: len(json.dumps(kept.model_dump(mode="json"), indent=1)),
        },
    )
    for path in old:
        path.unlink(missing_ok=True)
    for target, source in stages.items():
        write_atomic(target, source.read_bytes())
    kept.write(text)
    return [*stages, text]


def require_room(study: Study, new: dict[Path, int]) -> None:
    """Refused if `new`, file -> bytes, does not fit beside what the book keeps of the study."""
    size = sum(path.stat().st_size for path in study.reference.glob("*") if path not in new)
    size += sum(new.values())
    if size > LIMIT:
        raise Refused(
            f"Files of {study.name} in book/reference would take {size / 1e6:.2f} MB and may take "
            f"{LIMIT / 1e6:.0f} MB: save fewer or smaller variables (float32)."
        )


def verify_shipped(study: Study, record: Record) -> None:
    """Raises DamagedRecord if a stage that the shipped record names is not what it says."""
    for stage in record.stages:
        verify_file(study.reference / f"{stage.name}.nc", stage.sha256)


def mark_verified(study: Study, shipped: Record, again: Record) -> Path:
    """Note that the shipped stages came out again with the code of the run `again`."""
    code = {stage.name: stage.code for stage in again.stages}
    content = {
        stage.name: {"sha256": stage.sha256, "code": code.get(stage.name, "")}
        for stage in shipped.stages
    }
    path = study.reference / VERIFIED_NAME
    write_atomic(path, json.dumps({"day": again.started[:10], "stages": content}, indent=1) + "\n")
    return path


def unverified(study: Study, reference: Record, check: Record) -> list[str]:
    """Shipped stages of other code than today's that have not been verified with it: one phrase
    for each, which names the modules.

    `reference` is a run that shows them; `check` one of today's code.
    """
    today = {stage.name: stage.code for stage in check.stages}
    shipped = _shipped_digests(study)
    verified = _verified(study)
    found = []
    for stage in reference.stages:
        same = {"sha256": shipped.get(stage.name), "code": today.get(stage.name)}
        if stage.changed and verified.get(stage.name) != same:
            found.append(f"{study.name} {stage.name} (changed: {', '.join(stage.changed)})")
    return found


def _shipped_digests(study: Study) -> dict[str, str]:
    """Stage -> digest of its shipped data, as the shipped record says."""
    path = study.reference / f"{REFERENCE}.json"
    return {s.name: s.sha256 for s in Record.read(path).stages} if path.is_file() else {}


def _verified(study: Study) -> dict[str, Any]:
    """What `mark_verified` noted; a file that cannot be read says nothing."""
    try:
        stages: dict[str, Any] = json.loads((study.reference / VERIFIED_NAME).read_bytes())[
            "stages"
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return stages if isinstance(stages, dict) else {}
