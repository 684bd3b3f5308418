"""Explorers follow their host when it narrows, and are then as if it had never been wide."""

import re

import pytest
from browsing import Show
from explorer_cases import CASES
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

WIDE, NARROW = 900, 360
EDGE, LEAST = 562, 320
"""The narrowest host with columns side by side, and the narrowest of all."""


def be_wide(page: Page, width: int) -> None:
    """Give the host a width, and wait until all has been drawn anew for it."""
    page.evaluate("w => Object.assign(stage.style, { maxWidth: 'none', width: `${w}px` })", width)
    for _ in range(2):  # a drawing may change the width that the next one has
        page.evaluate("settled()")


def sticking_out(page: Page) -> list[str]:
    """Parts beyond the left or right of the host, but for what a box or a path cuts off."""
    found: list[str] = page.evaluate(
        """() => {
            const host = stage.getBoundingClientRect(), cut = new Set();
            const cuts = (e) => !e.closest('svg') && getComputedStyle(e).overflowX !== 'visible';
            return [...stage.querySelectorAll('*')].flatMap((e) => {
                const inside = cut.has(e.parentElement);
                if (inside || cuts(e)) cut.add(e);
                if (inside || e.closest('[clip-path], defs, clipPath')) return [];
                const { left, right, width } = e.getBoundingClientRect();
                const beyond = Math.max(host.left - left, right - host.right);
                const name = [e.tagName, e.getAttribute('class'), e.textContent.slice(0, 40)];
                return width > 0 && beyond > 1 ? [`${name.join(' ')}: ${beyond} px`] : [];
            });
        }"""
    )
    return found


def look(page: Page) -> tuple[list[float], str]:
    """Widths of all parts, and what is drawn, but for ids that are new every time."""
    widths: list[float] = page.evaluate(
        "[...stage.querySelectorAll('*')].map((e) => e.getBoundingClientRect().width)"
    )
    return widths, re.sub(r"sx-\w+-\w{8}-\d+", "", page.evaluate("drawn()"))


@pytest.mark.parametrize("changed", [False, True], ids=["first", "changed"])
@pytest.mark.parametrize("name", CASES)
def test_a_wide_host_leaves_no_trace(name: str, changed: bool, shown: Show) -> None:
    make, values = CASES[name]
    with shown(make()) as (page, wrong):
        if changed:
            set_all = "v => Object.entries(v).forEach(([name, to]) => model.set(name, to))"
            page.evaluate(set_all, values)
        be_wide(page, WIDE)
        wide = look(page)
        be_wide(page, NARROW)
        assert sticking_out(page) == []
        narrow = look(page)
        assert narrow != wide
        for width, before in ((WIDE, wide), (NARROW, narrow)):
            be_wide(page, width)
            assert sticking_out(page) == []
            assert look(page) == before
        for width in (EDGE, LEAST):
            be_wide(page, width)
            assert sticking_out(page) == []
    assert wrong == []
