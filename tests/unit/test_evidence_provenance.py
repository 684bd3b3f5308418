"""What counts as a change, and what a file imports."""

import os
from pathlib import Path

import pytest

from synthcore.evidence.provenance import (
    code_hash,
    environment,
    hash_cells,
    identity,
    import_closure,
    meaning_hash,
    usage,
)

CELL = "# %%\n"


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("INIT", "__init__")
        path = path if path.suffix else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a = 1", "a  =  1  # one", True),
        ("a = 1\n\n\nb = 2", "a = 1\nb = 2", True),
        ("a = 1", "a = 2", False),
        ("f(x)", "f(x);", False),  # a semicolon hides output
        ("%matplotlib inline\na = 1", "%matplotlib inline\na = 1  # one", True),
        ("%matplotlib inline", "%matplotlib agg", False),
    ],
)
def test_comments_and_layout_do_not_count(old: str, new: str, same: bool) -> None:
    assert (hash_cells([old]) == hash_cells([new])) is same


@pytest.mark.parametrize(
    ("new", "same"),
    [
        (
            '"""Another."""\nx: int = Field(ge=1, description="much longer")\ndef f():\n  return 1',
            True,
        ),
        ('x: int = Field(ge=1)\ndef f():\n  """What."""\n  return 1  # one', True),
        ('"""First."""\nx: int = Field(ge=2, description="long")\ndef f():\n  return 1', False),
        ('"""First."""\nx: int = Field(ge=1, title="long")\ndef f():\n  return 1', False),
        ('"""First."""\nx: int = Field(ge=1, description="long")\ndef f():\n  return 1.0', False),
        ('"""First."""\nx: int = Field(ge=1, description="long")\ndef f():\n  return True', False),
    ],
)
def test_meaning_is_code_without_prose(tmp_path: Path, new: str, same: bool) -> None:
    old, changed = tmp_path / "old.py", tmp_path / "new.py"
    old.write_text('"""First."""\nx: int = Field(ge=1, description="long")\ndef f():\n  return 1\n')
    changed.write_text(new)
    assert (meaning_hash(old) == meaning_hash(changed)) is same


def test_a_file_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("a = 1")
    before = meaning_hash(path)
    os.utime(path, (1, 1))
    assert meaning_hash(path) == before
    path.write_text("a = 2")
    assert meaning_hash(path) != before


def test_prose_of_a_notebook_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, notebooks__x=f"# %% [markdown]\n# # Title\n\n{CELL}a = 1\n")
    path = tmp_path / "notebooks/x.py"
    before = code_hash(path)
    path.write_text(f"# %% [markdown]\n# # Better title\n\n{CELL}a = 1  # why\n")
    assert code_hash(path) == before
    path.write_text(f"# %% [markdown]\n# # Better title\n\n{CELL}a = 1\n\n{CELL}b = 1\n")
    assert code_hash(path) != before


def test_import_closure(tmp_path: Path) -> None:
    """Every way to import, package files, browser files; never what is not imported."""
    write(
        tmp_path,
        synthcore__INIT="",
        synthcore__config="import json\n",
        synthcore__nn__INIT="",
        synthcore__nn__gpt="from ..config import x\n",
        synthcore__nn__unused="",
        synthcore__explorers__INIT="",
        synthcore__explorers__phase__INIT="def f():\n    import synthcore.training\n"
        "_esm = bundle('shared/common.js', 'phase/model.js', 'phase/view.js', 'phase/gone.js')\n"
        "_css = bundle('phase/style.css')\n",
        synthcore__explorers__other="",
        synthcore__training__INIT="from . import fit\n",
        synthcore__training__fit="",
        notebooks__x=f"{CELL}from synthcore.nn import gpt\n\n{CELL}"
        "from synthcore.explorers.phase import P\nimport numpy\n",
    )
    (tmp_path / "synthcore/explorers/shared").mkdir()
    files = ("phase/view.js", "phase/model.js", "phase/style.css", "phase/other.js")
    for name in (*files, "shared/common.js", "shared/other.js"):
        (tmp_path / "synthcore/explorers" / name).write_text("1")
    closure = import_closure(tmp_path / "notebooks/x.py", tmp_path)
    assert [path.relative_to(tmp_path / "synthcore").as_posix() for path in closure] == [
        "__init__.py",
        "config.py",
        "explorers/__init__.py",
        "explorers/phase/__init__.py",
        "explorers/phase/model.js",
        "explorers/phase/style.css",
        "explorers/phase/view.js",
        "explorers/shared/common.js",
        "nn/__init__.py",
        "nn/gpt.py",
        "training/__init__.py",
        "training/fit.py",
    ]


def test_rooms_can_be_left_out_of_a_closure(tmp_path: Path) -> None:
    """Neither they nor what only they import."""
    write(
        tmp_path,
        synthcore__INIT="",
        synthcore__stages__INIT="from synthcore.config import a\n",
        synthcore__config="",
        synthcore__nn__INIT="",
        synthcore__nn__gpt="",
        synthcore__studies__x="from synthcore.stages import stage\nfrom synthcore.nn import gpt\n",
    )
    closure = import_closure(tmp_path / "synthcore/studies/x.py", tmp_path, without=("stages",))
    assert [path.relative_to(tmp_path / "synthcore").as_posix() for path in closure] == [
        "__init__.py",
        "nn/__init__.py",
        "nn/gpt.py",
    ]


def test_identity_is_what_was_asked_not_where() -> None:
    base = identity("s", "check", {"a": 1, "device": "cpu"}, {"notebook": "h"})
    assert base == identity("s", "check", {"device": "cuda", "a": 1}, {"notebook": "h"})
    others = [
        identity("t", "check", {"a": 1}, {"notebook": "h"}),
        identity("s", "smoke", {"a": 1}, {"notebook": "h"}),
        identity("s", "check", {"a": 2}, {"notebook": "h"}),
        identity("s", "check", {"a": 1}, {"notebook": "i"}),
    ]
    assert len({base, *others}) == 5


def test_usage_of_this_process() -> None:
    used = usage()
    assert used["cpu_seconds"] > 0
    assert used["peak_rss_mb"] > 20
    assert used["device"]["kind"] in ("cpu", "cuda")
    assert {"python", "numpy", "torch", "synthcore"} <= set(environment())
    assert os.path.sep not in used["device"]["kind"]
