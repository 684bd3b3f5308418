"""Exact Bayesian segmentation by dynamic programming: where does a series change, and how often?

A series of T positions is cut into m + 1 segments of at least `min_length`; given m, all admissible
cuts are equally likely, and m is uniform on 0..m_max. Every posterior is then a sum over
segmentations, done exactly [Fearnhead 2006]. A series too short for two segments has no change
point, with probability 1. Cells that no segment may occupy are -inf.

Axis letters: N series, G values of a nuisance parameter, T positions, E = T + 1 cuts, K outcomes,
M = m_max + 1.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.changepoints.evidence import check_series, gaussian

M_MAX, MIN_LENGTH = 6, 3


def log_segmentations(length: int, segments: int, min_length: int) -> float:
    """Log number of ways to cut `length` positions; -inf if there is none. The whole series is one
    segment, however short.

    >>> round(math.exp(log_segmentations(6, 2, 2)))        # cuts at 2, 3 or 4
    3
    """
    if segments == 1:
        return 0.0
    free = length - segments * min_length
    return math.log(math.comb(free + segments - 1, segments - 1)) if free >= 0 else -math.inf


@dataclass(frozen=True)
class Posterior:
    """Posterior over segmentations of series whose evidences are `L`.

    Attributes:
        L: log evidence of every segment, -inf where it is too short.
        forward: log sum over ways to cut [0, e) into k segments, k = 1..M.
        backward: the same for [s, T).
        joint: P(m, g | y).
    """

    L: Float[Tensor, "N G E E"]
    forward: Float[Tensor, "M N G E"]
    backward: Float[Tensor, "M N G E"]
    joint: Float[Tensor, "N G M"]

    @cached_property
    def p_m(self) -> Float[Tensor, "N M"]:
        """P(m change points | y); infeasible m have probability 0."""
        return self.joint.sum(1)

    @cached_property
    def any(self) -> Float[Tensor, "N"]:
        """P(m >= 1 | y); above .9 it is a Bayes factor above 9."""
        return 1 - self.p_m[:, 0]

    @cached_property
    def _scale(self) -> Float[Tensor, "N G M"]:
        """log P(m, g | y) less the log sum over segmentations with m change points."""
        total = self.forward[..., -1].permute(1, 2, 0)
        return torch.where(self.joint > 0, self.joint.log() - total, -math.inf)

    @cached_property
    def p_tau(self) -> Float[Tensor, "N T"]:
        """P(a segment begins at t | y); 0 at t = 0."""
        most = self.joint.shape[-1] - 1
        total = torch.zeros_like(self.L[:, 0, 0])
        for m in range(1, most + 1):
            for k in range(1, m + 1):
                ways = self._scale[..., m, None] + self.forward[k - 1] + self.backward[m - k]
                total = total + ways.exp().sum(1)
        return total[:, :-1]

    def smoothed(
        self, counts: Float[Tensor, "N T K"], alpha: float = 1.0
    ) -> Float[Tensor, "N T K"]:
        """Posterior mean of the outcome distribution at every position: segment-wise Dirichlet
        means, averaged over all segmentations. For `L = dirichlet_multinomial(counts, alpha)`."""
        edge = torch.full_like(self.forward[:1], -math.inf)
        first, last = edge.clone(), edge.clone()
        first[..., 0], last[..., -1] = 0.0, 0.0
        before, behind = torch.cat([first, self.forward]), torch.cat([last, self.backward])
        most = self.joint.shape[-1]
        # ways to be in segment number k + 1, which starts at s: all ends e and what follows
        weight = torch.full_like(self.L, -math.inf)
        for k in range(most):
            rest = torch.stack([self._scale[..., k + j, None] + behind[j] for j in range(most - k)])
            weight = torch.logaddexp(weight, before[k][..., None] + rest.logsumexp(0)[:, :, None])
        chance = (weight + self.L).exp().sum(1)  # (N, s, e): P([s, e) is a segment)
        alike = chance / _inside(counts.sum(-1), counts.shape[-1] * alpha)
        at = torch.arange(counts.shape[1], device=counts.device)
        found = []
        for one in counts.unbind(-1):  # in turn, for memory's sake: each takes (N, s, e)
            share = alike * _inside(one, alpha)
            # position t lies in [s, e) for s <= t < e
            over = share.cumsum(1).flip(2).cumsum(2).flip(2)
            found.append(over[:, at, at + 1])
        return torch.stack(found, -1)


def _long_enough(L: Float[Tensor, "*N E E"], min_length: int) -> Float[Tensor, "*N E E"]:
    """Without segments that are too short; the whole series always stays."""
    cut = torch.arange(L.shape[-1], device=L.device)
    return L.masked_fill(cut[None] - cut[:, None] < min(min_length, len(cut) - 1), -math.inf)


def _inside(counts: Float[Tensor, "N T"], prior: float) -> Float[Tensor, "N E E"]:
    """Sum over [s, e), plus the prior's share."""
    total = torch.nn.functional.pad(counts.cumsum(1), (1, 0))
    return total[:, None] - total[:, :, None] + prior


