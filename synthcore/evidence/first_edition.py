"""The rules by which the first edition decided, for the chapters that have not come over yet.

A gate must hold in each of at least three seeds (`rule="each"`) or with its mean by two standard
errors (`rule="mean"`). More seeds make the first harder to pass, whatever is true, which is why
new claims use `claim` and `statistics`. Nothing new is written with what is here.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import stats

from synthcore.evidence.defaults import CHANGED
from synthcore.evidence.statistics import bootstrap_interval, t_interval
from synthcore.evidence.verdict import Direction

__all__ = [
    "Claim",
    "Decision",
    "Direction",
    "Rule",
    "Verdict",
    "Word",
    "all_of",
    "at_least",
    "at_most",
    "bootstrap_interval",
    "correlates",
    "decide_all",
    "ordered",
    "t_interval",
]

Rule = Literal["each", "mean"]
MIN_SEEDS = 3


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
    if scale.removesuffix(CHANGED) not in claim.needs:
        needed = ", ".join(claim.needs) or "no scale"
        verdict = Verdict.undecidable(f"decidable at {needed}")
    else:
        try:
            verdict = claim.decide(data)
        except Exception as error:
            error.add_note(f"while deciding claim {claim.id}: {claim.statement}")
            raise
    return Decision(claim, verdict, required=claim.needs.get(scale, False))


def at_least(
    values: xr.DataArray, threshold: float, over: str = "seed", label: str = "", rule: Rule = "each"
) -> Verdict:
    """values >= threshold, one value per seed.

    >>> at_least(xr.DataArray([0.8, 0.9, 0.7], dims="seed"), 0.5).verdict.value
    'reproduced'
    >>> at_least(xr.DataArray([0.8, 0.9, 0.4], dims="seed"), 0.5).note
    'holds in 2 of 3 (each must)'
    """
    return _gate(values, threshold, ">=", over, label, rule)


def at_most(
    values: xr.DataArray, threshold: float, over: str = "seed", label: str = "", rule: Rule = "each"
) -> Verdict:
    """values <= threshold, one value per seed."""
    return _gate(values, threshold, "<=", over, label, rule)


def ordered(
    values: xr.DataArray,
    along: str,
    gap: float = 0.0,
    direction: Literal["increasing", "decreasing"] = "increasing",
    over: str = "seed",
    label: str = "",
    rule: Rule = "each",
) -> Verdict:
    """Every step along `along` goes the right way by at least `gap`; `values` is (over, along).

    What is observed is the smallest step, per seed.
    """
    _need(values, {over, along})
    steps = values.diff(along) if direction == "increasing" else -values.diff(along)
    return at_least(steps.min(along, skipna=False), gap, over, label, rule)


def correlates(
    x: xr.DataArray,
    y: xr.DataArray,
    along: str,
    threshold: float,
    method: Literal["spearman", "pearson"] = "spearman",
    over: str = "seed",
    label: str = "",
    rule: Rule = "each",
) -> Verdict:
    """Correlation of x with y along `along`, per seed, beyond `threshold`.

    A positive threshold asks for at least that correlation, a negative one for at most that. A
    constant series has no correlation and makes the verdict undecidable.
    """
    x, y = xr.broadcast(x, y)
    _need(x, {over, along})
    pairs = zip(x.transpose(over, along).values, y.transpose(over, along).values, strict=True)
    values = xr.DataArray([_correlation(a, b, method) for a, b in pairs], dims=over)
    return _gate(values, threshold, ">=" if threshold >= 0 else "<=", over, label, rule)


def all_of(*parts: Verdict, label: str = "", note: str = "") -> Verdict:
    """The conjunction of labelled verdicts.

    Reproduced if all parts are; not reproduced if none of the decidable parts is; otherwise partly,
    as also when some part is undecidable and the others hold. Undecidable if every part is. The
    headline numbers are those of the failing part, else the part, with the smallest margin.
    """
    if not parts:
        raise ValueError("all_of needs at least one verdict.")
    decided = [part for part in parts if part.verdict is not Word.UNDECIDABLE]
    if not decided:
        notes = "; ".join(dict.fromkeys(part.note for part in parts if part.note))
        nan = math.nan
        n = min(part.n for part in parts)
        return Verdict(nan, nan, ">=", (nan, nan), n, Word.UNDECIDABLE, notes, parts, label)
    words = {part.verdict for part in decided}
    if words == {Word.REPRODUCED}:
        word = Word.REPRODUCED if len(decided) == len(parts) else Word.PARTLY
    else:
        word = Word.NOT if words == {Word.NOT} else Word.PARTLY
    head = min(decided, key=lambda part: (part.verdict is Word.REPRODUCED, part.margin))
    held = sum(part.verdict is Word.REPRODUCED for part in parts)
    notes = "; ".join(filter(None, (note, f"{held} of {len(parts)} parts hold")))
    shown = f" ({head.label})" if head.label else ""
    return Verdict(
        head.observed,
        head.threshold,
        head.direction,
        head.interval,
        min(part.n for part in decided),
        word,
        f"{notes}; shown: the one with the smallest margin{shown}",
        parts,
        label,
    )


def _gate(
    values: xr.DataArray, threshold: float, direction: Direction, over: str, label: str, rule: Rule
) -> Verdict:
    _need(values, {over})
    x = np.asarray(values.values, dtype=float)
    n = x.size
    if n < MIN_SEEDS:
        return Verdict.undecidable(f"{n} of at least {MIN_SEEDS} values over {over}", label, n)
    if not np.isfinite(x).all():
        bad = int((~np.isfinite(x)).sum())
        return Verdict.undecidable(f"{bad} of {n} values are not finite", label, n)
    sign = 1.0 if direction == ">=" else -1.0
    mean, error = float(x.mean()), _standard_error(x)
    if rule == "each":
        held = int((sign * (x - threshold) >= 0).sum())
        holds, note = held == n, f"holds in {held} of {n} (each must)"
    else:
        holds = sign * (mean - threshold) - 2 * error >= 0
        note = f"mean against threshold by two standard errors ({error:.2g} each)"
    word = Word.REPRODUCED if holds else Word.NOT
    return Verdict(mean, threshold, direction, t_interval(x), n, word, note, label=label)


def _standard_error(x: npt.NDArray[np.float64]) -> float:
    return float(x.std(ddof=1)) / math.sqrt(x.size)


def _correlation(a: npt.NDArray[Any], b: npt.NDArray[Any], method: str) -> float:
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    if method == "spearman":
        a, b = stats.rankdata(a), stats.rankdata(b)
    return float(np.corrcoef(a, b)[0, 1])


def _need(values: xr.DataArray, dims: set[str]) -> None:
    if set(values.dims) != dims:
        has = ", ".join(str(dim) for dim in values.dims)
        raise ValueError(f"Expected dimensions {sorted(dims)}, got ({has}).")
