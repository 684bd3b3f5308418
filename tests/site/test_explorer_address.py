"""What a reader has set in an explorer stands in the page's address, and comes back from there."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pkgutil import walk_packages
from typing import Any
from urllib.parse import quote

import pytest
from browsing import Show
from explorer_cases import CASES
from playwright.sync_api import Browser, Page

import synthcore.explorers
from synthcore.explorers.adam import AdamExplorer
from synthcore.explorers.base import FOLDER, Explorer

pytestmark = pytest.mark.browser
Mounted = Callable[..., AbstractContextManager[Page]]
TRAINING = ("train.1", "learner.1")
"""Explorers that begin to train when they are touched."""


@pytest.fixture
def mounted(shown: Show) -> Mounted:
    """The explorer on a page of the book with that address, on which nothing may go wrong."""

    @contextmanager
    def mount(explorer: Explorer, fragment: str = "", *, book: bool = True) -> Iterator[Page]:
        with shown(explorer, fragment=fragment, book=book) as (page, wrong):
            yield page
            assert wrong == []

    return mount


def kept(page: Page, traits: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        "names => Object.fromEntries(names.map((name) => [name, model.get(name)]))", list(traits)
    )
    return found


def settle(page: Page, text: str) -> None:
    """Wait until the address holds this text."""
    page.wait_for_function("text => location.hash.includes(text)", arg=text)


def change(page: Page, values: Mapping[str, Any]) -> None:
    page.evaluate("v => Object.entries(v).forEach(([name, to]) => model.set(name, to))", values)


def text_of(value: Any) -> str:
    """A value as it stands in an address."""
    if isinstance(value, list):
        return "+".join(text_of(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else quote(str(value), safe="!'()*~")


def link(name: str, **changes: str) -> str:
    """The address of the values of a case."""
    said = {trait: text_of(value) for trait, value in CASES[name].values.items()} | changes
    return f"#{name}:" + ",".join(f"{trait}={value}" for trait, value in said.items())


def follow(page: Page, fragment: str) -> None:
    page.evaluate(
        """text => new Promise((done) => {
            window.addEventListener("hashchange", () => done(), { once: true });
            location.hash = text;
        })""",
        fragment,
    )


def test_every_explorer_has_a_name_of_its_own() -> None:
    package = synthcore.explorers
    modules = [
        import_module(m.name) for m in walk_packages(package.__path__, "synthcore.explorers.")
    ]
    classes = {
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Explorer) and "_esm" in vars(found)
    }
    call = re.compile(r'\{ model, el \},\s*(?:view,\s*)?"([a-z-]+\.\d+)"')
    names = [call.findall(found._esm) for found in classes]
    assert sorted(name for named in names for name in named) == sorted(CASES)
    assert all(len(named) == 1 for named in names)


def test_one_function_sets_what_a_reader_changes() -> None:
    """Handlers of a view call `setTraits`; that the view is drawn anew is `linkedView`'s part."""
    by_hand = re.compile(r"\bmodel\.set\(|save_changes|[( ]view\.redraw\(")
    found = {path.name for path in FOLDER.rglob("*.js") if by_hand.search(path.read_text())}
    assert found == {"common.js"}


@pytest.mark.parametrize("name", CASES)
def test_a_link_is_followed_whole_or_not_at_all(name: str, mounted: Mounted) -> None:
    make, values = CASES[name]
    with mounted(make()) as page:
        first = kept(page, values)
        assert all(first[trait] != value for trait, value in values.items())
        good = link(name)
        follow(page, good.replace(".1:", ".2:", 1))
        for trait in values:
            follow(page, re.sub(rf"\b{trait}=[^,]*,?", "", good))
            for wrong in ("none", "1e12", "%E0%A4%A"):
                follow(page, link(name, **{trait: wrong}))
        assert kept(page, values) == first
        follow(page, good)
        assert kept(page, values) == values


@pytest.mark.parametrize("name", TRAINING)
def test_a_view_comes_back_from_its_address(name: str, mounted: Mounted) -> None:
    make, wanted = CASES[name]
    with mounted(make()) as page:
        assert page.evaluate("location.hash") == ""
        change(page, wanted)
        settle(page, f"#{name}:")
        fragment = page.evaluate("location.hash")
    with mounted(make(), fragment) as page:
        assert kept(page, wanted) == wanted
        assert page.evaluate("location.hash") == fragment


