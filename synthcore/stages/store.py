"""Results on disk: complete or absent, checked by digest, one folder per question that was asked.

A result is two files, `<name>.nc` and `<name>.json`, which says what it is and vouches for the
data. The cache holds `<study>/<stage>/<key>/seeds-<first>-<last>.*`, and beside a result that
is being computed `....work`, the folder of its unfinished trainings, and `....lock`.
"""

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs
import xarray as xr
from filelock import FileLock, Timeout

from synthcore.evidence.dataset import packed
from synthcore.evidence.files import neighbour, sha256, write_atomic

FORMAT = 1
Seeds = tuple[int, ...]

_said: set[str] = set()
_made: set[Path] = set()  # by this process


class DamagedResult(ValueError):  # noqa: N818 - the word users see
    """A kept result is incomplete or not what was written; the message names its file."""


@dataclass(frozen=True)
class About:
    """What a result is: `code` has a digest per module it rests on, by path."""

    study: str
    stage: str
    parameters: Mapping[str, Any]
    seeds: Seeds
    torch: str
    code: Mapping[str, str]
    device: str
    cpu_seconds: float  # of the whole result, with what was found kept inside it
    created: str


@dataclass(frozen=True)
class Result:
    """A dataset with what it is."""

    data: xr.Dataset
    about: About


def cache_folder() -> Path:
    """Where results are kept: SYNTHCORE_CACHE, or the user's cache folder."""
    given = os.environ.get("SYNTHCORE_CACHE")
    return Path(given).resolve() if given else platformdirs.user_cache_path("synthcore")


def fresh() -> bool:
    """Whether what was kept before is ignored: SYNTHCORE_FRESH=1."""
    return os.environ.get("SYNTHCORE_FRESH", "0") not in ("", "0")


def say_once(sentence: str) -> None:
    """Tell whoever watches, unless it was told before."""
    if sentence not in _said:
        _said.add(sentence)
        print(sentence, file=sys.stderr)


def write_result(path: Path, data: xr.Dataset, about: About) -> None:
    """Write `path` (ending in .nc), large variables compressed, and then its .json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = neighbour(path)
    try:
        data.to_netcdf(partial, engine="h5netcdf", encoding=packed(data))
        head = {"format": FORMAT, "sha256": sha256(partial), **asdict(about)}
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    head["digest"] = _digest(head)
    write_atomic(path.with_suffix(".json"), json.dumps(head, indent=1) + "\n")


def read_about(path: Path) -> tuple[About, str]:
    """What the result at `path` (ending in .nc) is, and the digest of its data. Raises
    DamagedResult, or FileNotFoundError if there is none."""
    head_path = path.with_suffix(".json")
    try:
        head = json.loads(head_path.read_bytes())
        if head.pop("digest") != _digest(head) or head.pop("format") != FORMAT:
            raise ValueError("it does not match its checksum")
        digest = head.pop("sha256")
        return About(**head | {"seeds": tuple(head["seeds"])}), digest
    except FileNotFoundError:
        if path.exists():
            raise DamagedResult(f"{path} is incomplete: {head_path.name} is missing.") from None
        raise
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedResult(f"{head_path} is damaged: {error}.") from None


def read_result(path: Path) -> Result:
    """The result at `path`. Raises DamagedResult, or FileNotFoundError if there is none."""
    about, digest = read_about(path)
    if not path.is_file():
        raise DamagedResult(f"{path} is missing although {path.with_suffix('.json').name} is not.")
    if sha256(path) != digest:
        raise DamagedResult(f"{path} is damaged: it does not match its checksum.")
    return Result(xr.load_dataset(path, engine="h5netcdf").drop_encoding(), about)


class Entries:
    """The kept results of one key, a result per block of seeds.

    Without a folder, or with one that cannot be written, nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def seeds(self, fresh: bool) -> list[Seeds]:
        """The blocks that are there; if `fresh`, only those that this process has made."""
        paths = sorted(self.folder.glob("seeds-*.json")) if self.folder else []
        found = [re.fullmatch(r"seeds-(\d+)-(\d+)", path.stem) for path in paths]
        blocks = [tuple(range(int(name[1]), int(name[2]) + 1)) for name in found if name]
        return [seeds for seeds in blocks if not fresh or self._path(seeds) in _made]

    def read(self, seeds: Seeds) -> Result | None:
        """A block, or None if it is not there. A damaged one is named and removed."""
        path = self._path(seeds)
        if path is None:
            return None
        try:
            return read_result(path)
        except FileNotFoundError:
            return None
        except (DamagedResult, OSError) as error:
            say_once(f"{str(error).rstrip('.')}; it is computed anew.")
            with contextlib.suppress(OSError):
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
            return None

    def write(self, seeds: Seeds, data: xr.Dataset, about: About) -> Result:
        """Keep a block; returns what reading it will give, kept or not."""
        path = self._path(seeds)
        if path is not None:
            try:
                write_result(path, data, about)
                _made.add(path)
                shutil.rmtree(self.work(seeds) or path, ignore_errors=True)
                return read_result(path)
            except OSError as error:
                cannot_keep(path.parent, error)
        try:
            with tempfile.TemporaryDirectory(prefix="synthcore-") as folder:
                write_result(Path(folder) / "result.nc", data, about)
                return read_result(Path(folder) / "result.nc")
        except OSError:  # no room anywhere
            return Result(data, about)

    def work(self, seeds: Seeds) -> Path | None:
        """The folder of a block's unfinished trainings."""
        path = self._path(seeds)
        return path and path.with_suffix(".work")

    @contextlib.contextmanager
    def locked(self, seeds: Seeds) -> Iterator[None]:
        """Hold a block's lock: whoever comes second waits until the first has computed it."""
        path = self._path(seeds)
        if path is None:
            yield
            return
        lock = FileLock(path.with_suffix(".lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                say_once(f"Another process computes {path.parent.parent.name}: waiting for it.")
                lock.acquire()
        except NotImplementedError:
            pass  # a file system without locks: at worst a block is computed twice
        except OSError as error:
            cannot_keep(path.parent, error)
            self.folder = None
        try:
            yield
        finally:
            lock.release()

    def _path(self, seeds: Seeds) -> Path | None:
        return self.folder and self.folder / f"seeds-{seeds[0]}-{seeds[-1]}.nc"


def cannot_keep(folder: Path, error: OSError) -> None:
    """Say once that results are not kept, and why."""
    reason = error.strerror or str(error)
    say_once(f"Results are not kept: {cache_folder()} cannot be written ({reason}).")


def now() -> str:
    """The time in UTC, for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _digest(head: Mapping[str, Any]) -> str:
    return sha256(json.dumps(head, sort_keys=True).encode())
