"""The first edition's verdicts against their truth tables, and what is wrong with them."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthcore.evidence.first_edition import (
    Verdict,
    Word,
    all_of,
    at_least,
    at_most,
    correlates,
    ordered,
    t_interval,
)

finite = st.floats(-1e3, 1e3, allow_subnormal=False)


def over_seeds(*values: float) -> xr.DataArray:
    return xr.DataArray(list(values), dims="seed")


@pytest.mark.parametrize(
    ("values", "rule", "word"),
    [
        ((0.6, 0.7, 0.8), "each", Word.REPRODUCED),
        ((0.5, 0.5, 0.5), "each", Word.REPRODUCED),  # on the threshold
        ((0.4, 0.9, 0.9), "each", Word.NOT),
        ((0.4, 0.9, 0.9), "mean", Word.NOT),  # mean 0.73, two standard errors 0.33
        ((0.49, 0.9, 0.9, 0.9, 0.9), "mean", Word.REPRODUCED),
        ((0.1, 0.1, 0.1), "mean", Word.NOT),
        ((0.9, 0.9), "each", Word.UNDECIDABLE),
        ((0.9, 0.9, math.nan), "each", Word.UNDECIDABLE),
        ((0.9, 0.9, math.inf), "mean", Word.UNDECIDABLE),
    ],
)
def test_truth_table_of_a_gate(values: tuple[float, ...], rule: str, word: Word) -> None:
    up = at_least(over_seeds(*values), 0.5, rule=rule)
    down = at_most(-over_seeds(*values), -0.5, rule=rule)
    assert up.verdict is down.verdict is word
    assert up.n == len(values)
    if word is not Word.UNDECIDABLE:
        assert up.observed == pytest.approx(np.mean(values))
        assert up.margin == pytest.approx(down.margin)
        assert up.interval == pytest.approx(t_interval(values))


@given(st.lists(finite, min_size=3, max_size=8), finite)
def test_a_gate_and_its_opposite_never_both_hold(values: list[float], threshold: float) -> None:
    x = over_seeds(*values)
    if threshold not in values:
        words = {at_least(x, threshold).verdict, at_most(x, threshold).verdict}
        assert words != {Word.REPRODUCED}


def test_ordered_looks_at_the_smallest_step() -> None:
    rising = xr.DataArray([[1.0, 2, 4], [0, 3, 5], [1, 2, 3]], dims=("seed", "n"))
    assert ordered(rising, "n", gap=1.0).verdict is Word.REPRODUCED
    assert ordered(rising, "n", gap=1.5).verdict is Word.NOT
    assert ordered(-rising, "n", direction="decreasing").verdict is Word.REPRODUCED
    assert ordered(rising, "n", gap=1.0).observed == pytest.approx(4 / 3)
    assert ordered(rising.where(rising > 0), "n").verdict is Word.UNDECIDABLE


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_correlation_is_scipys(method: str) -> None:
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.normal(size=(4, 30)).round(1), dims=("seed", "step"))  # with ties
    y = x + xr.DataArray(rng.normal(size=(4, 30)), dims=("seed", "step"))
    function = stats.spearmanr if method == "spearman" else stats.pearsonr
    expected = np.mean([function(a, b).statistic for a, b in zip(x.values, y.values, strict=True)])
    verdict = correlates(x, y, "step", 0.3, method=method)
    assert verdict.observed == pytest.approx(expected)
    assert verdict.verdict is Word.REPRODUCED
    assert correlates(x, -y, "step", -0.3, method=method).verdict is Word.REPRODUCED
    assert correlates(x, -y, "step", 0.3, method=method).verdict is Word.NOT
    assert correlates(x, 0 * y, "step", 0.3, method=method).verdict is Word.UNDECIDABLE


def test_wrong_dimensions_are_named() -> None:
    with pytest.raises(ValueError, match=r"Expected dimensions \['seed'\], got \(seed, step\)"):
        at_least(xr.DataArray(np.zeros((3, 2)), dims=("seed", "step")), 0)


YES = at_least(over_seeds(1, 1.1, 1.2), 0, label="yes")
NO = at_least(over_seeds(1, 1.1, 1.2), 2, label="no")
OPEN = Verdict.undecidable("too few", label="open")


@pytest.mark.parametrize(
    ("parts", "word", "head"),
    [
        ((YES, YES), Word.REPRODUCED, "yes"),
        ((YES, NO), Word.PARTLY, "no"),
        ((NO, NO), Word.NOT, "no"),
        ((YES, OPEN), Word.PARTLY, "yes"),
        ((NO, OPEN), Word.NOT, "no"),
        ((OPEN, OPEN), Word.UNDECIDABLE, None),
    ],
)
def test_truth_table_of_a_conjunction(
    parts: tuple[Verdict, ...], word: Word, head: str | None
) -> None:
    verdict = all_of(*parts)
    assert verdict.verdict is word
    assert verdict.parts == parts
    if head:
        assert f"({head})" in verdict.note
        shown = next(part for part in parts if part.label == head)
        assert (verdict.observed, verdict.threshold) == (shown.observed, shown.threshold)


def test_more_seeds_make_each_of_n_harder_to_pass() -> None:
    """No effect (half of the seeds pass by chance) and one of a standard deviation, closed form:
    a false positive in 12.5 % and a power of .60 with three seeds; hardly anything passes with 20.
    """
    rng = np.random.default_rng(0)

    def passes(effect: float, n: int) -> float:
        runs = rng.normal(effect, 1, (2000, n))
        return float(
            np.mean([at_least(over_seeds(*x), 0).verdict is Word.REPRODUCED for x in runs])
        )

    for effect, n in ((0, 3), (1, 3), (0, 20), (1, 20)):
        expected = stats.norm.cdf(effect) ** n
        assert passes(effect, n) == pytest.approx(expected, abs=0.035)


def test_twelve_parts_without_effect_are_partly_reproduced_in_four_of_five_runs() -> None:
    rng = np.random.default_rng(0)
    words = [
        all_of(*(at_least(over_seeds(*x), 0) for x in run)).verdict
        for run in rng.normal(size=(500, 12, 3))
    ]
    partly = np.mean([word is Word.PARTLY for word in words])
    assert partly == pytest.approx(1 - (7 / 8) ** 12, abs=0.05)
