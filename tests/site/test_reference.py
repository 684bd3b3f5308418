"""The reference on the site: every public name of every module has an entry."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def public_names() -> Iterator[str]:
    """Functions and classes that a module defines for others."""
    for path in sorted((ROOT / "synthcore").rglob("[!_]*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                yield f"{module}.{node.name}"


def test_every_public_name_has_an_entry(site: Path) -> None:
    pages = sorted((site / "book" / "api").rglob("*.html"))
    entries = {name for page in pages for name in re.findall(r'id="([\w.]+)"', page.read_text())}
    names = list(public_names())
    assert len(names) > 500
    assert [name for name in names if name not in entries] == []
