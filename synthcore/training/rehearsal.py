"""A rehearsal: a few updates of each training instead of all, timed and counted.

What `synthcore estimate` asks for: shapes, memory and evaluations are those of the whole run, its
learning is not. A `Rehearsal` is a `Progress` that is passed to `fit`. Chapters of the first
edition are asked through the environment instead (`asked`, `whole_or_rehearsed`).
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from synthcore.training.progress import Progress

UPDATES = "SYNTHCORE_REHEARSAL"  # how many updates of a training are taken
FILE_NAME = "trainings.jsonl"  # one line per training, in the run's folder


class Rehearsal(Progress):
    """Takes the first `taken` updates of every training and writes what they took to `path`.

    The first update is counted and not timed, unless it is the only one. `show` is called with
    label, done and total.
    """

    rehearsing = True

    def __init__(
        self,
        taken: int,
        path: Path | None = None,
        show: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.taken, self.path, self.show = max(1, taken), path, show
        self.counting = ExitStack()
        self.ended = 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        """An update ends here, before its checkpoint is made."""
        self._end()
        if self.show is not None:
            self.show(label, done, total)

    def updates(self, first: int, steps: int, model: nn.Module) -> Iterator[int]:
        """The first few updates, counted and timed."""
        operators, flop = _Operators(), _flop()
        seconds = []
        for step in range(first, min(steps, first + self.taken)):
            began, self.ended = time.perf_counter(), 0.0
            with self.counting:
                if step == first:
                    self.counting.enter_context(operators)
                    self.counting.enter_context(flop)
                yield step
                self._end()  # where nobody said that the update is done
            seconds.append(self.ended - began)
        if seconds and self.path is not None:
            later = seconds[1:] or seconds
            _write(
                self.path,
                model=type(model).__name__,
                members=next(model.parameters()).shape[0],
                parameters=sum(parameter.numel() for parameter in model.parameters()),
                updates=steps - first,
                seconds=sum(later) / len(later),
                flop=flop.get_total_flops(),
                kernels=operators.count,
                spent=sum(seconds),
            )

    def _end(self) -> None:
        self.counting.close()
        if not self.ended:
            _wait()
            self.ended = time.perf_counter()


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
    directory = os.environ.get("SYNTHCORE_RUN_DIR")
    _write(
        Path(directory) / FILE_NAME if directory else None,
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


def _write(path: Path | None, **training: Any) -> None:
    """Add a training to a file of them."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
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
