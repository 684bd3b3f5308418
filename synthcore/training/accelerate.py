"""What a GPU can do faster: bf16 autocast, `torch.compile`, CUDA graphs. The CPU path is eager
fp32. And a batch in parts, where memory is short.

Each is off unless asked for, and refused without CUDA. Small populations are launch-bound, so a
graph gains most; autocast pays from widths of a few hundred; compiling costs about a minute.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Loss = Callable[[nn.Module, Any], Tensor]


@dataclass(frozen=True)
class Acceleration:
    """CUDA only. `graph` needs batches that are one tensor whose shape never changes."""

    autocast: bool = False
    compile: bool = False
    graph: bool = False


def accelerated(
    loss: Loss, model: nn.Module, acceleration: Acceleration | None, micro_batches: int = 1
) -> Loss:
    """The loss, computed faster on CUDA; as it is without an acceleration.

    Raises ValueError for an acceleration of a model that is not on CUDA, and for a graph of a batch
    in parts: the gradient of one part would be written over that of the part before.
    """
    if acceleration is None or acceleration == Acceleration():
        return loss
    device = next(model.parameters()).device
    if device.type != "cuda":
        raise ValueError(f"{acceleration} needs a model on CUDA; this one is on {device.type}")
    if acceleration.graph and micro_batches > 1:
        raise ValueError("a CUDA graph takes whole batches: micro_batches must be 1")
    if acceleration.compile:
        loss = torch.compile(loss)
    if acceleration.autocast:
        loss = _in_bfloat16(loss, cache=not acceleration.graph)
    return _Graphed(loss, model) if acceleration.graph else loss


def parts(batch: Any, count: int) -> Iterator[tuple[float, Any]]:
    """Parts of a batch (M, B, ...), or of a named tuple of such, with the share of rows in each."""
    if count == 1:
        yield 1.0, batch
        return
    fields = (batch,) if isinstance(batch, Tensor) else batch
    rows = fields[0].shape[1]
    for part in zip(*(field.chunk(count, 1) for field in fields), strict=True):
        share = part[0].shape[1] / rows
        yield share, part[0] if isinstance(batch, Tensor) else type(batch)(*part)


def _in_bfloat16(loss: Loss, cache: bool) -> Loss:
    """Under autocast. Within a graph the cache of cast weights would outlive their update."""

    def cast(model: nn.Module, batch: Any) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=cache):
            return loss(model, batch)

    return cast


class _LossOf(nn.Module):
    """A loss as a module, so that a graph knows the weights it depends on."""

    def __init__(self, loss: Loss, model: nn.Module) -> None:
        super().__init__()
        self.loss, self.model = loss, model

    def forward(self, batch: Tensor) -> Tensor:
        return self.loss(self.model, batch)


class _Graphed:
    """Replays the forward and the backward pass as one CUDA graph each."""

    def __init__(self, loss: Loss, model: nn.Module) -> None:
        self.module: Callable[[Tensor], Tensor] = _LossOf(loss, model)
        self.recorded = False

    def __call__(self, model: nn.Module, batch: Tensor) -> Tensor:
        if not self.recorded:
            graphed: Any = torch.cuda.make_graphed_callables(self.module, (batch.clone(),))
            self.module, self.recorded = graphed, True
        return self.module(batch).clone()  # the next replay writes into the same memory
