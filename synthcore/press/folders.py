"""Result folders: locked while written, complete or absent, replaced in one move where a move is
possible. Files that we did not make stay.

A result grows in `.<folder>.partial`. It lists its files in `.files`, so that what others put
beside them is known: it is carried over when the result is replaced.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from synthcore.evidence.files import write_atomic
from synthcore.evidence.record import RECORD_NAME
from synthcore.press.errors import Refused, sentence

NEW = ".new"  # in a folder whose files are swapped: those to come
FILES = ".files"  # in a result: the paths of everything we put there, one a line


def partial(folder: Path) -> Path:
    """Where a run grows; renamed to `folder` when it is complete."""
    return folder.with_name(f".{folder.name}.partial")


def failed(folder: Path) -> Path:
    """Where a failed run's notebook and traceback are kept; no build looks there."""
    return folder.with_name(f"{folder.name}.failed")


def is_result(folder: Path) -> bool:
    """Whether a folder's name is that of a result, and not of what becomes, was or failed to be."""
    return not folder.name.startswith(".") and not folder.name.endswith(".failed")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold the folder's lock; if it is taken, wait, or raise Refused naming the other process.

    Clears what a killed run left behind, and publishes what one had finished. Raises Refused where
    a result could not be put: said before it is computed.
    """
    _require_room(folder)
    holder = folder.with_name(f".{folder.name}.holder")
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise Refused(
            f"{folder} is being written by {_who(holder)}; wait for it or stop it."
        ) from None
    except NotImplementedError:
        raise Refused(
            f"{folder.parent} lies on a file system without locks: choose a folder elsewhere."
        ) from None
    try:
        holder.write_text(json.dumps({"pid": os.getpid(), "since": time.strftime("%H:%M:%S")}))
        _recover(folder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def require_writable(folder: Path) -> None:
    """Make the folder if it is not there; Refused, saying why, if no file can be put into it."""
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        error.filename = str(folder)
        raise Refused(sentence(error)) from None


def publish(source: Path, folder: Path) -> None:
    """Put `source` in the place of `folder`; a kill in between is undone by the next lock.

    Where folders cannot be renamed (a mount point, another layer of a file system) and where the
    user stands in the folder, the files are copied and then swapped. Files of others stay. Raises
    OSError if neither is possible; then `source` is there still.
    """
    _list_files(source)
    old = _old(folder)
    try:
        if _stands_in(folder):
            raise OSError("a shell would be left in a folder that is gone")
        if folder.exists():
            os.replace(folder, old)
        os.replace(source, folder)
    except OSError:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        _replace_files(source, folder)
    if old.exists():
        _retire(old, folder)


def discard(folder: Path, *more: str) -> None:
    """Remove a result, and files of these names; what others put beside it stays."""
    ours = made_by_us(folder) | set(more)
    for path in list(_files(folder)):
        if path.relative_to(folder).as_posix() in ours:
            path.unlink()
    shutil.rmtree(folder / NEW, ignore_errors=True)
    _remove_empty(folder)


def made_by_us(folder: Path) -> set[str]:
    """Paths of the files of a result. One without a list, of an earlier version, is ours whole."""
    try:
        return {FILES, *(folder / FILES).read_text("utf-8").splitlines()}
    except FileNotFoundError:
        return {path.relative_to(folder).as_posix() for path in _files(folder)}


def _require_room(folder: Path) -> None:
    """Refused if nothing can be written beside the folder, where a result grows, or into it."""
    try:
        require_writable(folder.parent)
    except Refused as error:
        inside = f" A result grows beside its folder: {folder / 'run'} may do."
        raise Refused(f"{error}{inside if folder.is_dir() else ''}") from None
    if folder.is_dir():
        require_writable(folder)


def _replace_files(source: Path, folder: Path) -> None:
    """Copy beside, then swap file by file; the record comes last and `source` is removed then."""
    new = folder / NEW
    shutil.rmtree(new, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    if not (folder / FILES).exists():
        _list_files(folder)
    before = made_by_us(folder) - {FILES}  # the list stays until the next takes its place
    try:
        shutil.copytree(source, new)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    names = {path.relative_to(new).as_posix() for path in _files(new)}
    for name in sorted(before, key=lambda name: name != RECORD_NAME):
        (folder / name).unlink(missing_ok=True)  # the record first: from here on it is no result
    for name in sorted(names, key=lambda name: (name in (FILES, RECORD_NAME), name)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new / name, folder / name)
    _remove_empty(folder)
    shutil.rmtree(source, ignore_errors=True)


def _retire(old: Path, folder: Path) -> None:
    """Remove a result that was replaced, after what others put there has been carried over."""
    ours = made_by_us(old)
    for path in list(_files(old)):
        name = path.relative_to(old).as_posix()
        if name not in ours and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, folder / name)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    old, grown = _old(folder), partial(folder)
    if old.exists() and not folder.exists():
        os.replace(old, folder)
    if (grown / RECORD_NAME).is_file():  # the record is written last
        publish(grown, folder)
    if old.exists():
        _retire(old, folder)
    shutil.rmtree(grown, ignore_errors=True)


def _list_files(folder: Path) -> None:
    """Say of every file that is there that it is ours."""
    names = {path.relative_to(folder).as_posix() for path in _files(folder)} - {FILES}
    write_atomic(folder / FILES, "\n".join([*sorted(names), ""]))


def _files(folder: Path) -> Iterator[Path]:
    """Files below, without those of a swap that was killed."""
    for path in folder.rglob("*"):
        if path.relative_to(folder).parts[0] != NEW and (path.is_symlink() or not path.is_dir()):
            yield path


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those below that hold nothing."""
    below = [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]
    for path in [*sorted(below, reverse=True), folder]:
        with contextlib.suppress(OSError):
            path.rmdir()


def _stands_in(folder: Path) -> bool:
    """Whether this process, and so the shell that began it, works in the folder."""
    try:
        return folder.exists() and Path.cwd().is_relative_to(folder.resolve())
    except FileNotFoundError:  # in one that is gone
        return False


def _who(holder: Path) -> str:
    try:
        about = json.loads(holder.read_text())
        return f"process {about['pid']} (since {about['since']})"
    except (OSError, ValueError, KeyError):
        return "another process"
