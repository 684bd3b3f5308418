"""Sphinx extension: keep the built site free of other hosts, docstrings free of markup, and figures
legible on phones and on dark pages.

Jupyter Book adds thebe's scripts (a CDN) to every page even where no page uses thebe, and loads
MathJax only on pages whose source has formulas, while widgets may bring formulas of their own.
Figures may have pictures for narrow screens and dark pages, in folders of their own. Icons come as
a font with the theme's styles; its script, which would draw them once more, is half a megabyte.

Pages are written by several processes, and a type in a signature is looked up, not searched for:
of the thousands in the reference, most are of other libraries.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry, PythonDomain
from sphinx.environment import BuildEnvironment

ASSETS = Path("book", "assets")  # becomes _static
ICON_SCRIPT = re.compile(r"<script[^>]*fontawesome\.js[^>]*></script>")
OPTION = re.compile(r"~?\w+\.Annotated\[(.*?), <typer\.models\.\w+ object at 0x[0-9a-f]+>\]")
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


def _plain_options(
    app: Sphinx, what: str, name: str, thing: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """The types of a command's options without typer's objects, whose addresses change."""
    return (OPTION.sub(r"\1", signature), returns) if signature else None


def _offer_pictures(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Figures that have pictures for narrow screens or dark pages offer them.

    What is not shown is not loaded: the style sheet shows one of `only-light` and `only-dark`, and
    browsers leave out lazy images that are not shown.
    """
    kinds = ("narrow", "dark", "dark-narrow")
    files = {
        (kind, nodes.make_id(path.stem)): context["pathto"](f"_static/{kind}/{path.name}", 1)
        for kind in kinds
        for path in Path(app.srcdir, ASSETS, kind).glob("*.png")
    }

    def source(kind: str, figure: str) -> str:
        place = files.get((kind, figure))
        return f'<source media="(max-width: 576px)" srcset="{place}">' if place else ""

    def offer(found: re.Match[str]) -> str:
        start, figure, image = found.groups()
        small, dark = source("narrow", figure), files.get(("dark", figure))
        if dark:
            image = image.replace("<img", '<img loading="lazy" class="only-light"')
        wrap = "picture" if small else "span"  # else the theme would hide the caption, too
        shown = f"<{wrap}>{small}{image}</{wrap}>" if small or dark else image
        if dark:
            image = re.sub(r' src="[^"]*"', f' src="{dark}"', image).replace("-light", "-dark")
            small = source("dark-narrow", figure)
            shown += f"<{wrap}>{small}{image}</{wrap}>"
        return start + shown

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


def _write_in_parallel(app: Sphinx, env: BuildEnvironment) -> None:
    """Jupyter Book has no option for it; an extension that it brings forbids it for reading."""
    app.parallel = os.cpu_count() or 1


class _IndexedPythonDomain(PythonDomain):
    """Sphinx's own, which for `Tensor` compares every documented name with ".Tensor"."""

    _size = -1
    _last_words: frozenset[str] = frozenset()

    def find_obj(
        self,
        env: BuildEnvironment,
        modname: str,
        classname: str,
        name: str,
        type: str | None,
        searchmode: int = 0,
    ) -> list[tuple[str, ObjectEntry]]:
        if self._size != len(self.objects):
            self._size = len(self.objects)
            self._last_words = frozenset(full.rpartition(".")[2] for full in self.objects)
        if name.removesuffix("()").rpartition(".")[2] not in self._last_words:
            return []
        return super().find_obj(env, modname, classname, name, type, searchmode)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the filters behind every other extension and load MathJax on every page."""
    app.set_html_assets_policy("always")
    app.add_domain(_IndexedPythonDomain, override=True)
    app.setup_extension("sphinx.ext.autodoc")  # whose event comes next
    app.connect("autodoc-process-docstring", _escape_bars)
    app.connect("autodoc-process-signature", _plain_options)
    app.connect("env-updated", _write_in_parallel)
    app.connect("html-page-context", _drop_thebe_scripts, priority=900)
    app.connect("html-page-context", _offer_pictures)
    app.connect("html-page-context", _plain_citations)
    app.connect("build-finished", _drop_icon_script)
    app.connect("doctree-resolved", _drop_thebe_nodes, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
