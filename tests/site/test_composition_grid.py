"""The composition grid: cell sizes, weighted means and first errors against Python; controls."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show

from synthcore.explorers.base import MAX_BYTES, Explorer
from synthcore.explorers.composition_grid import CompositionGridExplorer
from synthcore.explorers.shared.compositions import cell

pytestmark = pytest.mark.browser
S, L, F, A, K, E = 3, 4, 4, 8, 4, 3


def tables() -> np.ndarray:
    rng = np.random.default_rng(4)
    out = np.stack([[rng.permutation(A) for _ in range(F)] for _ in range(L)])
    out[:, 0] = np.arange(A)
    return out


def made_up(direct: bool = False) -> dict[str, Any]:
    """Accuracy falls with displaced functions; networks take the own function of a position."""
    rng, table = np.random.default_rng(0), tables()
    k, m = np.indices((L + 1, L + 1))
    accuracy = np.stack([np.where(m <= k, 1 / (1 + s) ** m * 0.98**k, np.nan) for s in range(S)])
    accuracy[2, 1, 1] = np.nan  # not measured
    compositions = np.full((S, L + 1, L + 1, E, L, 2), -1)
    words = np.full((S, L + 1, L + 1, E, K), -1)
    generated = np.full((S, L + 1, L + 1, E, L, K), -1)
    for s, a, b in product(range(S), range(L + 1), range(L + 1)):
        for e in range(E) if b <= a else ():
            chosen = np.stack([np.arange(L), np.zeros(L, dtype=int)], -1)
            active = rng.permutation(L)[:a]
            chosen[active, 1] = rng.integers(1, F, a)
            chosen[active[:b], 0] = (active[:b] + rng.integers(1, L, b)) % L
            compositions[s, a, b, e] = chosen
            words[s, a, b, e] = word = rng.integers(A, size=K)
            for position, (d, i) in enumerate(chosen):
                source = d if s == 0 else position
                word = table[source, i][word]
                generated[s, a, b, e, position] = word
    if direct:
        generated = generated[..., -1:, :]
    return {
        "subsets": ["random 50", "random 10", "base"],
        "accuracy": accuracy,
        "tables": table,
        "compositions": compositions,
        "words": words,
        "generated": generated,
        "n_train": [50, 10, 13],
    }


def explorer(**changes: Any) -> CompositionGridExplorer:
    return CompositionGridExplorer(**{**made_up(), "subset": 1, **changes})


@pytest.fixture(scope="module")
def grid(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


@pytest.mark.parametrize(("depth", "functions"), [(2, 1), (3, 2), (5, 4)])
def test_cell_sizes_are_counts(grid: Run, depth: int, functions: int) -> None:
    if depth < 4:  # count them
        counts: dict[tuple[int, int], int] = {}
        sources = [(d, i) for d in range(depth) for i in range(1, functions + 1)] + [(-1, 0)]
        for composition in product(sources, repeat=depth):
            pairs = np.array([(d if i else p, i) for p, (d, i) in enumerate(composition)])
            counts[cell(pairs)] = counts.get(cell(pairs), 0) + 1
        for (k, m), count in counts.items():
            assert grid("$.cellSize(L, N, k, m)", L=depth, N=functions, k=k, m=m) == count
    sizes = [
        grid("$.cellSize(L, N, k, m)", L=depth, N=functions, k=k, m=m)
        for k in range(depth + 1)
        for m in range(k + 1)
    ]
    assert sum(sizes) == (depth * functions + 1) ** depth  # 21^5 in the paper


def test_the_mean_is_weighted_by_cell_size(shown: Show) -> None:
    view = explorer()
    with shown(view) as (page, wrong):
        for s in range(S):
            found = page.evaluate("(s) => explorer.overall(explorer.gridData(model), s)", s)
            accuracy = made_up()["accuracy"][s]
            size = np.array(
                [
                    [
                        page.evaluate(f"explorer.cellSize({L}, {F - 1}, {k}, {m})")
                        for m in range(L + 1)
                    ]
                    for k in range(L + 1)
                ]
            )
            known = ~np.isnan(accuracy)
            assert found["size"] == size[known].sum()
            assert found["mean"] == pytest.approx(np.average(accuracy[known], weights=size[known]))
    assert wrong == []


def test_examples_cross_unchanged_and_first_errors_are_found(shown: Show) -> None:
    given, table = made_up(), tables()
    with shown(explorer()) as (page, wrong):
        seen = set()
        for s, k, m in product(range(S), range(L + 1), range(L + 1)):
            read = page.evaluate(
                "([s, k, m]) => explorer.gridData(model).examples(s, k, m)", [s, k, m]
            )
            assert len(read) == (E if m <= k else 0)
            for e, example in enumerate(read):
                np.testing.assert_array_equal(
                    example["composition"], given["compositions"][s, k, m, e]
                )
                np.testing.assert_array_equal(example["word"], given["words"][s, k, m, e])
                blocks = given["generated"][s, k, m, e]
                np.testing.assert_array_equal(example["blocks"], blocks)
                word, expected = given["words"][s, k, m, e], None
                for b, (d, i) in enumerate(given["compositions"][s, k, m, e]):
                    word = table[d, i][word]
                    if expected is None and (word != blocks[b]).any():
                        expected = (b + 1, int((word != blocks[b]).argmax()) + 1)
                words = page.evaluate(
                    "(x) => explorer.exampleWords(explorer.gridData(model), x)", example
                )
                seen.add(expected is None)
                if expected is None:
                    assert words == "Every block of this chain is right."
                else:
                    assert f"block {expected[0]}, symbol {expected[1]}," in words
                    assert "(displaced). It applied" in words
        assert seen == {True, False}
    assert wrong == []


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_cells_answer_to_mouse_and_keyboard(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        assert page.evaluate("model.get('cell')") == [L, L]  # the worst of the longest
        assert page.locator(".sx-first-error").count() == 1
        page.locator("[data-cell='2-1']").click()
        page.evaluate("settled()")
        assert page.evaluate("model.get('cell')") == [2, 1]
        for key, there in (("ArrowRight", [3, 1]), ("ArrowUp", [3, 2]), ("ArrowLeft", [2, 2])):
            page.keyboard.press(key)
            page.evaluate("settled()")
            assert page.evaluate("model.get('cell')") == there
        page.keyboard.press("ArrowUp")  # there is none
        assert page.evaluate("model.get('cell')") == [2, 2]
        assert page.locator(".sx-square[tabindex='0']").count() == 1
        page.get_by_label("Training subset").select_option("0")
        page.evaluate("settled()")
        assert page.locator(".sx-first-error").count() == 0
        assert "random 50" in page.locator(".sx-verdict").inner_text()
        page.get_by_label("Training subset").select_option("2")
        page.locator("[data-cell='1-1']").click()
        page.evaluate("settled()")
        assert "not measured" in page.locator(".sx-verdict").inner_text()
        assert page.locator(".sx-unknown").count() == 1
    assert wrong == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_direct_answers(size: str, shown: Show) -> None:
    with shown(explorer(**made_up(direct=True)), size) as (page, wrong):
        assert page.locator(".sx-cell").count() == 2 * K
        assert "The answer is wrong" in page.locator(".sx-reading").inner_text()
        assert page.evaluate("overlaps()") == []
    assert wrong == []


def test_a_cell_without_examples_says_so(shown: Show) -> None:
    given = made_up()
    given["compositions"][1, 2, 1] = -1
    with shown(explorer(**given, cell=(2, 1))) as (page, wrong):
        assert "No example" in page.locator(".sx-reading").inner_text()
    assert wrong == []


def test_the_papers_grid_fits() -> None:
    s, depth, word, n = 8, 5, 6, 3
    table = np.broadcast_to(np.arange(10), (depth, 5, 10))
    shape = (s, depth + 1, depth + 1, n)
    view = CompositionGridExplorer(
        [f"random {i}" for i in range(s)],
        np.where(np.tri(depth + 1)[None] > 0, 0.5, np.nan) * np.ones((s, 1, 1)),
        table,
        np.full((*shape, depth, 2), -1),
        np.full((*shape, word), -1),
        np.full((*shape, depth, word), -1),
        range(1, s + 1),
    )
    assert view.data_bytes < MAX_BYTES / 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accuracy": np.ones((2, 5, 5))}, r"accuracy must have shape \(3, 5, 5\)"),
        ({"accuracy": np.full((3, 5, 5), 2.0)}, "between 0 and 1"),
        ({"accuracy": np.ones((3, 5, 5))}, "NaN where more functions are displaced"),
        ({"n_train": [1]}, "one size for each of 3 subsets"),
        ({"subset": 3}, "subset must be an index below 3"),
        ({"cell": (1, 2)}, "0 <= m <= k <= 4"),
        ({"words": np.zeros((3, 5, 5, 3))}, "must have 6, 5 and 6 axes"),
        ({"generated": made_up()["generated"][..., :2, :]}, "1 or 4 blocks"),
        ({"generated": made_up()["generated"] + A}, "generated must hold symbols below 8"),
        ({"words": made_up()["words"] + A}, "words must hold symbols below 8"),
        ({"compositions": np.where((c := made_up()["compositions"]) > 0, 0, c)}, "stands in cell"),
        ({"symbols": "ab"}, "8 distinct characters"),
    ],
)
def test_wrong_arrays_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer(**change)
