"""Files that are complete or absent, their checksums, and where the project lies."""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path


def sha256(content: bytes | Path) -> str:
    """Hex digest of bytes or of a file."""
    data = content.read_bytes() if isinstance(content, Path) else content
    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write by way of a temporary neighbour: a reader sees the old file or the new one."""
    data = content.encode() if isinstance(content, str) else content
    partial = neighbour(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as stream:  # as open to others as the user's umask says
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno:
            error.filename = str(path)  # the name that the caller knows
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def neighbour(path: Path) -> Path:
    """The name of a hidden file beside `path` that no other process writes to."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")


def visible(paths: Iterable[Path]) -> list[Path]:
    """Files that somebody wrote, sorted: not the hidden ones of editors, browsers and systems."""
    return sorted(path for path in paths if not path.name.startswith(".") and path.is_file())


def read_text(path: Path) -> str:
    """The text of a file. Raises UnicodeError naming it if it is not UTF-8."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UnicodeError(f"{path} is not text in UTF-8 ({error.reason})") from None


def find_root(start: Path | None = None) -> Path | None:
    """The nearest folder at or above `start` with a `_toc.yml` and a `notebooks` folder."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return None
