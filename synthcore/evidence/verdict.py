"""The outcome of one decision: what was observed, against which margin, how surely."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

Direction = Literal[">=", "<="]


class Word(StrEnum):
    """The four verdicts; nothing else is ever printed."""

    REPRODUCED = "reproduced"
    NOT = "not reproduced"
    UNDECIDED = "undecided"
    NOT_TESTABLE = "not testable here"


WORST_FIRST = (Word.NOT, Word.NOT_TESTABLE, Word.UNDECIDED, Word.REPRODUCED)


@dataclass(frozen=True)
class Verdict:
    """`observed` over `n` seeds against `threshold`, the margin that the claim names.

    Attributes:
        interval: the two one-sided 95 % bounds, lower and upper; infinite where n is too small.
        method: how the bounds are found: `t`, `median`, `share` or `exact` (see `rules`).
        values: what was estimated, one value per seed, in the order of the seeds.
        agree: how many of them lie at or beyond the threshold; printed, decides nothing.
        needed: if undecided, how many seeds would decide were these the true mean and spread; None
            where more than 10,000 would be needed.
        parts: the verdicts of a claim with two or three primary endpoints.
    """

    observed: float
    threshold: float
    direction: Direction
    interval: tuple[float, float]
    n: int
    verdict: Word
    note: str = ""
    label: str = ""
    method: str = ""
    values: tuple[float, ...] = ()
    agree: int | None = None
    needed: int | None = None
    parts: tuple["Verdict", ...] = ()

    @classmethod
    def not_testable(cls, note: str, label: str = "", n: int = 0) -> "Verdict":
        """No decision, and why not."""
        nan = math.nan
        return cls(nan, nan, ">=", (nan, nan), n, Word.NOT_TESTABLE, note=note, label=label)

    def but_not_testable(self, note: str) -> "Verdict":
        """The same numbers, which decide nothing, and why not."""
        return replace(self, verdict=Word.NOT_TESTABLE, note=note, needed=None)

    @property
    def endpoints(self) -> tuple["Verdict", ...]:
        """The parts, or the verdict itself if it has none."""
        return self.parts or (self,)


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several endpoints: reproduced if all are, not reproduced if any is not.

    Otherwise not testable if any is not, else undecided. The headline numbers are those of the
    first endpoint that came to the common word.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    word = min((part.verdict for part in verdicts), key=WORST_FIRST.index)
    head = next(part for part in verdicts if part.verdict is word)
    held = sum(part.verdict is Word.REPRODUCED for part in verdicts)
    note = f"{held} of {len(verdicts)} endpoints reproduced; shown: {head.label or 'the first'}"
    return replace(
        head,
        note=f"{note} ({head.note})" if head.note else note,
        n=min(part.n for part in verdicts),
        needed=_needed(verdicts) if word is Word.UNDECIDED else None,
        parts=tuple(verdicts),
    )


def _needed(verdicts: Sequence[Verdict]) -> int | None:
    open_ = [part.needed for part in verdicts if part.verdict is Word.UNDECIDED]
    known = [number for number in open_ if number is not None]
    return max(known) if len(known) == len(open_) else None
