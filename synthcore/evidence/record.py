"""record.json: what a run was, on what, with which outcome; verified when read."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from synthcore.evidence.files import sha256, write_atomic

if TYPE_CHECKING:
    from synthcore.evidence import decide, first_edition
    from synthcore.evidence.verdict import Verdict

RECORD_NAME = "record.json"
RUNS = 500  # simulated of a claim
MOST_FALSE = 35  # of them may pass without an effect
LEAST_POWER = 0.8
WORDS = (  # of both editions, the most favourable first
    "reproduced",
    "partly reproduced",
    "undecided",
    "not reproduced",
    "not testable here",
    "not decidable at this scale",
)
RESULTS_NAME = "results.json"


class DamagedRecord(ValueError):  # noqa: N818 - the word users see
    """A record or a file it vouches for is missing, unreadable or does not match its checksum."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GateRecord(_Part):
    """What had to hold first."""

    holds: bool
    number: float | None
    sentence: str


class ClaimRecord(_Part):
    """One claim's verdict in numbers; numbers that do not exist are null.

    Fields from `kind` on belong to the second edition; `kind` is null in a claim that was decided
    by the rules of the first, and its `interval` is then two-sided. `parts`, `further`, `control`
    and `ideal` are verdicts in the same words.
    """

    id: str
    statement: str
    where: str
    required: bool
    verdict: str
    observed: float | None
    threshold: float | None
    direction: str
    interval: tuple[float | None, float | None]
    n: int
    note: str = ""
    label: str = ""
    parts: tuple[dict[str, Any], ...] = ()
    kind: str | None = None
    threshold_source: str = ""
    former_margin: str = ""
    method: str = ""
    values: tuple[float | None, ...] = ()
    agree: int | None = None
    needed: int | None = None
    power: float | None = None
    false_positive: float | None = None
    effects: tuple[float | None, ...] = ()
    gates: tuple[GateRecord, ...] = ()
    further: tuple[dict[str, Any], ...] = ()
    control: dict[str, Any] | None = None
    ideal: dict[str, Any] | None = None

    @property
    def holds(self) -> bool:
        """False only if this claim is required and was not reproduced."""
        return not self.required or self.verdict == "reproduced"

    @property
    def weak(self) -> bool:
        """Is the power below .8?"""
        return self.power is not None and self.power < LEAST_POWER

    @property
    def unsound(self) -> bool:
        """Do more than 35 of 500 simulated runs without an effect pass?"""
        return self.false_positive is not None and self.false_positive * RUNS > MOST_FALSE + 0.5

    @property
    def endpoints(self) -> list["ClaimRecord"]:
        """Its two or three primary endpoints, else itself; parts of the first edition are none."""
        return [self.part(part) for part in self.parts if self.kind] or [self]

    def part(self, numbers: Mapping[str, Any]) -> "ClaimRecord":
        """One of `parts`, `further`, `control` or `ideal` as a claim of its own."""
        bare: dict[str, Any] = {
            "parts": (),
            "further": (),
            "gates": (),
            "power": None,
            "false_positive": None,
        }
        bare |= {"control": None, "ideal": None, "required": False}
        return self.model_validate({**self.model_dump(), **bare, **numbers})


class FileRecord(_Part):
    """A file beside the record."""

    name: str
    sha256: str
    bytes: int


class FigureRecord(_Part):
    """A figure saved by the chapter as `figures/<id>.png`."""

    id: str
    sha256: str


class StageRecord(_Part):
    """A stage's result, kept as `stages/<name>.nc`.

    `source` is computed, kept or shipped; `code` a digest of the modules it rests on; `changed`
    names those of them that are not what a shipped result was computed with.
    """

    name: str
    sha256: str
    bytes: int
    seeds: tuple[int, ...]
    source: str
    code: str
    changed: tuple[str, ...] = ()
    cpu_seconds: float
    created: str


class CodeRecord(_Part):
    """Hashes of what was run: notebook (comments stripped), modules it imports, lock file."""

    notebook: str
    closure: dict[str, str]
    lock: str
    recorded: dict[str, str]

    @property
    def digest(self) -> str:
        """Twelve characters that differ whenever any of it does."""
        return sha256(json.dumps(self.model_dump(), sort_keys=True).encode())[:12]


