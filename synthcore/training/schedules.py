"""When to look, and how fast to learn."""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def log_spaced(steps: int, n: int, *, first: int = 1, zero: bool = True) -> list[int]:
    """About `n` distinct whole steps from `first` to `steps`, evenly spaced in the logarithm,
    preceded by step 0 (untrained).

    Small steps that round to the same number appear once, so fewer than `n` may come back; the last
    is always `steps`.

    >>> log_spaced(1000, 4)
    [0, 1, 10, 100, 1000]
    """
    if not 1 <= first <= steps:
        raise ValueError(f"first must lie in 1..{steps} (got {first})")
    if n < 2:
        raise ValueError(f"n must be at least 2 (got {n})")
    ratio = (steps / first) ** (1 / (n - 1))
    points = {round(first * ratio**i) for i in range(n - 1)} | {steps}
    return sorted(points | ({0} if zero else set()))


def warmup_cosine(steps: int, *, warmup: int = 0, final: float = 0.1) -> Schedule:
    """Factor on the learning rate: linear from 0 over `warmup` steps, then half a cosine from 1 to
    `final` at `steps`.

    >>> factor = warmup_cosine(100, warmup=10, final=0.1)
    >>> [round(factor(step), 2) for step in (0, 9, 10, 55, 100)]
    [0.1, 1.0, 1.0, 0.55, 0.1]
    """
    if not 0 <= warmup < max(steps, 1):
        raise ValueError(f"warmup must lie in 0..{steps - 1} (got {warmup})")

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        turn = min(1.0, (step - warmup) / (steps - warmup))
        return final + (1 - final) * (1 + math.cos(math.pi * turn)) / 2

    return factor
