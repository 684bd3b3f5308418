"""How a training is shown, kept and rehearsed: what `fit` asks of a `Progress` that is passed in.

The base class shows nothing and keeps nothing. A subclass may do either; `Rehearsal` takes a few
updates instead of all, and `synthcore.stages` keeps.
"""

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

Measured = Mapping[int, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class TrainingState:
    """How far a training is, beside the model and its optimiser: updates taken, their losses (S, M)
    on the CPU, and what was measured after which update."""

    step: int
    losses: Float[Tensor, "S M"]
    measured: Measured


class Keeper:
    """Keeps one training while it is unfinished. This one does not."""

    def restore(self, model: nn.Module, optimizer: Optimizer) -> TrainingState | None:
        """Load what was kept into model and optimiser; None if there is nothing."""
        return None

    def due(self, finished: bool) -> bool:
        """Whether it is time to `save`; asked after every update, `finished` after the last."""
        return False

    def save(self, state: TrainingState, model: nn.Module, optimizer: Optimizer) -> None:
        """Keep this state, with the weights and the optimiser's, in place of the last."""


class Progress:
    """Shows and keeps nothing."""

    rehearsing = False  # if so, what is computed is not the result and is not kept

    def __call__(self, label: str, done: int, total: int) -> None:
        """`done` of `total` parts of what `label` names are done; cheap enough for every update."""

    def keeper(self, name: str) -> Keeper:
        """What keeps the training called `name`."""
        return Keeper()

    def updates(self, first: int, steps: int, model: nn.Module) -> Iterable[int]:
        """The updates of `model` that are taken, of `first` to `steps` - 1."""
        return range(first, steps)


class ProgressBar(Progress):
    """`fit(..., progress=ProgressBar())`: a moving line on a terminal, else ten plain lines."""

    def __init__(self) -> None:
        self.label = ""

    def __call__(self, label: str, done: int, total: int) -> None:
        now, share = time.monotonic(), done / max(total, 1)
        if label != self.label:
            self.label, self.started, self.drawn, self.tenths = label, now, now, -1
        tenths = int(10 * share)
        if sys.stderr.isatty():
            if done < total and now - self.drawn < 0.1:
                return
            bar = "#" * int(30 * share)
            end = "\n" if done >= total else ""
            text = f"\r{label} [{bar:<30}] {done}/{total} {now - self.started:.0f} s{end}"
        elif tenths == self.tenths:
            return
        else:
            text = f"{label}: {done}/{total} steps, {now - self.started:.0f} s\n"
        self.drawn, self.tenths = now, tenths
        sys.stderr.write(text)
        sys.stderr.flush()
