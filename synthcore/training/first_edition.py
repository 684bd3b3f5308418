"""The loop of the first edition, for the chapters that have not come over to `training.fit`.

It rehearses when the environment asks for it, resumes from a step that the caller restored, and
keeps nothing.

Axis letters: M member, B batch, T time, V vocabulary, S steps.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from synthcore.training import rehearsal
from synthcore.training.accelerate import Acceleration, Loss, parts
from synthcore.training.divergence import CHECK_EVERY_ON_CUDA, require_finite
from synthcore.training.optimizers import clip_members

UNTAUGHT = -100  # target of a position that has none

GradientStep = Callable[[Any], Tensor]


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
                require_finite(losses[: done - first], checked, first)
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


def gradient_step(
    model: nn.Module,
    loss: Loss,
    clip: float | None,
    acceleration: Acceleration,
    micro_batches: int = 1,
) -> GradientStep:
    """A function from a batch to the members' losses (M,) that leaves clipped gradients behind.

    With `micro_batches` a batch passes in so many parts of its second axis.
    """
    device = next(model.parameters()).device
    if acceleration != Acceleration() and device.type != "cuda":
        raise ValueError(f"{acceleration} needs a model on CUDA; this one is on {device.type}")
    if acceleration.compile:
        loss = torch.compile(loss)

    def precision() -> AbstractContextManager[Any]:
        if not acceleration.autocast:
            return nullcontext()
        # Within a graph the cache of cast weights would outlive the update of the weights.
        return torch.autocast("cuda", torch.bfloat16, cache_enabled=not acceleration.graph)

    def differentiate(batch: Any) -> Tensor:
        for parameter in model.parameters():
            parameter.grad = None
        losses = []
        for share, part in parts(batch, micro_batches):
            with precision():
                member_loss = loss(model, part) * share
            # Members share no weight: the gradient of the sum holds each member's own gradient.
            torch.autograd.backward(member_loss.sum())
            losses.append(member_loss.detach())
        if clip is not None:
            clip_members(model, clip)
        return torch.stack(losses).sum(0)

    return _Graphed(differentiate) if acceleration.graph else differentiate


class _Graphed:
    """Replays forward pass, backward pass and clipping as one CUDA graph."""

    def __init__(self, differentiate: GradientStep) -> None:
        self.differentiate = differentiate
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Tensor) -> Tensor:
        if self.graph is None:
            self.batch = batch.clone()
            # Libraries allocate their workspaces on first use, which a graph may not record.
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self.differentiate(self.batch)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.loss = self.differentiate(self.batch)
        self.batch.copy_(batch)
        self.graph.replay()
        return self.loss.clone()
