"""The papers' settings: what they are, where they stand, and how a run differs from them.

Beside the parameter file `notebooks/params/authors/<study>.yaml` stands `<study>.source.yaml`::

    files:                      # short names, for use in `where`
      config: configs/train.yaml of github.com/someone/release at 1a2b3c4
    smaller: a run of minutes   # why other runs differ, where the parameter gives no reason
    parameters:
      steps: {paper: 100000, where: config:12, why: the curve is flat after 20,000}
      clip: {where: not public, why: the usual value}
      device: {where: ours}

Every parameter of the study has an entry. `paper` is the value of the paper or of its released
code; it is absent where nobody outside knows it (`not public`) or where the paper has no such
setting (`ours`). `why` is the reason why we differ, `smaller` the reason of runs with another value
than the authors' file, where it is a different one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from synthcore.config import StudyConfig
from synthcore.evidence.files import find_root
from synthcore.evidence.yaml12 import load_yaml

NOT_PUBLIC = "not public"
OURS = "ours"
FOLDER = Path("notebooks", "params", "authors")


class SourceError(ValueError):
    """A source file cannot be read; the message names the file and the fault."""


@dataclass(frozen=True)
class Setting:
    """What a source file says of one parameter; `paper` is None where `where` names no place.

    `usual` is the reason of the whole file.
    """

    where: str
    paper: Any = None
    why: str = ""
    smaller: str = ""
    usual: str = ""

    @property
    def known(self) -> bool:
        """Whether the paper or its code gives a value."""
        return self.where not in (NOT_PUBLIC, OURS)


@dataclass(frozen=True)
class Row:
    """One difference between the paper's settings and a run's, as text.

    `setting` is the parameter's name, `meaning` its description, `where` the place of `paper`.
    """

    setting: str
    meaning: str
    paper: str
    here: str
    why: str
    where: str


def read_sources(path: Path) -> dict[str, Setting]:
    """Parameter -> what the file says of it. Raises SourceError.

    Short names of `files` in `where` are left as they are.
    """
    try:
        content = load_yaml(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(f"Cannot read {path}: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict) or not isinstance(content.get("parameters"), dict):
        raise SourceError(f"{path} must be a mapping with an entry 'parameters'.")
    _only(content, {"files", "smaller", "parameters"}, str(path))
    usual = str(content.get("smaller", ""))
    return {
        name: _setting(entry, usual, f"{path}, {name}")
        for name, entry in content["parameters"].items()
    }


def faults(sources: Mapping[str, Setting], authors: Mapping[str, Any]) -> list[str]:
    """What is wrong with a source file: a sentence per fault, none if it is complete.

    `authors` has the value of every parameter of the study at scale `authors`. Each must be in the
    sources, nothing else may be, and where the values differ there must be a reason; a reason for a
    difference that is not there is a fault too.
    """
    found = [f"{name} is missing" for name in authors if name not in sources]
    found += [f"{name} is no parameter" for name in sources if name not in authors]
    for name in authors:
        setting = sources.get(name)
        if setting is None or setting.where == OURS:
            continue
        differs = not setting.known or not same(setting.paper, authors[name])
        if differs and not setting.why:
            here, paper = text(authors[name]), _paper(setting)
            found.append(f"{name} is {here}, the paper has: {paper}, and no reason is given")
        if not differs and setting.why:
            found.append(f"{name} gives a reason and does not differ")
    return found


def rows(study: str, config: StudyConfig, root: Path | None = None) -> list[Row]:
    """The differences between the paper's settings and this run's, in the order of the file.

    Without a source file, as where the library is installed without the book, there are none.
    Raises SourceError.
    """
    path = _source_file(study, root)
    if path is None:
        return []
    scale = path.with_name(f"{study}.yaml")
    authors = (load_yaml(scale.read_text("utf-8")) if scale.is_file() else None) or {}
    values = config.model_dump()
    fields = type(config).model_fields
    return [
        Row(
            setting=name,
            meaning=fields[name].description or "",
            paper=_paper(setting),
            here=text(values[name]),
            why=_reason(setting, values[name], authors.get(name, values[name])),
            where=setting.where,
        )
        for name, setting in read_sources(path).items()
        if name in values and setting.where != OURS
        if not setting.known or not same(setting.paper, values[name])
    ]


def files(study: str, root: Path | None = None) -> dict[str, str]:
    """Short name -> file, of the places in `rows`; none without a source file."""
    path = _source_file(study, root)
    content = load_yaml(path.read_text("utf-8")) if path else {}
    return {str(name): str(file) for name, file in (content.get("files") or {}).items()}


def same(paper: Any, here: Any) -> bool:
    """Whether two values of a parameter are the same; lists and tuples are.

    >>> same([4, 8], (4, 8.0)), same(True, 1)
    (True, False)
    """
    if isinstance(paper, list | tuple) and isinstance(here, list | tuple):
        return len(paper) == len(here) and all(map(same, paper, here))
    return isinstance(paper, bool) == isinstance(here, bool) and bool(paper == here)


def text(value: Any) -> str:
    """A value as a table shows it.

    >>> text(107979), text((4, 8, 16, 32, 64, 128, 256, 512)), text(6e-4), text(False), text(())
    ('107,979', '4, 8, 16, ..., 512 (8 values)', '0.0006', 'no', 'none')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        parts = [text(item) for item in value]
        if len(parts) > 6:
            return f"{', '.join(parts[:3])}, ..., {parts[-1]} ({len(parts)} values)"
        return ", ".join(parts) or "none"
    return "none" if value is None else str(value)


def _source_file(study: str, root: Path | None) -> Path | None:
    base = root or find_root() or find_root(Path(__file__).parent)
    path = base / FOLDER / f"{study}.source.yaml" if base else None
    return path if path and path.is_file() else None


def _paper(setting: Setting) -> str:
    return text(setting.paper) if setting.known else setting.where


def _reason(setting: Setting, here: Any, authors: Any) -> str:
    """Of a run with the value `here`, where the parameter file `authors` has that one."""
    if same(authors, here):
        return setting.why or setting.usual
    return setting.smaller or setting.why or setting.usual


def _setting(entry: Any, usual: str, where: str) -> Setting:
    if not isinstance(entry, dict):
        raise SourceError(f"{where} must be a mapping.")
    _only(entry, {"paper", "where", "why", "smaller"}, where)
    words = {key: str(entry.get(key, "")) for key in ("where", "why", "smaller")}
    setting = Setting(paper=entry.get("paper"), usual=usual, **words)
    if not setting.where:
        raise SourceError(f"{where} does not say where the paper's value stands.")
    if setting.known != ("paper" in entry):
        raise SourceError(
            f"{where}: a value of the paper needs a place, and a place needs a value; "
            f"without either, where is '{NOT_PUBLIC}' or '{OURS}'."
        )
    return setting


def _only(content: Iterable[str], known: set[str], where: str) -> None:
    strange = sorted(set(content) - known)
    if strange:
        raise SourceError(f"{where}: unknown entry '{strange[0]}'.")
