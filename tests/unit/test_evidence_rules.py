"""The rule of all verdicts against closed forms: error rates, power, order statistics, seeds."""

import math

import numpy as np
import pytest
from scipy import stats

from synthcore.evidence.rules import (
    Direction,
    Method,
    bounds,
    judge,
    median_rank,
    refuted,
    reproduced,
    seeds_needed,
)
from synthcore.evidence.verdict import Word

RUNS = 20_000


@pytest.mark.parametrize("n", [3, 5, 8, 20])
@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0])
def test_t_decides_as_often_as_the_noncentral_t_says(n: int, distance: float) -> None:
    """At the margin 5 % wrong either way; beyond it by a standard deviation the exact power."""
    x = np.random.default_rng(n).normal(1 + distance, 1, (RUNS, n))
    low, high = bounds(x, "t")
    limit, away = stats.t.ppf(0.95, n - 1), distance * math.sqrt(n)
    for decided, expected in (
        (reproduced(low, high, 1.0, ">="), stats.nct.sf(limit, n - 1, away)),
        (refuted(low, high, 1.0, ">="), stats.nct.cdf(-limit, n - 1, away)),
        (reproduced(low, high, 1.0, "<="), stats.nct.cdf(-limit, n - 1, away)),
    ):
        assert decided.mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / RUNS))


@pytest.mark.parametrize("n", [3, 4, 5, 7, 8, 13, 20])
def test_the_medians_bound_is_wrong_as_often_as_the_binomial_says(n: int) -> None:
    """In a skewed world whose median is the margin: at most 5 %, where the t bound is not."""
    x = np.random.default_rng(n).exponential(size=(RUNS, n))
    low, high = bounds(x, "median")
    wrong = stats.binom.cdf(median_rank(n) - 1, n, 0.5)
    assert wrong <= 0.05
    assert stats.binom.cdf(median_rank(n), n, 0.5) > 0.05
    for decided in (
        reproduced(low, high, math.log(2), ">="),
        refuted(low, high, math.log(2), ">="),
    ):
        assert decided.mean() == pytest.approx(wrong, abs=4 * math.sqrt(0.05 / RUNS))


@pytest.mark.parametrize(("n", "k"), [(3, 0), (4, 0), (5, 1), (7, 1), (8, 2), (10, 2), (12, 3)])
def test_the_medians_bound_is_an_order_statistic(n: int, k: int) -> None:
    """Known ranks; scipy's exact quantile test gives the same bound."""
    x = np.random.default_rng(0).normal(size=n)
    low, high = (float(end) for end in bounds(x, "median"))
    assert median_rank(n) == k
    assert (low, high) == ((np.sort(x)[k - 1], np.sort(x)[-k]) if k else (-math.inf, math.inf))
    if k:
        test = stats.quantile_test(x, q=0, p=0.5, alternative="greater")
        assert low == test.confidence_interval(0.95).low


@pytest.mark.parametrize("n", [3, 5, 8, 12])
def test_shares_have_clopper_and_pearsons_bounds(n: int) -> None:
    for yes in range(n + 1):
        x = np.array([1.0] * yes + [0.0] * (n - yes))
        low, high = bounds(x, "share")
        assert low == pytest.approx(stats.binomtest(yes, n).proportion_ci(0.90, "exact").low)
        assert high == pytest.approx(stats.binomtest(yes, n).proportion_ci(0.90, "exact").high)


def with_moments(n: int, mean: float, spread: float) -> np.ndarray:
    """n values of exactly this mean and standard deviation."""
    x = np.arange(n, dtype=float)
    return mean + spread * (x - x.mean()) / x.std(ddof=1)


@pytest.mark.parametrize("direction", [">=", "<="])
@pytest.mark.parametrize(("mean", "spread"), [(1.3, 0.5), (0.8, 0.6), (1.02, 0.3)])
def test_the_number_of_seeds_that_would_decide_does(
    mean: float, spread: float, direction: Direction
) -> None:
    """With these moments: that many decide, and one fewer does not."""
    verdict = judge(with_moments(3, mean, spread), 1.0, direction)
    assert verdict.verdict is Word.UNDECIDED
    assert verdict.needed is not None
    word = {True: Word.REPRODUCED, False: Word.NOT}[(mean > 1) == (direction == ">=")]
    assert judge(with_moments(verdict.needed, mean, spread), 1.0, direction).verdict is word
    before = judge(with_moments(verdict.needed - 1, mean, spread), 1.0, direction)
    assert before.verdict is Word.UNDECIDED


def test_no_number_of_seeds_decides_at_the_margin_itself() -> None:
    assert seeds_needed(with_moments(5, 1.0, 0.5), 1.0, ">=") is None
    assert seeds_needed([0.0, 2.0, 0.0, 2.0], 1.0, ">=", "median") is None


def test_seeds_needed_by_median_and_by_share() -> None:
    assert (
        seeds_needed([2.0, 2.1, 2.2], 1.0, ">=", "median") == 5
    )  # all beyond: the rule needs five
    one_of_six = judge([2, 2, 2, 2, 2.5, 0], 1.0, ">=", "median")
    assert one_of_six.verdict is Word.UNDECIDED
    assert one_of_six.needed == 8  # the second smallest of eight
    assert seeds_needed([1, 1, 1], 0.6, ">=", "share") == 6  # .05 ** (1 / 6) = .607


@pytest.mark.parametrize("method", ["t", "median"])
def test_both_directions_are_one_rule(method: Method) -> None:
    for x in np.random.default_rng(0).normal(1, 1, (50, 6)):
        up, down = judge(x, 1.0, ">=", method), judge(-x, -1.0, "<=", method)
        assert (up.verdict, up.agree, up.needed) == (down.verdict, down.agree, down.needed)
        assert up.interval == pytest.approx(tuple(-end for end in reversed(down.interval)))


def test_values_without_spread_go_by_the_median() -> None:
    """A standard deviation of zero would decide anything."""
    four, five = judge([0.5] * 4, 0.4, ">="), judge([0.5] * 5, 0.4, ">=")
    assert (four.verdict, four.needed, four.interval) == (Word.UNDECIDED, 5, (-math.inf, math.inf))
    assert (five.verdict, five.interval) == (Word.REPRODUCED, (0.5, 0.5))
    assert five.note == "all 5 values are the same"


def test_more_seeds_help() -> None:
    """What "each of n must" gets wrong: with an effect of one standard deviation beyond the margin
    the chance of `reproduced` grows with n, and without one it stays at 5 %.
    """
    rng = np.random.default_rng(0)
    power, false = [], []
    for n in (3, 8, 20):
        for effect, found in ((1.0, power), (0.0, false)):
            low, high = bounds(rng.normal(1 + effect, 1, (RUNS, n)))
            found.append(float(reproduced(low, high, 1.0, ">=").mean()))
    assert power == sorted(power)
    assert power[-1] > 0.99
    assert max(false) < 0.06
