"""Which change points are reported, and how well were the true ones found?

Axis letters: N series, T positions, M numbers of change points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from synthcore.changepoints.posterior import Posterior

TOLERANCE = 2
TRUE_JUMP = 0.1


def detected(found: Posterior) -> Bool[Tensor, "N T"]:
    """The change points that are reported: see `peaks`."""
    return peaks(found.p_m, found.p_tau)


def peaks(p_m: Float[Tensor, "N M"], p_tau: Float[Tensor, "N T"]) -> Bool[Tensor, "N T"]:
    """As many change points as are most probable, where a change within one position is most
    probable, more than `TOLERANCE` apart."""
    count = p_m.argmax(-1)
    window = torch.nn.functional.avg_pool1d(p_tau[:, None], 3, 1, 1)[:, 0]
    out = torch.zeros_like(p_tau, dtype=torch.bool)
    rows, at = torch.arange(len(out), device=out.device), torch.arange(out.shape[1]).to(out.device)
    for k in range(int(count.max())):
        far = at[None] - window.argmax(1, keepdim=True)
        place = p_tau.masked_fill(far.abs() > 1, -1).argmax(1)
        on = (k < count) & (window.amax(1) > 0)
        out[rows[on], place[on]] = True
        window = window.masked_fill((at[None] - place[:, None]).abs() <= TOLERANCE, 0)
    return out


def conservative(p_m: Float[Tensor, "N M"], level: float = 0.1) -> Int[Tensor, "N"]:
    """The `level` quantile of p(m | y), a cautious count: with .1 it is at least 1 if and only if
    the Bayes factor of any change against none is above 9, m = 0 having half of the prior."""
    return (p_m.cumsum(-1) < level).sum(-1)


def true_changes(jumps: Float[Tensor, "N T"], least: float = TRUE_JUMP) -> Bool[Tensor, "N T"]:
    """t + 1 is a change point if J_t is at least `least`; the last token's jump has no position
    after it."""
    out = torch.zeros_like(jumps, dtype=torch.bool)
    out[:, 1:] = jumps[:, :-1] >= least
    return out


@dataclass(frozen=True)
class Quality:
    """Detections against true changes, over all series. NaN where there is nothing to count."""

    precision: float  # share of detections with a true change near
    recall: float  # share of true changes with a detection near
    spurious: float  # detections without one, per series


def quality(
    found: Bool[Tensor, "N T"], true: Bool[Tensor, "N T"], tolerance: int = TOLERANCE
) -> Quality:
    """Precision, recall and false detections, matched one to one within `tolerance`."""
    right, seen = matched(found, true, tolerance)
    spurious = float((found & ~right).double().sum(1).mean())
    return Quality(share(right, found), share(seen, true), spurious)


def share(hits: Bool[Tensor, "N T"], of: Bool[Tensor, "N T"]) -> float:
    """Share of `of` that is in `hits`; NaN for none."""
    return float(hits[of].double().mean())


def matched(
    found: Bool[Tensor, "N T"], true: Bool[Tensor, "N T"], tolerance: int = TOLERANCE
) -> tuple[Bool[Tensor, "N T"], Bool[Tensor, "N T"]]:
    """Which detected and which true change points have a partner within `tolerance`, one to one.

    From the left, each takes the first free partner: no matching has more pairs.
    """
    hit, seen = torch.zeros_like(found), torch.zeros_like(true)
    for n in torch.nonzero(found.any(1) & true.any(1))[:, 0].tolist():
        places, free = found[n].nonzero()[:, 0].tolist(), true[n].nonzero()[:, 0].tolist()
        for place in places:
            near = [t for t in free if abs(t - place) <= tolerance]
            if near:
                hit[n, place] = seen[n, near[0]] = True
                free = [t for t in free if t > near[0]]
    return hit, seen


def calibration(
    p_tau: Float[Tensor, "N T"], true: Bool[Tensor, "N T"], edges: Sequence[float]
) -> dict[str, Float[ndarray, "_"]]:
    """In bins of the probability of a change within +-1 of t: mean probability, how often there is
    one, number of positions; and the expected calibration error."""
    window = torch.nn.functional.avg_pool1d(p_tau[:, None], 3, 1, 1)[:, 0] * 3
    near = torch.nn.functional.max_pool1d(true[:, None].double(), 3, 1, 1)[:, 0]
    said, is_so = window.clamp(max=1).flatten().numpy(), near.flatten().numpy()
    bins = np.clip(np.digitize(said, edges) - 1, 0, len(edges) - 2)
    count = np.bincount(bins, minlength=len(edges) - 1).astype(float)
    mean = np.bincount(bins, said, len(edges) - 1) / np.maximum(count, 1)
    rate = np.bincount(bins, is_so, len(edges) - 1) / np.maximum(count, 1)
    error = np.array([(count * np.abs(mean - rate)).sum() / count.sum()])
    return {"said": mean, "rate": rate, "count": count, "error": error}
