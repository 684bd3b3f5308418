"""Train a population: every member by its own loss, gradient norm and learning rate, all in one batched step.

Axis letters: M member, B batch, T time, V vocabulary, S steps.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from synthcore.training.optimizers import clip_members

# Waiting for a loss stalls a GPU, so there it is looked at every so many steps.
CHECK_EVERY_ON_CUDA = 64


class DivergedError(RuntimeError):
    """A member's loss is no longer finite."""

    def __init__(self, member: int, step: int, last_finite: float | None) -> None:
        self.member, self.step, self.last_finite = member, step, last_finite
        before = (
            "it never was" if last_finite is None else f"the last finite one was {last_finite:.6g}"
        )
        super().__init__(
            f"the loss of member {member} is not finite at step {step}; {before}. "
            "Lower the learning rate or the clipping threshold."
        )


@dataclass(frozen=True)
class History:
    """What training leaves behind: `loss[i, m]` of member m on the batch of step `first + i`."""

    loss: Float[Tensor, "S M"]
    first: int = 0


def next_token_loss(model: nn.Module, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of tokens 1..T-1 given those before, per member."""
    logits = model(tokens[:, :, :-1])
    loss = F.cross_entropy(logits.flatten(0, 2), tokens[:, :, 1:].flatten(), reduction="none")
    return loss.view(tokens.shape[0], -1).mean(1)


def fit(
    model: nn.Module,
    sample: Callable[[int], Any],
    *,
    steps: int,
    optimizer: Optimizer,
    schedule: Callable[[int], float | Tensor] | None = None,
    clip: float | None = None,
    checkpoints: Collection[int] = (),
    on_checkpoint: Callable[[int, nn.Module], None] | None = None,
    loss: Callable[[nn.Module, Any], Tensor] = next_token_loss,
    progress: Callable[[int, int], None] | None = None,
    start: int = 0,
) -> History:
    """Take updates `start` .. `steps` - 1 and return the losses.

    `sample(step)` gives the batch of a step, on the model's device; `loss(model, batch)` one number per member. The losses are summed
    before the backward pass: members share no weight, so each gets the gradient of its own loss. `clip` bounds each member's gradient norm.
    `schedule(step)` multiplies the learning rate the optimiser was built with. `on_checkpoint(step, model)` is called after `step` updates for
    each step in `checkpoints` (0: before the first). `progress(done, total)` is called after every step.

    Raises `DivergedError` naming the member, the step and its last finite loss.
    """
    wanted = set(checkpoints)
    if on_checkpoint is not None and start in wanted and start == 0:
        on_checkpoint(0, model)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    device = next(model.parameters()).device
    check_every = CHECK_EVERY_ON_CUDA if device.type == "cuda" else 1
    losses: list[Tensor] = []
    checked = 0
    model.train()
    for step in range(start, steps):
        batch = sample(step)
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * schedule(step)
        optimizer.zero_grad(set_to_none=True)
        member_loss = loss(model, batch)
        member_loss.sum().backward()
        if clip is not None:
            clip_members(model, clip)
        losses.append(member_loss.detach())
        due = step + 1 in wanted or step + 1 == steps
        if due or len(losses) - checked >= check_every:
            _require_finite(losses, checked, start)
            checked = len(losses)
        optimizer.step()
        if due and step + 1 in wanted and on_checkpoint is not None:
            on_checkpoint(step + 1, model)
            model.train()
        if progress is not None:
            progress(step + 1, steps)
    return History(torch.stack(losses).cpu() if losses else torch.empty(0, 0), start)


def _require_finite(losses: list[Tensor], checked: int, start: int) -> None:
    """Raise for the first loss after `checked` that is not finite."""
    finite = torch.stack(losses[checked:]).isfinite()
    if bool(finite.all()):
        return
    row, member = (int(i) for i in (~finite).nonzero()[0])
    row += checked
    last = losses[row - 1][member].item() if row else None
    raise DivergedError(member, start + row, last)
