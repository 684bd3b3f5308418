"""Exercises tell right from wrong, say what is unanswered, never raise and never give away."""

import math

import numpy as np
import pytest
import torch

from synthcore.evidence.exercise import Exercise

ENTROPY = Exercise(
    "entropy",
    solution=lambda p: -sum(x * math.log(x) for x in p if x > 0),
    cases=[([0.5, 0.5],), ([1.0, 0.0],)],
    hint="0 log 0 is 0.",
)


def said(exercise: Exercise, answer: object, capsys: pytest.CaptureFixture[str]) -> str:
    exercise.check(answer)
    return capsys.readouterr().out


def test_a_number_is_right_within_its_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    exercise = Exercise("e", solution=2.5, tolerance=0.1, hint=lambda x: f"{x} is too large.")
    assert said(exercise, 2.59, capsys) == "Right (e).\n"
    assert said(exercise, torch.tensor(2.5, requires_grad=True), capsys) == "Right (e).\n"
    assert said(exercise, 2.61, capsys) == "Not yet (e). 2.61 is too large.\n"
    assert said(exercise, math.nan, capsys).startswith("Not yet")
    assert said(exercise, [2.5, 2.5], capsys).startswith("Not yet"), "another shape"


@pytest.mark.parametrize("answer", ["word", None, object(), [[1], [2, 3]], {}])
def test_nonsense_is_not_yet_right_and_never_raises(
    answer: object, capsys: pytest.CaptureFixture[str]
) -> None:
    hint_fails = Exercise("e", solution=np.eye(2), hint=lambda x: x.no_such_thing)
    out = said(hint_fails, answer, capsys)
    assert out.startswith("Not yet (e)")
    assert "[1. 0.]" not in out, "the solution is given away"


def test_blanks_are_unanswered_wherever_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    def blank(p: list[float]) -> object:
        return ...

    def half_blank(p: list[float]) -> object:
        return -sum(x * ... for x in p)  # type: ignore[operator]

    for answer in (..., [0.5, ...], blank, half_blank):
        assert said(ENTROPY, answer, capsys).startswith("Not answered yet (entropy)")


def test_functions_are_tried_on_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert ENTROPY.right(ENTROPY.solution)

    def careless(p: list[float]) -> float:
        return -sum(x * math.log(x) for x in p)

    def wrong(p: list[float]) -> float:
        return math.log(2)  # right for the first case only

    assert "Your function raised ValueError" in said(ENTROPY, careless, capsys)
    assert said(ENTROPY, wrong, capsys) == "Not yet (entropy). 0 log 0 is 0.\n"


def test_where_many_answers_are_right_a_rule_decides() -> None:
    exercise = Exercise("e", solution=[0.9, 0.1], accepts=lambda p: abs(sum(p) - 1) < 1e-9)
    assert exercise.right([0.25, 0.75])
    assert not exercise.right([1, 1])
    assert not exercise.right("ab")
