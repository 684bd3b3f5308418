"""What contributors are told is true: commands, links, versions, templates, allowed files."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHECK = ROOT / "tools" / "check_files.py"
HEADER = "# ---\n# jupyter:\n#   kernelspec:\n#     name: python3\n# ---\n\n"


def check(folder: Path, *names: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(CHECK), *names], cwd=folder, capture_output=True, text=True
    )


def write(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return name


def test_everything_under_version_control_may_be_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    monkeypatch.chdir(ROOT)
    paths = [path for name in done.stdout.splitlines() if (path := Path(name)).is_file()]
    assert list(runpy.run_path(str(CHECK))["faults"](paths)) == []


def test_a_percent_notebook_is_accepted(tmp_path: Path) -> None:
    done = check(tmp_path, write(tmp_path, "notebooks/a.py", HEADER + "# %% [markdown]\n# # A\n"))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notebooks/a.py", "print()\n", "is not in py:percent form"),
        ("notebooks/a.py", HEADER + "# In[1]:\nprint()\n", "is not in py:percent form"),
        ("notebooks/a.ipynb", "{}", "text notebook"),
        ("book/data.csv", "0" * 600_000, "has 585 kB, more than 512"),
        ("book/reference/a/reference.nc", "0" * 4_000_000, "more than 3072"),
    ],
)
def test_what_may_not_be_committed_is_named(
    tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    done = check(tmp_path, write(tmp_path, name, content))
    assert done.returncode == 1
    assert done.stdout.startswith(name)
    assert sentence in done.stdout


def test_a_guide_for_contributors_is_short_and_names_what_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert len(text.splitlines()) <= 60
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)`", text)) <= targets
    paths = re.findall(r"\]\(([^):]+)\)|\b(tests/[\w/.]+|benchmarks/)", text)
    assert [p for pair in paths for p in pair if p and not (ROOT / p).exists()] == []


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    changelog = re.findall(r"^## \[(\S+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert citation == project
    (coming, date), *_ = changelog
    assert project == (f"{coming}.dev0" if date == "unreleased" else coming)


def test_every_version_of_the_changelog_has_its_link() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(\S+)\]", text, re.MULTILINE)
    assert versions == re.findall(r"^\[(\S+)\]: https://\S+$", text, re.MULTILINE)
    assert versions == sorted(versions, reverse=True)


TEMPLATES = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in TEMPLATES.glob("*.yml") if path.name != "config.yml")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one(form: Path) -> None:
    """GitHub drops a form without a word if one of these is missing."""
    content: dict[str, Any] = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(content)
    ids = [field["id"] for field in content["body"]]
    assert len(set(ids)) == len(ids)
    for field in content["body"]:
        assert field["type"] in {"textarea", "input"}
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in content["body"])


def test_pre_commit_runs_only_what_is_installed_and_there() -> None:
    content = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    [repository] = content["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program, *arguments = hook["entry"].split()
        assert hook["language"] == "system"
        assert program in {".venv/bin/ruff", ".venv/bin/python"}
        if program.endswith("python"):
            assert (ROOT / arguments[0]).is_file()
