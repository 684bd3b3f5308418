"""The example that stands indented in the docstring of a package, run as it is printed."""

import textwrap
from types import ModuleType
from typing import Any


def run_example(package: ModuleType) -> dict[str, Any]:
    """The names that the example leaves behind; it has 10 to 18 lines."""
    assert package.__doc__ is not None
    lines = package.__doc__.splitlines()
    code = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ") or not line))
    assert 10 <= sum(map(bool, code.splitlines())) <= 18
    found: dict[str, Any] = {}
    exec(code, found)
    return found
