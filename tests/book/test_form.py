"""The form of a chapter, as a reader meets it: code behind folds, figures in two modes."""

from collections.abc import Iterator

import nbformat
import pytest
from exercises import exercise_faults
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SIZES = {"desktop": {"width": 1400, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(params=["desktop-light", "desktop-dark", "phone-light", "phone-dark"])
def page(request: pytest.FixtureRequest, browser: Browser, formed: object) -> Iterator[Page]:
    """The chapter at one size and in one theme, both in its `data`."""
    size, theme = request.param.split("-")
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme)
    page = context.new_page()
    page.goto((formed.root / "_build/html/notebooks/toy.html").as_uri())
    page.locator(f"html[data-theme={theme}]").wait_for()
    yield page
    context.close()


def test_the_answer_stands_in_the_card(page: Page) -> None:
    answers = page.get_by_text("A walk with drift rises by 18.3 m.", exact=False)
    assert answers.count() == 1
    assert page.locator(".model-card").get_by_text("A walk with drift rises by").is_visible()


def test_figures_are_drawn_for_the_page_they_stand_on(page: Page) -> None:
    theme = page.locator("html").get_attribute("data-theme")
    narrow = page.evaluate("innerWidth < 577")
    shown = page.locator("article figure img:visible")
    assert shown.count() == 1
    shown.scroll_into_view_if_needed()
    place = shown.evaluate("image => image.currentSrc")
    assert ("dark" in place, "narrow" in place) == (theme == "dark", narrow)
    width, letters = shown.evaluate("i => [i.clientWidth, i.clientWidth / i.naturalWidth]")
    assert narrow or width == 700
    assert letters >= 0.55, "8 points would be less than nine pixels high"
    assert page.locator("article figcaption").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 18, 18)" if theme == "dark" else "rgb(255, 255, 255)")
    look = shown.evaluate("i => [getComputedStyle(i).filter, getComputedStyle(i).padding]")
    assert look == ["none", "0px"], "the picture lies on the page without a frame"


def test_code_that_only_draws_is_folded_and_what_it_drew_is_not(page: Page) -> None:
    assert page.get_by_text("import numpy as np").is_hidden()
    assert page.get_by_text("chapter.figure(").is_hidden()
    assert page.locator("article figure").is_visible()
    assert page.get_by_text("position += random").is_visible(), "methods are shown"
    names = page.locator("article details.hide > summary .collapsed").all_inner_texts()
    assert names[0] == "Parameters as code"
    assert names[-1] == "Solution"
    assert set(names[1:-1]) == {"Code"}
    fold = page.locator(".cell:has(figure) details.hide > summary")
    figure = page.locator("article figure")
    assert fold.bounding_box()["y"] > figure.bounding_box()["y"], "code stands below the figure"


def test_the_source_of_a_figure_unfolds(page: Page) -> None:
    summary = page.locator(".figure-source > summary")
    assert summary.inner_text() == "Source: figures.walks"
    code = page.locator(".figure-source pre")
    assert code.is_hidden()
    summary.click()
    assert code.inner_text().startswith("def walks(data: xr.Dataset) -> Figure:")
    link = page.locator(".figure-source a").get_attribute("href")
    assert link is not None
    assert link.startswith(
        "https://github.com/example/walks/blob/main/synthcore/studies/toy/figures.py#L9-L"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_parameters_and_differences_are_tables(page: Page) -> None:
    few, every, differs = page.locator("table.card-table").all()
    assert few.locator("tbody th").all_inner_texts() == ["n_seeds", "steps", "rate"]
    assert every.is_hidden()
    page.locator(".all-parameters > summary").click()
    assert every.locator("tbody tr").count() == 6
    rows = differs.locator("tbody th code").all_inner_texts()
    assert rows == ["n_seeds", "steps", "rate", "device"]
    for table in (few, every, differs):
        assert table.evaluate("t => t.scrollWidth <= t.parentElement.clientWidth")


def test_exercises_are_open_and_their_solutions_folded(page: Page, formed: object) -> None:
    assert page.get_by_text("Not answered yet (drift)").is_visible()
    assert page.get_by_text("Right (drift)").is_hidden()
    run = formed.root / "_build/runs/toy/check/notebook.ipynb"
    notebook = nbformat.read(run, as_version=4)
    assert exercise_faults(notebook) == []
    solution = next(c for c in notebook.cells if "solution" in c.metadata.get("tags", []))
    solution.outputs[0]["text"] = "Not yet (drift)."
    solution.metadata["tags"] = ["solution"]
    assert len(exercise_faults(notebook)) == 2
    notebook.cells.remove(solution)
    assert "not followed by its solution" in exercise_faults(notebook)[0]


def test_paper_gets_figures_on_white_and_no_folds(page: Page) -> None:
    page.emulate_media(media="print")
    shown = page.locator("article figure img:visible")
    assert shown.count() == 1
    assert "only-light" in (shown.get_attribute("class") or "")
    assert page.locator("article details.hide:visible").count() == 0
    assert page.locator(".figure-source > summary").is_visible()
    assert page.locator("table.claims-table").is_visible()
