"""Paired timing: what shares a machine with others is compared within seconds, not days."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Benchmark:
    """One number against its target. `measure` returns it, in `unit`, from one process."""

    name: str
    what: str
    unit: str
    direction: Literal[">=", "<="]
    target: float
    measure: Callable[[], float]

    def met(self, value: float) -> bool:
        return value >= self.target if self.direction == ">=" else value <= self.target


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def ratio(peer: Callable[[], object], ours: Callable[[], object], rounds: int = 7) -> float:
    """How many times as long the peer takes: median over rounds of peer, ours, peer, ours, ..."""
    peer(), ours()  # first calls allocate and compile
    return statistics.median(seconds(peer) / seconds(ours) for _ in range(rounds))
