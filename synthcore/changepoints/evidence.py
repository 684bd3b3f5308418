"""Log evidence of every segment [s, e) of a series: how well one constant law explains it.

Axis letters: N series, G values of a nuisance parameter, T positions, E = T + 1 cuts, K outcomes.
Cells that no segment may occupy are -inf.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

PROPORTIONS = 1e-6


def dirichlet_multinomial(
    counts: Float[Tensor, "N T K"], alpha: float = 1.0
) -> Float[Tensor, "N E E"]:
    """One distribution of K outcomes per segment, under a symmetric Dirichlet prior.

    Counts need not be whole numbers: an estimate as precise as n draws counts n times.

    Raises ValueError for what is no count: negative or not finite, shares that sum to one at every
    position (multiply them by the number of draws), or a single outcome, of which any data are
    equally probable with and without a change (add a column of zeros for what was not seen).
    """
    _check_counts(counts)
    total = torch.nn.functional.pad(counts.cumsum(1), (0, 0, 1, 0))
    T, K = counts.shape[1:]
    s, e = torch.triu_indices(T + 1, T + 1, 1, device=counts.device)
    inside = total[:, e] - total[:, s]
    whole = torch.tensor(K * alpha, dtype=counts.dtype, device=counts.device)
    value = torch.lgamma(whole) - torch.lgamma(whole + inside.sum(-1))
    value = value + (torch.lgamma(alpha + inside) - math.lgamma(alpha)).sum(-1)
    out = counts.new_full((len(counts), T + 1, T + 1), -math.inf)
    out[:, s, e] = value
    return out


def gaussian(
    y: Float[Tensor, "N T"], s2: Float[Tensor, "G"], nu: float = 1.0, order: int = 0
) -> Float[Tensor, "N G E E"]:
    """Segments under y = X b + noise of variance s2, b ~ N(0, s2 / nu).

    X has orthogonal columns, a constant and (order 1) a slope, scaled to squared length T whatever
    the segment's length. Segments of one position have no slope.

    Raises ValueError for an empty series, or one that is not finite.
    """
    check_series(y)
    T = y.shape[1]
    t = torch.arange(T, dtype=y.dtype, device=y.device)
    sums = torch.stack([y, t * y, y.square()], -1).cumsum(1)
    sums = torch.nn.functional.pad(sums, (0, 0, 1, 0))
    inside = sums[:, None] - sums[:, :, None]  # (N, s, e, 3)
    cut = torch.arange(T + 1, dtype=y.dtype, device=y.device)
    n = (cut[None] - cut[:, None]).clamp(min=1)
    explained = inside[..., 0].square() / n
    if order:
        middle = (cut[None] + cut[:, None] - 1) / 2
        moment = inside[..., 1] - middle * inside[..., 0]
        spread = n * (n.square() - 1) / 12
        explained = explained + torch.where(
            spread > 0, moment.square() / spread.clamp(min=0.5), 0.0
        )
    rest = inside[..., 2] - T / (T + nu) * explained
    q = order + 1
    s2 = s2[:, None, None]
    out = (
        -n / 2 * (2 * math.pi * s2).log()
        + q / 2 * math.log(nu / (T + nu))
        - rest[:, None] / (2 * s2)
    )
    return out.masked_fill(cut[None] <= cut[:, None], -math.inf)


def check_series(y: Float[Tensor, "N T"]) -> None:
    """Raises ValueError for a series without positions, or with numbers that are not finite."""
    if y.shape[1] == 0 or not bool(y.isfinite().all()):
        raise ValueError("A series needs at least one position, and numbers that are finite.")


def _check_counts(counts: Float[Tensor, "N T K"]) -> None:
    if counts.shape[1] == 0:
        raise ValueError("A series needs at least one position.")
    if counts.shape[2] < 2:
        raise ValueError(
            "Counts of one outcome say nothing about a change: add a column of zeros for what was "
            "not seen."
        )
    if not bool(counts.isfinite().all()) or bool((counts < 0).any()):
        raise ValueError("Counts must be finite and not negative.")
    sums_to_one = bool(((counts.sum(-1) - 1).abs() < PROPORTIONS).all())
    if sums_to_one and bool((counts != counts.round()).any()):
        raise ValueError(
            "These are shares, which sum to one at every position, and not counts: multiply them "
            "by the number of draws behind each."
        )
