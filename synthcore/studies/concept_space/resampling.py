"""Numbers that need all seeds at once, with their bootstrap intervals over seeds."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from synthcore.evidence.first_edition import Direction, Verdict, Word

RESAMPLES = 400


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Rank correlation; NaN if either is constant."""
    ranks = stats.rankdata(np.asarray(x)), stats.rankdata(np.asarray(y))
    if min(np.ptp(rank) for rank in ranks) == 0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def over_resampled(
    statistic: Callable[[NDArray[np.int64]], float],
    seeds: int,
    threshold: float,
    direction: Direction,
    label: str,
) -> Verdict:
    """A number that needs all seeds at once, with its bootstrap interval over seeds.

    Reproduced if it is beyond the threshold and its interval on the threshold's side of zero.
    """
    observed = statistic(np.arange(seeds))
    if not np.isfinite(observed) or seeds < 3:
        return Verdict.undecidable("not defined here: no variation, or too few seeds", label, seeds)
    drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    known = [v for v in map(statistic, drawn) if np.isfinite(v)]
    low, high = (float(q) for q in np.quantile(known, [0.025, 0.975]))
    holds = observed >= threshold and low > 0
    if direction == "<=":
        holds = observed <= threshold and (high < 0 or threshold > 0)
    word = Word.REPRODUCED if holds else Word.NOT
    note = "of seeds' medians, bootstrap over seeds"
    return Verdict(observed, threshold, direction, (low, high), seeds, word, note, label=label)
