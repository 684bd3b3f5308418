"""What a GPU can do faster: bf16 autocast, `torch.compile`, CUDA graphs. The CPU path is eager
fp32.

Each is off unless asked for, and refused without CUDA. Small populations are launch-bound, so a
graph gains most; autocast pays from widths of a few hundred; compiling costs about a minute.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from synthcore.training.optimizers import clip_members

Loss = Callable[[nn.Module, Any], Tensor]
GradientStep = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Acceleration:
    """CUDA only. `graph` needs batches that are one tensor whose shape never changes."""

    autocast: bool = False
    compile: bool = False
    graph: bool = False


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
        for share, part in _parts(batch, micro_batches):
            with precision():
                member_loss = loss(model, part) * share
            # Members share no weight: the gradient of the sum holds each member's own gradient.
            torch.autograd.backward(member_loss.sum())
            losses.append(member_loss.detach())
        if clip is not None:
            clip_members(model, clip)
        return torch.stack(losses).sum(0)

    return _Graphed(differentiate) if acceleration.graph else differentiate


def _parts(batch: Any, count: int) -> Iterator[tuple[float, Any]]:
    """Parts of a batch (M, B, ...), or of a named tuple of such, with the share of rows in each."""
    if count == 1:
        yield 1.0, batch
        return
    fields = (batch,) if isinstance(batch, Tensor) else batch
    rows = fields[0].shape[1]
    for part in zip(*(field.chunk(count, 1) for field in fields), strict=True):
        share = part[0].shape[1] / rows
        yield share, part[0] if isinstance(batch, Tensor) else type(batch)(*part)


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
