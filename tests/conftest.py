"""Array shapes and types are checked while the tests run; GPU tests are skipped without a GPU.

Property tests draw the same examples every time, so that a commit passes or fails for good.
`pytest --hypothesis-profile=search` looks for new ones.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from chromium import chromium_path
from hypothesis import settings
from jaxtyping import install_import_hook
from matplotlib import pyplot
from playwright.sync_api import Browser, expect, sync_playwright

pytest.register_assert_rewrite("contracts")
collect_ignore = ["book/formed", "offline"]  # a project of its own; a guard for other processes

# Installed before any test module imports synthcore; the library itself never depends on it.
# As for a static checker, an int is welcome where a float is asked for (the "numeric tower").
install_import_hook(
    "synthcore", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test session, the same for all workers of xdist."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


# What a headless Chromium does not need: calls of its own to other machines, a GPU.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


PATIENCE = 180_000  # ms a page may take for anything: a limit for what hangs, not for what is slow


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium: the one that `make` found, one on the path, or playwright's own.

    One for all tests of a process: playwright allows no second beside it.
    """
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=chromium_path(), args=QUIET, timeout=PATIENCE
        )
        chromium.new_context = _patient(chromium.new_context)  # type: ignore[method-assign]
        chromium.new_page = _patient(chromium.new_page)  # type: ignore[method-assign]
        expect.set_options(timeout=PATIENCE)
        yield chromium
        chromium.close()


def _patient(make: Callable[..., Any]) -> Callable[..., Any]:
    """The same maker of contexts or pages, which wait longer."""

    def made(**options: Any) -> Any:
        found = make(**options)
        found.set_default_timeout(PATIENCE)
        return found

    return made


@pytest.fixture(autouse=True)
def no_figure_stays_open() -> Iterator[None]:
    """What one test draws is closed before the next."""
    yield
    pyplot.close("all")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cuda", action="store_true", help="fail, not skip, GPU tests without CUDA")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("THOROUGH"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="thorough: set THOROUGH=1"))
    if torch.cuda.is_available() or config.getoption("--cuda"):
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device; none is visible"))


@pytest.fixture(autouse=True, scope="session")
def results_are_kept_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, and no process that one starts, reads what a user has computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHCORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("SYNTHCORE_FRESH", "SYNTHCORE_SHIPPED", "SYNTHCORE_KEEP_SECONDS"):
            patch.delenv(name, raising=False)
        yield
