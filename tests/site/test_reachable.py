"""The reachable explorer: the ceiling against enumeration and exact fractions; controls."""

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, product
from math import comb, lgamma
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show

from synthcore.explorers.base import Explorer
from synthcore.explorers.reachable import ReachableExplorer

pytestmark = pytest.mark.browser
ACCURACY = {
    "step by step, random": [[10, 0.1, 0.05, 0.2], [25, 0.7, 0.5, 0.9], [50, 0.98, 0.96, 0.99]],
    "step by step, base": [[20, 0.2, 0.1, 0.3], [31, 0.45, 0.3, 0.6]],
    "direct": [[50, 0.002, 0.0, 0.004], [500, 0.01, 0.0, 0.02]],
}
REACHED = {
    "step by step, random": [[25, 700, 500, 900], [50, 1000, 960, 1024]],
    "direct": [[50, 48, 40, 50]],
}


def explorer(**arguments: Any) -> ReachableExplorer:
    return ReachableExplorer(
        **{"functions": 3, "positions": 5, "accuracy": ACCURACY, "reached": REACHED, **arguments}
    )


@pytest.fixture(scope="module")
def reach(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


def exact_ceiling(functions: int, positions: int, n: int) -> float:
    """The closed form in rational numbers."""
    q = functions + 1
    total = sum(
        (-1) ** j
        * comb(positions, j)
        * Fraction(comb(q ** (positions - j) * (q - 1) ** j, n), comb(q**positions, n))
        for j in range(positions + 1)
    )
    return float(total)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_ceiling_is_the_mean_over_all_training_sets(reach: Run, n: int) -> None:
    """Enumerated: every set of n of the nine compositions of two positions with three functions."""
    whole = list(product(range(3), repeat=2))
    shares = []
    for trained in combinations(whole, n):
        seen = [{c[position] for c in trained} for position in range(2)]
        shares.append(np.mean([all(c[p] in seen[p] for p in range(2)) for c in whole]))
    assert reach("$.ceiling(2, 2, n)", n=n) == pytest.approx(np.mean(shares), abs=1e-12)


@pytest.mark.parametrize(("functions", "positions"), [(4, 5), (3, 5), (3, 4), (1, 2), (6, 6)])
def test_the_ceiling_is_exact(reach: Run, functions: int, positions: int) -> None:
    whole = (functions + 1) ** positions
    for n in sorted({1, 2, 10, 25, 100, whole // 3, whole} & set(range(1, min(whole, 20_000) + 1))):
        found = reach("$.ceiling(N, L, n)", N=functions, L=positions, n=n)
        assert found == pytest.approx(exact_ceiling(functions, positions, n), abs=1e-9)


def test_the_ceiling_has_the_values_of_the_study(reach: Run) -> None:
    # exact; the specification's .144, .579, .947 for 5, 10 and 20 are draws with their noise
    known = {5: 0.1376, 10: 0.5678, 15: 0.8373, 20: 0.9445, 25: 0.9817, 31: 0.9952, 50: 0.9999}
    for n, share in known.items():
        assert reach("$.ceiling(4, 5, n)", n=n) == pytest.approx(share, abs=6e-5)
    assert reach("$.enough(4, 5, 0.95)") == 21
    n = reach("$.enough(3, 5, 0.95)")
    assert exact_ceiling(3, 5, n - 1) < 0.95 <= exact_ceiling(3, 5, n)


def test_unseen_and_sizes(reach: Run) -> None:
    share = exact_ceiling(3, 5, 40)
    assert reach("$.unseenCeiling(3, 5, 40)") == pytest.approx((share * 1024 - 40) / 984)
    assert reach("String($.unseenCeiling(1, 2, 4))") == "NaN"
    assert reach("$.setSizes(4, 5)") == {"inOrder": 3125, "distinct": 1365, "outOfOrder": 4084101}
    for x in (0.5, 1, 3.7, 40, 1e5):
        assert reach("$.logGamma(x)", x=x) == pytest.approx(lgamma(x), rel=1e-12, abs=1e-13)
    for n in (2001, 5000):  # by gamma functions, against the product
        part, whole, product_ = 90_000, 100_000, 1.0
        for i in range(n):
            product_ *= (part - i) / (whole - i)
        found = reach("$.missing(part, whole, n)", part=part, whole=whole, n=n)
        assert found == pytest.approx(product_, rel=1e-6)
    sizes = reach("$.logSizes(1024)")
    assert sizes == sorted(set(sizes))
    assert (sizes[0], sizes[-1]) == (1, 1024)


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_the_default_and_a_click(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        words = page.locator(".sx-verdict").inner_text()
        share = exact_ceiling(3, 5, 25)  # the first measured with a ceiling of .95
        assert words.startswith("25 random compositions")
        assert "(n = 25): 70 % on unseen ones, 700 reached" in words
        assert page.locator("output").inner_text().startswith("25 of")
        assert f"{100 * share:.1f} % of the 1\u202f024 in-order" in words
        for across in (0.2, 0.9):
            box = page.locator("rect.sx-hit").nth(1).bounding_box()
            assert box is not None
            page.mouse.click(box["x"] + across * box["width"], box["y"] + 20)
            page.evaluate("settled()")
            n = page.evaluate("model.get('n_train')")
            assert n == pytest.approx(1024**across, rel=0.02, abs=1)
        page.evaluate("model.set('n_train', 50)")
        words = page.evaluate("drawn()").split("|")[-1]
        assert "step by step, random (n = 50): 98 % on unseen ones, 1\u202f000 reached" in words
        assert page.locator(".sx-mark").count() == 7 + 3 + 3  # points and legend
        page.evaluate("model.set('n_train', 150)")
        assert "Nothing was measured" in page.evaluate("drawn()")
    assert wrong == []


def test_the_papers_set(shown: Show) -> None:
    with shown(explorer(functions=4), "phone") as (page, wrong):
        assert "4\u202f084\u202f101" in page.evaluate("drawn()")
        assert page.evaluate("overlaps()") == []
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"functions": 0}, "functions must be between 1 and 50"),
        ({"positions": 1}, "positions must be between 2 and 8"),
        ({"accuracy": {}, "reached": {}}, "one to 4 series"),
        ({"accuracy": {"a": [[1, 0.5]]}}, r"accuracy\['a'\] must have shape \(1, 4\)"),
        ({"accuracy": {"a": [[9, 0.5, 0, 1], [5, 0.5, 0, 1]]}}, "ascending n from 1 to 1024"),
        ({"accuracy": {"a": [[2000, 0.5, 0, 1]]}}, "ascending n from 1 to 1024"),
        ({"accuracy": {"a": [[9, 1.5, 0, 2]]}}, "from 0 to 1"),
        ({"accuracy": {"a": [[9, 0.5, 0.6, 0.7]]}}, "between low and high"),
        ({"n_train": 1025}, "n_train must be between 1 and 1024"),
    ],
)
def test_wrong_rows_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer(**change)
