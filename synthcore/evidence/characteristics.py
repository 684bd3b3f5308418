"""How often a claim's rule is wrong: with no effect, and with the paper's, at this run's own noise.

The residuals of the run's values, per seed, are resampled 500 times around the control's value and
around the effect, and every simulated run goes through the rule that decides the claim.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from synthcore.evidence.claim import Claim
from synthcore.evidence.record import LEAST_POWER, MOST_FALSE, RUNS
from synthcore.evidence.rules import MIN_SEEDS, bounds, centre, identical, reproduced
from synthcore.evidence.verdict import Verdict


@dataclass(frozen=True)
class Characteristics:
    """Shares of 500 simulated runs that come out as reproduced.

    Attributes:
        false_positive: with the control's value in the place of the effect; None without a control,
            or where the values have no spread.
        power: with the effect; None where the values have no spread.
        effects: the effect of each endpoint for which the power holds.
        endpoints: (false positive, power) of each endpoint by itself.
    """

    false_positive: float | None = None
    power: float | None = None
    effects: tuple[float | None, ...] = ()
    endpoints: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def sound(self) -> bool:
        """At most 35 of 500 runs without an effect pass; where `t` fails this, use the median."""
        return self.false_positive is None or round(self.false_positive * RUNS) <= MOST_FALSE

    @property
    def weak(self) -> bool:
        """Is the power below .8? Then the verdict `undecided` says little about the paper."""
        return self.power is not None and self.power < LEAST_POWER


def characteristics(claim: Claim, data: Any) -> Characteristics:
    """Of a claim at the noise of the run `data`; the same numbers at every call."""
    control = claim.control(data) if claim.control else None
    verdicts = [endpoint(data) for endpoint in claim.endpoints]
    controls = None if control is None else [endpoint(control) for endpoint in claim.endpoints]
    return simulate(verdicts, controls, claim.effects)


def simulate(
    verdicts: Sequence[Verdict],
    controls: Sequence[Verdict] | None,
    effects: Sequence[float | None],
    seed: int = 0,
) -> Characteristics:
    """The same from verdicts on the run and on its control, one per endpoint.

    Endpoints with equally many seeds are resampled together, so that what they share stays shared.
    """
    if any(not _resampled(verdict) for verdict in verdicts):
        return Characteristics()
    nulls = [c.observed for c in controls] if controls else [math.nan] * len(verdicts)
    sizes = [
        expected_effect(verdict, null, effect)
        for verdict, null, effect in zip(verdicts, nulls, effects, strict=True)
    ]
    null = [_passes(v, at, seed) for v, at in zip(verdicts, nulls, strict=True)]
    real = [_passes(v, at, seed) for v, at in zip(verdicts, sizes, strict=True)]
    return Characteristics(
        false_positive=_share(null),
        power=_share(real),
        effects=tuple(size if math.isfinite(size) else None for size in sizes),
        endpoints=tuple((_share([a]), _share([b])) for a, b in zip(null, real, strict=True)),
    )


def expected_effect(verdict: Verdict, null: float, effect: float | None) -> float:
    """The effect, or without one: twice as far from the control as the margin.

    An upper margin between 0 and the control bounds a size such as an error; twice that is half the
    margin. Without a control's value (NaN), zero is taken for it, or a large error.
    """
    margin = verdict.threshold
    if effect is not None:
        return effect
    if verdict.direction == "<=" and margin > 0 and not null <= margin:
        return margin / 2
    return 2 * margin - (0.0 if math.isnan(null) else null)


def _resampled(verdict: Verdict) -> bool:
    """Can the verdict's values be resampled: are there enough, and do they differ?"""
    if len(verdict.values) < MIN_SEEDS or verdict.method == "exact":
        return False
    return verdict.method == "share" or not identical(np.asarray(verdict.values))


def _passes(verdict: Verdict, at: float, seed: int) -> npt.NDArray[np.bool_] | None:
    """Which of 500 runs, with the verdict's own noise around `at`, come out as reproduced."""
    if not math.isfinite(at):
        return None
    x = np.asarray(verdict.values)
    method: Any = verdict.method
    rng = np.random.default_rng(seed)
    if method == "share":
        runs = (rng.random((RUNS, x.size)) < at).astype(float)
    else:
        residuals = (x - centre(x, method)) * math.sqrt(x.size / (x.size - 1))
        runs = at + residuals[rng.integers(x.size, size=(RUNS, x.size))]
    low, high = bounds(runs, method)
    passes: npt.NDArray[np.bool_] = reproduced(low, high, verdict.threshold, verdict.direction)
    return passes


def _share(passes: Sequence[npt.NDArray[np.bool_] | None]) -> float | None:
    """Share of runs in which all endpoints pass."""
    known = [each for each in passes if each is not None]
    return float(np.all(known, axis=0).mean()) if len(known) == len(passes) else None