class Device(_Part):
    """Where it ran: `kind` is cpu or cuda."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.name})"


class Record(_Part):
    """Everything known about one run. Times in seconds, memory in megabytes (10^6 bytes)."""

    study: str
    scale: str
    identity: str
    parameters: dict[str, Any]
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...]
    code: CodeRecord
    versions: dict[str, str]
    device: Device
    started: str
    seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    peak_gpu_mb: float | None = None
    figures: tuple[FigureRecord, ...] = ()
    claims: tuple[ClaimRecord, ...] = ()
    results: dict[str, float | None] = {}
    data: tuple[FileRecord, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    notebook: FileRecord | None = None

    def write(self, path: Path) -> None:
        """Write with a checksum over the whole content; the file is complete or absent."""
        content = self.model_dump(mode="json")
        content["sha256"] = _digest(content)
        write_atomic(path, json.dumps(content, indent=1, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read and verify. Raises DamagedRecord naming the file, FileNotFoundError if absent."""
        try:
            content = json.loads(path.read_bytes())
            digest = content.pop("sha256")
            if digest != _digest(content):
                raise ValueError("it does not match its checksum")
            return cls.model_validate(content)
        except FileNotFoundError:
            raise
        except ValidationError as error:
            reason = f"unexpected content in {error.errors()[0]['loc']}"
            raise DamagedRecord(f"{path} is damaged: {reason}.") from None
        except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
            raise DamagedRecord(f"{path} is damaged: {error}.") from None

    def verify(self, folder: Path) -> None:
        """Check every file of a run folder against the record. Raises DamagedRecord."""
        files = [(item.name, item.sha256) for item in self.data]
        files += [(f"figures/{figure.id}.png", figure.sha256) for figure in self.figures]
        files += [(f"stages/{stage.name}.nc", stage.sha256) for stage in self.stages]
        if self.notebook:
            files.append((self.notebook.name, self.notebook.sha256))
        for name, digest in files:
            verify_file(folder / name, digest)

    @property
    def broken(self) -> list[ClaimRecord]:
        """The required claims that were not reproduced."""
        return [claim for claim in self.claims if not claim.holds]


def claim_record(verdict: "first_edition.Verdict", **about: Any) -> ClaimRecord:
    """A first edition's verdict as plain data; `about` gives id, statement, where, required."""
    return ClaimRecord(**_first(verdict), **about)


def decision_record(decision: "decide.Decision") -> ClaimRecord:
    """A decision as plain data."""
    claim = decision.claim
    found = decision.characteristics
    parts = [_plain(part) for part in decision.verdict.parts]
    for part, (false_positive, power) in zip(parts, found.endpoints, strict=False):
        part |= {"false_positive": false_positive, "power": power}
    for part, control in zip(
        parts, decision.control.parts if decision.control else (), strict=False
    ):
        part |= {"control": _plain(control)}
    return ClaimRecord(
        **_plain(decision.verdict),
        id=claim.id,
        statement=claim.statement,
        where=claim.where,
        required=decision.required,
        parts=tuple(parts),
        kind=claim.kind,
        threshold_source=claim.threshold_source,
        former_margin=claim.former_margin,
        power=found.power,
        false_positive=found.false_positive,
        effects=found.effects,
        gates=tuple(
            GateRecord(holds=gate.holds, number=_number(gate.number), sentence=gate.sentence)
            for gate in decision.gates
        ),
        further=tuple(_plain(verdict) for verdict in decision.further),
        control=_plain(decision.control) if decision.control else None,
        ideal=_plain(decision.ideal) if decision.ideal else None,
    )


def verify_file(path: Path, digest: str) -> None:
    """Raises DamagedRecord naming the file if it is missing or its checksum differs."""
    if not path.is_file():
        raise DamagedRecord(f"{path} is missing although a record names it.")
    if sha256(path) != digest:
        raise DamagedRecord(f"{path} is damaged: it does not match the checksum in its record.")


def _first(verdict: "first_edition.Verdict") -> dict[str, Any]:
    return {**_numbers(verdict), "parts": tuple(_first(part) for part in verdict.parts)}


def _plain(verdict: "Verdict") -> dict[str, Any]:
    """Without parts: only a claim's own verdict has them."""
    return {
        **_numbers(verdict),
        "method": verdict.method,
        "values": tuple(_number(value) for value in verdict.values),
        "agree": verdict.agree,
        "needed": verdict.needed,
    }


def _numbers(verdict: "Verdict | first_edition.Verdict") -> dict[str, Any]:
    low, high = verdict.interval
    return {
        "verdict": verdict.verdict.value,
        "observed": _number(verdict.observed),
        "threshold": _number(verdict.threshold),
        "direction": verdict.direction,
        "interval": (_number(low), _number(high)),
        "n": verdict.n,
        "note": verdict.note,
        "label": verdict.label,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _digest(content: dict[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode())
