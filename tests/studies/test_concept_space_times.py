"""Learning times, medians, turns and bends on drawn curves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from synthcore.studies.concept_space import times

STEPS = [round(k**2) for k in range(0, 60, 2)]


@given(holds=st.lists(st.booleans(), max_size=20), sustained=st.integers(1, 4))
def test_first_sustained_is_the_brute_force(holds: list[bool], sustained: int) -> None:
    runs = [k for k in range(len(holds)) if holds[k : k + sustained] == [True] * sustained]
    expected = 10.0 * runs[0] if runs else math.inf
    assert times.first_sustained([10 * k for k in range(20)], holds, sustained) == expected


@settings(deadline=None, max_examples=50)
@given(seen=st.lists(st.one_of(st.integers(1, 12).map(float), st.just(math.inf)), min_size=1))
def test_the_median_is_that_of_kaplan_and_meier(seen: list[float]) -> None:
    never = np.isinf(seen)
    survival = KaplanMeierFitter().fit(np.where(never, 13.0, seen), ~never).survival_function_
    # half of the runs exactly is half: the product of the fitter can end just above
    halved = survival.index[survival.iloc[:, 0] <= 0.5 + 1e-9]
    assert times.median(seen) == (halved[0] if len(halved) else math.inf)


def test_a_learning_time_is_where_the_curve_crosses() -> None:
    accuracy = np.where(np.arange(30) < 12, 0.1, 0.95)
    assert STEPS[11] <= times.learning_time(STEPS, accuracy) <= STEPS[14]
    assert times.learning_time(STEPS, np.full(30, 0.79)) == math.inf
    spike = np.full(30, 0.1)
    spike[10] = 1.0
    assert times.learning_time(STEPS, spike) == math.inf
    # more accurate is never later
    rising = np.linspace(0, 1, 30)
    assert times.learning_time(STEPS, rising**0.5) <= times.learning_time(STEPS, rising)


def test_smoothing_keeps_constants_and_lines() -> None:
    np.testing.assert_allclose(times.smooth(np.full((9, 2), 0.4)), 0.4)
    line = np.arange(40.0)
    np.testing.assert_allclose(times.smooth(line)[8:-8], line[8:-8])


def test_convergence_is_when_all_classes_are_home() -> None:
    corners = np.array([[0, 0], [0, 1], [1, 0]])
    away = np.linspace(0.5, 0, 30)[:, None, None]
    paths = corners + away * np.array([1, -1])
    found = times.convergence(STEPS, paths, corners)
    # 2 away^2 falls below .01 at away = .0707
    assert STEPS[24] <= found <= STEPS[27]
    stuck = paths.copy()
    stuck[:, 2] = [0.5, 0.5]
    assert times.convergence(STEPS, stuck, corners) == math.inf


@settings(deadline=None, max_examples=60)
@given(angle=st.floats(65, 150), at=st.integers(6, 20), facing=st.floats(0, 360))
def test_a_drawn_corner_is_found(angle: float, at: int, facing: float) -> None:
    start, after = math.radians(facing), math.radians(facing + angle)
    legs = np.array([[math.cos(a), math.sin(a)] for a in (start, after)])
    path = np.concatenate([np.repeat(legs[:1], at, 0), np.repeat(legs[1:], 27 - at, 0)])
    path = np.concatenate([np.zeros((1, 2)), path]).cumsum(0) * 0.05
    found = times.turn(path)
    assert found is not None
    assert found.index == at
    assert found.angle == pytest.approx(angle, abs=0.5)
    assert times.bend(path).gain > 10
    assert abs(times.bend(path).index - at) <= 1


@pytest.mark.parametrize("angle", [0, 30, 55])
def test_a_straight_path_does_not_turn(angle: float) -> None:
    a = math.radians(angle)
    legs = np.repeat([[1.0, 0.0], [math.cos(a), math.sin(a)]], 12, 0)
    assert times.turn(legs.cumsum(0) * 0.05) is None


def test_noise_about_a_point_neither_turns_nor_bends() -> None:
    noise = np.random.default_rng(0).standard_normal((200, 25, 2)) * 0.02
    assert [times.turn(times.smooth(path)) for path in noise] == [None] * 200
    line = np.linspace(0, 1, 25)[:, None] * np.array([0.6, 0.8])
    gains = np.array([times.bend(line + path).gain for path in noise])
    assert (gains > 10).mean() < 0.02


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), facing=st.floats(0, 6.3))
def test_distance_from_a_line_is_the_smallest_over_all_lines(seed: int, facing: float) -> None:
    points = np.random.default_rng(seed).standard_normal((8, 2))
    normal = np.array([math.sin(facing), -math.cos(facing)])
    along = (points @ normal - (points @ normal).mean()) ** 2
    assert times.off_line(points) <= along.sum() + 1e-9
    directions = np.linspace(0, math.pi, 2000)
    across = points @ np.stack([np.sin(directions), -np.cos(directions)])
    best = ((across - across.mean(0)) ** 2).sum(0).min()
    assert times.off_line(points) == pytest.approx(best, rel=1e-4)


def test_a_bend_needs_points() -> None:
    with pytest.raises(ValueError, match="at least 8 points"):
        times.bend(np.zeros((7, 2)))
