"""The goal-field explorer: arg-max walk, distances and correlations against Python; controls."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show
from scipy.sparse.csgraph import shortest_path
from scipy.stats import spearmanr

from synthcore.explorers.base import Explorer
from synthcore.explorers.goal_field import GoalFieldExplorer

pytestmark = pytest.mark.browser


def made_up(n: int = 30, noise: float = 0.8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S1 falls with the distance, S2 is high on edges, both with noise; and the graph."""
    rng = np.random.default_rng(0)
    edges = np.triu(rng.random((n, n)) < 0.14, 1)
    far = distances(edges).T  # [g, x]
    goal = np.where(np.isfinite(far), -far, -7.0) + noise * rng.standard_normal((n, n))
    step = np.where(edges, 4.0, -1.0) + noise * rng.standard_normal((n, n))
    return goal.astype(np.float32), step.astype(np.float32), edges


def distances(edges: np.ndarray) -> np.ndarray:
    return np.asarray(shortest_path(edges.astype(float), unweighted=True))


def explorer(**arguments: Any) -> GoalFieldExplorer:
    goal, step, edges = made_up()
    where = np.random.default_rng(1).random((len(edges), 2))
    where[:, 0] = np.arange(len(edges))
    return GoalFieldExplorer(goal, step, edges, where, **arguments)


@pytest.fixture(scope="module")
def field(module_of: Callable[[Explorer], Run]) -> Run:
    goal, step, edges = made_up()
    run = module_of(explorer())
    run(
        "{ window.field = $.makeField(Float32Array.from(a), Float32Array.from(b), edges, []); }",
        a=goal.ravel().tolist(),
        b=step.ravel().tolist(),
        edges=np.argwhere(edges).tolist(),
    )
    return run


def walk(goal: np.ndarray, step: np.ndarray, edges: np.ndarray, g: int, c: int) -> dict[str, Any]:
    nodes = [c]
    while c != g:
        x = int((goal[g].astype(float) + step[c]).argmax())
        nodes.append(x)
        if not edges[c, x]:
            return {"nodes": nodes, "end": "off"}
        c = x
    return {"nodes": nodes, "end": "arrived"}


def test_distances_are_those_of_breadth_first_search(field: Run) -> None:
    expected = distances(made_up()[2])
    found = np.array(field("[...field.distance]")).reshape(expected.shape)
    np.testing.assert_array_equal(found, np.where(np.isfinite(expected), expected, -1))


def test_every_walk_is_the_rule(field: Run) -> None:
    arrays = made_up()
    able = np.argwhere(np.isfinite(distances(arrays[2])) & (distances(arrays[2]) > 0))
    found = field("able.map(([x, g]) => $.walk(field, g, x))", able=able.tolist())
    expected = [walk(*arrays, int(g), int(x)) for x, g in able]
    assert found == expected
    ends = {way["end"] for way in found}
    assert ends == {"arrived", "off"}
    for g in range(30):
        counts = field("$.arrivals(field, g)", g=g)
        arrived = [
            int(x)
            for (x, h), way in zip(able, expected, strict=True)
            if h == g and way["end"] == "arrived"
        ]
        assert counts["able"] == [int(x) for x, h in able if h == g]
        assert counts["arrived"] == arrived


def test_candidates_are_sorted_sums(field: Run) -> None:
    goal, step, edges = made_up()
    for g, c in ((29, 3), (20, 11)):
        rows = field("$.candidates(field, g, c, 6)", g=g, c=c)
        total = goal[g].astype(float) + step[c]
        assert [row["x"] for row in rows] == np.argsort(-total)[:6].tolist()
        for row in rows:
            assert row["sum"] == pytest.approx(total[row["x"]])
            assert row["edge"] == bool(edges[c, row["x"]])


