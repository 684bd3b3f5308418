"""What leaves the screen: a printed chapter has its figures, its explorers' stills and its text."""

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).parents[2]
CHAPTER = "notebooks/icl_markov"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def printed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The PDF of one chapter."""
    out = tmp_path_factory.mktemp("pdf")
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
    subprocess.run(
        [sys.executable, "tools/print_book.py", str(site), str(out), CHAPTER],
        check=True,
        cwd=ROOT,
        env={**os.environ, "CHROMIUM": browser},
    )
    [path] = out.glob("*-icl_markov.pdf")
    return path.read_bytes()


def test_every_figure_is_on_paper(printed: bytes, site: Path) -> None:
    page = site / f"{CHAPTER}.html"
    soup = BeautifulSoup(page.read_text(), "html.parser")
    files = [(page.parent / str(image["src"])).resolve() for image in soup.select("figure img")]
    sizes = {size(path) for path in files}
    assert len(sizes) > 5
    pictures = re.findall(rb"<<[^<>]*/Subtype /Image[^<>]*>>", printed)
    there = {
        (int(match(rb"/Width (\d+)", one)), int(match(rb"/Height (\d+)", one))) for one in pictures
    }
    assert sizes - there == set()


def test_the_stills_of_explorers_are_on_paper(printed: bytes, site: Path) -> None:
    soup = BeautifulSoup((site / f"{CHAPTER}.html").read_text(), "html.parser")
    figures, stills = soup.select("figure img"), soup.select(".explorer-still img")
    assert stills
    pictures = re.findall(rb"/Subtype /Image", printed)
    assert len(pictures) >= len(figures) + len(stills)


def test_the_text_is_text(printed: bytes) -> None:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed, re.DOTALL)
    shown = 0
    for stream in streams:
        try:
            shown += zlib.decompress(stream).count(b" Tj")
        except zlib.error:
            continue
    assert shown > 100


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def match(pattern: bytes, text: bytes) -> bytes:
    found = re.search(pattern, text)
    assert found is not None
    return found[1]
