"""A progress bar that stays readable in a log file."""

import sys
import time


class ProgressBar:
    """`fit(..., progress=ProgressBar("train"))`: a moving line on a terminal, else ten plain
    lines."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.started = time.monotonic()
        self.drawn, self.tenths = self.started, -1

    def __call__(self, done: int, total: int) -> None:
        now, share = time.monotonic(), done / max(total, 1)
        tenths = int(10 * share)
        if sys.stderr.isatty():
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
        sys.stderr.write(text)
        sys.stderr.flush()
