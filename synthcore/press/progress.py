"""What is running, how far, how much longer: lines in a log, a live table in a terminal.

Runs say how far they are in small files of their growing folder, so the same watcher serves runs in
this process and in Dask workers.
"""

import json
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from synthcore.evidence.record import RECORD_NAME
from synthcore.press import folders
from synthcore.press.runner import STATE_NAME, Job

LINE_EVERY = 10.0


class Reporter(ABC):
    """Reports while its `with` block runs; on stderr, so stdout stays for results."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @abstractmethod
    def lines(self) -> list[str]:
        """What there is to say now."""

    def __enter__(self) -> "Reporter":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        if sys.stderr.isatty():
            self._watch_live()
            return
        while not self._stop.wait(LINE_EVERY):
            for line in self.lines():
                print(line, file=sys.stderr, flush=True)

    def _watch_live(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
            while not self._stop.wait(0.25):
                live.update(Text("\n".join(self.lines()) or "starting"))


class Watcher(Reporter):
    """Says of each job that is running how far it is."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self._jobs = jobs
        self._seconds_before = {job.folder: _seconds_before(job.folder) for job in jobs}

    def lines(self) -> list[str]:
        """One line per job that is running."""
        states = ((job, _read(folders.partial(job.folder) / STATE_NAME)) for job in self._jobs)
        return [self._line(job, state) for job, state in states if state]

    def _line(self, job: Job, state: dict[str, Any]) -> str:
        elapsed = time.time() - state["started"]
        parts = [
            f"{job.study.name} ({job.scale})",
            f"cell {state['cell']} of {state['cells']}, {state['heading']}",
        ]
        step = _read(folders.partial(job.folder) / "progress.json")
        if step and step["done"] < step["total"]:
            parts.append(f"{step['stage']} {step['done']}/{step['total']}")
        parts.append(f"{clock(elapsed)} elapsed")
        before = self._seconds_before[job.folder]
        if before and before > elapsed:
            parts.append(f"about {clock(before - elapsed)} left")
        return "  ".join(parts)


def clock(seconds: float) -> str:
    """`1:05` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _seconds_before(folder: Path) -> float | None:
    record = _read(folder / RECORD_NAME)
    return record.get("seconds") if record else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content
