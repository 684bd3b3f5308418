"""Train a population: every member by its own loss, gradient norm and learning rate, all at once.

Axis letters: M member, B batch, T time, V vocabulary, S steps.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from synthcore.training import rehearsal
from synthcore.training.accelerate import Acceleration, Loss, gradient_step

# Waiting for a loss stalls a GPU, so there it is looked at every so many steps.
CHECK_EVERY_ON_CUDA = 64
UNTAUGHT = -100  # target of a position that has none


class DivergedError(RuntimeError):
    """A member's loss is no longer finite. `last_finite` is None if it never was."""

    def __init__(self, member: int, step: int, last_finite: float | None) -> None:
        self.member, self.step, self.last_finite = member, step, last_finite
        before = "none before was" if last_finite is None else f"the last was {last_finite:.6g}"
        super().__init__(
            f"the loss of member {member} is not finite at step {step}; {before}. "
            "A lower learning rate or clipping threshold may help."
        )


@dataclass(frozen=True)
class History:
    """What training leaves behind: `loss[i, m]` of member m on the batch of step `first + i`."""

    loss: Float[Tensor, "S M"]
    first: int = 0


def next_token_loss(
    model: nn.Module, tokens: Int[Tensor, "M B T"], inputs: Int[Tensor, "M B T"] | None = None
) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of tokens 1..T-1 given those before, per member.

    `inputs` are what the model reads instead of the tokens, for one that reads them in another
    code.
    """
    M, B, T = tokens.shape
    # The last logits have no target, but whole sequences suit the attention kernels better.
    logits = model(tokens if inputs is None else inputs)
    targets = tokens.roll(-1, 2).index_fill(2, tokens.new_tensor([T - 1]), UNTAUGHT)
    loss = functional.cross_entropy(
        logits.flatten(0, 2), targets.flatten(), ignore_index=UNTAUGHT, reduction="none"
    )
    return loss.view(M, -1).sum(1) / (B * (T - 1))


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
    loss: Loss = next_token_loss,
    progress: Callable[[int, int], None] | None = None,
    start: int = 0,
    acceleration: Acceleration | None = None,
    micro_batches: int = 1,
) -> History:
    """Take the updates `start` to `steps` - 1 and return the members' losses.

    `sample(step)` gives the batch of a step on the model's device; `loss(model, batch)` gives one
    number per member. The losses are summed before the backward pass: members share no weight, so
    each gets the gradient of its own loss. `clip` bounds each member's gradient norm.
    `schedule(step)` multiplies the learning rate the optimiser was built with.
    `on_checkpoint(step, model)` is called after `step` updates for each step in `checkpoints`
    (0: the untrained model); `progress(done, total)` after every update.

    To resume, restore a `Checkpoint` into model and optimiser and pass its step as `start`. The
    result is the same bit for bit on a CPU if `sample` draws each batch from `step` alone.

    Raises `DivergedError` naming the member, the step and its last finite loss; the other members
    are as good as before. `acceleration` is for CUDA only. In a rehearsal only a few updates are
    taken, and every checkpoint is made.

    To save memory, `micro_batches` has each batch pass in so many parts whose gradients add up. The
    batch must then be a tensor (M, B, ...) or a named tuple of such, the loss a mean over B.
    """
    wanted = set(checkpoints) if on_checkpoint is not None else set()
    differentiate = gradient_step(model, loss, clip, acceleration or Acceleration(), micro_batches)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    on_cuda = next(model.parameters()).device.type == "cuda"
    check_every = CHECK_EVERY_ON_CUDA if on_cuda else 1

    def train(first: int, end: int, wanted: Collection[int]) -> Float[Tensor, "S M"]:
        losses = torch.empty(0, 0)  # in one piece: small tensors between large ones cost gigabytes
        checked = 0
        for step in range(first, end):
            if schedule is not None:
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * schedule(step)
            row = differentiate(sample(step))
            if step == first:
                losses = row.new_empty(end - first, len(row))
            losses[step - first] = row
            done = step + 1
            if done in wanted or done == end or done - first - checked >= check_every:
                _require_finite(losses[: done - first], checked, first)
                checked = done - first
            optimizer.step()
            if done in wanted and on_checkpoint is not None:
                on_checkpoint(done, model)
            if progress is not None:
                progress(done, steps)
        return losses

    if start == 0 and 0 in wanted and on_checkpoint is not None:
        on_checkpoint(0, model)
    taken = rehearsal.asked()
    if taken is None or start >= steps:
        return History(train(start, steps, wanted).cpu(), start)
    losses = rehearsal.rehearse(
        partial(train, wanted=()),
        start,
        steps,
        taken,
        name=type(model).__name__,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
    for step in sorted(at for at in wanted if start < at <= steps):
        on_checkpoint(step, model)  # type: ignore[misc]
    return History(losses.cpu(), start)


def _require_finite(losses: Float[Tensor, "S M"], checked: int, start: int) -> None:
    """Raise for the first loss at or after index `checked` that is not finite."""
    finite = losses[checked:].isfinite()
    if bool(finite.all()):
        return
    row, member = (int(i) for i in (~finite).nonzero()[0])
    row += checked
    last_finite = losses[row - 1][member].item() if row else None
    raise DivergedError(member, start + row, last_finite)
