"""A progress bar that stays readable in a log file."""

import sys
import time
from typing import TextIO


class ProgressBar:
    """`fit(..., progress=ProgressBar("train"))`: a moving line on a terminal, else ten plain
    lines."""

    def __init__(self, label: str, file: TextIO | None = None) -> None:
        self.label = label
        self.file = sys.stderr if file is None else file
        self.started = time.monotonic()
        self.drawn, self.tenths = self.started, -1

    def __call__(self, done: int, total: int) -> None:
        now, share = time.monotonic(), done / max(total, 1)
        tenths = int(10 * share)
        if self.file.isatty():
            if done < total and now - self.drawn < 0.1:
                return
            bar = "#" * int(30 * share)
            end = "\n" if done >= total else ""
            text = f"\r{self.label} [{bar:<30}] {done}/{total} {now - self.started:.0f} s{end}"
        elif tenths == self.tenths:
            return
        else:
            text = f"{self.label}: {done}/{total} steps, {now - self.started:.0f} s\n"
        self.drawn, self.tenths = now, tenths
        self.file.write(text)
        self.file.flush()