def set_all(page: Page, end: str) -> None:
    """Press, choose and move everything that is there to one end, but what plays or empties."""
    for button in page.locator(".sx button").all():
        if button.is_enabled() and button.text_content() not in ("Play", "Write", "Clear"):
            button.press("Enter")
            page.evaluate("settled()")
    for chooser in page.locator(".sx select").all():
        chooser.press("ArrowDown")
    for group in page.locator(".sx fieldset").all():
        group.locator("input").last.check(force=True)
        page.evaluate("settled()")
    for slider in page.locator(".sx input[type=range]").all():
        if slider.is_enabled():
            slider.press(end)
            page.evaluate("settled()")


def seen(page: Page) -> tuple[list[str], str]:
    """What the controls say and what is drawn, without ids and times that differ every time."""
    controls = page.locator(".sx input, .sx select")
    said: list[str] = controls.evaluate_all("all => all.map((e) => `${e.value} ${e.checked}`)")
    drawn = re.sub(r"sx-\w+-\w{8}-\d+|\d+ ms", "", page.evaluate("drawn()"))
    return said, drawn


@pytest.mark.parametrize("end", ["Home", "End"])
@pytest.mark.parametrize("name", [name for name in CASES if name not in TRAINING])
def test_what_a_reader_sets_comes_back_from_the_address(
    name: str, end: str, mounted: Mounted
) -> None:
    make, values = CASES[name]
    with mounted(make()) as page:
        first = kept(page, values)
        page.evaluate("later(300)")
        assert page.evaluate("location.hash") == ""
        set_all(page, end)
        page.wait_for_function(
            """names => names.every((name) => location.hash.includes(
                `${name}=${[model.get(name)].flat(2).map(encodeURIComponent).join("+")}`))""",
            arg=list(values),
        )
        fragment, wanted, view = page.evaluate("location.hash"), kept(page, values), seen(page)
    assert wanted != first
    with mounted(make(), fragment) as page:
        assert kept(page, values) == wanted
        assert page.evaluate("location.hash") == fragment
        assert seen(page) == view


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("swing-by.1", {"mu": "1+2"}),
        ("swing-by.1", {"rho": "-0.6"}),
        ("compiled-counter.1", {"string": "bb"}),
        ("compiled-counter.1", {"string": "bbx"}),
        ("composer.1", {"composition": "0+1"}),
        ("composer.1", {"composition": "2+1+0+1"}),
        ("composer.1", {"shown": "0"}),
        ("composition-grid.1", {"cell": "1+2"}),
        ("composition-grid.1", {"cell": "2+2"}),
        ("concept-path.1", {"strength": "0.1"}),
        ("forking.1", {"swaps": "3+1"}),
        ("forking.1", {"swaps": "2+0"}),
        ("forking.1", {"swaps": "5+1+2+1"}),
        ("forking.1", {"swaps": "2+1+5"}),
        ("goal-field.1", {"start": "5"}),
        ("goal-field.1", {"goal": "0"}),
        ("goal-field.1", {"steps": "6"}),
        ("navigation.1", {"temperature": "-0.5"}),
        ("phase.1", {"cursor": "2+0+0"}),
        ("phase.1", {"cursor": "0+3+0"}),
        ("retrieval.1", {"source": "new"}),
        ("retrieval.1", {"truth": ""}),
        ("retrieval.1", {"truth": "0.1+0.2+0.7+0.3+0.3+0.4+0.1+0.1+0.9"}),
        ("retrieval.1", {"used": "5"}),
    ],
)
def test_values_that_do_not_go_together_are_left(
    name: str, changes: dict[str, str], mounted: Mounted
) -> None:
    make, values = CASES[name]
    explorer = make()
    with mounted(explorer, link(name, **changes)) as page:
        assert kept(page, values) == {trait: getattr(explorer, trait) for trait in values}


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
    adam, traits = AdamExplorer(), CASES["adam.1"].values
    with mounted(adam, fragment) as page:
        assert kept(page, traits) == {trait: getattr(adam, trait) for trait in traits}


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
        page.evaluate("later(300)")
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
