"""Train a population: every member by its own loss, gradient norm and learning rate, all at once.

Axis letters: M member, B batch, T time, S steps.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from synthcore.training.accelerate import Acceleration, Loss, accelerated, parts
from synthcore.training.divergence import DivergedError, Losses
from synthcore.training.losses import next_token_loss
from synthcore.training.optimizers import clip_members
from synthcore.training.progress import Measured, Progress, TrainingState

__all__ = ["DivergedError", "History", "fit"]

Arrays = Mapping[str, np.ndarray]
OnCheckpoint = Callable[[int, nn.Module], Arrays | None]


@dataclass(frozen=True)
class History:
    """What training leaves behind: `loss[i, m]`, the loss of member m on the batch of step i, and
    `measured[step]`, what `on_checkpoint` returned after `step` updates, by increasing step."""

    loss: Float[Tensor, "S M"]
    measured: Measured


def fit(
    model: nn.Module,
    sample: Callable[[int], Any],
    *,
    steps: int,
    optimizer: Optimizer,
    schedule: Callable[[int], float | Tensor] | None = None,
    clip: float | None = None,
    checkpoints: Collection[int] = (),
    on_checkpoint: OnCheckpoint | None = None,
    loss: Loss = next_token_loss,
    progress: Progress | None = None,
    name: str = "training",
    acceleration: Acceleration | None = None,
    micro_batches: int = 1,
) -> History:
    """Take `steps` updates; return the members' losses and what was measured on the way.

    `sample(step)` gives the batch of a step on the model's device; `loss(model, batch)` gives one
    number per member. `clip` bounds each member's gradient norm. `schedule(step)` multiplies the
    learning rate the optimiser was built with. `on_checkpoint(step, model)` is called after `step`
    updates for each step in `checkpoints` (0: the untrained model) and returns arrays by name.

    `progress` shows this training under `name`, and may keep it: unfinished, it then goes on where
    it was, weights, optimiser, losses and measurements restored. That is exact, bit for bit on a
    CPU, because `sample(step)` depends on `step` alone: it draws from a generator made for
    (seed, condition, step), not from one that earlier steps have moved. What `on_checkpoint`
    leaves anywhere else than in the arrays it returns is not restored.

    To save memory, `micro_batches` has each batch pass in so many parts whose gradients add up; the
    batch is then a tensor (M, B, ...) or a named tuple of such, the loss a mean over B.
    `acceleration` is for CUDA only, and a graph takes whole batches.

    Raises DivergedError naming the member, the step and its last finite loss; the other members
    are as good as before.
    """
    progress = Progress() if progress is None else progress
    keeper = progress.keeper(name)
    state = keeper.restore(model, optimizer) or TrainingState(0, torch.empty(0, 0), {})
    losses, measured = Losses(steps, state.losses), dict(state.measured)
    wanted = {step for step in checkpoints if step <= steps and on_checkpoint is not None}
    loss = accelerated(loss, model, acceleration, micro_batches)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])

    if 0 in wanted - measured.keys():
        measured[0] = _measured(on_checkpoint, 0, model)
    for step in progress.updates(state.step, steps, model):
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * schedule(step)
        model.zero_grad()
        rows = []
        for share, part in parts(sample(step), micro_batches):
            member_loss = share * loss(model, part)  # forward: one loss per member, (M,)
            member_loss.sum().backward()  # backward: members share no weight, each has its own
            rows.append(member_loss.detach())
        if clip is not None:
            clip_members(model, clip)  # every member by its own norm
        done = step + 1
        losses.add(torch.stack(rows).sum(0), check=done in wanted or done == steps)
        optimizer.step()
        progress(name, done, steps)
        if done in wanted:
            measured[done] = _measured(on_checkpoint, done, model)
        if keeper.due(done == steps):
            keeper.save(TrainingState(done, losses.taken(), measured), model, optimizer)
    for done in sorted(wanted - measured.keys()):  # a rehearsal leaves out updates, not checkpoints
        measured[done] = _measured(on_checkpoint, done, model)
    return History(losses.all(), measured)


def _measured(on_checkpoint: OnCheckpoint | None, step: int, model: nn.Module) -> Arrays:
    """What is measured, copied: an array may be the memory of weights that go on changing."""
    arrays = on_checkpoint(step, model) if on_checkpoint is not None else None
    return {name: np.array(array) for name, array in (arrays or {}).items()}
