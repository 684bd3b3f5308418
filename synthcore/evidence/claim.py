"""A claim: one sentence of a paper, made into a decision that can fail.

One primary endpoint decides (two or three where the sentence has as many), against a margin that
was fixed before results were seen. `decide` applies gates, primary endpoints and controls in this
order.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from synthcore.evidence.gates import Gate
from synthcore.evidence.verdict import Verdict, Word

__all__ = ["Claim", "Endpoint", "Gate", "Kind", "Substitute", "Verdict", "Word"]

# A run's data are one dataset, or a tree with one per experiment.
Endpoint = Callable[[Any], Verdict]
Substitute = Callable[[Any], Any]
Kind = Literal["empirical", "check of code"]


@dataclass(frozen=True)
class Claim:
    """One statement of the paper and how to decide it.

    Attributes:
        id: never used again for something else.
        where: the place in the paper, such as `abstract, sentence 2; Fig. 1a`.
        primary: what decides: one function of the run's dataset, or two or three.
        threshold_source: where the margin comes from: `paper Fig. 3`, `authors' code`, or `ours:`
            and why.
        gates: what must hold before the primary endpoint means anything.
        further: what only we ask; printed below the verdict and without influence on it.
        control: the run's dataset with the measured values of a negative control (one that was run:
            untrained network, permuted labels, shortcut) in the place of the network's, or None
            where this run has none. The claim must not be reproduced on it.
        ideal: the same with the exact algorithm; the claim must be reproduced on it.
        effect: the paper's effect on the scale of the primary endpoint (one per endpoint); None:
            twice as far from the control as the margin.
        kind: `check of code` for deterministic quantities and theorems.
        required: scales at which the build fails unless the claim is reproduced.
        scales: scales whose runs decide it; elsewhere it is `not testable here`.
        former_margin: the margin before a change that was made after results were seen, and why.
    """

    id: str
    statement: str
    _: KW_ONLY
    where: str
    primary: Endpoint | tuple[Endpoint, ...]
    threshold_source: str
    gates: tuple[Callable[[Any], Gate], ...] = ()
    further: tuple[Endpoint, ...] = ()
    control: Substitute | None = None
    ideal: Substitute | None = None
    effect: float | tuple[float | None, ...] | None = None
    kind: Kind = "empirical"
    required: tuple[str, ...] = ()
    scales: tuple[str, ...] = ("check", "reference", "authors")
    former_margin: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a claim that could not be decided as it says."""
        count = len(self.endpoints)
        if not 1 <= count <= 3:
            raise ValueError(f"Claim {self.id} has {count} primary endpoints; one to three can be.")
        if not self.threshold_source or self.threshold_source.strip(" :") == "ours":
            raise ValueError(f"Claim {self.id} must say where its margin comes from.")
        if unknown := set(self.required) - set(self.scales):
            raise ValueError(f"Claim {self.id} is required but not decided at {unknown.pop()}.")
        if len(self.effects) != count:
            raise ValueError(f"Claim {self.id} needs one effect for each of {count} endpoints.")

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The primary endpoints, in order."""
        return self.primary if isinstance(self.primary, tuple) else (self.primary,)

    @property
    def effects(self) -> tuple[float | None, ...]:
        """The effect of each primary endpoint; None where it follows from margin and control."""
        if self.effect is None:
            return (None,) * len(self.endpoints)
        return self.effect if isinstance(self.effect, tuple) else (self.effect,)
