"""How a run's settings differ from the paper's, as the table of a chapter."""

from collections.abc import Mapping, Sequence
from html import escape

from synthcore.evidence.html_table import html_table
from synthcore.evidence.settings import NOT_PUBLIC, Row

NOTHING = "No setting of this run is known to differ from the paper's."


def difference_html(rows: Sequence[Row], files: Mapping[str, str]) -> str:
    """`setting | paper | here | why`, with each parameter's meaning and the place of its source.

    `files` says what the short names in the places stand for; they are listed below, folded.
    """
    if not rows:
        return f"<p>{NOTHING}</p>"
    table = [
        (
            f"<code>{row.setting}</code>{_small(row.meaning)}",
            escape(row.paper) + (_small(row.where) if row.where != NOT_PUBLIC else ""),
            escape(row.here),
            escape(row.why),
        )
        for row in rows
    ]
    shown = html_table(("setting", "paper", "here", "why"), table, "difference-table")
    names = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{escape(path)}</dd>"
        for name, path in files.items()
    )
    folded = f"<summary>Where the paper's values stand</summary><dl>{names}</dl>"
    return shown + (f'<details class="card-more">{folded}</details>' if names else "")


def difference_text(rows: Sequence[Row]) -> str:
    """The same for a terminal: a line per setting."""
    lines = [f"{row.setting}: {row.paper} (paper), {row.here} (here). {row.why}" for row in rows]
    return "\n".join(lines) or NOTHING


def _small(text: str) -> str:
    return f"<br><small>{escape(text)}</small>" if text else ""
