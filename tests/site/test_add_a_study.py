"""The worked example of the page on adding a study really is one: follow the page and run it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```\{code-block\} \w+\n:caption: (\S+)\n\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's files added."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "reference")
    for name in ("synthcore", "book"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("pyproject.toml", "constraints.txt", "jupytext.toml", "_config.yml", "_toc.yml"):
        shutil.copy2(ROOT / name, copy)
    for path, text in BLOCK.findall((ROOT / "book" / "add_a_study.md").read_text()):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text)
    return copy


def in_project(project: Path, *command: str) -> str:
    """Run a Python module inside the copy, whose `synthcore` comes before the installed one."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_it_is_clean_code(project: Path) -> None:
    in_project(project, "ruff", "check", "synthcore/studies/coin", "notebooks/coin.py")
    in_project(project, "ruff", "format", "--check", "synthcore/studies/coin", "notebooks/coin.py")


def test_its_laws_hold(project: Path) -> None:
    in_project(project, "pytest", "-q", "-p", "no:cacheprovider", "synthcore/studies/coin")


def test_it_runs(project: Path) -> None:
    in_project(project, "synthcore", "run", "coin", "--scale", "smoke")
    [record] = project.glob("_build/runs/**/record.json")
    folder = record.parent
    assert {"data.nc", "claims.json"} <= {path.name for path in folder.iterdir()}
    assert "coin" in in_project(project, "synthcore", "list")
