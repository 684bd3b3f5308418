"""Results are published whole or not at all, whatever a file system does, and lose no file of
others.
"""

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthcore.press import folders
from synthcore.press.errors import Refused


def result(folder: Path, text: str, *more: str) -> Path:
    """Something like a finished run."""
    for name in ("record.json", "figures/one.png", *more):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def content(folder: Path) -> dict[str, str]:
    """The files of a folder but for their list."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != folders.FILES
    }


def published(folder: Path, text: str, *more: str) -> None:
    folders.publish(result(folders.partial(folder), text, *more), folder)


def others(parent: Path) -> list[str]:
    """What is left beside a result but for its lock."""
    return [p.name for p in parent.iterdir() if p.name.startswith(".") and p.suffix != ".lock"]


@pytest.fixture(params=["renames", errno.EXDEV, errno.EBUSY, errno.EPERM])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that renames folders, or one that says why not."""
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(source).is_dir():
            raise OSError(request.param, os.strerror(request.param), str(source))
        real(source, target)

    if request.param != "renames":
        monkeypatch.setattr(os, "replace", replace)


@pytest.mark.usefixtures("disk")
def test_a_result_takes_the_place_of_another_and_files_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    published(folder, "first", "stages/a.nc")
    (folder / "notes.txt").write_text("mine")
    (folder / "figures/drawn.png").write_text("mine")
    published(folder, "second", "data.nc")
    assert content(folder) == {
        "record.json": "second",
        "figures/one.png": "second",
        "data.nc": "second",
        "notes.txt": "mine",
        "figures/drawn.png": "mine",
    }
    assert others(tmp_path) == []
    folders.discard(folder)
    assert content(folder) == {"notes.txt": "mine", "figures/drawn.png": "mine"}
    (folder / "notes.txt").unlink()
    (folder / "figures/drawn.png").unlink()
    folders.discard(folder)
    assert not folder.exists()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that is a mount point."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a file system, and only on Linux")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_mount_point_holds_a_result(mounted: Path) -> None:
    for text in ("first", "second"):
        with folders.locked(mounted):
            published(mounted, text)
    assert content(mounted) == {"record.json": "second", "figures/one.png": "second"}
    assert os.path.ismount(mounted)


def test_a_finished_result_waits_until_there_is_room(mounted: Path) -> None:
    """The next start publishes it; the one before is whole until then."""
    published(mounted, "before")
    with folders.locked(mounted):
        grown = result(folders.partial(mounted), "finished" * 40_000)
        with pytest.raises(OSError, match="No space left"):
            folders.publish(grown, mounted)
    assert content(mounted)["record.json"] == "before"
    with pytest.raises(OSError, match="No space left"), folders.locked(mounted):
        pytest.fail("a run would begin and remove it")
    subprocess.run(["mount", "-o", "remount,size=4m", str(mounted)], check=True)
    with folders.locked(mounted):
        assert content(mounted)["record.json"] == "finished" * 40_000
    assert not grown.exists()


@pytest.mark.parametrize("killed_after", range(1, 9))
def test_a_kill_while_files_are_swapped_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    folder, steps = tmp_path / "x", iter(range(1, 100))
    published(folder, "first", "data.nc")
    (folder / "notes.txt").write_text("mine")
    grown = result(folders.partial(folder), "second", "data.nc")

    class Killed(BaseException):
        pass

    def until(function: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            if next(steps) > killed_after:
                raise Killed
            if function is real_replace and Path(str(arguments[0])).is_dir():
                raise OSError(errno.EXDEV, "another layer")
            return function(*arguments, **options)  # type: ignore[operator]

        return call

    real_replace = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", until(os.replace))
        patch.setattr(Path, "unlink", until(Path.unlink))
        with contextlib.suppress(Killed):
            folders.publish(grown, folder)
    with folders.locked(folder):
        assert content(folder) in (
            {
                "record.json": text,
                "figures/one.png": text,
                "data.nc": text,
                "notes.txt": "mine",
            }
            for text in ("first", "second")
        )
    assert others(tmp_path) == []


def test_whoever_stands_in_the_folder_keeps_it(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    with contextlib.chdir(folder):
        published(folder, "first")
        assert Path.cwd() == folder
        assert Path("record.json").read_text() == "first"


def test_where_nothing_can_be_written_is_said_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(Refused, match=r"Cannot use .*/file/below: Not a dir"):
        folders.locked(file / "below" / "run").__enter__()
    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(Refused, match=r"Cannot use \S*: Read-only file system\.$"):
        folders.locked(tmp_path / "run").__enter__()
    with pytest.raises(Refused, match=r"A result grows beside its folder: \S*/run may do\."):
        folders.locked(tmp_path).__enter__()
