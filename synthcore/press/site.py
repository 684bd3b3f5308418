"""The site: stage executed notebooks and prose, render with Jupyter Book, check, publish.

A stamp over every staged byte makes a second build of the same content free. Every build starts
from an empty folder, since a partial one may keep pages that no longer belong.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from synthcore.evidence.files import sha256, visible, write_atomic
from synthcore.evidence.record import Record
from synthcore.press import dashboard, differences, folders, pages
from synthcore.press.card import header_card
from synthcore.press.errors import Failed, Refused, read_json
from synthcore.press.estimate import estimates
from synthcore.press.notebooks import from_json, read_source, to_json
from synthcore.press.outline import Outline
from synthcore.press.runner import NOTEBOOK_NAME
from synthcore.press.runs import recorded_runs
from synthcore.press.shown import Shown, page_of
from synthcore.press.staging import (
    answer,
    explorer_cells,
    further_pictures,
    page_notebook,
    prose_with_explorer,
)
from synthcore.press.studies import CHECK, Study
from synthcore.press.vendor import vendor_files

FOREIGN = re.compile(
    rb"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=[\"'](?:https?:)?//[^\"']+"
    rb"|<link\b(?=[^>]*\brel=[\"'](?:stylesheet|icon|preload|modulepreload|shortcut icon)[\"'])"
    rb"[^>]*\bhref=[\"'](?:https?:)?//[^\"']+"
)


def site_folder(root: Path, scale: str = CHECK) -> Path:
    """Where the site is built: `_build`. Tests build one of another scale, below it."""
    return root / "_build" if scale == CHECK else root / "_build" / scale


def build(
    root: Path, studies: Sequence[Study], scale: str = CHECK, html: Path | None = None
) -> tuple[Path, bool]:
    """Build the site from the runs there are. Returns index.html and whether anything was done.

    Raises Failed if a chapter of the table of contents has no run, Jupyter Book warns, or a page
    would load anything from another host.
    """
    base = site_folder(root, scale)
    staged = stage(root, studies, scale)
    html = html or base / "html"
    stamp_file, index = base / "site.json", html / "index.html"
    stamp = _stamp(root, staged, html)
    if index.is_file() and _read_stamp(stamp_file) == stamp:
        return index, False
    vendored = {f"book/assets/vendor/{name}": data for name, data in vendor_files(root).items()}
    with folders.locked(html):
        source, output = base / "src", folders.partial(html)
        _write_source(source, {**staged, **vendored})
        rendered = _render(source, output, base / "site.log")
        _check_self_contained(rendered)
        stamp_file.unlink(missing_ok=True)
        folders.publish(rendered, html)
        shutil.rmtree(output, ignore_errors=True)
        write_atomic(stamp_file, json.dumps({"stamp": stamp}))
    return index, True


def require_replaceable(html: Path) -> None:
    """Refused unless nothing is there, or a site that we built."""
    if html.exists() and not (html.is_dir() and (_ours(html) or not any(html.iterdir()))):
        raise Refused(f"{html} holds something that is not a site: give --out another folder.")


def _ours(html: Path) -> bool:
    return (html / folders.FILES).is_file() and (html / "index.html").is_file()


def stage(root: Path, studies: Sequence[Study], scale: str) -> dict[str, bytes]:
    """Everything Jupyter Book is given, but for the vendored files: relative path -> content."""
    pages_of = {study.name: page_of(study, scale) for study in studies}
    runs = {study.name: _runs(study, pages_of[study.name]) for study in studies}
    executed = {name: from_json(page.folder / NOTEBOOK_NAME) for name, page in pages_of.items()}
    staged = {name: (root / name).read_bytes() for name in ("_config.yml", "_toc.yml")}
    for path in sorted((root / "book").rglob("*")):
        name = path.relative_to(root).as_posix()
        inside = path.relative_to(root).parts
        hidden = "__pycache__" in inside or any(part.startswith(".") for part in inside)
        if path.is_file() and not hidden and not name.startswith("book/reference/"):
            staged[name] = path.read_bytes()
    outline = Outline.read(root)
    for study in studies:
        card = header_card(
            study,
            pages_of[study.name],
            runs[study.name],
            see_also=outline.see_also(study.name, studies),
            answer=answer(executed[study.name]),
        )
        source = read_source(study.notebook)
        page = page_notebook(study.name, executed[study.name], source, card)
        staged[f"notebooks/{study.name}.ipynb"] = to_json(page).encode()
        for name, png in further_pictures(study.name, executed[study.name]).items():
            staged[f"book/assets/{name}.png"] = png
    of_studies = [(study, runs[study.name]) for study in studies]
    staged |= dashboard.downloads(of_studies, outline)
    pieces = {
        "<!-- claims-table -->": dashboard.claims_page(of_studies, outline),
        "<!-- studies-table -->": pages.studies_table(of_studies),
        "<!-- map -->": outline.map(studies),
        "<!-- meetings -->": outline.meeting_list(studies),
        "<!-- outcome-table -->": differences.outcome_table(of_studies),
        "<!-- failure-table -->": differences.failure_table(of_studies),
        "<!-- difference-table -->": differences.difference_table(studies),
        "<!-- benchmarks-table -->": pages.benchmarks_table(_benchmarks(root)),
        "<!-- estimates-table -->": pages.estimates_table(estimates(root)),
    }
    for name in [name for name in staged if name.endswith(".md")]:
        text = pages.fill(root / name, pieces)
        found = pages.explorer_marker(text)
        if found and found[1] in executed:
            marker, study_name, explorer = found
            shown, state = explorer_cells(executed[study_name], explorer)
            page = prose_with_explorer(text, marker, shown, state)
            staged[name.removesuffix(".md") + ".ipynb"] = to_json(page).encode()
            del staged[name]
        else:
            staged[name] = text.encode()
    return staged


def _runs(study: Study, page: Shown) -> dict[str, Record]:
    """The run the page shows, the check run, then the recorded ones."""
    built = {page.record.scale: page.record, page.check.scale: page.check}
    return {**built, **{n: run for n, run in recorded_runs(study).items() if n not in built}}


def _benchmarks(root: Path) -> list[dict[str, Any]]:
    path = root / "benchmarks" / "results.json"
    rows: list[dict[str, Any]] = read_json(path, [])
    return rows


def _stamp(root: Path, staged: dict[str, bytes], html: Path) -> str:
    """Digest of the staged files, the package (its reference pages), the renderer and the place."""
    package = visible((root / "synthcore").rglob("*.py"))
    parts = {name: sha256(content) for name, content in staged.items()}
    parts |= {str(path.relative_to(root)): sha256(path) for path in package}
    for name in ("jupyter-book", "sphinx-book-theme", "myst-nb", "anywidget"):
        parts[f"version of {name}"] = metadata.version(name)
    return sha256(json.dumps([parts, str(html)], sort_keys=True).encode())


def _read_stamp(path: Path) -> str:
    try:
        return str(json.loads(path.read_bytes())["stamp"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write_source(source: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(source, ignore_errors=True)
    for name, content in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _render(source: Path, output: Path, log: Path) -> Path:
    output.mkdir(parents=True)
    script = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    options = ["-W", "-n", "--keep-going", "--path-output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", script, "build", str(source), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        errors="replace",
    )
    printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    write_atomic(log, printed)
    html = output / "_build" / "html"
    if done.returncode or not (html / "index.html").is_file():
        lines = printed.splitlines()
        told = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-15:]
        shown = "\n  ".join(line.replace(f"{source}{os.sep}", "") for line in told[:20])
        raise Failed(f"Jupyter Book did not build the site ({log}):\n  {shown}")
    return html


def _check_self_contained(html: Path) -> None:
    """No page may load a script, style or picture from another host."""
    for path in sorted(html.rglob("*.html")):
        if found := FOREIGN.search(path.read_bytes()):
            page = path.relative_to(html)
            raise Failed(f"{page} would load from another host: {found[0].decode()[:200]}")
