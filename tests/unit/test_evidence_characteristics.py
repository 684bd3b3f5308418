"""False positives and power of a claim at a run's own noise, against closed forms."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from synthcore.evidence.characteristics import (
    RUNS,
    Characteristics,
    characteristics,
    expected_effect,
    simulate,
)
from synthcore.evidence.claim import Claim
from synthcore.evidence.controls import instead
from synthcore.evidence.decide import decide
from synthcore.evidence.rules import judge
from synthcore.evidence.statistics import at_least, share_of_seeds, within_tolerance
from synthcore.evidence.verdict import Verdict, Word

NOISE = 4 * math.sqrt(0.25 / RUNS)  # four standard errors of a share of 500


def normal(n: int, mean: float = 0.0) -> np.ndarray[Any, Any]:
    """n values whose order statistics are those of a normal law of standard deviation 1."""
    x = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return np.asarray(mean + (x - x.mean()) / x.std(ddof=1))


@pytest.mark.parametrize("effect", [0.3, 0.6, 1.0])
def test_power_is_that_of_the_noncentral_t(effect: float) -> None:
    """40 seeds with normal residuals: the resampled power is the power of the t test."""
    n, margin = 40, 0.25
    found = simulate([judge(normal(n, 2.0), margin, ">=")], None, [effect])
    away = (effect - margin) * math.sqrt(n)
    expected = stats.nct.sf(stats.t.ppf(0.95, n - 1), n - 1, away)
    assert found.power == pytest.approx(expected, abs=NOISE)
    assert found.false_positive is None


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_the_power_of_shares_is_binomial(share: float) -> None:
    verdict = share_of_seeds(xr.DataArray([1.0] * 10 + [0] * 2, dims="seed"), 0.5)
    least = 10  # of 12: binom.sf(9 - 1, 12, .5) = .073 and binom.sf(10 - 1, 12, .5) = .019
    found = simulate([verdict], None, [share])
    assert found.power == pytest.approx(stats.binom.sf(least - 1, 12, share), abs=NOISE)


def test_a_control_at_the_margin_passes_in_one_run_of_twenty() -> None:
    control = judge(normal(40, 0.25), 0.25, ">=")
    found = simulate([judge(normal(40, 1.0), 0.25, ">=")], [control], [None])
    assert found.false_positive == pytest.approx(0.05, abs=4 * math.sqrt(0.05 / RUNS))
    assert found.sound


@pytest.mark.parametrize(("method", "sound"), [("t", False), ("median", True)])
def test_where_t_passes_too_often_the_median_does_not(method: Any, sound: bool) -> None:
    """Residuals with one far to the low side: runs that miss it look precise and high.

    The control is estimated by the same method, so that each rule stands at its own margin.
    """
    x = np.array([-6.0, 0.9, 1.0, 1.1, 1.2, 0.8, 1.3, 0.7])
    centre = float(np.median(x) if method == "median" else x.mean())
    verdict, control = judge(x, 10.0, ">=", method), judge(x - centre + 10, 10.0, ">=", method)
    found = simulate([verdict], [control], [None])
    assert found.sound is sound, found


def test_joint_power_is_of_the_conjunction() -> None:
    """The same values twice are as strong as once; unrelated ones are weaker."""
    x = np.random.default_rng(1).normal(size=12)
    once = judge(x, 0.5, ">=")
    alone = simulate([once], None, [1.0])
    same = simulate([once, once], None, [1.0, 1.0])
    other = simulate([once, judge(np.roll(x, 5), 0.5, ">=")], None, [1.0, 1.0])
    assert alone.power is not None
    assert other.power is not None
    assert same.power == alone.power
    assert other.power < alone.power
    assert other.power >= sum(power or 0 for _, power in other.endpoints) - 1  # Bonferroni
    assert len(same.endpoints) == 2


def test_power_grows_with_effect_and_seeds() -> None:
    by_effect = [simulate([judge(normal(8), 0.5, ">=")], None, [e]).power for e in (0.6, 1, 2)]
    by_seeds = [simulate([judge(normal(n), 0.5, ">=")], None, [1.0]).power for n in (4, 8, 20)]
    assert by_effect == sorted(by_effect, key=lambda power: power or 0)
    assert by_seeds == sorted(by_seeds, key=lambda power: power or 0)
    assert Characteristics(power=by_seeds[0]).weak


@pytest.mark.parametrize(
    ("margin", "direction", "null", "effect", "expected"),
    [
        (0.25, ">=", 0.0, 0.9, 0.9),  # the paper's
        (0.25, ">=", 0.0, None, 0.5),
        (0.25, ">=", math.nan, None, 0.5),
        (0.6, ">=", 0.5, None, 0.7),  # chance is .5
        (-0.2, "<=", 0.1, None, -0.5),
        (0.05, "<=", 0.8, None, 0.025),  # an error
        (0.05, "<=", math.nan, None, 0.025),
    ],
)
def test_the_effect_without_a_published_one(
    margin: float, direction: Any, null: float, effect: float | None, expected: float
) -> None:
    verdict = judge([0.1, 0.2, 0.3], margin, direction)
    assert expected_effect(verdict, null, effect) == pytest.approx(expected)


def test_what_cannot_be_resampled_has_no_characteristics() -> None:
    for verdict in (
        judge([0.5] * 6, 0.4, ">="),
        within_tolerance(0.0, 1e-9),
        Verdict.not_testable("too few"),
    ):
        assert simulate([verdict], [verdict], [1.0]) == Characteristics()


RUN = xr.Dataset(
    {"rise": ("seed", [0.9, 1.4, 0.7, 1.0, 1.2]), "none": ("seed", [0.1, -0.2, 0, 0.2, 0.1])}
)


def rises(data: xr.Dataset) -> Verdict:
    return at_least(data.rise, 0.5)


def test_the_same_numbers_at_every_call_and_in_the_decision() -> None:
    claim = Claim(
        "C1", "s", where="w", primary=rises, threshold_source="t", control=instead(rise="none")
    )
    found = characteristics(claim, RUN)
    assert found == characteristics(claim, RUN)
    assert found == decide(claim, RUN, "check").characteristics
    assert found.effects == (pytest.approx(1.0 - 0.04),)
    assert found.false_positive is not None


def test_twelve_parts_without_effect_do_not_add_up() -> None:
    """The first edition read `partly reproduced` in four of five such runs."""
    rng = np.random.default_rng(0)
    claim = Claim(
        "C1",
        "s",
        where="w",
        primary=lambda data: at_least(data.part0, 0.1),
        threshold_source="t",
        further=tuple(lambda data, i=i: at_least(data[f"part{i}"], 0.1) for i in range(1, 12)),
    )
    words = []
    for run in rng.normal(size=(200, 12, 3)):
        data = xr.Dataset({f"part{i}": ("seed", part) for i, part in enumerate(run)})
        words.append(decide(claim, data, "check").verdict.verdict)
    assert words.count(Word.REPRODUCED) <= 20
    assert set(words) <= {Word.REPRODUCED, Word.UNDECIDED, Word.NOT}
