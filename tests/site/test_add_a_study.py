"""The worked example of the page on adding a study really is one: follow the page and run it."""

import json
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
    """Run Python inside the copy, whose `synthcore` comes before the installed one."""
    own = {"PYTHONPATH": str(project), "SYNTHCORE_CACHE": str(project / "cache")}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_it_is_clean_code(project: Path) -> None:
    files = ("synthcore/studies/coin", "notebooks/coin.py")
    in_project(project, "-m", "ruff", "check", *files)
    in_project(project, "-m", "ruff", "format", "--check", *files)


def test_its_laws_hold(project: Path) -> None:
    in_project(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "synthcore/studies/coin")


def test_its_entries_are_those_of_the_floor_plan(project: Path) -> None:
    page = (ROOT / "book" / "add_a_study.md").read_text()
    listed = set(re.findall(r"^\* - `\.\.\./([\w.]+)/?`$", page, re.MULTILINE))
    found = {path.name for path in (project / "synthcore/studies/coin").iterdir()}
    assert found - {"__pycache__", "__init__.py"} == listed


def test_its_claim_is_reproduced(project: Path) -> None:
    """At the notebook's own parameters, with both controls as they must be."""
    in_project(project, "-m", "synthcore", "run", "coin")
    [path] = project.glob("_build/runs/coin/check/claims.json")
    [claim] = json.loads(path.read_text())
    assert claim["verdict"] == "reproduced"
    assert {"data.nc", "record.json"} <= {path.name for path in path.parent.iterdir()}
    assert "coin" in in_project(project, "-m", "synthcore", "list")


def test_its_settings_have_their_sources(project: Path) -> None:
    """The table of differences says what is smaller at scale check."""
    program = """
from pathlib import Path
from synthcore.evidence.settings import faults, read_sources, rows
from synthcore.press.parameters import scale_parameters
from synthcore.press.studies import Study
from synthcore.studies.coin.config import Config
study = Study(Path.cwd(), "coin")
source = read_sources(Path("notebooks/params/authors/coin.source.yaml"))
assert faults(source, Config(**scale_parameters(study, "authors").all).model_dump()) == []
table = rows("coin", Config(**scale_parameters(study, "check").all), Path.cwd())
print(*(row.setting for row in table))
"""
    differing = in_project(project, "-c", program).split()
    assert differing == ["n_seeds", "steps", "learning_rate"]
