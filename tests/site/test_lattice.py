"""The lattice explorer: its order, words and colours against Python, its controls."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show
from playwright.sync_api import Page

from synthcore.explorers.base import Explorer
from synthcore.explorers.lattice import LatticeExplorer

pytestmark = pytest.mark.browser
EPOCHS = [0, 1, 3, 10]


def losses(s: int = 4, seed: int = 0) -> np.ndarray:
    """Additive losses, which keep the order; noise in the last two checkpoints may break it."""
    rng = np.random.default_rng(seed)
    bits = np.arange(2**s)[:, None] >> np.arange(s) & 1
    clean = np.outer([8, 4, 2, 1], bits @ np.arange(1, s + 1.0))
    noise = np.array([0, 0, 1, 1])[:, None] * rng.standard_normal(clean.shape)
    return np.asarray(clean * np.exp(0.4 * noise) + 0.01, dtype=np.float32)


def explorer(s: int = 4, **arguments: Any) -> LatticeExplorer:
    return LatticeExplorer(losses(s), EPOCHS, range(1, s + 1), **arguments)


def subsets(s: int) -> list[tuple[int, int]]:
    """Strictly comparable pairs, from sets rather than from bits."""
    sets = [frozenset(p for p in range(s) if v >> p & 1) for v in range(2**s)]
    return [(u, v) for u, v in itertools.product(range(2**s), repeat=2) if sets[u] < sets[v]]


@pytest.fixture(scope="module")
def lattice(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


DATA = """(() => { const at = (e, v) => losses[e][v];
    return { s, V: 2 ** s, epochs, loss: at,
             interval: (e, v) => wide ? [at(e, v) / wide, at(e, v) * wide] : null }; })()"""


def data(s: int, wide: float = 0) -> dict[str, Any]:
    return {"s": s, "losses": losses(s).tolist(), "epochs": EPOCHS, "wide": wide}


@pytest.mark.parametrize("s", [2, 3, 4])
def test_pairs_covers_and_levels(lattice: Run, s: int) -> None:
    pairs = lattice("$.comparable(s)", s=s)
    assert sorted(map(tuple, pairs)) == sorted(subsets(s))
    assert len(pairs) == 3**s - 2**s  # 65 for four concepts
    covers = lattice("$.covers(s)", s=s)
    assert len(covers) == s * 2 ** (s - 1)
    assert all((v - u).bit_count() == 1 and u & v == u for u, v in covers)
    rows = lattice("$.levels(s)", s=s)
    assert [{v.bit_count() for v in row} for row in rows] == [{k} for k in range(s + 1)]
    assert sorted(itertools.chain(*rows)) == list(range(2**s))


def test_names(lattice: Run) -> None:
    assert lattice("[0, 1, 8, 5, 15].map($.nodeName)") == ["∅", "1", "4", "13", "1234"]
    assert lattice("$.nodeWords(13)") == "concepts 1, 3 and 4"


@pytest.mark.parametrize("s", [2, 3, 4])
@pytest.mark.parametrize("e", range(4))
def test_broken_pairs(lattice: Run, s: int, e: int) -> None:
    loss, wide = losses(s), 1.2
    expected = {(u, v) for u, v in subsets(s) if loss[e, u] > loss[e, v]}
    fails = lattice(f"$.broken({DATA}, e)", e=e, **data(s, wide))
    assert {(fail["u"], fail["v"]) for fail in fails} == expected
    for fail in fails:
        apart = loss[e, fail["u"]] / wide > loss[e, fail["v"]] * wide
        assert fail["clear"] == apart
    words = lattice(f"$.latticeVerdict({DATA}, e)", e=e, **data(s, wide))
    all_pairs = 3**s - 2**s
    count = f"{all_pairs - len(expected)} of the" if expected else "all"
    assert f"{count} {all_pairs} strictly comparable pairs hold" in words
    assert e >= 2 or not expected


def test_colour_scale(lattice: Run) -> None:
    assert lattice("[1, 0.1, 0.001, 0].map((v) => $.shade(v * 8, 8, true))") == pytest.approx(
        [1, 2 / 3, 0, 0]
    )
    assert lattice("[8, 2, 0].map((v) => $.shade(v, 8, false))") == [1, 0.25, 0]
    assert lattice("$.shade(0, 0, false)") == 0


@pytest.mark.parametrize("s", [3, 4])
def test_arrow_keys_reach_every_node(lattice: Run, s: int) -> None:
    reached, todo = {0}, [0]
    while todo:
        v = todo.pop()
        for key in ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"):
            w = lattice("$.neighbour($.levels(s), v, key)", s=s, v=v, key=key)
            if w is not None and w not in reached:
                reached.add(w)
                todo.append(w)
    assert reached == set(range(2**s))
    assert lattice("$.neighbour($.levels(4), 0, 'a')") is None


def drawn(page: Page) -> str:
    text: str = page.evaluate("drawn()")
    return text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_nodes_answer_to_mouse_and_keyboard(size: str, theme: str, shown: Show) -> None:
    with shown(explorer(intervals=np.stack([losses() / 2, losses() * 2], -1)), size, theme) as (
        page,
        wrong,
    ):
        reading = page.locator(".sx-reading")
        assert "Direct parts: 123" in reading.inner_text()
        assert page.locator(".sx-node[tabindex='0']").count() == 1  # one stop for the Tab key
        page.locator(".sx-node[data-node='5']").click()
        drawn(page)
        assert reading.inner_text().startswith("13: concepts 1 and 3, x̂ = μ₁e₁ + μ₃e₃.")
        assert "95 % interval" in reading.inner_text()
        for key, name in (("ArrowRight", "14"), ("ArrowDown", "2"), ("ArrowDown", "∅")):
            before = drawn(page)
            page.keyboard.press(key)
            assert drawn(page) != before
            assert reading.inner_text().startswith(f"{name}:")
        page.keyboard.press("ArrowDown")  # nothing below
        assert "no parts" in reading.inner_text()
    assert wrong == []


@pytest.mark.parametrize("e", range(4))
def test_broken_edges_are_marked(e: int, shown: Show) -> None:
    loss = losses()
    broken = [(u, v) for u, v in subsets(4) if loss[e, u] > loss[e, v]]
    near = sum((v - u).bit_count() == 1 for u, v in broken)
    with shown(explorer(checkpoint=e)) as (page, wrong):
        assert page.locator(".sx-edge").count() == 32
        assert page.locator(".sx-broken").count() == near
        assert page.locator(".sx-cross").count() == near
        assert page.locator(".sx-broken-far").count() == len(broken) - near
    assert wrong == []


def test_a_click_in_a_chart_picks_the_epoch(shown: Show) -> None:
    with shown(explorer(checkpoint=3)) as (page, wrong):
        for n in (0, 1):
            area = page.locator(".sx-curves rect.sx-hit").nth(n).bounding_box()
            assert area is not None
            page.mouse.click(area["x"] + 4, area["y"] + 20)
            assert "Epoch 0:" in drawn(page)
            page.mouse.click(area["x"] + area["width"] - 4, area["y"] + 20)
            assert "Epoch 10:" in drawn(page)
    assert wrong == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_on_a_node_stands_out(theme: str, shown: Show) -> None:
    """At every place of the scale the better of black and white is used, WCAG ratio over 4.2."""
    ratios = """() => {
        const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        const light = (css) => {
            pen.fillStyle = css;
            pen.fillRect(0, 0, 1, 1);
            const c = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
                .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2] + 0.05;
        };
        return [...document.querySelectorAll('.sx-node')].flatMap((node) => {
            const back = light(getComputedStyle(node.querySelector('rect')).fill);
            return [...node.querySelectorAll('text')].map((text) => {
                const front = light(getComputedStyle(text).fill);
                return Math.max(front / back, back / front);
            });
        });
    }"""
    loss = np.geomspace(1, 1e-3, 16)[None]
    with shown(LatticeExplorer(loss, [0], range(1, 5)), "desktop", theme) as (page, wrong):
        assert min(page.evaluate(ratios)) > 4.2
        page.get_by_label("this epoch").check()
        drawn(page)
        assert min(page.evaluate(ratios)) > 4.2
    assert wrong == []


@pytest.mark.parametrize("s", [2, 3])
def test_fewer_concepts(s: int, shown: Show) -> None:
    with shown(explorer(s), "phone") as (page, wrong):
        assert page.locator(".sx-node").count() == 2**s
        assert f"{3**s - 2**s} strictly comparable" in drawn(page)
        assert "NaN" not in drawn(page)
    assert wrong == []
