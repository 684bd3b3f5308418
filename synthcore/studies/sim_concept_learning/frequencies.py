"""Verdicts on frequencies: counts of draws, with exact (Clopper-Pearson) intervals."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from synthcore.evidence.first_edition import Direction, Verdict, Word


def share(found: NDArray[np.bool_]) -> tuple[float, tuple[float, float]]:
    """Fraction of True, and its exact 95 % interval; NaN if there is nothing to count."""
    if found.size == 0:
        return np.nan, (np.nan, np.nan)
    interval = stats.binomtest(int(found.sum()), found.size).proportion_ci(0.95, "exact")
    return float(found.mean()), (float(interval.low), float(interval.high))


def share_verdict(
    found: NDArray[np.bool_],
    threshold: float,
    direction: Literal["above", "at most"],
    label: str,
) -> Verdict:
    """The whole interval lies strictly above the threshold, or at or below it.

    Above a threshold of 0 means: there is at least one.
    """
    if found.size < 3:
        return Verdict.undecidable(f"{found.size} of at least 3 draws", label, found.size)
    observed, (low, high) = share(found)
    holds = low > threshold if direction == "above" else high <= threshold
    sign: Direction = ">=" if direction == "above" else "<="
    word = Word.REPRODUCED if holds else Word.NOT
    note = f"{int(found.sum())} of {found.size} draws"
    return Verdict(observed, threshold, sign, (low, high), found.size, word, note=note, label=label)


def more_often(often: NDArray[np.bool_], seldom: NDArray[np.bool_], label: str) -> Verdict:
    """The first share exceeds the second: the 95 % interval (Newcombe's) of the difference lies
    above 0.
    """
    if min(often.size, seldom.size) < 3:
        return Verdict.undecidable("fewer than 3 draws", label, min(often.size, seldom.size))
    (p, (p_low, p_high)), (q, (q_low, q_high)) = _wilson(often), _wilson(seldom)
    low = p - q - np.hypot(p - p_low, q_high - q)
    high = p - q + np.hypot(p_high - p, q - q_low)
    word = Word.REPRODUCED if low > 0 else Word.NOT
    n = min(often.size, seldom.size)
    return Verdict(p - q, 0.0, ">=", (float(low), float(high)), n, word, label=label)


def _wilson(found: NDArray[np.bool_]) -> tuple[float, tuple[float, float]]:
    interval = stats.binomtest(int(found.sum()), found.size).proportion_ci(0.95, "wilson")
    return float(found.mean()), (float(interval.low), float(interval.high))
