"""Tables of a chapter as HTML that inherits the page's colours and becomes cards on a phone."""

from collections.abc import Sequence
from html import escape


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], css: str) -> str:
    """A table whose first column names its rows. Cells are HTML; every other cell knows its head.

    >>> '<td data-head="here">1</td>' in html_table(("Name", "here"), [("a", "1")], "few")
    True
    """
    titles = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(
            f'<td data-head="{escape(title)}">{cell}</td>'
            for title, cell in zip(head[1:], cells, strict=True)
        )
        + "</tr>"
        for name, *cells in rows
    )
    return (
        f'<div class="table-scroll"><table class="card-table {css}">'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )
