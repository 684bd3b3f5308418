"""The percolation explorer: theory and components against Python; controls."""

from collections.abc import Callable
from typing import Any

import networkx
import numpy as np
import pytest
from browsing import Run, Show

from synthcore.explorers.base import Explorer
from synthcore.explorers.percolation import PercolationExplorer
from synthcore.studies.percolation import theory

pytestmark = pytest.mark.browser
WORLD = {"E": 64, "K": 256, "C": 4, "density": 0.15, "n": 1, "seed": 3}


@pytest.fixture(scope="module")
def run(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(PercolationExplorer())


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("classes", [1, 4])
def test_the_theory_is_that_of_python(run: Run, n: int, classes: int) -> None:
    world = {**WORLD, "n": n, "C": classes}
    critical = run("$.criticalMentions(w)", w=world)
    assert critical == pytest.approx(theory.critical_mentions(64, 256, classes, 0.15, n), rel=1e-6)
    edges = 0.15 * 64 * 256 / classes
    for factor in (0.5, 1.5, 4.0, 20.0):
        q = 0.15 * theory.exposed(factor * critical, edges, n)
        expected = theory.reachable(q, 64 // classes, 256 // classes)
        found = run("$.joinedInTheory(w, m)", w=world, m=factor * critical)
        assert found == pytest.approx(expected, abs=1e-6)


def test_too_few_possible_pairs_never_percolate(run: Run) -> None:
    world = {**WORLD, "E": 16, "K": 32, "C": 4}
    assert run("Number.isNaN($.criticalMentions(w))", w=world)
    assert "stays in pieces" in run("$.percolationWords(w, 100, 0.1)", w=world)


def test_components_are_those_of_the_counted_pairs(run: Run) -> None:
    for mentions in (20, 100, 400):
        shot = run("$.snapshot(w, m)", w=WORLD, m=mentions)
        graph = networkx.Graph()
        graph.add_nodes_from(range(64 + 256))
        graph.add_edges_from((e, 64 + k) for e, k in shot["counted"])
        joined = 0
        for part in networkx.connected_components(graph):
            assert len({shot["label"][i] for i in part}) == 1
            entities = sum(i < 64 for i in part)
            joined += entities * (len(part) - entities)
        assert shot["joined"] == joined
        share = run("$.growth(w, [m])", w=WORLD, m=mentions)[0]
        assert share == pytest.approx(joined * 4 / (64 * 256))
        assert all(e // 16 == k // 64 for e, k in shot["counted"])


def test_pairs_count_from_their_nth_mention(run: Run) -> None:
    pairs = np.array(run("[...$.possiblePairs(w)]", w=WORLD)).reshape(-1, 2)
    assert len(pairs) / (64 * 64) == pytest.approx(0.15, abs=0.02)
    expected = [theory.exposed(1000, len(pairs), n) for n in (1, 2, 3)]
    for n, share in zip((1, 2, 3), expected, strict=True):
        shot = run("$.snapshot(w, 1000)", w={**WORLD, "n": n})
        assert len(shot["counted"]) / len(pairs) == pytest.approx(share, abs=0.05)


def test_simulated_curves_follow_the_theory(run: Run) -> None:
    world = {**WORLD, "E": 256, "K": 1024, "C": 1}
    stops = [round(factor * 512) for factor in (0.7, 2, 4, 8)]
    found = run("$.growth(w, stops)", w=world, stops=stops)
    expected = [run("$.joinedInTheory(w, m)", w=world, m=m) for m in stops]
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(PercolationExplorer())


def test_mouse_and_keyboard_move_the_same_state(shown: Show) -> None:
    with shown(PercolationExplorer()) as (page, wrong):
        text = page.locator(".sx-verdict").inner_text()
        assert "of the same-class pairs are joined" in text
        few = page.locator(".sx-counted").get_attribute("d") or ""
        page.get_by_role("slider", name="Mentions").press("End")
        page.evaluate("settled()")
        many = page.locator(".sx-counted").get_attribute("d") or ""
        assert many.count("M") > few.count("M") > 50
        assert "9" in page.locator(".sx-verdict").inner_text().split(" %")[0][-2:]
        chart = page.locator(".sx-hit").bounding_box()
        assert chart is not None
        page.mouse.click(chart["x"] + 4, chart["y"] + 40)
        page.evaluate("settled()")
        assert page.evaluate("model.get('mentions')") < 60
        page.get_by_role("radio", name="mentions / √(|E||K|)").check(force=True)
        page.evaluate("settled()")
        places = [
            float((d or "").split(" ")[0].removeprefix("M"))
            for d in [t.get_attribute("d") for t in page.locator(".sx-threshold").all()]
        ]
        assert max(places) - min(places) < 12  # pixels: thresholds fall together
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entities": 17}, "entities must be one of"),
        ({"properties": 100}, "properties must be one of"),
        ({"classes": 3}, "classes must be one of"),
        ({"exposures": 0}, "exposures must be one of"),
        ({"density": 0.0}, "density must be above 0"),
    ],
)
def test_wrong_values_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PercolationExplorer(**change)
