"""A step of KAdam against torch's foreach AdamW on the same gradients: 50 equal tensors, fp32."""

import statistics
from functools import partial

import torch
from torch import nn

from benchmarks.measuring import Benchmark, seconds
from synthcore.training.k_adam import KAdam

TENSORS = 50


def parameters(total: int) -> list[nn.Parameter]:
    found = [nn.Parameter(torch.randn(total // TENSORS)) for _ in range(TENSORS)]
    for parameter in found:
        parameter.grad = torch.randn_like(parameter)
    return found


def cost(total: int, k: int, rounds: int = 5) -> float:
    """Time of our step over AdamW's: median over rounds of both in turn."""
    steps = max(1, 10_000_000 // total)
    ours = KAdam(parameters(total), 1e-3, k=k)
    theirs = torch.optim.AdamW(parameters(total), 1e-3, foreach=True)

    def time(optimizer: torch.optim.Optimizer) -> float:
        return seconds(lambda: [optimizer.step() for _ in range(steps)])

    time(ours), time(theirs)
    return statistics.median(time(ours) / time(theirs) for _ in range(rounds))


BENCHMARKS = tuple(
    Benchmark(
        f"k-adam-{k}-{total // 10**6}m",
        f"{total // 10**6}M parameters in {TENSORS} tensors: step of KAdam with k = {k} / AdamW",
        "x",
        "<=",
        target,
        partial(cost, total, k),
    )
    for total in (10**6, 10**8)
    for k, target in ((1, 1.3), (2, 2.2))
)
