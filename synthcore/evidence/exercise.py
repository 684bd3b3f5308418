"""Exercises with blanks: an answer is told right from wrong, and never given away.

A blank is `...`. A notebook that is run from top to bottom meets unanswered exercises; each says so
and the run goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

UNANSWERED, RIGHT, NOT_YET = "Not answered yet", "Right", "Not yet"


@dataclass(frozen=True)
class Exercise:
    """A question whose answer is a value, or a function that is tried on `cases`.

    `solution` is the right value, or a right function if `cases` are given, each case being the
    arguments of one call. Answers may differ from it by `tolerance`, in the unit of the answer.
    Where many answers are right, `accepts` says which are, and `solution` is one of them. `hint` is
    shown with a wrong answer: one sentence, or a function from the answer to a sentence.

    >>> bits = Exercise("bits", solution=3.0, hint="How many questions tell eight things apart?")
    >>> bits.check(...)
    Not answered yet (bits): put your answer where the ... is.
    >>> bits.check(8.0)
    Not yet (bits). How many questions tell eight things apart?
    >>> bits.check(3)
    Right (bits).
    """

    id: str
    solution: Any
    tolerance: float = 1e-6
    accepts: Callable[[Any], bool] | None = None
    cases: Sequence[tuple[Any, ...]] = ()
    hint: str | Callable[[Any], str] = ""

    def check(self, answer: Any) -> None:
        """Print whether the answer is right; with a hint if it is not. Never raises."""
        word, reason = self._judge(answer)
        if word == UNANSWERED:
            print(f"{word} ({self.id}): put your answer where the ... is.")
        else:
            print(f"{word} ({self.id}). {reason}".rstrip())

    def right(self, answer: Any) -> bool:
        """Whether the answer is right."""
        return self._judge(answer)[0] == RIGHT

    def _judge(self, answer: Any) -> tuple[str, str]:
        if _blank(answer):
            return UNANSWERED, ""
        if callable(answer) and self.cases:
            return self._try(answer)
        accepted = self.accepts or (lambda given: _close(given, self.solution, self.tolerance))
        try:
            right = bool(accepted(answer))
        except Exception as error:  # whatever a reader hands over
            return NOT_YET, f"Your answer cannot be compared ({_words(error)})."
        return (RIGHT, "") if right else (NOT_YET, self._hint(answer))

    def _try(self, answer: Callable[..., Any]) -> tuple[str, str]:
        """Call the answer on every case."""
        for case in self.cases:
            try:
                given = answer(*case)
            except Exception as error:  # whatever a reader's function does
                if "ellipsis" in str(error):
                    return UNANSWERED, ""
                return NOT_YET, f"Your function raised {_words(error)}."
            if _blank(given):
                return UNANSWERED, ""
            if not _close(given, self.solution(*case), self.tolerance):
                return NOT_YET, self._hint(answer)
        return RIGHT, ""

    def _hint(self, answer: Any) -> str:
        try:
            return self.hint(answer) if callable(self.hint) else self.hint
        except Exception:  # a hint must not fail where an answer is unlike all that it expects
            return ""


def _blank(value: Any) -> bool:
    """
    >>> _blank(...), _blank([1, ...]), _blank((1, [2])), _blank("...")
    (True, True, False, False)
    """
    if isinstance(value, list | tuple):
        return any(_blank(item) for item in value)
    return value is ...


def _close(given: Any, right: Any, tolerance: float) -> bool:
    """Whether two values are the same; numbers, arrays and tensors within the tolerance."""
    if isinstance(right, str | bool | None):
        return bool(given == right)
    one, other = _numbers(given), _numbers(right)
    return one.shape == other.shape and bool(np.all(np.abs(one - other) <= tolerance))


def _numbers(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value, dtype=np.float64)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
