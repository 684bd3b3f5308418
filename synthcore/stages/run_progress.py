"""Progress of a chapter: a file under the runner, a bar in a notebook."""

import json
import os
import time
from pathlib import Path

from synthcore.evidence.files import write_atomic
from synthcore.training.progress import Progress
from synthcore.training.rehearsal import FILE_NAME, UPDATES, Rehearsal

SECONDS = 0.5  # between two signs of progress


class RunProgress(Progress):
    """Says how far a part of a run is, at most twice a second."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self._last = 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
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
