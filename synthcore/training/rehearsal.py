"""A rehearsal: a few updates of each training instead of all, timed and counted.

What `synthcore estimate` asks of `fit` through the environment, so that a study rehearses without
knowing: shapes, memory and evaluations are those of the whole run, its learning is not.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

UPDATES = "SYNTHCORE_REHEARSAL"  # how many updates of a training are taken
FILE_NAME = "trainings.jsonl"  # one line per training, in the run's folder

Train = Callable[[int, int], Tensor]
"""Takes the updates `first` to `end` - 1 and returns their losses (S, M)."""


def asked() -> int | None:
    """The number of updates to take of each training; None unless this is a rehearsal."""
    text = os.environ.get(UPDATES)
    return max(1, int(text)) if text else None


def whole_or_rehearsed(train: Train, steps: int, *, name: str, parameters: int) -> Tensor:
    """Losses of `train(0, steps)`, or of its rehearsal if one is asked for. For descents that have
    no module and no optimiser."""
    taken = asked()
    if taken is None or steps == 0:
        return train(0, steps)
    return rehearse(train, 0, steps, taken, name=name, parameters=parameters)


def rehearse(
    train: Train, start: int, steps: int, taken: int, *, name: str, parameters: int
) -> Tensor:
    """Losses (S, M) of steps `start` to `steps` - 1: the first `taken` real, the last repeated.

    The first update is counted and not timed, unless it is the only one. `parameters` are those of
    all members of the model called `name`.
    """
    began = time.perf_counter()
    end = min(steps, start + taken)
    counted = start + 1
    with _Operators() as operators, _flop() as flop:
        losses = [train(start, counted)]
    _wait()
    seconds = time.perf_counter() - began
    if end > counted:
        timed = time.perf_counter()
        losses.append(train(counted, end))
        _wait()
        seconds = (time.perf_counter() - timed) / (end - counted)
    real = torch.cat(losses)
    _write(
        model=name,
        members=real.shape[1],
        parameters=parameters,
        updates=steps - start,
        seconds=seconds,
        flop=flop.get_total_flops(),
        kernels=operators.count,
        spent=time.perf_counter() - began,
    )
    return repeated(real, steps - start)


def repeated(rows: Float[Tensor, "N *rest"], count: int) -> Float[Tensor, "count *rest"]:
    """What was kept of every one of `count` updates; if a rehearsal took fewer, the last again."""
    return torch.cat([rows, rows[-1:].expand(count - len(rows), *rows.shape[1:])])


def _write(**training: Any) -> None:
    """Add a training to the run's file."""
    directory = os.environ.get("SYNTHCORE_RUN_DIR")
    if directory:
        with (Path(directory) / FILE_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(training) + "\n")


class _Operators(TorchDispatchMode):
    """Counts the operators that pass by."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _flop() -> FlopCounterMode:
    """PyTorch's counter, told what attention takes on a CPU, which is what it takes on a GPU."""

    def forward(q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return sdpa_flop_count(q, k, v)

    def backward(gradient: Any, q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return sdpa_backward_flop_count(gradient, q, k, v)

    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    of_gradient = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    return FlopCounterMode(
        display=False, custom_mapping={attention: forward, of_gradient: backward}
    )


def _wait() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
