"""Sphinx extension: keep the built site free of other hosts, and docstrings free of markup.

Jupyter Book adds thebe's scripts (a CDN) to every page even where no page uses thebe, and loads
MathJax only on pages whose source has formulas, while widgets may bring formulas of their own.
"""

import re
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def _is_thebe(script: object) -> bool:
    body = (getattr(script, "attributes", None) or {}).get("body") or ""
    return "thebe" in str(getattr(script, "filename", "") or "").lower() or "THEBE_JS_URL" in body


def _drop_thebe_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    scripts: Iterable[object] = context.get("script_files", [])
    context["script_files"] = [script for script in scripts if not _is_thebe(script)]


def _drop_thebe_nodes(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        if "x-thebe-config" in text or text.startswith("<script>kernelName"):
            node.parent.remove(node)


def _escape_bars(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Let |x| in a docstring be an absolute value, not a substitution of reStructuredText."""
    lines[:] = [
        line
        if line.lstrip().startswith((">>>", "..."))
        else re.sub(r"`[^`]*`|\|", lambda found: r"\|" if found[0] == "|" else found[0], line)
        for line in lines
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the filters behind every other extension and load MathJax on every page."""
    app.set_html_assets_policy("always")
    app.connect("autodoc-process-docstring", _escape_bars)
    app.connect("html-page-context", _drop_thebe_scripts, priority=900)
    app.connect("doctree-resolved", _drop_thebe_nodes, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
