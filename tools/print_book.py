"""Print every page of the built book to PDF: one file per page, in the order of the contents.

Usage: python tools/print_book.py SITE_FOLDER OUT_FOLDER [PAGE]...

Pages are named as in _toc.yml, such as `notebooks/icl_markov`; all of them if none is named.
CHROMIUM names the browser; without it, playwright's own is used.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
MARGIN = {"top": "16mm", "bottom": "18mm", "left": "15mm", "right": "15mm"}
# a lazy image that was never scrolled to does not load, and waiting for it would not end
LOAD_IMAGES = """Promise.all([...document.images].map(image => {
    image.loading = "eager";
    return image.decode();
}))"""
FOOTER = (
    '<div style="width: 100%; text-align: center; font: 8px sans-serif">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


def pages(contents: Any) -> Iterator[str]:
    """Names of all pages below a part of _toc.yml, in order."""
    if isinstance(contents, list):
        for item in contents:
            yield from pages(item)
    elif isinstance(contents, dict):
        for key, value in contents.items():
            if key in ("root", "file"):
                yield value
            else:
                yield from pages(value)


def main(site: Path, out: Path, names: list[str]) -> None:
    """Print the named pages, or all."""
    everything = list(pages(yaml.safe_load((ROOT / "_toc.yml").read_text())))
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or None, args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport={"width": 1100, "height": 1400}, color_scheme="light")
        for number, name in enumerate(everything):
            if names and name not in names:
                continue
            page.goto((site / f"{name}.html").resolve().as_uri())
            page.evaluate("window.MathJax && MathJax.startup.promise")
            page.evaluate(LOAD_IMAGES)
            target = out / f"{number:02d}-{name.rpartition('/')[2]}.pdf"
            page.pdf(
                path=target,
                format="A4",
                margin=MARGIN,
                print_background=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
            )
            print(target)
        chromium.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
