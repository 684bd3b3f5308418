"""What the cache holds, and removing it."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from synthcore.stages.store import About, DamagedResult, cache_folder, read_about

BLOCK = re.compile(r"seeds-\d+-\d+\.(nc|json|work)")


@dataclass(frozen=True)
class Kept:
    """A block of seeds of a stage: its result, or the unfinished trainings of one."""

    study: str
    stage: str
    seeds: tuple[int, int]  # first and last
    bytes: int
    about: About | None  # None while it is unfinished, or if it is damaged
    path: Path  # of its data, whether there or not

    @property
    def unfinished(self) -> bool:
        return self.path.with_suffix(".work").is_dir()

    def files(self) -> list[Path]:
        """Everything that belongs to it."""
        unfinished = self.path.with_suffix(".work").rglob("*")
        result = [self.path, self.path.with_suffix(".json")]
        return [path for path in [*result, *unfinished] if path.is_file()]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "study": self.study,
            "stage": self.stage,
            "seeds": list(self.seeds),
            "bytes": self.bytes,
            "created": self.about.created if self.about else None,
            "cpu_seconds": self.about.cpu_seconds if self.about else None,
            "parameters": dict(self.about.parameters) if self.about else None,
            "unfinished": self.unfinished,
            "path": str(self.path),
        }


def kept(study: str | None = None) -> list[Kept]:
    """Everything in the cache, or everything of one study, sorted by study, stage and seeds."""
    found = []
    for path in _blocks(study):
        name, stage, _, block = path.relative_to(cache_folder()).parts
        _, first, last = Path(block).stem.split("-")
        try:
            about: About | None = read_about(path)[0]
        except (DamagedResult, OSError):
            about = None
        row = Kept(name, stage, (int(first), int(last)), 0, about, path)
        size = sum(file.stat().st_size for file in row.files())
        found.append(Kept(name, stage, row.seeds, size, about, path))
    return sorted(found, key=lambda row: (row.study, row.stage, row.seeds))


def varying(rows: list[Kept]) -> dict[Path, dict[str, Any]]:
    """The parameters of every row in which results of its stage differ."""
    result: dict[Path, dict[str, Any]] = {}
    for row in rows:
        same = [other.about for other in rows if _stage(other) == _stage(row) and other.about]
        own = row.about.parameters if row.about else {}
        result[row.path] = {
            name: value
            for name, value in own.items()
            if any(about.parameters.get(name) != value for about in same)
        }
    return result


def clear(study: str | None = None) -> tuple[int, list[Kept]]:
    """Remove what the cache holds, or what it holds of one study, and nothing else; returns the
    bytes that were freed and the blocks that a process is computing, which stay.
    """
    freed, busy = 0, []
    for row in kept(study):
        lock = FileLock(row.path.with_suffix(".lock"))
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(row.path.with_suffix(".work"), ignore_errors=True)
                for file in (row.path, row.path.with_suffix(".json")):
                    file.unlink(missing_ok=True)
        except Timeout:
            busy.append(row)
            continue
        row.path.with_suffix(".lock").unlink(missing_ok=True)
        freed += row.bytes
        for folder in row.path.parents[:3]:  # key, stage, study
            with contextlib.suppress(OSError):
                folder.rmdir()
    return freed, busy


def _stage(row: Kept) -> tuple[str, str]:
    return row.study, row.stage


def _blocks(study: str | None) -> Iterator[Path]:
    """Paths of the data of every block that is there or unfinished."""
    if study and not study.isidentifier():
        return
    found = cache_folder().glob(f"{study or '*'}/*/*/seeds-*-*")
    ours = {path.with_suffix(".nc") for path in found if BLOCK.fullmatch(path.name)}
    yield from sorted(ours)
