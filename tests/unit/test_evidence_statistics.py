"""What a claim can ask of values per seed, and intervals against scipy and by coverage."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthcore.evidence.statistics import (
    at_least,
    at_most,
    bootstrap_interval,
    correlates,
    ordered,
    share_of_seeds,
    t_interval,
    within_tolerance,
)
from synthcore.evidence.verdict import Word

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
    ("values", "word"),
    [
        ((0.8, 0.9, 0.7), Word.REPRODUCED),
        ((0.3, 0.2, 0.35), Word.NOT),
        ((0.8, 0.9, 0.4), Word.UNDECIDED),
        ((0.9, 0.9), Word.NOT_TESTABLE),
        ((0.9, 0.9, math.nan), Word.NOT_TESTABLE),
        ((0.9, 0.9, math.inf), Word.NOT_TESTABLE),
        ((0.9, 0.9, 0.9), Word.UNDECIDED),  # no spread: by the median, which needs five
        ((0.9,) * 5, Word.REPRODUCED),
        ((0.1,) * 5, Word.NOT),
    ],
)
def test_truth_table(values: tuple[float, ...], word: Word) -> None:
    up = at_least(over_seeds(*values), 0.5)
    down = at_most(-over_seeds(*values), -0.5)
    assert up.verdict is down.verdict is word
    assert up.n == len(values)
    if word is Word.NOT_TESTABLE:
        assert math.isnan(up.observed)
        assert up.note
    else:
        assert up.observed == pytest.approx(np.mean(values))
        assert up.values == pytest.approx(values)
        assert up.agree == down.agree == sum(value >= 0.5 for value in values)


def test_zero_is_no_margin() -> None:
    for function in (at_least, at_most):
        with pytest.raises(ValueError, match="smallest effect worth the name, not 0"):
            function(over_seeds(1, 2, 3), 0)


def test_ordered_looks_at_the_smallest_step() -> None:
    rising = xr.DataArray([[1.0, 2, 4], [0, 1.5, 5], [1, 2.2, 3.5]], dims=("seed", "n"))
    assert ordered(rising, "n", 0.5).verdict is Word.REPRODUCED
    assert ordered(rising, "n", 2.5).verdict is Word.NOT
    assert ordered(-rising, "n", 0.5, "decreasing").values == (1.0, 1.5, pytest.approx(1.2))
    assert ordered(rising.where(rising > 0), "n", 0.5).verdict is Word.NOT_TESTABLE


@pytest.mark.parametrize("kind", ["spearman", "pearson"])
def test_correlation_is_scipys(kind: str) -> None:
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.normal(size=(4, 30)).round(1), dims=("seed", "step"))  # with ties
    y = x + xr.DataArray(rng.normal(size=(4, 30)), dims=("seed", "step"))
    function = stats.spearmanr if kind == "spearman" else stats.pearsonr
    expected = [function(a, b).statistic for a, b in zip(x.values, y.values, strict=True)]
    verdict = correlates(x, y, "step", 0.3, kind)
    assert verdict.values == pytest.approx(expected)
    assert verdict.verdict is Word.REPRODUCED
    assert correlates(x, -y, "step", -0.3, kind).verdict is Word.REPRODUCED
    assert correlates(x, -y, "step", 0.3, kind).verdict is Word.NOT
    assert correlates(x, 0 * y, "step", 0.3, kind).verdict is Word.NOT_TESTABLE


def test_share_of_seeds_counts_and_refuses_numbers() -> None:
    eight = share_of_seeds(over_seeds(*[True] * 8), 0.6)
    assert (eight.observed, eight.agree, eight.verdict) == (1.0, 8, Word.REPRODUCED)
    assert eight.interval[0] == pytest.approx(0.05 ** (1 / 8))  # P(8 of 8) = .05
    assert share_of_seeds(over_seeds(*[True] * 8), 0.7).verdict is Word.UNDECIDED
    with pytest.raises(ValueError, match="one yes or no"):
        share_of_seeds(over_seeds(0.2, 0.4, 1), 0.5)


def test_a_deterministic_quantity_is_one_number() -> None:
    close = within_tolerance([1e-9, -3e-9], 1e-8)
    assert (close.observed, close.n, close.verdict) == (3e-9, 1, Word.REPRODUCED)
    assert within_tolerance(1e-7, 1e-8).verdict is Word.NOT
    assert within_tolerance([0.0, math.nan], 1e-8).verdict is Word.NOT_TESTABLE


def test_wrong_dimensions_are_named() -> None:
    with pytest.raises(ValueError, match=r"Expected dimensions \['seed'\], got \(seed, step\)"):
        at_least(xr.DataArray(np.zeros((3, 2)), dims=("seed", "step")), 1)
