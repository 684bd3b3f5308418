"""The navigation explorer: exact path probabilities against enumeration, words, controls."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show
from scipy.special import softmax

from synthcore.explorers.base import MAX_BYTES, Explorer
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.explorers.shared.prefix_tree import PrefixTree, path_counts, prefix_tree

pytestmark = pytest.mark.browser


def graph(n: int, p: float, seed: int = 0) -> np.ndarray:
    return np.triu(np.random.default_rng(seed).random((n, n)) < p, 1)


def made_up(
    n: int = 40, p: float = 0.14, n_pairs: int = 6, most: int = 40
) -> tuple[np.ndarray, list[tuple[int, int]], list[PrefixTree], list[np.ndarray]]:
    """A graph, pairs with 12 to `most` paths, and logits of a model that knows most edges."""
    edges, rng = graph(n, p), np.random.default_rng(1)
    counts = path_counts(edges)
    pairs = [(int(i), int(j)) for i, j in np.argwhere((counts >= 12) & (counts <= most))]
    pairs = [pairs[i] for i in rng.permutation(len(pairs))[:n_pairs]]
    trees = [prefix_tree(edges, *pair, ending=(n + 2, n + 4)) for pair in pairs]
    logits = []
    for tree in trees:
        rows = rng.normal(-9, 1, (len(tree.parent), n + 5))
        for k in range(1, len(tree.parent)):
            rows[tree.parent[k], tree.token[k]] = rng.normal(0, 0.7)
        logits.append(rows[tree.open])
    return edges, pairs, trees, logits


def explorer(**arguments: Any) -> NavigationExplorer:
    edges, pairs, trees, logits = made_up()
    where = np.random.default_rng(2).random((len(edges), 2))
    where[:, 0] = np.arange(len(edges))
    return NavigationExplorer(where, edges, pairs, trees, logits, **arguments)


@pytest.fixture(scope="module")
def nav(module_of: Callable[[Explorer], Run]) -> Run:
    run = module_of(explorer())
    run("{ window.small = (t) => $.makeTree({ ...t, logits: t.logits.flat() }); }")
    return run


def as_json(p: int) -> dict[str, Any]:
    """What the browser reads of one pair, with unrounded logits."""
    edges, pairs, trees, logits = made_up()
    tree, rows = trees[p], logits[p] - logits[p].max(-1, keepdims=True)
    return {
        "start": pairs[p][0],
        "parent": tree.parent.tolist(),
        "token": tree.token.tolist(),
        "complete": tree.complete.tolist(),
        "logits": rows.tolist(),
        "vocabulary": len(edges) + 5,
        "first": 1,
        "nodes": len(edges),
    }


def path_probabilities(p: int, temperature: float) -> np.ndarray:
    """P of every right answer, one by one along its own tokens; float64."""
    _, _, trees, logits = made_up()
    tree, row = trees[p], {int(k): r for r, k in enumerate(trees[p].open)}
    out = []
    for leaf in np.flatnonzero(tree.complete):
        k, product = int(leaf), 1.0
        while tree.parent[k] >= 0:
            above = int(tree.parent[k])
            scores = logits[p][row[above]]
            if temperature > 0:
                product *= softmax(scores / temperature)[tree.token[k]]
            else:
                product *= float(scores.argmax() == tree.token[k])
            k = above
        out.append(product)
    return np.array(out)


def test_the_tree_holds_every_path_once() -> None:
    edges, pairs, trees, _ = made_up()
    for (start, goal), tree in zip(pairs, trees, strict=True):
        answers = [tree.tokens(int(k)) for k in np.flatnonzero(tree.complete)]
        assert len({tuple(a) for a in answers}) == len(answers) == path_counts(edges)[start, goal]
        assert tree.n_paths == len(answers)
        for answer in answers:
            nodes = [start, *(t - 1 for t in answer[:-2])]
            assert answer[-2:] == [len(edges) + 2, len(edges) + 4]
            assert nodes[-1] == goal
            assert all(edges[a, b] for a, b in itertools.pairwise(nodes))


@pytest.mark.parametrize("temperature", [0, 0.05, 0.35, 1, 1.7, 3])
@pytest.mark.parametrize("p", [0, 3])
def test_path_probabilities_are_exact(nav: Run, p: int, temperature: float) -> None:
    found = nav(
        """(() => { const tree = small(t), now = $.atTemperature(tree, T);
            return { paths: tree.leaves.map((k) => now.reach[k]), valid: now.valid,
                     wrong: now.wrong.reduce((a, b) => a + b, 0) }; })()""",
        t=as_json(p),
        T=temperature,
    )
    expected = path_probabilities(p, temperature)
    np.testing.assert_allclose(found["paths"], expected, rtol=1e-9, atol=1e-11)
    assert found["valid"] == pytest.approx(expected.sum(), abs=1e-9)
    assert found["valid"] + found["wrong"] == pytest.approx(1, abs=1e-9)


def test_rounding_to_half_precision_moves_little(nav: Run) -> None:
    view = explorer()
    halves = np.frombuffer(view.logits, "<f2")
    bits = halves[:2000].view("<u2").tolist()
    read = nav("bits.map($.fromHalf)", bits=bits)
    np.testing.assert_array_equal(read, halves[:2000].astype(float))
    special = np.array([0, -0.0, 1, -6e4, 2**-24, -np.inf], "<f2")
    read = nav("bits.map((b) => String($.fromHalf(b)))", bits=special.view("<u2").tolist())
    assert [float(v) for v in read] == special.tolist()
    width, rows = view.vocabulary, made_up()[3][0]
    rounded = halves[: rows.size].reshape(-1, width).astype(float)
    for temperature in (0.05, 0.2, 1, 3):
        error = softmax(rounded / temperature, -1) - softmax(rows / temperature, -1)
        assert np.abs(error).max() < 2e-4


@pytest.mark.parametrize("n", [1, 30, 3000])
def test_distinct_paths_and_outputs_over_temperature(nav: Run, n: int) -> None:
    curves = nav("$.temperatureCurves($.temperatureScan(small(t)), n)", t=as_json(1), n=n)
    grid = np.arange(31) / 10
    for i in (0, 2, 10, 22, 30):
        p = path_probabilities(1, float(grid[i]))
        expected = (1 - (1 - np.minimum(p, 1)) ** n).sum()
        assert curves["found"][i] == pytest.approx(expected, rel=1e-6, abs=1e-8)
        assert curves["accuracy"][i] == pytest.approx(p.sum(), abs=1e-9)
        assert curves["found"][i] - 1e-9 <= curves["outputs"][i] <= n + 1e-6
    assert curves["best"] == int(np.argmax(curves["found"]))
    if n == 1:  # one sample is one output, and a right one with the probability of the accuracy
        np.testing.assert_allclose(curves["outputs"], 1, rtol=1e-9)
        np.testing.assert_allclose(curves["found"], curves["accuracy"], rtol=1e-9)


def test_distinct_outputs_agree_with_sampling(nav: Run) -> None:
    t, n, rng = as_json(2), 40, np.random.default_rng(0)
    found = nav(
        """(() => { const tree = small(t), now = $.atTemperature(tree, 1.5);
            const curves = $.temperatureCurves($.temperatureScan(tree), n);
            return { p: [...tree.leaves.map((k) => now.reach[k]), ...now.wrong],
                     outputs: curves.outputs[15] }; })()""",
        t=t,
        n=n,
    )
    p = np.array(found["p"])
    draws = rng.multinomial(n, p / p.sum(), size=4000)
    assert found["outputs"] == pytest.approx((draws > 0).sum(1).mean(), rel=0.01)


def test_bundles_add_up(nav: Run) -> None:
    """What leaves the start and what enters the goal is the probability of being right."""
    start, goal = made_up()[1][0]
    edge, lost, valid = nav(
        """(() => { const tree = small(t), now = $.atTemperature(tree, 1), b = $.bundles(tree, now);
            return [[...b.edge], [...b.lost], now.valid]; })()""",
        t=as_json(0),
    )
    ends = [(*map(int, key.split("-")), p) for key, p in edge]
    assert sum(p for i, _, p in ends if i == start) == pytest.approx(valid)
    assert sum(p for _, j, p in ends if j == goal) == pytest.approx(valid)
    assert valid + sum(p for _, p in lost) == pytest.approx(1, abs=1e-9)


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_the_default_shows_that_the_middle_wins(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        words = page.locator(".sx-verdict").inner_text()
        assert "Most are found in the middle" in words
        assert page.evaluate("model.get('temperature')") == -1
        box = page.locator("rect.sx-hit").nth(1).bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
        page.evaluate("settled()")
        assert page.evaluate("model.get('temperature')") == pytest.approx(1.5)
        assert "T = 1.50" in page.locator(".sx-verdict").inner_text()
        page.get_by_role("button", name="Best T").click()
        assert page.evaluate("model.get('temperature')") == -1
    assert wrong == []


def test_a_node_and_python_pick_the_pair(shown: Show) -> None:
    view = explorer(pair=2, samples=30, temperature=0.5)
    with shown(view) as (page, wrong):
        assert "T = 0.50" in page.locator(".sx-verdict").inner_text()
        start, _ = view.pairs[4]
        page.locator(f"[data-pick='{start}']").click()
        page.evaluate("settled()")
        assert start in view.pairs[page.evaluate("model.get('pair')")]
        page.evaluate("model.set('pair', 5)")
        words = page.evaluate("drawn()")
        assert f"{view.pairs[5][0]} → {view.pairs[5][1]}" in words
        assert page.locator("select").input_value() == "5"
    assert wrong == []


def test_a_hundred_nodes_and_a_dozen_pairs_are_small() -> None:
    edges, pairs, trees, logits = made_up(100, 0.075, n_pairs=12, most=60)
    where = np.random.default_rng(2).random((100, 2))
    assert NavigationExplorer(where, edges, pairs, trees, logits).data_bytes < MAX_BYTES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": [1, 2]}, r"pairs must have shape \(P, 2\)"),
        ({"pairs": [[0, 99]] * 6}, "nodes below 40"),
        ({"trees": []}, "a tree and an array of logits for each of 6 pairs"),
        ({"logits": [np.zeros((2, 3))] * 6}, r"logits of pair 0 must have shape"),
        ({"coordinates": np.zeros((3, 2))}, r"coordinates must have shape \(40, 2\)"),
        ({"adjacency": np.ones((40, 40))}, "without cycles"),
        ({"temperature": 4.0}, "temperature must be between 0 and 3"),
        ({"samples": 0}, "samples must be between 1 and 3000"),
        ({"pair": 6}, "pair must be an index below 6"),
        ({"names": ["a"]}, "names must name 40 nodes"),
    ],
)
def test_wrong_arrays_are_named(change: dict[str, Any], message: str) -> None:
    edges, pairs, trees, logits = made_up()
    arguments = {
        "coordinates": np.zeros((40, 2)),
        "adjacency": edges,
        "pairs": pairs,
        "trees": trees,
        "logits": logits,
    }
    with pytest.raises(ValueError, match=message):
        NavigationExplorer(**{**arguments, **change})


def test_a_tree_of_another_pair_is_refused() -> None:
    edges, pairs, trees, logits = made_up()
    with pytest.raises(ValueError, match="which is no path there"):
        NavigationExplorer(np.zeros((40, 2)), edges, pairs[:1], trees[1:2], logits[1:2])
    with pytest.raises(ValueError, match="no path from 5 to 5"):
        prefix_tree(edges, 5, 5)
    with pytest.raises(ValueError, match="over 3"):
        prefix_tree(edges, *pairs[0], max_paths=3)
