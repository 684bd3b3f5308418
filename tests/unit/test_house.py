"""The house: imports go down only, files are short, nothing belongs to one machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "synthcore"
MODULES = sorted(PACKAGE.rglob("*.py"))
STUDY_FILES = [path for path in MODULES if PACKAGE / "studies" in path.parents]
MAX_LINES = 350

# room -> rooms it may import from; a study may also import from itself
MAY_IMPORT = {
    "config": set(),
    "figures": set(),
    "nn": {"nn"},
    "training": {"training", "nn"},
    "evidence": {"evidence", "config", "stages"},
    "interp": {"interp", "nn"},
    "compiled": {"compiled", "nn"},
    "changepoints": {"changepoints"},
    "editing": {"editing", "nn"},
    "diffusion": {"diffusion"},
    "completions": {"completions"},
    "stages": {"stages", "config", "training", "evidence"},
    "explorers": {"explorers"},
    "studies": {
        *("config", "figures", "nn", "training", "interp", "compiled", "changepoints"),
        *("editing", "diffusion", "evidence", "explorers", "stages", "completions"),
    },
    "press": {"press", "config", "evidence", "stages"},
    "__main__": {"press"},
    "__init__": set(),
}


def room(path: Path) -> str:
    """The first name below synthcore: `nn`, `press`, `config` ..."""
    return Path(path.relative_to(PACKAGE).parts[0]).stem


def imported(path: Path) -> set[str]:
    """Dotted names in synthcore that a module imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            # `from synthcore import nn` names a room only together with its alias
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "synthcore" and "." in name}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    here = room(path)
    for name in imported(path):
        parts = name.split(".")
        if here == parts[1] == "studies":
            own = path.relative_to(PACKAGE).parts[1]
            assert parts[2] == own, f"{path.name} imports another study: {name}"
        else:
            assert parts[1] in MAY_IMPORT[here], f"{path.relative_to(ROOT)} imports {name}"


def test_only_one_function_reaches_into_studies() -> None:
    """The press loads a study by name, in one place, and nothing else imports by name."""
    reaching = [
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if "import_module" in path.read_text()
    ]
    assert reaching == ["press/studies.py"]


@pytest.mark.parametrize("folder", ["synthcore", "tests", "benchmarks"])
def test_files_are_short(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for suffix in ("py", "js", "css")
        for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))
        if (lines := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert long == {}


def test_a_chapter_has_no_fast_mode() -> None:
    """Smaller runs are parameter files."""
    mode = re.compile(r"\bif (?:not )?(?:config\.)?(?:fast|quick|smoke|debug)\b", re.IGNORECASE)
    chapters = [*sorted((ROOT / "notebooks").glob("*.py")), *STUDY_FILES]
    assert [str(path) for path in chapters if mode.search(path.read_text())] == []


def tracked() -> list[Path]:
    """Text files under version control, and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in done.stdout.splitlines()]
    binary = {".nc", ".png", ".ico", ".woff2"}
    return [path for path in paths if path.is_file() and path.suffix not in binary]


def test_nothing_names_a_place_on_a_machine() -> None:
    place = re.compile(r"(?<![\w.~}:/-])/(?:home|Users|root|work|mnt|scratch)/\w+")
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in tracked()
        if (match := place.search(path.read_text("utf-8", errors="replace")))
    }
    assert found == {}


def test_nothing_is_unpickled_and_no_yaml_tag_is_run() -> None:
    unsafe = re.compile(
        r"(?:import|from) (?:pickle|joblib|dill|shelve)\b|\bpickle\.load"
        r"|(?<!safetensors\.)torch\.load\(|yaml\.(?:unsafe_|full_)|shell=True"
    )
    sources = [*MODULES, *sorted((ROOT / "notebooks").glob("*.py"))]
    assert [str(path) for path in sources if unsafe.search(path.read_text())] == []
