"""What the fixtures of the browser tests give, and how an explorer gets onto a page."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Page

from synthcore.explorers.base import Explorer

Run = Callable[..., Any]
"""`run(expression, **names)`: a value of JavaScript, with the module of an explorer as `$`."""

Show = Callable[..., AbstractContextManager[tuple[Page, list[str]]]]
"""`shown(explorer, size, theme)`: a page with the explorer, and what went wrong there so far."""

LOOKS = [
    pytest.param((size, theme), id=f"{size}-{theme}", marks=marks)
    for size, theme, *marks in (
        ("desktop", "light"),
        ("phone", "dark"),
        ("desktop", "dark", pytest.mark.thorough),
        ("phone", "light", pytest.mark.thorough),
    )
]
"""Sizes and themes in which an explorer is looked at; half of them by schedule."""


def frames(page: Page, count: int = 2) -> None:
    """Wait until that many frames are drawn: two after an input, four after a change of width."""
    page.evaluate(
        """count => new Promise((done) => {
            const next = () => (count-- > 0 ? requestAnimationFrame(next) : setTimeout(done, 0));
            next();
        })""",
        count,
    )


def until_answered(page: Page) -> None:
    """Wait until the page's workers have answered all that they were asked."""
    page.wait_for_function("awaited === 0")
    page.evaluate("settled()")


def until_no_worker(page: Page) -> None:
    """Wait until no worker of the page is left."""
    for _ in range(3000):
        if not page.workers:
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{len(page.workers)} workers go on")


def state_of(explorer: Explorer) -> dict[str, Any]:
    """What `mount` in harness.html takes; bytes go as base64."""
    return {
        name: {"base64": b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in explorer.get_state().items()
        if name != "layout"
    }
