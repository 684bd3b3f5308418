"""The source below a figure is the function's own, at the lines where the repository has it."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from synthcore.evidence import source
from synthcore.evidence.source import source_of
from synthcore.figures import half_width

ROOT = Path(__file__).parents[2]


def test_code_lines_and_address_belong_together() -> None:
    found = source_of(half_width)
    assert (found.name, found.file) == ("figures.half_width", "synthcore/figures.py")
    lines = (ROOT / found.file).read_text().splitlines()
    assert found.code.splitlines() == lines[found.first - 1 : found.last]
    assert found.code.startswith("def half_width")
    assert found.address == (
        "https://github.com/model-systems/model-systems/blob/main/synthcore/figures.py"
        f"#L{found.first}-L{found.last}"
    )
    html = found.html()
    assert html.startswith('<details class="figure-source"><summary>Source: <code>figures.half')
    assert f'<a href="{found.address}">synthcore/figures.py, lines {found.first} to' in html


def decorated(function: Callable[[], str]) -> Callable[[], str]:
    @functools.wraps(function)
    def wrapper() -> str:
        return function()

    return wrapper


def test_decorators_and_partial_do_not_hide_it() -> None:
    @decorated
    def less() -> str:
        return "1 < 2 & 3"

    found = source_of(functools.partial(less))
    assert found.code.splitlines()[-1] == '    return "1 < 2 & 3"'
    assert "&lt;" in found.html()
    assert found.file == "tests/unit/test_evidence_source.py"


def test_without_a_repository_the_path_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_repository", lambda root: "")
    found = source_of(half_width)
    assert found.address == ""
    assert "<a " not in found.html()
    assert "synthcore/figures.py, lines" in found.html()


def test_a_function_of_a_notebook_has_no_file() -> None:
    import linecache

    code = "def f():\n    return 1\n"
    linecache.cache["<cell>"] = (len(code), None, code.splitlines(True), "<cell>")
    names: dict[str, Callable[[], int]] = {}
    exec(compile(code, "<cell>", "exec"), {"__name__": "__main__"}, names)
    found = source_of(names["f"])
    assert (found.name, found.file, found.address) == ("f", "", "")
    assert found.place == "this notebook"


def test_what_has_no_source_is_refused() -> None:
    with pytest.raises(TypeError):
        source_of(len)
