"""Outcome counts along base paths, and what is estimated from them: shares, drift, hazards. Nothing
here knows a truth.

A hazard is a token after which the outcomes are far from those after the base token; survival is
the probability of meeting none up to a position.

Axis letters: N paths, T positions, W tokens tried at a position (the base token first), K outcomes,
D deals of the null.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Metric = Literal["l2", "tv", "l1", "cosine", "kl"]
DEALS = 20


def distance(
    a: Float[Tensor, "*N K"], b: Float[Tensor, "*N K"], metric: Metric
) -> Float[Tensor, "*N"]:
    """Distance of distributions; `kl` (nats) is of a from b, both clipped at 1e-4.

    >>> heads, tails = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    >>> [round(float(distance(heads, tails, m)), 2) for m in ("l2", "tv", "l1", "cosine", "kl")]
    [1.41, 1.0, 2.0, 1.0, 9.21]
    """
    if metric == "l2":
        return (a - b).square().sum(-1).sqrt()
    if metric in ("tv", "l1"):
        return (a - b).abs().sum(-1) * (0.5 if metric == "tv" else 1.0)
    if metric == "cosine":
        return 1 - torch.nn.functional.cosine_similarity(a, b, dim=-1, eps=1e-12)
    a, b = (x.clamp(min=1e-4) for x in (a, b))
    return (a * (a / b).log()).sum(-1)


@dataclass(frozen=True)
class Paths:
    """How many completions after each token ended in each outcome. float64.

    Attributes:
        p: probability that the model gives the token, not renormalised; 0 where there is no branch.
        counts: completions by outcome; the base token is w = 0.
        start: completions of the prompt alone, by outcome, from which o_0 is then taken.

    Raises ValueError for a probability that is missing or no probability, and for a position at
    which no token has both a probability and a completion.
    """

    p: Float[Tensor, "N T W"]
    counts: Float[Tensor, "N T W K"]
    start: Float[Tensor, "N K"] | None = None

    def __post_init__(self) -> None:
        if not bool(((self.p >= 0) & (self.p <= 1 + 1e-6)).all()):
            raise ValueError("The probability of a token is missing, or not between 0 and 1.")
        empty = (self.p * self.counts.sum(-1)).sum(-1) <= 0
        if bool(empty.any()):
            t = int(empty.nonzero()[0, 1])
            raise ValueError(f"No token at position {t} has a probability and a completion.")

    def above(self, threshold: float) -> "Paths":
        """Without tokens of lower probability; the base token always stays."""
        keep = self.p > threshold
        keep[..., 0] = True
        return replace(self, p=self.p * keep, counts=self.counts * keep[..., None])

    @cached_property
    def weight(self) -> Float[Tensor, "N T W"]:
        """p~, probabilities renormalised over the tokens that were tried and have completions."""
        p = self.p * (self.samples > 0)
        return p / p.sum(-1, keepdim=True)

    @cached_property
    def samples(self) -> Float[Tensor, "N T W"]:
        """Completions per branch."""
        return self.counts.sum(-1)

    @cached_property
    def o_tw(self) -> Float[Tensor, "N T W K"]:
        """Outcome shares after each token; 0 where there is no branch."""
        return self.counts / self.samples.clamp(min=1)[..., None]

    @cached_property
    def o_t(self) -> Float[Tensor, "N T K"]:
        """Outcome distribution before each token, sum over w of p~_w o_tw."""
        return (self.weight[..., None] * self.o_tw).sum(-2)

    @cached_property
    def n_eff(self) -> Float[Tensor, "N T"]:
        """Completions that would estimate o_t as well if drawn at once: 1 / sum p~_w^2 / S_w."""
        return 1 / (self.weight.square() / self.samples.clamp(min=1)).sum(-1)

    @cached_property
    def pseudo(self) -> Float[Tensor, "N T K"]:
        """n_eff o_t, the counts that the Dirichlet-multinomial segments add up."""
        return self.n_eff[..., None] * self.o_t

    def pooled(self) -> Float[Tensor, "N T K"]:
        """Pseudo-counts with a second estimate of o_{t+1} added: the base branch at t ends where
        position t + 1 begins (identity I1)."""
        out = self.pseudo.clone()
        out[:, 1:] += self.counts[:, :-1, 0]
        return out

    def drift(self, metric: Metric = "l2") -> Float[Tensor, "N T"]:
        """y_t = d(o_0, o_t), the paper's series. o_0 is that of `start` where there is one, as in
        the paper; otherwise y_0 is 0 whatever the noise."""
        first = self.o_t[:, :1]
        if self.start is not None:
            first = (self.start / self.start.sum(-1, keepdim=True))[:, None]
        return distance(first.expand_as(self.o_t), self.o_t, metric)

    def reordered(self, order: Tensor) -> "Paths":
        """The same positions in another order (T,): a control without time."""
        return replace(self, p=self.p[:, order], counts=self.counts[:, order])


def apart(paths: Paths, metric: Metric = "l2") -> Float[Tensor, "N T W"]:
    """Distance of every branch's outcomes from the base branch's; 0 where there is no branch."""
    base = paths.o_tw[..., :1, :].expand_as(paths.o_tw)
    return distance(base, paths.o_tw, metric) * (paths.weight > 0)


def hazard(paths: Paths, eps: float = 0.6, metric: Metric = "l2") -> Float[Tensor, "N T"]:
    """h(t): probability of a token after which the outcomes are at least `eps` away."""
    return (paths.weight * (apart(paths, metric) >= eps))[..., 1:].sum(-1)


def survival(paths: Paths, eps: float = 0.6, metric: Metric = "l2") -> Float[Tensor, "N T"]:
    """Probability that no token up to t was such a one: the product of 1 - h."""
    return (1 - hazard(paths, eps, metric)).cumprod(-1)


def scaled_survival(paths: Paths, eps: float = 0.6) -> Float[Tensor, "N T"]:
    """As the released dashboard computes it: of p~_w o_tw, which is far from the base merely
    because w is improbable. For comparison only."""
    scaled = paths.weight[..., None] * paths.o_tw
    far = distance(scaled[..., :1, :].expand_as(scaled), scaled, "l2") >= eps
    h = (paths.weight * (far & (paths.weight > 0)))[..., 1:].sum(-1)
    return (1 - h).cumprod(-1)


def shuffled(paths: Paths, seed: int) -> Paths:
    """The null: at every position all completions are put together and dealt anew to all tokens,
    the base token included, each getting as many as it had.

    If no token matters, the new counts have the law of the old ones; if some do, nothing of that is
    left. Counts are rounded to whole numbers.
    """
    rng = np.random.default_rng(seed)
    counts = paths.counts.cpu().numpy().round().astype(int)
    pool = counts.sum(-2)  # (N, T, K): what is still to be dealt at a position
    dealt = np.zeros_like(counts)
    for w in range(counts.shape[-2]):
        wanted, behind = counts[..., w, :].sum(-1), pool.sum(-1)
        for k in range(counts.shape[-1]):
            behind = behind - pool[..., k]
            dealt[..., w, k] = rng.hypergeometric(pool[..., k], behind, wanted)
            wanted = wanted - dealt[..., w, k]
        pool = pool - dealt[..., w, :]
    return Paths(paths.p, torch.from_numpy(dealt).to(paths.counts), paths.start)


def survival_by_noise(
    paths: Paths, eps: float = 0.6, metric: Metric = "l2", deals: int = DEALS, seed: int = 0
) -> Float[Tensor, "D N T"]:
    """Survival when no token matters, with as many completions: one row per deal of the null."""
    rows = [survival(shuffled(paths, seed + d), eps, metric) for d in range(deals)]
    return torch.stack(rows)
