"""Progress of a chapter: a file under the runner, a bar in a notebook."""

import ctypes
import json
import os
import time
from pathlib import Path

from synthcore.evidence.files import write_atomic
from synthcore.training.progress import Progress
from synthcore.training.rehearsal import FILE_NAME, UPDATES, Rehearsal

SECONDS = 0.5  # between two signs of progress
TRIM_SECONDS = 2.0  # between two returns of memory


def give_back_memory() -> None:
    """Return memory that is free but in pieces to the system, where the C library can (glibc).

    Small arrays that stay, between large ones that come and go with every update, cut the heap up:
    a training that holds 450 MB grew to 2 GB, in some runs and not in others.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


class RunProgress(Progress):
    """Says how far a part of a run is, at most twice a second, and keeps its memory together."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self._last = self._trimmed = 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._trimmed >= TRIM_SECONDS:
            self._trimmed = now
            give_back_memory()
        if done < total and now - self._last < SECONDS:
            return
        self._last = now
        if self.directory is not None:
            state = {"stage": label, "done": done, "total": total, "time": time.time()}
            write_atomic(self.directory / "progress.json", json.dumps(state))
        else:
            filled = round(24 * done / max(total, 1))
            bar = "#" * filled + "." * (24 - filled)
            end = "\n" if done >= total else ""
            print(f"\r{label} [{bar}] {done}/{total}", end=end, flush=True)


def run_progress(directory: Path | None) -> Progress:
    """The progress of a run in `directory` (None: in a notebook); if SYNTHCORE_REHEARSAL says so,
    a rehearsal of so many updates per training."""
    shown = RunProgress(directory)
    taken = os.environ.get(UPDATES)
    if not taken:
        return shown
    return Rehearsal(int(taken), directory and directory / FILE_NAME, shown)
