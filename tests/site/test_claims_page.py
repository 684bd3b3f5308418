"""The claims page: complete without scripts, filtered by mouse and by keyboard, kept as a file."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

PAGE = "book/claims.html"
VISIBLE = "table.dashboard tr[data-verdict]:visible"

Opened = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def opened(address: str, browser: Browser) -> Opened:
    """`opened(query, scripts=True)`: the claims page in a window of its own."""

    @contextmanager
    def show(query: str = "", scripts: bool = True, width: int = 1400) -> Iterator[Page]:
        size = {"width": width, "height": 900}
        context = browser.new_context(java_script_enabled=scripts, viewport=size)
        page = context.new_page()
        page.goto(f"{address}{PAGE}{query}")
        try:
            yield page
        finally:
            context.close()

    return show


@pytest.fixture(scope="module")
def rows(site: Path) -> list[dict[str, object]]:
    """What the page offers as a file."""
    found: list[dict[str, object]] = json.loads((site / "_static/claims.json").read_text())
    return found


def test_without_scripts_it_is_a_table(opened: Opened, rows: list[dict[str, object]]) -> None:
    with opened(scripts=False) as page:
        assert page.locator(VISIBLE).count() == len(rows) > 100
        assert not page.locator("#claim-filters").is_visible()
        drawn = page.locator("table.dashboard svg.interval").count()
        observed = [row for row in rows if row["observed"] is not None]
        assert drawn == sum(endpoints(row) for row in observed)
        folded = page.locator("table.dashboard tr.more details")
        assert folded.count() == len(rows)
        assert not folded.locator("dl").first.is_visible()


def endpoints(row: dict[str, object]) -> int:
    """How many drawings a row has: one per primary endpoint."""
    parts = row["parts"]
    assert isinstance(parts, list)
    return len(parts) if row["kind"] and parts else 1


def test_what_a_verdict_rests_on_opens_by_keyboard(opened: Opened) -> None:
    with opened(width=390) as page:
        fold = page.locator("table.dashboard tr.more details").first
        fold.locator("summary").focus()
        page.keyboard.press("Enter")
        assert fold.locator("dl").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_filters_by_mouse(opened: Opened, rows: list[dict[str, object]]) -> None:
    study = next(str(row["study"]) for row in rows if row["verdict"] == "reproduced")
    with opened() as page:
        form = page.locator("#claim-filters")
        form.locator("select[name=study]").select_option(study)
        assert page.locator(VISIBLE).count() == sum(row["study"] == study for row in rows)
        form.locator("select[name=verdict]").select_option("reproduced")
        expected = [row for row in rows if (row["study"], row["verdict"]) == (study, "reproduced")]
        assert page.locator(VISIBLE).count() == len(expected)
        claims = len({row["id"] for row in expected})
        expect(form.locator("output")).to_have_text(f"{claims} claims, {len(expected)} verdicts")
        assert page.locator("table.dashboard:visible").count() == 1
        form.get_by_role("button", name="Show all").click()
        expect(page.locator(VISIBLE)).to_have_count(len(rows))


def test_filters_by_keyboard(opened: Opened, rows: list[dict[str, object]]) -> None:
    with opened() as page:
        page.locator("select[name=study]").focus()
        page.keyboard.press("ArrowDown")
        first = page.locator("select[name=study]").input_value()
        assert page.locator(VISIBLE).count() == sum(row["study"] == first for row in rows)
        for _ in range(3):
            page.keyboard.press("Tab")
        page.keyboard.type("no such words")
        expect(page.locator("#claim-filters output")).to_have_text("No claim fits.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(VISIBLE)).to_have_count(len(rows))


def test_the_address_may_preset_a_filter(opened: Opened, rows: list[dict[str, object]]) -> None:
    with opened("?study=sim_concept_learning&scale=reference", width=390) as page:
        asked = ("sim_concept_learning", "reference")
        chosen = [row for row in rows if (row["study"], row["scale"]) == asked]
        assert page.locator(VISIBLE).count() == len(chosen) > 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_files_are_downloaded(opened: Opened, rows: list[dict[str, object]]) -> None:
    with opened() as page:
        for kind in ("CSV", "JSON"):
            with page.expect_download() as waiting:
                page.get_by_role("link", name=kind, exact=True).click()
            text = Path(waiting.value.path()).read_text()
            read = list(csv.DictReader(text.splitlines())) if kind == "CSV" else json.loads(text)
            assert [row["id"] for row in read] == [row["id"] for row in rows]
