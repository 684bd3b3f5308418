"""Files that are complete or absent, their checksums, and where the project lies."""

import hashlib
import os
import tempfile
from pathlib import Path


def sha256(content: bytes | Path) -> str:
    """Hex digest of bytes or of a file."""
    data = content.read_bytes() if isinstance(content, Path) else content
    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write by way of a temporary neighbour: a reader sees the old file or the new one."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(partial, 0o644)  # mkstemp's files are private, a published site is not
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def find_root(start: Path | None = None) -> Path | None:
    """The nearest folder at or above `start` with a `_toc.yml` and a `notebooks` folder."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return None
