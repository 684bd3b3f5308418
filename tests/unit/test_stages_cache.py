"""Listing the cache and clearing it: all of what stages kept, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from counting import Load, config
from filelock import FileLock

from synthcore.stages.catalogue import clear, kept, varying


@pytest.fixture
def filled(load: Load, cache: Path) -> Path:
    """Two parameter sets of `run`, a `mean`, and something that is not ours."""
    module = load()
    module.mean(config(module))
    module.run(config(module, n_seeds=1, rate=0.25))
    (cache / "counting" / "notes.txt").write_text("mine")
    (cache / "other").mkdir()
    return cache


def test_what_is_kept_is_listed_with_where_it_differs(filled: Path) -> None:
    rows = kept()
    assert [(row.stage, row.seeds) for row in rows] == [
        ("mean", (0, 5)),
        ("run", (0, 0)),
        ("run", (0, 3)),
        ("run", (4, 5)),
    ]
    differing = [varying(rows)[row.path] for row in rows]
    assert differing == [{}, {"rate": 0.25}, {"rate": 0.5}, {"rate": 0.5}]
    for row in rows:
        files = (row.path, row.path.with_suffix(".json"))
        assert row.bytes == sum(path.stat().st_size for path in files)
        assert row.as_dict()["parameters"]["steps"] == 5


def test_clearing_leaves_what_is_not_ours(filled: Path) -> None:
    total = sum(row.bytes for row in kept())
    assert clear("nothing") == (0, [])
    assert clear() == (total, [])
    assert kept() == []
    left = sorted(path.relative_to(filled).as_posix() for path in filled.rglob("*"))
    assert left == ["counting", "counting/notes.txt", "other"]


def test_what_is_being_computed_stays(filled: Path) -> None:
    row = kept()[1]
    work = row.path.with_suffix(".work")
    work.mkdir()
    (work / "spent.json").write_text("{}")
    row.path.with_suffix(".json").unlink()
    row.path.unlink()
    with FileLock(row.path.with_suffix(".lock")):
        _, busy = clear("counting")
    assert [(one.stage, one.seeds, one.unfinished) for one in busy] == [("run", (0, 0), True)]
    assert kept()[0].unfinished
    clear()
    assert not kept()
    assert not work.exists()


def test_the_command_lists_and_clears(filled: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "synthcore", "cache", *arguments], capture_output=True, text=True
        )

    listed = json.loads(command("--json").stdout)
    assert [row["stage"] for row in listed] == ["mean", "run", "run", "run"]
    refused = command("countin")
    assert refused.returncode == 2
    assert "Did you mean 'counting'?" in refused.stderr
    cleared = command("counting", "--clear")
    assert cleared.returncode == 0, cleared.stderr
    assert cleared.stdout.startswith("Removed 4 results")
    assert command().stdout == f"0 results, 0.0 kB: {filled}\n"