def test_correlation_with_nearness(field: Run) -> None:
    goal, _, edges = made_up()
    far = distances(edges)
    for g in (15, 22, 29):
        able = np.isfinite(far[:, g]) & (far[:, g] > 0)
        expected = spearmanr(goal[g, able], -far[able, g]).statistic
        assert field("$.goalCorrelation(field, g)", g=g) == pytest.approx(expected, abs=1e-9)
    assert field("String($.spearman([1, 1], [1, 2]))") == "NaN"


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_the_default_walk_arrives(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        assert "the walk arrives after" in page.locator(".sx-verdict").inner_text()
        assert page.locator(".sx-step").count() >= 3
        assert page.locator(".sx-off").count() == 0
        assert page.get_by_role("button", name="Step").is_disabled()
        taken = page.locator(".sx-step").count()
        for left in reversed(range(taken)):
            page.get_by_role("button", name="Back").click()
            page.evaluate("settled()")
            assert page.locator(".sx-step").count() == left
            assert page.locator(".sx-next").count() == 1
        assert "after 0 steps" in page.locator(".sx-verdict").inner_text()
        assert page.get_by_role("button", name="Back").is_disabled()
        first = page.locator(".sx-first td").first.inner_text()
        page.get_by_role("button", name="Step").press("Enter")
        page.evaluate("settled()")
        assert page.locator(".sx-here[data-node]").get_attribute("data-node") == first
    assert wrong == []


def test_a_walk_off_the_graph_is_marked(shown: Show) -> None:
    goal, step, edges = made_up()
    far = distances(edges)
    g, x = next(
        (g, x)
        for x, g in np.argwhere(np.isfinite(far) & (far > 0)).tolist()
        if walk(goal, step, edges, g, x)["end"] == "off"
    )
    with shown(explorer(goal=g, start=x)) as (page, wrong):
        assert "left the graph" in page.locator(".sx-verdict").inner_text()
        assert page.locator(".sx-off").count() == page.locator(".sx-cross").count() == 1
        assert page.locator(".sx-first.sx-none").count() == 1
    assert wrong == []


def test_a_click_chooses_the_goal_and_with_shift_the_start(shown: Show) -> None:
    far = distances(made_up()[2])
    goal = next(g for g in range(29, 0, -1) if (np.isfinite(far[:, g])).sum() > 5)
    start = int(np.flatnonzero(far[:, goal] == 1)[0])
    with shown(explorer(goal=goal - 1), "phone") as (page, wrong):
        page.locator(f"[data-node='{goal}']").dispatch_event("click")
        assert f"towards {goal}" in page.evaluate("drawn()")
        assert page.evaluate("model.get('goal')") == goal
        page.locator(f"[data-node='{start}']").dispatch_event("click", {"shiftKey": True})
        assert f"From {start} towards {goal}" in page.evaluate("drawn()")
        page.get_by_label("Goal (or click a node)").select_option(str(goal - 1))
        assert f"towards {goal - 1}" in page.evaluate("drawn()")
    assert wrong == []


def test_a_hundred_nodes_are_small() -> None:
    goal, step, edges = made_up(100)
    view = GoalFieldExplorer(goal, step, edges, np.random.default_rng(0).random((100, 2)))
    assert view.data_bytes < 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goal_scores": np.ones((3, 4))}, r"goal_scores must have shape \(30, 30\)"),
        ({"step_scores": np.full((30, 30), np.nan)}, "step_scores must have no missing"),
        ({"coordinates": np.ones((30, 3))}, r"coordinates must have shape \(30, 2\)"),
        ({"adjacency": np.ones((30, 30))}, "without cycles"),
        ({"goal": 30}, "goal must be a node below 30"),
        ({"start": -2}, "start must be a node below 30"),
        ({"steps": -1}, "steps must not be negative"),
    ],
)
def test_wrong_arrays_are_named(change: dict[str, Any], message: str) -> None:
    goal, step, edges = made_up()
    arguments = {"goal_scores": goal, "step_scores": step, "adjacency": edges}
    with pytest.raises(ValueError, match=message):
        GoalFieldExplorer(**{**arguments, "coordinates": np.ones((30, 2)), **change})
