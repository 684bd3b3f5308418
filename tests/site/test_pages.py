"""What a reader meets: every page of the smoke site in a real browser."""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from browsing import frames
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Locator, Page

from synthcore.press.vendor import locked_files

ROOT = Path(__file__).parents[2]
DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
# said by the schema library of the widget manager on every page with widgets
HARMLESS = "strict mode: use allowUnionTypes"

HEAVIEST = 3e6  # bytes of a page with all that a first visit brings
LETTERS = 0.55  # screen pixels per pixel of a figure: letters of eight points are nine pixels high

pytestmark = pytest.mark.browser


def documents() -> list[str]:
    """All pages of the table of contents, such as `book/index`."""

    def below(node: object) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from below(item)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key in ("root", "file"):
                    yield value
                else:
                    yield from below(value)

    return list(below(yaml.safe_load((ROOT / "_toc.yml").read_text())))


PAGES = documents()
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
WITH_EXPLORER = ["book/index", *CHAPTERS]
# of the reference, one page is looked at in the dark
IN_THE_DARK = {page for page in PAGES if "/api/" not in page or page.endswith("/nn")}


@contextmanager
def reader(browser: Browser, home: str, theme: str = "light") -> Iterator[tuple[Page, list[str]]]:
    """A page and the growing list of what went wrong on it: other hosts, errors, missing files."""
    context = browser.new_context(viewport=DESKTOP, color_scheme=theme)
    page, wrong = context.new_page(), []
    ours = (home, "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(ours) or wrong.append(f"request to {r.url}"))
    page.on("response", lambda r: r.status < 400 or wrong.append(f"{r.status} for {r.url}"))
    page.on("requestfailed", lambda r: wrong.append(f"failed: {r.url}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on(
        "console",
        lambda m: m.type not in ("error", "warning") or HARMLESS in m.text or wrong.append(m.text),
    )
    try:
        yield page, wrong
    finally:
        context.close()


def settle(page: Page) -> None:
    """Wait until formulas are typeset and every explorer of the page has drawn."""
    page.evaluate("window.MathJax && MathJax.startup.promise")
    views = page.locator("script[type='application/vnd.jupyter.widget-view+json']").count()
    if views:
        page.locator(".widget-subarea .sx").nth(views - 1).wait_for()


def drawn(explorer: Locator) -> str:
    """Everything an explorer shows: text, shapes, canvas pixels."""
    shown: str = explorer.evaluate(
        """root => [root.innerText, ...[...root.querySelectorAll('svg')].map(s => s.innerHTML),
                    ...[...root.querySelectorAll('canvas')].map(c => c.toDataURL())].join('|')"""
    )
    return shown


def test_every_page_of_the_site_is_in_the_table_of_contents(site: Path) -> None:
    built = {p.relative_to(site).with_suffix("").as_posix() for p in site.rglob("*.html")}
    made_by_sphinx = {"genindex", "index", "py-modindex", "search"}
    extra = {p for p in built if not p.startswith(("_modules/", "_static/"))} - made_by_sphinx
    assert extra == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_self_contained_light_accessible_and_fits_a_phone(
    name: str, site: Path, address: str, browser: Browser, axe: str
) -> None:
    """One visit: as it travels, to everybody, in both themes, on a desk and on a phone."""
    asked: set[str] = set()
    with reader(browser, address) as (page, wrong):
        page.on("request", lambda request: asked.add(request.url))
        page.goto(f"{address}{name}.html")
        settle(page)
        weights = weights_of(site, address, asked)
        assert sum(weights.values()) <= HEAVIEST, sorted(weights.items(), key=lambda w: -w[1])[:8]
        assert page.locator("article h1").count() == 1
        for theme in ("light", "dark") if name in IN_THE_DARK else ("light",):
            page.set_viewport_size(DESKTOP)
            page.emulate_media(color_scheme=theme)
            page.wait_for_selector(f"html[data-theme={theme}]")
            page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")
            assert barriers(page, axe) == []
            assert wide_elements(page) == []
            page.set_viewport_size(PHONE)
            page.wait_for_function("width => innerWidth === width", arg=PHONE["width"])
            frames(page, 4)  # explorers redraw at the new width
            assert wide_elements(page) == []
            assert illegible_figures(page) == []
    assert wrong == []


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return locked_files(ROOT, "test_packages")["axe.min.js"].decode()


def barriers(page: Page, axe: str) -> list[str]:
    """What axe-core calls serious or critical, and where.

    It takes the tooltip of an SVG mark, its `<title>`, for something written on it.
    """
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical")
        and not (rule["id"] == "label-content-name-mismatch" and node["html"].startswith("<g "))
    ]


def illegible_figures(page: Page) -> list[str]:
    """Figures whose letters are too small, and those that need scrolling but not by keyboard."""
    small: list[str] = page.evaluate(
        """letters => [...document.querySelectorAll('article figure')].filter(figure => {
            const image = [...figure.querySelectorAll('img')].find(i => i.clientWidth > 0);
            const file = image.currentSrc || image.src;
            if (file.endsWith('.svg')) return false;
            const scrolls = figure.scrollWidth > figure.clientWidth;
            const small = image.clientWidth < letters * image.naturalWidth;
            return small || (scrolls && figure.tabIndex < 0);
        }).map(figure => figure.id)""",
        LETTERS,
    )
    return small


def wide_elements(page: Page) -> list[str]:
    """What sticks out of the window on the right; empty if the page does not scroll sideways."""
    sticking: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            return [...document.querySelectorAll('main *')]
                .filter(e => e.getBoundingClientRect().right > width + 1)
                .map(e => `${e.tagName}.${e.className} ${e.getBoundingClientRect().right}`)
                .concat([`page is ${document.documentElement.scrollWidth} wide`]).slice(0, 8);
        }"""
    )
    return sticking


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_says_what_it_shows(name: str, site: Path) -> None:
    soup = BeautifulSoup((site / f"{name}.html").read_text(), "html.parser")
    for image in soup.select("article img"):
        alt = str(image.get("alt") or "")
        assert len(alt) > 10, f"alt text of {str(image.get('src'))[:80]} is {alt!r}"
        assert not re.search(r"\.(png|svg|jpg)$", alt), f"alt text is a file name: {alt}"


def weights_of(site: Path, address: str, asked: set[str]) -> dict[str, int]:
    """Bytes of each file of a page where the server compresses text, as hosts of sites do."""
    names = [url.removeprefix(address) for url in asked if url.startswith(address)]
    return {name: weight(site, name) for name in names}


def weight(site: Path, name: str) -> int:
    """Bytes of a file on its way to a reader."""
    path = site / unquote(urlsplit(name).path)
    if not path.is_file():  # a module that an explorer hands over as a blob
        return 0
    content = path.read_bytes()
    text = path.suffix in {".html", ".js", ".css", ".svg", ".json"}
    return len(gzip.compress(content) if text else content)


@pytest.mark.parametrize("name", WITH_EXPLORER)
def test_explorers_answer_and_print_as_stills(name: str, address: str, browser: Browser) -> None:
    with reader(browser, address) as (page, wrong):
        page.goto(f"{address}{name}.html")
        settle(page)
        move_every_explorer(page, "mouse")
        if name in CHAPTERS:
            still = page.locator(".explorer-still").first
            assert not still.is_visible()
            page.emulate_media(media="print")
            assert still.is_visible()
            assert not page.locator(".sx").first.is_visible()
    assert wrong == []


def move_every_explorer(page: Page, hand: str) -> None:
    """Move the first slider of each explorer and require that the drawing changes."""
    explorers = page.locator(".sx").all()
    assert explorers, "no explorer on this page"
    for explorer in explorers:
        slider = explorer.locator("input[type=range]:enabled").first
        slider.scroll_into_view_if_needed()
        before = drawn(explorer)
        if hand == "keyboard":
            slider.focus()
            page.keyboard.press("Home")
            frames(page)
            lowest = drawn(explorer)
            page.keyboard.press("ArrowRight")
            frames(page)
            assert drawn(explorer) != lowest, "the keyboard changes nothing"
        else:
            box = slider.bounding_box()
            assert box is not None
            after = set()
            for place in (0.95, 0.25):  # at one of them it may stand already
                page.mouse.click(box["x"] + place * box["width"], box["y"] + box["height"] / 2)
                frames(page)
                after.add(drawn(explorer))
            assert after - {before}, "the mouse changes nothing"


@pytest.mark.parametrize("name", WITH_EXPLORER)
def test_works_from_a_folder(name: str, site: Path, browser: Browser) -> None:
    with reader(browser, "file://") as (page, wrong):
        page.goto((site / f"{name}.html").as_uri())
        settle(page)
        move_every_explorer(page, "keyboard")
    assert wrong == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_buttons_lead_to_the_executed_notebook(name: str, site: Path) -> None:
    page = site / f"{name}.html"
    links = [
        str(a["href"])
        for a in BeautifulSoup(page.read_text(), "html.parser").select("a[href$='.ipynb']")
    ]
    local = [link for link in links if not urlsplit(link).scheme]
    assert local, "no download button"
    notebook = json.loads((page.parent / local[0]).resolve().read_text())
    assert any(cell.get("outputs") for cell in notebook["cells"]), "it has no outputs"
    assert "papermill" not in notebook["metadata"], "it tells where it was run"
    for host in ("https://colab.research.google.com/github/", "https://mybinder.org/v2/gh/"):
        there = [link for link in links if link.startswith(host)]
        assert there, f"no button to {host}"
        assert f"{name}.ipynb" in unquote(there[0])


def test_search_finds_every_term_of_the_glossary(address: str, browser: Browser) -> None:
    """The index is asked as the search page asks it; one term is searched for by hand."""
    with reader(browser, address) as (page, wrong):
        page.goto(f"{address}book/glossary.html")
        terms = [term.split(" (")[0] for term in page.locator("dl.glossary dt").all_inner_texts()]
        page.goto(f"{address}search.html?q=transience")
        page.locator("#search-results li a").first.wait_for()
        titles = " ".join(page.locator("#search-results li a").all_inner_texts())
        assert "Glossary" in titles
        found = page.evaluate(
            """terms => terms.map(term => {
                const results = Search._performSearch(...Search._parseQuery(term));
                return results.map(result => result[0]);
            })""",
            [term.replace("#", "").strip() for term in terms],
        )
        lost = [
            term for term, names in zip(terms, found, strict=True) if "book/glossary" not in names
        ]
        assert len(terms) > 20
        assert lost == []
    assert wrong == []


def test_theme_can_be_switched(address: str, browser: Browser) -> None:
    with reader(browser, address, "light") as (page, wrong):
        page.goto(f"{address}book/how_to_read.html")
        seen = set()
        for _ in range(3):
            page.locator("button.theme-switch-button:visible").first.click()
            seen.add(page.locator("html").get_attribute("data-theme"))
        assert seen == {"light", "dark"}
    assert wrong == []


def test_whoever_likes_it_dark_gets_it_dark(address: str, browser: Browser) -> None:
    with reader(browser, address, "dark") as (page, wrong):
        page.goto(f"{address}book/index.html")
        assert page.locator("html").get_attribute("data-theme") == "dark"
    assert wrong == []


def test_every_module_has_a_place_in_the_reference() -> None:
    pages = "\n".join(p.read_text() for p in sorted((ROOT / "book" / "api").rglob("*.md")))
    listed = set(re.findall(r"automodule:: (\S+)|\{automodule\} (\S+)", pages))
    named = {a or b for a, b in listed}
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "synthcore").rglob("*.py")
        if not path.name.startswith("_")
    }
    assert modules - named == set(), "modules without a place in book/api"
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "synthcore").rglob("__init__.py")
    }
    assert named - modules - packages == set(), "book/api names modules that do not exist"
