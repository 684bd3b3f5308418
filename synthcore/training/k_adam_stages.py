"""How much memory each of k normalisations gets: from one pair (beta, gamma) to k pairs.

An exponential moving average with decay beta looks back beta / (1 - beta) steps on average: its
lag. Lags of stages in a row add up. A strategy shares the lag of a single Adam among k stages, so
that k can be varied without varying the memory of the whole.

The strategies "naive", "uniform", "exp" and "inverse exp" are named by Gould and Tanaka
(arXiv:2411.05746). Their formulas were not accessible to us: what stands here, and "power", are
reconstructions.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar, get_args

from torch import Tensor

Strategy = Literal["naive", "uniform", "exp", "inverse exp", "power"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
Decay = TypeVar("Decay", float, Tensor)
Pair = tuple[Decay, Decay]


def stage_betas(
    k: int, beta: Decay, gamma: Decay, strategy: Strategy = "uniform"
) -> tuple[Pair[Decay], ...]:
    """(beta_i, gamma_i) of stages i = 1..k from the pair of the whole.

    With shares w_i that sum to one, lag_i = w_i lag for beta and for gamma:
    uniform w_i = 1/k; exp w_i ~ 2^i (late stages remember most); inverse exp w_i ~ 2^-i.
    "naive" gives every stage the whole pair, so the lag is k-fold; "power" takes beta_i =
    beta^(1/k), which keeps the product of the decays. Decays may be numbers or tensors.

    >>> stages = stage_betas(2, 0.9, 0.999, "exp")
    >>> [round(b / (1 - b), 6) for b, _ in stages]          # shares 1/3 and 2/3 of a lag of 9
    [3.0, 6.0]

    Raises ValueError for k < 1.
    """
    if k < 1:
        raise ValueError(f"Invalid k value: {k}")
    if k == 1 or strategy == "naive":
        return ((beta, gamma),) * k
    if strategy == "power":
        return ((beta ** (1 / k), gamma ** (1 / k)),) * k
    return tuple((_with_lag(w, beta), _with_lag(w, gamma)) for w in shares(k, strategy))


def shares(k: int, strategy: Strategy) -> list[float]:
    """w_1..w_k of the strategies that share the lag.

    >>> shares(3, "inverse exp")
    [0.5714285714285714, 0.2857142857142857, 0.14285714285714285]
    """
    ratio = {"uniform": 1.0, "exp": 2.0, "inverse exp": 0.5}[strategy]
    weights = [ratio**i for i in range(k)]
    return [weight / sum(weights) for weight in weights]


def total_lag(decays: Sequence[float]) -> float:
    """Mean age in steps of what a chain of moving averages remembers.

    >>> round(total_lag([0.75, 6 / 7]), 6)
    9.0
    """
    return sum(decay / (1 - decay) for decay in decays)


def _with_lag(share: float, decay: Decay) -> Decay:
    """The decay whose lag is `share` of the given one's: w b / (1 - b + w b)."""
    return share * decay / (1 - decay + share * decay)
