"""Run folders: locked while written, complete or absent, replaced in one move."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from synthcore.press.errors import Refused


def partial(folder: Path) -> Path:
    """Where a run grows; renamed to `folder` when it is complete."""
    return folder.with_name(f".{folder.name}.partial")


def failed(folder: Path) -> Path:
    """Where a failed run's notebook and traceback are kept; no build looks there."""
    return folder.with_name(f"{folder.name}.failed")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold the folder's lock; if it is taken, wait, or raise Refused naming the other process.

    Clears what a killed run left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    holder = folder.with_name(f".{folder.name}.holder")
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=-1 if wait else 0):
            holder.write_text(json.dumps({"pid": os.getpid(), "since": time.strftime("%H:%M:%S")}))
            try:
                _recover(folder)
                yield
            finally:
                holder.unlink(missing_ok=True)
    except Timeout:
        raise Refused(
            f"{folder} is being written by {_who(holder)}; wait for it or stop it."
        ) from None


def publish(source: Path, folder: Path) -> None:
    """Put `source` in the place of `folder`; a kill in between is undone by the next lock."""
    old = _old(folder)
    if folder.exists():
        os.replace(folder, old)
    os.replace(source, folder)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    old = _old(folder)
    if old.exists() and not folder.exists():
        os.replace(old, folder)
    for leftover in (old, partial(folder)):
        shutil.rmtree(leftover, ignore_errors=True)


def _who(holder: Path) -> str:
    try:
        about = json.loads(holder.read_text())
        return f"process {about['pid']} (since {about['since']})"
    except (OSError, ValueError, KeyError):
        return "another process"
