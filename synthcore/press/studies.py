"""Studies are found by their notebook; what they say of themselves is read, not imported."""

import ast
import importlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from synthcore.config import StudyConfig, nearest
from synthcore.evidence.files import read_text, visible
from synthcore.evidence.provenance import parse
from synthcore.press.errors import Refused

if TYPE_CHECKING:
    from typer import Typer

STUDIES = Path(__file__).parents[1] / "studies"
CHECK = "check"  # the scale of the notebook's own parameters
REFERENCE = "reference"  # the scale whose stages are shipped with the book
RENAMED = {"book": CHECK, "recorded": REFERENCE, "paper": "authors"}  # scales of version 0.1


@dataclass(frozen=True)
class Study:
    """One name through every layer of the project at `root`."""

    root: Path
    name: str

    @property
    def notebook(self) -> Path:
        """The chapter's source."""
        return self.root / "notebooks" / f"{self.name}.py"

    @property
    def reference(self) -> Path:
        """What larger runs left with the book."""
        return self.root / "book" / REFERENCE / self.name

    @property
    def shipped(self) -> list[str]:
        """Names of the stages whose results come with the book, such as `training.run`."""
        paths = visible([*self.reference.glob("*.*.nc"), *self.reference.glob("*.*.json")])
        return sorted({path.stem for path in paths})

    @property
    def has_stages(self) -> bool:
        """Whether the chapter runs stages, so that their results can be shipped."""
        return "chapter.stage(" in read_text(self.notebook)

    @property
    def scales(self) -> list[str]:
        """Scales this study can be run at; `check` needs no parameter file."""
        files = self.root.glob(f"notebooks/params/*/{self.name}.yaml")
        names = {file.parent.name for file in files if file.parent.name[0] != "."}
        return sorted({CHECK, *names} - set(RENAMED))

    def run_folder(self, scale: str, suffix: str = "") -> Path:
        """Where the run of a scale lives."""
        name = f"{scale}-{suffix}" if suffix else scale
        return self.root / "_build" / "runs" / self.name / name

    @property
    def page_folder(self) -> Path:
        """Where the run at `reference` with shipped stages lives, which the page shows."""
        return self.run_folder(REFERENCE, "shipped")

    @property
    def title(self) -> str:
        """TITLE of the package, else the notebook's first heading."""
        return self._about.get("TITLE") or self._heading or self.name

    @property
    def paper(self) -> str:
        """PAPER of the package: one line of Markdown; may be empty."""
        return self._about.get("PAPER", "")

    @property
    def question(self) -> str:
        """QUESTION of the package, else the first line of its docstring."""
        return self._about.get("QUESTION") or self._about.get("", "")

    @property
    def deciders(self) -> dict[str, tuple[str, str]]:
        """Claim id -> module of the study and function that decides it, as `claims` says."""
        folder = self.root / "synthcore" / "studies" / self.name / "claims"
        path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        found = _deciders(parse(path)) if path.is_file() else {}
        inside = {name.stem for name in folder.glob("*.py")}
        return {
            name: (f"claims.{module}" if module in inside else module, function)
            for name, (module, function) in found.items()
        }

    @cached_property
    def _about(self) -> dict[str, str]:
        return _constants(self.root / "synthcore" / "studies" / self.name / "__init__.py")

    @cached_property
    def _heading(self) -> str:
        match = re.search(r"^# # (.+)$", read_text(self.notebook), re.MULTILINE)
        return match[1].strip() if match else ""


def all_studies(root: Path) -> list[Study]:
    """Every study by name: a notebook and the package of its name. Other files are no study."""
    paths = visible((root / "notebooks").glob("[!_]*.py"))
    return [Study(root, path.stem) for path in paths if _package(root, path.stem).is_dir()]


def _package(root: Path, name: str) -> Path:
    return root / "synthcore" / "studies" / name


def find_study(root: Path, name: str) -> Study:
    """The study of that name. Raises Refused with the nearest name."""
    studies = {study.name: study for study in all_studies(root)}
    if name not in studies and (root / "notebooks" / f"{name}.py").is_file():
        missing = _package(root, name).relative_to(root)
        raise Refused(f"notebooks/{name}.py is no study: there is no {missing}.")
    if name not in studies:
        raise Refused(f"Unknown study '{name}'. {nearest(name, studies)}")
    return studies[name]


def refuse_old_scale(name: str, study: Study | None = None) -> None:
    """Refused, with the new name, if `name` or a parameter file of the study has an old one."""
    if name in RENAMED:
        raise Refused(f"Scale '{name}' is now called '{RENAMED[name]}'.")
    if study is None:
        return
    for old, new in RENAMED.items():
        path = study.root / "notebooks" / "params" / old / f"{study.name}.yaml"
        if path.is_file():
            where = path.relative_to(study.root)
            raise Refused(f"{where}: scale '{old}' is now called '{new}'; move the file.")


def load_config(study: Study) -> type[StudyConfig]:
    """The study's `Config`: of its `config.py`, in the first edition of `experiment.py`."""
    package = study.root / "synthcore" / "studies" / study.name
    module = "config" if (package / "config.py").is_file() else "experiment"
    config: type[StudyConfig] = _load(study.name, module).Config
    return config


def study_commands() -> dict[str, str]:
    """Command -> study, of every installed study that names one in COMMAND."""
    packages = sorted(STUDIES.glob("*/command.py"))
    said = {path.parent.name: _constants(path.with_name("__init__.py")) for path in packages}
    return {about["COMMAND"]: name for name, about in said.items() if "COMMAND" in about}


def load_command(study: str) -> "Typer":
    """The Typer app behind a study's command."""
    app: Typer = _load(study, "command").app
    return app


def _load(study: str, module: str) -> ModuleType:
    """The only place where the press reaches into a study."""
    return importlib.import_module(f"synthcore.studies.{study}.{module}")


def _deciders(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """From calls such as `Claim("C1", "So.", "Fig. 1", decisions.rises, ...)`; nothing is run."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Claim"):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            given |= dict(zip(("id", "statement", "where", "decide"), node.args, strict=False))
            name, decide = given.get("id"), given.get("primary") or given.get("decide")
            if isinstance(decide, ast.Tuple):  # of several endpoints the first
                decide = decide.elts[0]
            if isinstance(decide, ast.Call):  # partial(decisions.rises, ...)
                decide = decide.args[0]
            if isinstance(name, ast.Constant) and isinstance(decide, ast.Name | ast.Attribute):
                *module, function = ast.unparse(decide).split(".")
                found[str(name.value)] = (module[-1] if module else "claims", function)
    return found


def _constants(path: Path) -> dict[str, str]:
    """String constants of a module, and its docstring's first line under ''; nothing is run."""
    if not path.is_file():
        return {}
    tree = parse(path)
    about = {"": (ast.get_docstring(tree) or "").partition("\n")[0]}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            if isinstance(value, str):
                about[node.targets[0].id] = value.strip()
    return about
