"""Intervals against scipy and by coverage; verdicts against their truth tables."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthcore.evidence.statistics import (
    all_of,
    at_least,
    at_most,
    bootstrap_interval,
    correlates,
    ordered,
    t_interval,
)
from synthcore.evidence.verdict import Verdict, Word

finite = st.floats(-1e3, 1e3, allow_subnormal=False)


def over_seeds(*values: float) -> xr.DataArray:
    return xr.DataArray(list(values), dims="seed")


@given(st.lists(finite, min_size=2, max_size=20), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_t_interval_is_scipys(values: list[float], level: float) -> None:
    low, high = t_interval(values, level)
    error = stats.sem(values)
    if error == 0:
        assert low == high == pytest.approx(np.mean(values))
    else:
        expected = stats.t.interval(level, len(values) - 1, np.mean(values), error)
        assert (low, high) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_bootstrap_interval_covers_the_mean() -> None:
    """400 samples of 40 from a skewed law: coverage within three binomial errors of 93 %."""
    rng = np.random.default_rng(0)
    samples = rng.exponential(size=(400, 40))
    intervals = [bootstrap_interval(x, 0.95, seed=i, resamples=1000) for i, x in enumerate(samples)]
    covered = np.mean([low <= 1 <= high for low, high in intervals])
    assert 0.89 < covered < 0.97


def test_bootstrap_interval_is_repeatable_and_agrees_with_scipy() -> None:
    x = np.random.default_rng(1).normal(size=60)
    ours = bootstrap_interval(x, seed=3)
    assert ours == bootstrap_interval(x, seed=3)
    theirs = stats.bootstrap((x,), np.mean, method="percentile", rng=0).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.02)


def test_intervals_of_one_value_do_not_exist() -> None:
    assert all(math.isnan(end) for end in (*t_interval([1.0]), *bootstrap_interval([1.0])))


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
