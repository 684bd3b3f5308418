"""The values in a notebook's cell of parameters: those of the scale `check`."""

import ast
import os
import re
from pathlib import Path
from typing import Any

from synthcore.config import ParameterError, StudyConfig
from synthcore.evidence.files import find_root, read_text

CHANGED = ", changed"  # ends the name of a scale in a run with other parameters than the scale's
CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
TAGGED = re.compile(r"tags=\[[^\]]*\"parameters\"")


def cell_defaults(notebook: Path) -> dict[str, Any]:
    """Names and literal values of the cell tagged `parameters` of a notebook written as text.

    Raises ValueError, whose message says what is wrong with the cell.
    """
    parts = CELL.split(read_text(notebook))
    cells = [text for head, text in zip(parts[1::2], parts[2::2], strict=True) if _is_it(head)]
    if len(cells) != 1:
        raise ValueError(f"needs one cell tagged parameters and has {len(cells)}.")
    defaults: dict[str, Any] = {}
    for node in ast.parse(cells[0]).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(target, ast.Name):
            raise ValueError("the parameters cell may hold only `name = literal`.")
        try:
            defaults[target.id] = ast.literal_eval(node.value or ast.Constant(None))
        except ValueError:
            raise ValueError(
                f"parameter '{target.id}' must be a literal, since a derived value would not "
                "follow when others are changed."
            ) from None
    return defaults


def changed_parameters(study: str, config: StudyConfig) -> tuple[str, ...]:
    """Parameters, but for the device, that are not the notebook's own. None are where the notebook
    is not found, as in an installed package.
    """
    given = os.environ.get("SYNTHCORE_ROOT")
    root = Path(given) if given else find_root() or find_root(Path(__file__).parent)
    path = root / "notebooks" / f"{study}.py" if root else None
    if path is None or not path.is_file():
        return ()
    try:
        own = type(config)(**cell_defaults(path))
    except (ValueError, SyntaxError, ParameterError):
        return ()
    names = set(type(config).model_fields) - {"device"}
    return tuple(sorted(n for n in names if getattr(own, n) != getattr(config, n)))


def _is_it(head: str) -> bool:
    return bool(TAGGED.search(head))
