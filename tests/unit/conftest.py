"""A cache of a test's own, and the counting study as another process would import it."""

import importlib.util
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from counting import SOURCE, Load

from synthcore.stages import store


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTHCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_said", set())
    monkeypatch.setattr(store, "_made", set())
    return tmp_path / "cache"


@pytest.fixture
def load(cache: Path, tmp_path: Path) -> Iterator[Load]:
    """Imports the study anew, as another process would, with `old` replaced by `new`."""
    path = tmp_path / "counting.py"

    def load(old: str = "", new: str = "") -> ModuleType:
        assert old in SOURCE
        path.write_text(textwrap.dedent(SOURCE.replace(old, new) if old else SOURCE))
        past = path.stat().st_mtime - 1
        os.utime(path, (past - len(new), past - len(new)))
        spec = importlib.util.spec_from_file_location("counting", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["counting"] = module
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        spec.loader.exec_module(module)
        sys.dont_write_bytecode = before
        return module

    yield load
    sys.modules.pop("counting", None)
