"""The outcome of one decision: what was observed, against which threshold, how surely."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Direction = Literal[">=", "<="]


class Word(StrEnum):
    """The four verdicts; nothing else is ever printed."""

    REPRODUCED = "reproduced"
    PARTLY = "partly reproduced"
    NOT = "not reproduced"
    UNDECIDABLE = "not decidable at this scale"


@dataclass(frozen=True)
class Verdict:
    """`observed` (mean over seeds) against `threshold`, with a 95 % interval over `n` seeds.

    Composite verdicts show their part with the smallest margin and keep all `parts`.
    """

    observed: float
    threshold: float
    direction: Direction
    interval: tuple[float, float]
    n: int
    verdict: Word
    note: str = ""
    parts: tuple["Verdict", ...] = ()
    label: str = ""

    @classmethod
    def undecidable(cls, note: str, label: str = "", n: int = 0) -> "Verdict":
        """No decision, and why not."""
        nan = math.nan
        return cls(nan, nan, ">=", (nan, nan), n, Word.UNDECIDABLE, note=note, label=label)

    @property
    def margin(self) -> float:
        """Distance of the observed value from the threshold, positive on the claimed side."""
        gap = self.observed - self.threshold
        return gap if self.direction == ">=" else -gap