def posterior(
    L: Float[Tensor, "N *G E E"],
    m_max: int = M_MAX,
    min_length: int = MIN_LENGTH,
    log_prior: Float[Tensor, "G"] | None = None,
) -> Posterior:
    """The posterior of segment evidences; with an axis G, integrated over the nuisance parameter
    with weights exp(`log_prior`), alike by default."""
    L = L if L.ndim == 4 else L[:, None]
    L, cuts = _long_enough(L, min_length), L.shape[-1]
    forward, backward = [L[:, :, 0]], [L[..., -1]]
    for _ in range(m_max):
        forward.append((forward[-1][..., None] + L).logsumexp(2))
        backward.append((L + backward[-1][:, :, None]).logsumexp(3))
    ways = [log_segmentations(cuts - 1, m + 1, min_length) for m in range(m_max + 1)]
    prior = L.new_tensor([-w if w > -math.inf else -math.inf for w in ways])
    score = torch.stack([f[..., -1] for f in forward], -1)
    score = torch.where(prior > -math.inf, score + prior, -math.inf)
    if log_prior is not None:
        score = score + log_prior[:, None]
    joint = score.flatten(1).softmax(1).view_as(score)
    return Posterior(L, torch.stack(forward), torch.stack(backward), joint)


def gaussian_posterior(
    y: Float[Tensor, "N T"],
    m_max: int = M_MAX,
    min_length: int = MIN_LENGTH,
    grid: int = 30,
    nu: float = 1.0,
) -> Posterior:
    """BEAST-like: z-scored series, flat or sloped segments alike in the prior, the variance
    integrated on a log grid from 1e-3 to 3 times that of the series. Raises ValueError for a series
    that is empty or not finite."""
    check_series(y)
    z = y - y.mean(1, keepdim=True)
    spread = z.square().mean(1, keepdim=True).sqrt()
    z = torch.where(spread > 1e-12, z / spread.clamp(min=1e-12), 0.0)
    s2 = torch.logspace(-3, math.log10(3), grid, dtype=y.dtype, device=y.device)
    L = torch.logaddexp(gaussian(z, s2, nu, 0), gaussian(z, s2, nu, 1)) - math.log(2)
    return posterior(L, m_max, min_length)


def best_cuts(
    L: Float[Tensor, "N E E"], count: Int[Tensor, "N"], min_length: int = MIN_LENGTH
) -> Bool[Tensor, "N T"]:
    """The most probable segmentation with `count` change points: True where a segment begins
    (never at 0)."""
    L, cuts = _long_enough(L, min_length), L.shape[-1]
    score, back = L[:, 0], []
    for _ in range(int(count.max()) if len(count) else 0):
        score, came = (score[..., None] + L).max(1)
        back.append(came)
    found = torch.zeros(len(L), cuts - 1, dtype=torch.bool, device=L.device)
    place = torch.full_like(count, cuts - 1)
    rows = torch.arange(len(L), device=L.device)
    for k in reversed(range(len(back))):
        active = k < count
        place = torch.where(active, back[k][rows, place], place)
        found[rows[active], place[active]] = True
    return found


def penalised_cuts(
    L: Float[Tensor, "N E E"], penalty: float, m_max: int = M_MAX, min_length: int = MIN_LENGTH
) -> Bool[Tensor, "N T"]:
    """The segmentation with the largest sum of L less `penalty` per change point: the optimum that
    PELT finds. At most m_max change points."""
    allowed = _long_enough(L, min_length)
    score = allowed[:, 0]
    best = [score[:, -1]]
    for m in range(1, m_max + 1):
        score = (score[..., None] + allowed).amax(1)
        best.append(score[:, -1] - penalty * m)
    return best_cuts(L, torch.stack(best, 1).argmax(1), min_length)
