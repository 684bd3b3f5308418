"""Sphinx extension: keep the built site free of other hosts, docstrings free of markup, and figures
legible on a phone.

Jupyter Book adds thebe's scripts (a CDN) to every page even where no page uses thebe, and loads
MathJax only on pages whose source has formulas, while widgets may bring formulas of their own.
Figures that have a picture for narrow screens in `narrow/` offer it there. Icons come as a font
with the theme's styles; its script, which would draw them once more, is half a megabyte.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

NARROW = Path("book", "assets", "narrow")  # becomes _static/narrow
ICON_SCRIPT = re.compile(r"<script[^>]*fontawesome\.js[^>]*></script>")
FIGURE = re.compile(r'(<figure[^>]* id="([^"]+)"[^>]*>\s*(?:<a\b[^>]*>\s*)?)(<img\b[^>]*>)')


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


def _offer_narrow_pictures(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    files = {nodes.make_id(path.stem): path.name for path in Path(app.srcdir, NARROW).glob("*.png")}

    def offer(found: re.Match[str]) -> str:
        if found[2] not in files:
            return found[0]
        place = context["pathto"](f"_static/narrow/{files[found[2]]}", 1)
        source = f'<source media="(max-width: 576px)" srcset="{place}">'
        return f"{found[1]}<picture>{source}{found[3]}</picture>"

    if "body" in context:
        context["body"] = FIGURE.sub(offer, context["body"])


def _plain_citations(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Citations say that they are a list, of entries that may not stand in one."""
    if "body" in context:
        context["body"] = re.sub(
            r' role="(?:list"(?= class="citation-list")|doc-biblioentry")', "", context["body"]
        )


def _drop_icon_script(app: Sphinx, failure: Exception | None) -> None:
    """The theme's templates ask for it on every page, so it goes when all pages are written."""
    if failure is None and app.builder.format == "html":
        out = Path(app.outdir)
        for page in out.rglob("*.html"):
            text = page.read_text("utf-8")
            if "fontawesome.js" in text:
                page.write_text(ICON_SCRIPT.sub("", text), "utf-8")
        for script in out.glob("_static/scripts/fontawesome.js*"):
            script.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the filters behind every other extension and load MathJax on every page."""
    app.set_html_assets_policy("always")
    app.setup_extension("sphinx.ext.autodoc")  # whose event comes next
    app.connect("autodoc-process-docstring", _escape_bars)
    app.connect("html-page-context", _drop_thebe_scripts, priority=900)
    app.connect("html-page-context", _offer_narrow_pictures)
    app.connect("html-page-context", _plain_citations)
    app.connect("build-finished", _drop_icon_script)
    app.connect("doctree-resolved", _drop_thebe_nodes, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
