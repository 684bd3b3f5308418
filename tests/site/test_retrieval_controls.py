"""The retrieval explorer's own controls: the context as text, its buttons, and Python's hand."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from browsing import Show
from playwright.sync_api import Page

from synthcore.explorers.retrieval import RetrievalExplorer

pytestmark = pytest.mark.browser
Retrieval = Callable[..., AbstractContextManager[Page]]


def drawn(page: Page) -> str:
    """Everything drawn and written, but not the controls themselves."""
    text: str = page.evaluate("drawn()")
    return text


@pytest.fixture
def retrieval(shown: Show) -> Callable[..., AbstractContextManager[Page]]:
    @contextmanager
    def show(**arguments: Any) -> Iterator[Page]:
        with shown(RetrievalExplorer(**arguments)) as (page, wrong):
            yield page
        assert wrong == []

    return show


def test_letters_can_be_typed_and_wrong_ones_are_explained(retrieval: Retrieval) -> None:
    with retrieval() as page:
        field, error = page.get_by_label("Letters"), page.locator("[role=alert]")
        field.fill("abcab")
        drawn(page)
        assert page.locator(".sx-ribbon").inner_text().replace("\n", "") == "ABCAB"
        assert "After 5 symbols" in page.locator(".sx-verdict").inner_text()
        good = drawn(page)
        field.fill("abcabX")
        assert "please remove X" in error.inner_text()
        assert field.get_attribute("aria-invalid") == "true"
        assert drawn(page) == good  # the last good context stays
        field.fill("")
        assert "No context yet" in drawn(page)
        assert not error.is_visible()
        page.get_by_role("button", name="+1", exact=True).click()
        assert "After 1 symbol," in drawn(page)
        field.fill("ABC" * 70)
        assert "At most 200 symbols" in error.inner_text()
        page.get_by_label("current row").check(force=True)
        drawn(page)
        assert not error.is_visible()  # the field shows the good context again
        assert field.get_attribute("aria-invalid") is None


def test_context_grows_to_its_limit_and_no_further(retrieval: Retrieval) -> None:
    with retrieval(max_length=75) as page:
        ten = page.get_by_role("button", name="+10")
        for _ in range(2):
            ten.click()
            drawn(page)
        assert len(page.get_by_label("Letters").input_value()) == 75
        assert ten.is_disabled()


def test_shuffling_leaves_the_symbol_counter_alone(retrieval: Retrieval) -> None:
    with retrieval() as page:
        drawn(page)

        def heights() -> list[str]:
            bars = page.locator("rect[data-bar]")
            return [
                str(h) for h in bars.evaluate_all("es => es.map(e => e.getAttribute('height'))")
            ]

        before = heights()
        page.get_by_role("button", name="Shuffle").click()
        drawn(page)
        after = heights()
        for algorithm, same in ((0, True), (1, False), (2, True), (3, False)):
            pairs = [(float(a), float(b)) for a, b in zip(before, after, strict=True)]
            unchanged = all(abs(a - b) < 1e-6 for a, b in pairs[algorithm::4])
            assert unchanged is same


def test_python_sets_context_and_library(retrieval: Retrieval) -> None:
    with retrieval(context="ABCABC") as page:
        assert "After 6 symbols" in drawn(page)
        page.evaluate("model.set('context', 'AB')")
        assert "After 2 symbols" in drawn(page)
        page.evaluate("model.set('chains', 4)")
        assert "of 4 chains" in drawn(page)


def test_new_chain_defeats_retrieval(retrieval: Retrieval) -> None:
    with retrieval() as page:
        assert "so looking it up wins" in drawn(page)
        page.get_by_label("a new chain").check()
        assert "counting finds it" in drawn(page)
