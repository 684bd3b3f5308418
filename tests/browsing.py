"""What the fixtures of the browser tests give."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from playwright.sync_api import Page

Run = Callable[..., Any]
"""`run(expression, **names)`: a value of JavaScript, with the module of an explorer as `$`."""

Show = Callable[..., AbstractContextManager[tuple[Page, list[str]]]]
"""`shown(explorer, size, theme)`: a page with the explorer, and what went wrong there so far."""
