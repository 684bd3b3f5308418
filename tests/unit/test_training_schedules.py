"""Schedules and progress: laws, not recorded numbers."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcore.training.progress import ProgressBar
from synthcore.training.schedules import log_spaced, warmup_cosine


@given(st.integers(1, 10**6), st.integers(2, 60), st.booleans())
def test_log_spaced_runs_from_first_to_last_step(steps: int, n: int, zero: bool) -> None:
    points = log_spaced(steps, n, zero=zero)
    assert points == sorted(set(points))
    assert (points[0] == 0) == zero
    assert points[zero] == 1
    assert points[-1] == steps
    assert len(points) <= n + zero


def test_log_spaced_ratios_are_even() -> None:
    points = log_spaced(100_000, 26, first=1000, zero=False)
    ratios = [b / a for a, b in pairwise(points)]
    assert max(ratios) / min(ratios) < 1.01
    with pytest.raises(ValueError, match=r"first must lie in 1\.\.10"):
        log_spaced(10, 3, first=11)
    with pytest.raises(ValueError, match="n must be at least 2"):
        log_spaced(10, 1)


@given(st.integers(2, 1000), st.data())
def test_warmup_cosine_rises_then_falls(steps: int, data: st.DataObject) -> None:
    warmup = data.draw(st.integers(0, steps - 1))
    final = data.draw(st.floats(0, 1))
    factor = warmup_cosine(steps, warmup=warmup, final=final)
    values = [factor(step) for step in range(steps + 1)]
    assert values[: warmup + 1] == sorted(values[: warmup + 1])
    assert all(a >= b - 1e-12 for a, b in pairwise(values[warmup:]))
    assert values[warmup] == 1.0
    assert values[-1] == pytest.approx(final)


def test_warmup_longer_than_training_is_refused() -> None:
    with pytest.raises(ValueError, match=r"warmup must lie in 0\.\.9"):
        warmup_cosine(10, warmup=10)


def test_progress_in_a_log_is_a_few_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    bar = ProgressBar()
    for done in range(1, 1001):
        bar("train", done, 1000)
    lines = file.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith("train: 1000/1000 steps")


def test_progress_on_a_terminal_is_one_moving_line(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", file)
    bar = ProgressBar()
    for done in range(1, 1001):
        bar("train", done, 1000)
    assert file.getvalue().endswith("1000/1000 0 s\n")
    assert file.getvalue().count("\n") == 1
