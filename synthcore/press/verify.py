"""Run recorded parameters again: do the recorded results come out?"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthcore.evidence.record import ClaimRecord, Record, verify_file
from synthcore.press import folders
from synthcore.press.errors import Failed, Refused
from synthcore.press.parameters import scale_parameters, with_values
from synthcore.press.progress import Watcher
from synthcore.press.runner import Job, execute
from synthcore.press.shipping import SHIPPED, verify_shipped
from synthcore.press.studies import CHECK, Study

BLOCK = 4  # seeds that are computed and kept together, see synthcore.stages
FRESH = "SYNTHCORE_FRESH"  # read by synthcore.stages: 1 to use nothing that was kept before


@dataclass(frozen=True)
class Comparison:
    """One number of a recorded claim beside the same number now.

    `word` is `same`, `within interval`, `outside interval`, `undecided` (no number in one of the
    two runs) or, for a claim or part that is gone, `missing`.
    """

    study: str
    scale: str
    claim: str
    recorded: float | None
    interval: tuple[float | None, float | None]
    now: float | None
    verdict: str
    verdict_now: str
    word: str

    @property
    def holds(self) -> bool:
        return self.word in ("same", "within interval", "undecided")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def run_again(
    study: Study,
    scale: str,
    record: Record,
    sample: int | None,
    time_limit: float | None,
    out: Path | None = None,
) -> Record:
    """Run with a record's parameters, or with its first `sample` seeds only; where stages were
    recorded, by default with their first block of seeds. Nothing that is kept or shipped is used.
    The run lies below `out`, in `_build` if it is not given.

    Raises Refused if the study no longer takes these parameters, Failed if the run fails, and
    DamagedRecord if the recorded data do not match their checksum.
    """
    if record.stages:
        verify_shipped(study, record)
        sample = BLOCK if sample is None else sample
    else:
        verify_file(study.reference / f"{scale}.nc", record.data[0].sha256)
    given = {name: value for name, value in record.parameters.items() if name != "device"}
    if sample is not None:
        given["n_seeds"] = min(sample, int(given.get("n_seeds", 1)))
    base_scale = scale if scale in study.scales else CHECK
    try:
        parameters = with_values(study, scale_parameters(study, base_scale), given)
    except Refused as error:
        raise Refused(f"{study.name} no longer takes its recorded parameters: {error}") from None
    folder = (out or study.root / "_build" / "verify") / study.name / scale
    env = {SHIPPED: "ignore", FRESH: "1"}
    job = Job(study, scale, parameters, folder, time_limit=time_limit, env=env)
    with folders.locked(folder), Watcher([job]):
        done = execute(job)
    if done.record is None:
        raise Failed(f"{study.name} failed: {done.error}. Notebook and traceback: {done.kept}")
    return done.record


def compare(old: Record, new: Record) -> list[Comparison]:
    """Every claim, and every part of one that has parts, by its name."""
    now = {name: (numbers, verdict) for name, numbers, verdict in _numbers(new.claims)}
    rows = []
    for name, numbers, verdict in _numbers(old.claims):
        found = now.get(name)
        low, high = numbers["interval"]
        observed = found[0]["observed"] if found else None
        rows.append(
            Comparison(
                study=old.study,
                scale=old.scale,
                claim=name,
                recorded=numbers["observed"],
                interval=(low, high),
                now=observed,
                verdict=verdict,
                verdict_now=found[1] if found else "",
                word=_word(numbers["observed"], low, high, observed) if found else "missing",
            )
        )
    return rows


def _numbers(claims: tuple[ClaimRecord, ...]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Name, numbers and verdict of every claim without parts and of every part."""
    for claim in claims:
        parts = claim.parts or (claim.model_dump(mode="json"),)
        for part in parts:
            name = f"{claim.id}: {part['label']}" if claim.parts else claim.id
            yield name, part, part["verdict"]


def _word(recorded: float | None, low: float | None, high: float | None, now: float | None) -> str:
    if recorded is None or now is None:
        return "undecided"
    if math.isclose(recorded, now, rel_tol=1e-9):
        return "same"
    if low is None and high is None:
        return "outside interval"
    above = low is None or low <= now  # a bound that is None is infinite
    inside = above and (high is None or now <= high)
    return "within interval" if inside else "outside interval"
