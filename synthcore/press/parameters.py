"""From notebook defaults, a scale's file and the command line to checked parameters.

YAML is read as `synthcore.evidence.yaml12` says.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from synthcore.config import ParameterError, StudyConfig, nearest
from synthcore.evidence import defaults
from synthcore.evidence.files import sha256
from synthcore.evidence.yaml12 import load_yaml
from synthcore.press.errors import Refused
from synthcore.press.studies import RENAMED, Study, load_config, refuse_old_scale


@dataclass(frozen=True)
class Parameters:
    """`all` is what the notebook computes with; `injected` differs from, or is added to, its cell.

    `overridden` are the names that make this run something else than its scale (the device does
    not).
    """

    all: dict[str, Any]
    injected: dict[str, Any]
    overridden: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """Eight characters that tell apart runs with different overrides; empty without any."""
        if not self.overridden:
            return ""
        asked = {name: value for name, value in self.all.items() if name != "device"}
        return sha256(json.dumps(asked, sort_keys=True).encode())[:8]


def scale_parameters(study: Study, scale: str) -> Parameters:
    """The parameters of a scale, unchecked: nothing of the study is imported."""
    refuse_old_scale(scale, study)
    if scale not in study.scales:
        raise Refused(
            f"Unknown scale '{scale}' for study '{study.name}'. {nearest(scale, study.scales)}"
        )
    own = cell_defaults(study)
    path = study.root / "notebooks" / "params" / scale / f"{study.name}.yaml"
    values = read_yaml(path) if path.is_file() else {}
    _names(values, own, f" in {path.relative_to(study.root)}")
    return Parameters(_plain({**own, **values}), _plain(values))


def run_parameters(
    study: Study,
    scale: str,
    files: Sequence[Path] = (),
    pairs: Sequence[tuple[str, str]] = (),
    device: str | None = None,
) -> Parameters:
    """The parameters of one run, checked against the study's `Config`.

    Later sources win: notebook cell, scale file, `files`, `pairs`, `device`. Raises Refused.
    """
    given = given_values(files, pairs, device)
    return with_values(study, scale_parameters(study, scale), given)


def given_values(
    files: Sequence[Path], pairs: Sequence[tuple[str, str]], device: str | None
) -> dict[str, Any]:
    """What the command line changes, unchecked; later sources win. Raises Refused."""
    given: dict[str, Any] = {}
    for file in files:
        given.update(read_yaml(file))
    given.update((name, read_value(name, text)) for name, text in pairs)
    return given if device is None else {**given, "device": device}


def with_values(study: Study, base: Parameters, given: Mapping[str, Any]) -> Parameters:
    """Parameters with some changed, checked against the study's `Config`. Raises Refused."""
    config = load_config(study)
    _names(given, config.model_fields)
    changes = _plain(given)
    _check(study, config, {**base.all, **changes})
    changed = {
        name: value
        for name, value in changes.items()
        if name not in base.all or base.all[name] != value  # 1 is 1.0, and leaves it as it is
    }
    overridden = tuple(sorted({*base.overridden, *changed} - {"device"}))
    return Parameters({**base.all, **changed}, {**base.injected, **changed}, overridden)


def cell_defaults(study: Study) -> dict[str, Any]:
    """Names and literal values of the notebook's cell tagged `parameters`. Raises Refused."""
    try:
        return _plain(defaults.cell_defaults(study.notebook))
    except (ValueError, SyntaxError) as error:
        raise Refused(f"notebooks/{study.name}.py: {error}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """A flat mapping of names to values. Raises Refused naming the file and the fault."""
    try:
        content = load_yaml(path.read_text("utf-8"))
    except OSError as error:
        old = path.parent.name
        moved = f" Scale '{old}' is now called '{RENAMED[old]}'." if old in RENAMED else ""
        raise Refused(f"Cannot read {path}: {error.strerror}.{moved}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"Cannot read {path} as YAML: {_short(error)}.") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise Refused(f"{path} must be a flat mapping of parameter names to values.")
    return content


def _check(study: Study, config: type[StudyConfig], merged: Mapping[str, Any]) -> None:
    try:
        checked = config(**merged)
        if checked.device == "cuda":
            _ = checked.torch_device
    except ParameterError as error:
        raise Refused(f"{error}") from None


def _names(given: Mapping[str, Any], valid: Mapping[str, Any], where: str = "") -> None:
    for name in given:
        if name not in valid and name != "device":
            raise Refused(f"Unknown parameter '{name}'{where}. {nearest(name, valid)}")


def read_value(name: str, text: str) -> Any:
    """A value as the command line writes it, which is YAML. Raises Refused."""
    try:
        return load_yaml(text)
    except yaml.YAMLError as error:
        raise Refused(f"Cannot read the value of {name}, {text!r}: {_short(error)}.") from None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values as JSON knows them: tuples are lists."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError):
        raise Refused(
            "Parameters may be finite numbers, text, true or false, and lists of these."
        ) from None
    return plain


def _short(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)
