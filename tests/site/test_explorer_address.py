"""What a reader has set in an explorer stands in the page's address, and comes back from there."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest
from browsing import Show
from playwright.sync_api import Browser, Page

from synthcore.explorers.adam import AdamExplorer
from synthcore.explorers.base import Explorer
from synthcore.explorers.pair_training import PairTrainingExplorer
from synthcore.explorers.percolation import PercolationExplorer
from synthcore.explorers.phase import PhaseExplorer
from synthcore.explorers.swing_by import SwingByExplorer
from synthcore.explorers.swing_by_training import SwingByTrainingExplorer

pytestmark = pytest.mark.browser
Mounted = Callable[..., AbstractContextManager[Page]]


def phase(cursor: tuple[int, int, int] = (4, 10, 50)) -> Explorer:
    shape, rng = (2, 3, 2), np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(4), shape)
    kl = rng.random((2, *shape))
    return PhaseExplorer([4, 8], [10, 20, 30], [50, 100], weights, *kl, cursor=cursor)


OTHER: dict[str, tuple[Callable[[], Explorer], Callable[[], Explorer], tuple[str, ...]]] = {
    "adam.1": (
        AdamExplorer,
        lambda: AdamExplorer(0.9, 0.999, stream="sparse", density=0.3, eta=2e-4, seed=7),
        ("beta", "gamma", "stream", "density", "eta", "decay", "momentum", "dimension", "seed"),
    ),
    "swing-by.1": (
        SwingByExplorer,
        lambda: SwingByExplorer((1, 2, 3), (0.1, 0.2, 0.3), 0.01, -0.4, clock=2.5, minor=False),
        ("mu", "sigma", "omega", "rho", "clock", "minor"),
    ),
    "train.1": (
        SwingByTrainingExplorer,
        lambda: SwingByTrainingExplorer((1, 3), network="relu", start="random", batch=0, seed=9),
        ("mu", "sigma", "network", "start", "omega", "rho", "width", "rate", "batch", "seed"),
    ),
    "percolation.1": (
        PercolationExplorer,
        lambda: PercolationExplorer(32, 128, 2, 0.3, 2, clock="rescaled", mentions=300.0, seed=4),
        ("entities", "properties", "classes", "density", "exposures", "mentions", "clock", "seed"),
    ),
    "learner.1": (
        PairTrainingExplorer,
        lambda: PairTrainingExplorer(16, 128, 2, 0.5, batch=64, rate=0.005, seed=3),
        ("entities", "properties", "classes", "density", "batch", "rate", "seed"),
    ),
    "phase.1": (phase, lambda: phase((8, 30, 100)), ("cursor", "plane")),
}
"""By the name in the address: an explorer, the same with other settings, and what it keeps."""


@pytest.fixture
def mounted(shown: Show) -> Mounted:
    """The explorer on a page of the book with that address, on which nothing may go wrong."""

    @contextmanager
    def mount(explorer: Explorer, fragment: str = "", *, book: bool = True) -> Iterator[Page]:
        with shown(explorer, fragment=fragment, book=book) as (page, wrong):
            yield page
            assert wrong == []

    return mount


def kept(page: Page, traits: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        "names => Object.fromEntries(names.map((name) => [name, model.get(name)]))", list(traits)
    )
    return found


def settle(page: Page, text: str) -> None:
    """Wait until the address holds this text."""
    page.wait_for_function("text => location.hash.includes(text)", arg=text)


def change(page: Page, values: Mapping[str, Any]) -> None:
    page.evaluate("v => Object.entries(v).forEach(([name, to]) => model.set(name, to))", values)


@pytest.mark.parametrize("name", OTHER)
def test_a_view_comes_back_from_its_address(name: str, mounted: Mounted) -> None:
    make, make_other, traits = OTHER[name]
    other = make_other()
    wanted = {trait: getattr(other, trait) for trait in traits}
    with mounted(make()) as page:
        assert page.evaluate("location.hash") == ""
        change(page, wanted)
        settle(page, f"#{name}:")
        fragment = page.evaluate("location.hash")
    with mounted(make(), fragment) as page:
        assert kept(page, traits) == wanted
        assert page.evaluate("location.hash") == fragment


LINK = "beta=0.9,gamma=0.99,stream=dense,density=0.1,eta=0.001,decay=0.1,momentum=0.9,dimension=10"


@pytest.mark.parametrize(
    "fragment",
    [
        "#adam.1:",
        "#adam.1:beta=0.5",
        f"#adam.2:{LINK},seed=1",
        f"#adam.1:{LINK},seed=1.5",
        f"#adam.1:{LINK},seed=",
        f"#adam.1:{LINK.replace('dense', 'none')},seed=1",
        f"#adam.1:{LINK.replace('beta=0.9', 'beta=1')},seed=1",
        f"#adam.1:{LINK.replace('beta=0.9', 'beta=NaN')},seed=1",
        "#theory",
        "#%E0%A4%A",
    ],
)
def test_an_address_that_says_nothing_sensible_changes_nothing(
    fragment: str, mounted: Mounted
) -> None:
    adam, traits = AdamExplorer(), OTHER["adam.1"][2]
    with mounted(adam, fragment) as page:
        assert kept(page, traits) == {trait: getattr(adam, trait) for trait in traits}


def test_values_that_do_not_go_together_are_left(mounted: Mounted) -> None:
    swing, traits = SwingByExplorer(), OTHER["swing-by.1"][2]
    for mu, rho in (("1+2+3", "0.5"), ("1+2", "-0.995")):
        fragment = f"#swing-by.1:mu={mu},sigma=0+0,omega=0.1,rho={rho},clock=0,minor=true"
        with mounted(swing, fragment) as page:
            assert kept(page, traits) == {trait: getattr(swing, trait) for trait in traits}


def test_another_explorer_keeps_its_part(mounted: Mounted) -> None:
    theirs = "train.1:mu=1+2"
    with mounted(AdamExplorer(), f"#theory;{theirs}") as page:
        change(page, {"beta": 0.5})
        settle(page, "beta=0.5")
        assert page.evaluate("location.hash").startswith(f"#{theirs};adam.1:")


def test_a_link_followed_on_the_page_itself(mounted: Mounted) -> None:
    with mounted(AdamExplorer()) as page:
        page.evaluate("text => { location.hash = text; }", f"#adam.1:{LINK},seed=5")
        page.wait_for_function("model.get('seed') === 5")
        page.evaluate("unmount()")
        page.evaluate("text => { location.hash = text; }", f"#adam.1:{LINK},seed=6")
        page.evaluate("settled()")
        assert page.evaluate("model.get('seed')") == 5


def test_the_address_of_a_notebook_is_not_ours(mounted: Mounted) -> None:
    fragment = f"#adam.1:{LINK},seed=5"
    with mounted(AdamExplorer(), fragment, book=False) as page:
        assert page.evaluate("model.get('seed')") == 1
        change(page, {"seed": 8})
        page.wait_for_timeout(400)
        assert page.evaluate("location.hash") == fragment


def test_on_the_built_page(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: m.type != "error" or wrong.append(m.text))
    page.goto(f"{address}notebooks/adam_continuous_time.html#adam.1:{LINK},seed=5")
    slider = page.get_by_label("weights d")
    slider.wait_for()
    assert float(slider.input_value()) == pytest.approx(1)
    slider.focus()
    page.keyboard.press("End")
    settle(page, "dimension=100000000")
    assert wrong == []
    context.close()
