"""A claim: one sentence of a paper, made into a decision that can fail.

Thresholds are fixed before results are seen. A decision is a pure function of the run's dataset;
the null turns that dataset into a control on which the claim must not come out as reproduced.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import xarray as xr

from synthcore.evidence.verdict import Verdict, Word

__all__ = ["Claim", "Decision", "Verdict", "Word", "decide_all"]


@dataclass(frozen=True)
class Claim:
    """One statement of the paper and how to decide it.

    Attributes:
        needs: scale -> is the claim required there? The build fails if a required claim is not
            reproduced; at a scale that is not listed the claim is not decidable.
        where: the place in the paper, such as `abstract, sentence 2; Fig. 1a`.
    """

    id: str
    statement: str
    where: str
    decide: Callable[[xr.Dataset], Verdict]
    needs: Mapping[str, bool]
    null: Callable[[xr.Dataset], xr.Dataset]


@dataclass(frozen=True)
class Decision:
    """A claim, its verdict on one run, and whether that run's scale requires it."""

    claim: Claim
    verdict: Verdict
    required: bool

    @property
    def holds(self) -> bool:
        """False only for a required claim that was not reproduced."""
        return not self.required or self.verdict.verdict is Word.REPRODUCED


def decide_all(claims: Iterable[Claim], data: xr.Dataset, scale: str) -> list[Decision]:
    """Every claim's decision on `data`, in order.

    Raises ValueError for two claims of one id; an exception inside `decide` gains a note with the
    claim's id and is raised on.
    """
    decisions: list[Decision] = []
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ValueError(f"Two claims have the id {claim.id!r}.")
        seen.add(claim.id)
        decisions.append(_decide(claim, data, scale))
    return decisions


def _decide(claim: Claim, data: xr.Dataset, scale: str) -> Decision:
    if scale not in claim.needs:
        needed = ", ".join(claim.needs) or "no scale"
        verdict = Verdict.undecidable(f"decidable at {needed}")
    else:
        try:
            verdict = claim.decide(data)
        except Exception as error:
            error.add_note(f"while deciding claim {claim.id}: {claim.statement}")
            raise
    return Decision(claim, verdict, required=claim.needs.get(scale, False))
