"""What a run would take: its chapter is rehearsed, and the rest is multiplied.

A rehearsal runs the whole notebook at full size with a few updates of every training
(`synthcore.training.rehearsal`), so it also shows that shapes fit together and memory suffices.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from synthcore.press import folders
from synthcore.press.errors import Failed, read_json
from synthcore.press.parameters import Parameters
from synthcore.press.progress import Watcher
from synthcore.press.runner import Job, execute
from synthcore.press.studies import Study

TRAININGS_NAME = "trainings.jsonl"  # written by synthcore.training.rehearsal

# One H100-class GPU: single precision outside its tensor cores, as the studies compute, at the
# share of its peak that matrix products of middling size reach; and what starting a kernel takes.
GPU_FLOP_PER_SECOND = 0.4 * 67e12
GPU_SECONDS_PER_KERNEL = 6e-6


@dataclass(frozen=True)
class Training:
    """One training as rehearsed: what an update takes, and how many there would be."""

    model: str
    members: int
    parameters: int  # of all members
    updates: int  # of the whole training
    seconds: float  # per update, here
    flop: float  # per update: two per multiply and add of matrix products and convolutions
    kernels: int  # operators started per update
    spent: float  # seconds the rehearsal of the updates took


@dataclass(frozen=True)
class Trainings:
    """Trainings of the same size, `count` of them."""

    count: int
    one: Training

    @property
    def flop(self) -> float:
        return self.count * self.one.updates * self.one.flop

    @property
    def seconds_here(self) -> float:
        return self.count * self.one.updates * self.one.seconds

    @property
    def seconds_on_gpu(self) -> float:
        """An update takes its arithmetic or the starting of its kernels, whichever is longer."""
        arithmetic = self.one.flop / GPU_FLOP_PER_SECOND
        starting = self.one.kernels * GPU_SECONDS_PER_KERNEL
        return self.count * self.one.updates * max(arithmetic, starting)


@dataclass(frozen=True)
class Estimate:
    """Seconds and memory of one run. `rest` is all but the updates, as it was here."""

    study: str
    scale: str
    changed: dict[str, Any]  # parameters that are not the scale's
    device: str
    trainings: tuple[Trainings, ...]
    rest: float
    peak_rss_mb: float
    peak_gpu_mb: float | None

    @property
    def flop(self) -> float:
        return sum(group.flop for group in self.trainings)

    @property
    def seconds_here(self) -> float:
        return self.rest + sum(group.seconds_here for group in self.trainings)

    @property
    def seconds_on_gpu(self) -> float:
        return self.rest + sum(group.seconds_on_gpu for group in self.trainings)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        totals = ("flop", "seconds_here", "seconds_on_gpu")
        return asdict(self) | {name: getattr(self, name) for name in totals}


def estimate(
    study: Study,
    scale: str,
    parameters: Parameters,
    updates: int = 3,
    time_limit: float | None = None,
    out: Path | None = None,
) -> Estimate:
    """Rehearse a run below `out` (in `_build`) and add up. Raises Failed if the rehearsal fails."""
    folder = (out or study.root / "_build" / "estimates") / f"{study.name}-{scale}"
    env = {
        "SYNTHCORE_REHEARSAL": str(updates),
        "PYTHONOPTIMIZE": "1",  # what exercises assert does not hold of untrained models
    }
    job = Job(study, scale, parameters, folder, time_limit=time_limit, env=env)
    with folders.locked(folder), Watcher([job]):
        done = execute(job)
        if done.record is None:
            raise Failed(f"{study.name} failed: {done.error}. Notebook and traceback: {done.kept}")
        trainings = _read(folder / TRAININGS_NAME)
        folders.discard(folder)  # its data are those of untrained models
    record = done.record
    return Estimate(
        study=study.name,
        scale=scale,
        changed={name: parameters.all[name] for name in parameters.overridden},
        device=str(record.device),
        trainings=grouped(trainings),
        rest=max(0.0, record.seconds - sum(training.spent for training in trainings)),
        peak_rss_mb=record.peak_rss_mb,
        peak_gpu_mb=record.peak_gpu_mb,
    )


def store(expected: Estimate, root: Path, day: str) -> None:
    """Put what the book shows of an estimate into `benchmarks/estimates.json`, in place of an older
    one of the same study and scale."""
    path = root / "benchmarks" / "estimates.json"
    rows = {(row["study"], row["scale"]): row for row in estimates(root)}
    sizes = [group.one.parameters // group.one.members for group in expected.trainings]
    rows[expected.study, expected.scale] = {
        "study": expected.study,
        "scale": expected.scale,
        "changed": expected.changed,
        "date": day,
        "device": expected.device,
        "networks": sum(group.count * group.one.members for group in expected.trainings),
        "largest": max(sizes, default=0),
        "updates": max((group.one.updates for group in expected.trainings), default=0),
        "flop": expected.flop,
        "seconds_here": expected.seconds_here,
        "seconds_on_gpu": expected.seconds_on_gpu,
        "rest": expected.rest,
        "peak_rss_mb": expected.peak_rss_mb,
    }
    path.write_text(json.dumps([rows[key] for key in sorted(rows)], indent=1) + "\n", "utf-8")


def estimates(root: Path) -> list[dict[str, Any]]:
    """What `store` kept; none if there is no file."""
    path = root / "benchmarks" / "estimates.json"
    rows: list[dict[str, Any]] = read_json(path, [])
    return rows


def _read(path: Path) -> list[Training]:
    """Every training of a rehearsal, in order; a study may have none."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Training(**json.loads(line)) for line in lines]


def grouped(trainings: Sequence[Training]) -> tuple[Trainings, ...]:
    """Trainings of one size in one row, with their mean seconds per update."""
    groups: dict[tuple[Any, ...], list[Training]] = {}
    for one in trainings:
        size = (one.model, one.members, one.parameters, one.updates, one.flop)
        groups.setdefault(size, []).append(one)
    return tuple(
        Trainings(len(same), replace(same[0], seconds=sum(t.seconds for t in same) / len(same)))
        for same in groups.values()
    )
