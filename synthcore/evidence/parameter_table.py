"""The parameters of a run as tables: the few that a reader turns first, and all of them."""

from collections.abc import Sequence
from html import escape
from typing import Any

from synthcore.config import StudyConfig, describe, nearest
from synthcore.evidence.html_table import html_table

MOST = 6  # parameters that a reader turns first


def parameter_tables(config: StudyConfig, first: Sequence[str]) -> str:
    """HTML: a table of the parameters `first`, and a folded one of all.

    Raises ValueError if `first` names none, more than `MOST`, or one that there is not.
    """
    about = describe(type(config))
    for name in first:
        if name not in about:
            raise ValueError(f"Unknown parameter '{name}'. {nearest(name, about)}")
    if not 1 <= len(first) <= MOST:
        raise ValueError(f"1 to {MOST} parameters come first (got {len(first)}).")
    shown = {name: escape(_value(getattr(config, name))) for name in about}
    about = {
        name: {key: escape(words) for key, words in text.items()} for name, text in about.items()
    }
    few = [
        (f"<code>{name}</code>", shown[name], text["range"] or text["type"], text["description"])
        for name, text in ((name, about[name]) for name in first)
    ]
    every = [
        (f"<code>{name}</code>", shown[name], text["type"], text["range"], text["description"])
        for name, text in about.items()
    ]
    return (
        html_table(("Turn first", "here", "range", "meaning"), few, "parameter-table")
        + f'<details class="all-parameters"><summary>All {len(about)} parameters</summary>'
        + html_table(("Parameter", "here", "type", "range", "meaning"), every, "parameter-table")
        + "</details>"
    )


def parameter_text(config: StudyConfig) -> str:
    """The same for a terminal: a line per parameter."""
    about = describe(type(config))
    return "\n".join(
        f"{name} = {_value(getattr(config, name))}: {text['description']}"
        for name, text in about.items()
    )


def _value(value: Any) -> str:
    """
    >>> _value((4, 16)), _value(()), _value(True), _value("auto")
    ('4, 16', 'none', 'true', 'auto')
    """
    if isinstance(value, tuple):
        return ", ".join(_value(item) for item in value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
