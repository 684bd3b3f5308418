"""The library without the book: a light installation, and recipes that run in it."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
RECIPES = re.findall(
    r"^## (.+?)\n.*?```python\n(.*?)```",
    (ROOT / "book/library.md").read_text(),
    re.DOTALL | re.MULTILINE,
)
# rooms that draw, decide claims or run chapters
WITH_PRESS = ("press", "explorers", "evidence", "figures", "studies", "__main__")


def closure(requirements: list[str]) -> set[str]:
    """Names of the installed distributions that requirements bring, those of these, and so on."""
    found: set[str] = set()
    wanted = [Requirement(each) for each in requirements]
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop().name).lower()
        if name in found:
            continue
        try:
            required = distribution(name).requires or []
        except PackageNotFoundError:  # for another system
            continue
        found.add(name)
        each = [Requirement(requirement) for requirement in required]
        wanted += [r for r in each if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Surroundings in which Python finds what `pip install synthcore` brings, and nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    site = tmp_path_factory.mktemp("light")
    for name in closure(project["dependencies"]):
        package = distribution(name)
        for top in {Path(str(file)).parts[0] for file in package.files or []} - {
            "..",
            "__pycache__",
        }:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))))
    (site / "synthcore").symlink_to(ROOT / "synthcore")
    return {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}


def python(code: str, light: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run code by an interpreter that looks into no other folder (`-S`)."""
    command = [sys.executable, "-S", *options, *(["-c", code] if code else [])]
    return subprocess.run(command, env=light, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("title", "recipe"), RECIPES, ids=[title for title, _ in RECIPES])
def test_recipes_are_short_and_run_in_a_light_installation(
    title: str, recipe: str, light: dict[str, str]
) -> None:
    lines = [line for line in recipe.splitlines() if line.strip()]
    assert len(lines) <= 15
    done = python(recipe, light)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "nan" not in done.stdout


def test_rooms_are_imported_without_the_press(light: dict[str, str]) -> None:
    packages = sorted((ROOT / "synthcore").rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in packages]
    rooms = [name for name in names if name.split(".")[1] not in WITH_PRESS]
    tasks = [name for name in names if re.search(r"studies\.\w+\.(config|model|task)", name)]
    drawn = [name for name in tasks if "adam_continuous_time" in name]  # its digits: scikit-learn
    modules = [name.removesuffix(".__init__") for name in rooms + tasks if name not in drawn]
    code = "\n".join(f"import {name}" for name in modules)
    done = python(code, light)
    assert done.returncode == 0, done.stderr


def test_a_room_brings_little_beyond_torch(light: dict[str, str]) -> None:
    """Ours, jaxtyping, and what torch brings by itself."""
    code = (
        "import sys, torch, jaxtyping; before = set(sys.modules); import synthcore.editing\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = python(code, light)
    assert done.returncode == 0, done.stderr
    ours = {name for name in done.stdout.split() if name not in sys.stdlib_module_names}
    assert ours == {"synthcore"}


def test_the_command_says_what_it_needs(light: dict[str, str]) -> None:
    done = python("", light, "-m", "synthcore", "list")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'synthcore[press]'" in done.stderr
