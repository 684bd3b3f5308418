"""KAdam in the hands of users: schedulers, gradient scalers, torch.compile."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from synthcore.training.k_adam import KAdam


def fit_line(
    optimizer_of: Callable[[nn.Module], torch.optim.Optimizer],
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    steps: int = 12,
) -> tuple[list[Tensor], float]:
    """A network trained as users train one; its weights and the last learning rate."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = optimizer_of(model)
    scheduler = schedule(optimizer) if schedule else None
    for step in range(steps):
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(1.0)  # a loss that never falls
        elif scheduler is not None:
            scheduler.step()
    return [p.detach() for p in model.parameters()], float(optimizer.param_groups[0]["lr"])


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 12),
    "one cycle, betas too": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.05, 13),
    "plateau": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=3),
    "warm-up, then steps": lambda o: torch.optim.lr_scheduler.SequentialLR(
        o,
        [
            torch.optim.lr_scheduler.LinearLR(o, 0.1, total_iters=4),
            torch.optim.lr_scheduler.StepLR(o, 3),
        ],
        [4],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedulers_do_to_one_stage_what_they_do_to_adamw(name: str) -> None:
    ours, rate = fit_line(lambda m: KAdam(m.parameters(), 0.01, k=1), SCHEDULES[name])
    theirs, expected = fit_line(lambda m: torch.optim.AdamW(m.parameters(), 0.01), SCHEDULES[name])
    assert rate == pytest.approx(expected)
    assert max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True)) < 1e-6


@pytest.mark.parametrize("k", [1, 2])
def test_a_gradient_scaler_changes_nothing(k: int) -> None:
    """Powers of two: scaling and unscaling is exact."""
    plain, _ = fit_line(lambda m: KAdam(m.parameters(), 0.01, k=k))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaled, _ = fit_line(lambda m: KAdam(m.parameters(), 0.01, k=k), scaler=scaler)
    assert max(float((a - b).abs().max()) for a, b in zip(plain, scaled, strict=True)) < 1e-7


def test_a_gradient_scaler_skips_what_overflows() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = KAdam([weight], 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    scaler.scale((weight * torch.tensor([1.0, float("inf"), 1.0])).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert weight.tolist() == [1.0, 1.0, 1.0]
    assert scaler.get_scale() < 2.0**4


TRACED = """
import torch
from synthcore.training.k_adam import KAdam

ways = {}
for name in ("eager", "traced"):
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4))
    optimizer = KAdam([weight], 0.01, foreach=True)
    step = optimizer.step
    if name == "traced":
        step = torch.compile(lambda: optimizer.step(), backend="eager")
    for n in range(3):
        weight.grad = (weight.detach() + n).sin()
        step()
    ways[name] = weight.detach()
assert torch.allclose(ways["eager"], ways["traced"], rtol=0, atol=1e-6), ways
"""


def test_a_traced_step_is_the_same() -> None:
    """torch.compile without a compiler, in a Python of its own: the tests' type checks cannot be
    traced."""
    done = subprocess.run([sys.executable, "-c", TRACED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
