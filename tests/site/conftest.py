"""The smoke site, built once, served on this machine, and a browser that looks at it."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browsing import LOOKS, Run, Show, state_of
from filelock import FileLock
from playwright.sync_api import Browser, Page

from synthcore.explorers.base import Explorer

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "smoke" / "html"
HARNESS = Path(__file__).with_name("harness.html").as_uri()
SIZES = {"desktop": {"width": 1400, "height": 900}, "phone": {"width": 390, "height": 844}}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def network_log() -> Path:
    """Where attempts to reach another machine are noted; absent if there was none."""
    return SITE.with_name("network.log")


@pytest.fixture(scope="session")
def site(shared: Path) -> Path:
    """Folder of the site at smoke scale, run and built without a network.

    `make test` has built it before, as a step of its own; what is stale is built here.
    `MODEL_SYSTEMS_SITE` names a site to test instead.
    """
    if given := os.environ.get("MODEL_SYSTEMS_SITE"):
        return Path(given).resolve()
    # several workers ask at once: the first looks, the others find its mark
    with FileLock(shared / "smoke-site.lock"):
        built = shared / "smoke-site.built"
        if not built.exists():
            step = [sys.executable, str(ROOT / "tools" / "smoke_site.py")]
            done = subprocess.run(step, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.fail(f"The smoke site could not be built.\n{done.stdout}{done.stderr}")
            built.touch()
    return SITE


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served, with a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def module_of(browser: Browser) -> Iterator[Callable[[Explorer], Run]]:
    """Load an explorer's ES module; gives `run(expression, **names)` with the module as `$`."""
    context = browser.new_context()

    def load(explorer: Explorer) -> Run:
        page = context.new_page()
        page.goto(HARNESS)
        source = "async (text) => { window.$ = await import(URL.createObjectURL(new Blob([text], "
        page.evaluate(source + "{ type: 'text/javascript' }))); }", explorer._esm)

        def run(expression: str, **names: Any) -> Any:
            return page.evaluate(f"({{ {', '.join(names)} }}) => {expression}", names)

        return run

    yield load
    context.close()


@pytest.fixture
def shown(browser: Browser) -> Show:
    """`shown(explorer, size, theme)`: the explorer on a page, and what went wrong there so far.

    `fragment` is the end of the page's address; a page of the `book` says so.
    """

    @contextmanager
    def show(
        explorer: Explorer,
        size: str = "desktop",
        theme: str = "light",
        fragment: str = "",
        book: bool = False,
    ) -> Iterator[tuple[Page, list[str]]]:
        context = browser.new_context(viewport=SIZES[size])
        page, wrong = context.new_page(), []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: m.type not in ("error", "warning") or wrong.append(m.text))
        page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
        page.goto(HARNESS + fragment)
        if book:
            page.evaluate("document.documentElement.dataset.content_root = './'")
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        page.evaluate("mount", state_of(explorer))
        try:
            yield page, wrong
        finally:
            context.close()

    return show


@pytest.fixture(params=LOOKS)
def keeps_the_rules(request: pytest.FixtureRequest, shown: Show) -> Callable[[Explorer], None]:
    """`keeps_the_rules(explorer)`: what every explorer owes its reader, at both sizes and themes.

    Every slider, list, choice and button changes the drawing, by keyboard and by mouse; each has a
    name; nothing sticks out or overlaps; a closed view leaves nothing behind.
    """

    def check(explorer: Explorer) -> None:
        _needs_nothing_from_anywhere(explorer._esm, explorer._css)
        with shown(explorer, *request.param) as (page, wrong):
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.evaluate("overlaps()") == []
            nameless = page.evaluate(
                """() => [...document.querySelectorAll('.sx input, .sx button, .sx select')]
                    .filter((e) => !e.ariaLabel && !e.textContent && !e.labels.length).length"""
            )
            assert nameless == 0
            _every_slider(page)
            _every_list_and_choice(page)
            _every_button(page)
            assert "NaN" not in page.evaluate("drawn()")
            assert page.evaluate("overlaps()") == []
            page.evaluate("mount(state)")  # a second copy on the same page
            ids = page.evaluate("[...document.querySelectorAll('.sx [id]')].map((e) => e.id)")
            assert len(ids) == len(set(ids)) > 0
            page.evaluate("unmount()")
            assert page.locator(".sx").count() == 1
            assert page.evaluate("Object.values(model.handlers).flat().length") == 0
        assert wrong == []

    return check


def _needs_nothing_from_anywhere(module: str, style: str) -> None:
    assert not re.search(r"^\s*import\b|\bimport\(|\bfetch\(|\brequire\(", module, re.MULTILINE)
    assert set(re.findall(r"https?://[^\s\"']+", module + style)) <= {"http://www.w3.org/2000/svg"}
    assert module.count("export default") == 1
    assert "@import" not in style
    assert "url(" not in style


def _every_slider(page: Page) -> None:
    for slider in page.locator("input[type=range]").all():
        slider.focus()
        states = []
        for key in ("Home", "ArrowRight", "End"):
            page.keyboard.press(key)
            states.append(page.evaluate("drawn()"))
        box = slider.bounding_box()
        assert box is not None
        for across in (0.1, 0.6):
            slider.click(position={"x": across * box["width"], "y": box["height"] / 2})
            states.append(page.evaluate("drawn()"))
        label = slider.evaluate("e => e.closest('label').textContent")
        assert all(a != b for a, b in pairwise(states)), label
        assert str(slider.get_attribute("aria-valuetext")) in label


def _every_list_and_choice(page: Page) -> None:
    for chooser in page.locator("select").all():
        before = page.evaluate("drawn()")
        chooser.focus()
        page.keyboard.press("ArrowDown")
        if page.evaluate("drawn()") == before:  # it was the last
            page.keyboard.press("ArrowUp")
        assert page.evaluate("drawn()") != before, chooser.get_attribute("id")
    for group in page.locator("fieldset").all():
        options = group.locator("input[type=radio]").all()
        options[0].check(force=True)
        options[0].focus()
        for option in options[1:]:
            before = page.evaluate("drawn()")
            page.keyboard.press("ArrowRight")
            assert option.is_checked()
            assert page.evaluate("drawn()") != before


def _every_button(page: Page) -> None:
    slider = page.locator("input[type=range]").first
    for name in page.locator("button").all_text_contents():
        pressed = page.locator("button", has_text=re.compile(f"^{re.escape(name)}$"))
        for key in ("Home", "End"):
            slider.press(key)
            before = page.evaluate("drawn()")
            if pressed.is_enabled():
                break
        pressed.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("drawnAnew", before), name
