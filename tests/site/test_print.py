"""What leaves the screen: a printed chapter has its figures, its explorers' stills and its text."""

import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from chromium import chromium_path
from PIL import Image

from synthcore.press.studies import all_studies

ROOT = Path(__file__).parents[2]
ON_PAPER = "figure img:not(.only-dark)"
CHAPTERS = [f"notebooks/{study.name}" for study in all_studies(ROOT)]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def printed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The PDF of every chapter."""
    out = tmp_path_factory.mktemp("pdf")
    subprocess.run(
        [sys.executable, "tools/print_book.py", str(site), str(out), *CHAPTERS],
        check=True,
        cwd=ROOT,
        env={**os.environ, "CHROMIUM": chromium_path() or ""},
    )
    return {
        f"notebooks/{path.stem.partition('-')[2]}": path.read_bytes() for path in out.glob("*.pdf")
    }


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_is_on_paper(chapter: str, printed: dict[str, bytes], site: Path) -> None:
    page = site / f"{chapter}.html"
    soup = BeautifulSoup(page.read_text(), "html.parser")
    files = [(page.parent / str(image["src"])).resolve() for image in soup.select(ON_PAPER)]
    sizes = {size(path) for path in files}
    assert len(files) > 5
    pictures = re.findall(rb"<<[^<>]*/Subtype /Image[^<>]*>>", printed[chapter])
    there = {
        (int(match(rb"/Width (\d+)", one)), int(match(rb"/Height (\d+)", one))) for one in pictures
    }
    assert sizes - there == set()
    stills = soup.select(".explorer-still img")
    assert stills
    assert len(pictures) >= len(files) + len(stills)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_text_is_text(chapter: str, printed: dict[str, bytes]) -> None:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed[chapter], re.DOTALL)
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
