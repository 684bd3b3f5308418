"""Where a function is written: its code, its file and lines, its address in the repository."""

import functools
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from synthcore.evidence.files import find_root

BRANCH = "main"  # of the sources; the branch that `_config.yml` names holds executed notebooks


@dataclass(frozen=True)
class Source:
    """A function's code. `file` is relative to the project, empty for a function of a notebook."""

    name: str
    code: str
    file: str
    first: int
    last: int
    address: str
    """Where the repository shows these lines; empty if there is no known repository."""

    @property
    def place(self) -> str:
        """`synthcore/figures.py, lines 10 to 20`."""
        return f"{self.file}, lines {self.first} to {self.last}" if self.file else "this notebook"

    def html(self) -> str:
        """A folded block: closed it names the function, open it shows the code and its place."""
        where = escape(self.place)
        if self.address:
            where = f'<a href="{escape(self.address)}">{where}</a>'
        code = highlight(self.code, PythonLexer(), HtmlFormatter(nowrap=True))
        return (
            f'<details class="figure-source"><summary>Source: <code>{escape(self.name)}</code>'
            f'</summary><p>{where}</p><div class="highlight-python notranslate">'
            f'<div class="highlight"><pre>{code}</pre></div></div></details>'
        )


def source_of(function: Callable[..., Any]) -> Source:
    """Code and place of a function, behind decorators and `partial`.

    Raises TypeError for what has no Python source, such as a builtin.
    """
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    try:
        lines, first = inspect.getsourcelines(function)
        path = Path(inspect.getsourcefile(function) or "").resolve()
    except OSError as error:
        raise TypeError(f"The source of {function!r} cannot be found.") from error
    roots = [root for root in (Path(__file__).parents[2], find_root()) if root]
    inside = [path.relative_to(root) for root in roots if path.is_relative_to(root)]
    file = inside[0].as_posix() if inside and path.is_file() else ""
    last = first + len(lines) - 1
    repository = next(filter(None, map(_repository, reversed(roots))), "") if file else ""
    address = f"{repository}/blob/{BRANCH}/{file}#L{first}-L{last}" if repository else ""
    code = textwrap.dedent("".join(lines))
    return Source(_name(function), code, file, first, last, address)


def _name(function: Callable[..., Any]) -> str:
    """The dotted name below the study or the package, such as `figures.training.distance`."""
    parts = [*function.__module__.split("."), function.__qualname__]
    if parts[:2] == ["synthcore", "studies"]:
        parts = parts[3:]
    return ".".join(parts[1:] if parts[0] in ("synthcore", "__main__") else parts)


@functools.cache
def _repository(root: Path) -> str:
    """The address of the project's repository, which the site's own buttons use."""
    try:
        config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
        return str(config["repository"]["url"]).rstrip("/")
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ""
