"""Unfinished trainings of a stage, kept about every minute and gone on with bit for bit."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from synthcore.evidence.files import sha256, write_atomic
from synthcore.stages.store import cannot_keep, say_once
from synthcore.training.checkpoints import Checkpoint, DamagedCheckpointError
from synthcore.training.progress import Keeper, Progress, TrainingState

KEEP_SECONDS = 60.0
SHORT = 0.01  # of the interval: a training that took less is repeated rather than kept


def keep_seconds() -> float:
    """How often an unfinished training is kept: SYNTHCORE_KEEP_SECONDS, or every minute."""
    return float(os.environ.get("SYNTHCORE_KEEP_SECONDS", KEEP_SECONDS))


class KeepingProgress(Progress):
    """Shows by way of another progress and keeps every training below a folder.

    `cpu_seconds` is what the stage has taken: here, before it was killed, and in results inside it.
    """

    def __init__(self, inner: Progress, folder: Path | None) -> None:
        self.inner, self.folder = inner, folder
        self.rehearsing = inner.rehearsing
        self.names: set[str] = set()
        self.before, self.inside = _spent(folder), 0.0
        self.began = time.process_time()

    def __call__(self, label: str, done: int, total: int) -> None:
        self.inner(label, done, total)

    def updates(self, first: int, steps: int, model: nn.Module) -> Iterable[int]:
        return self.inner.updates(first, steps, model)

    def keeper(self, name: str) -> Keeper:
        """Raises ValueError if two trainings of the stage have the same name."""
        if name in self.names:
            raise ValueError(f"Two trainings of a stage are called {name!r}: fit(..., name=...).")
        self.names.add(name)
        if self.folder is None or self.rehearsing:
            return Keeper()
        return FileKeeper(self, self.folder / sha256(name.encode())[:12])

    @property
    def own_seconds(self) -> float:
        """Without results inside it."""
        return self.before + time.process_time() - self.began

    @property
    def cpu_seconds(self) -> float:
        return self.own_seconds + self.inside

    def add_inside(self, cpu_seconds: float, here: float = 0.0) -> None:
        """A result inside this stage took so long, of which `here` was in this process."""
        self.inside += cpu_seconds
        self.began += here

    def close(self) -> None:
        """The stage is computed: a stage around it has its cost."""
        if isinstance(self.inner, KeepingProgress):
            here = self.own_seconds - self.before
            self.inner.add_inside(self.cpu_seconds, here)


class FileKeeper(Keeper):
    """Keeps a training's last state as a checkpoint in `folder`."""

    def __init__(self, progress: KeepingProgress, folder: Path) -> None:
        self.progress, self.folder = progress, folder
        self.last, self.interval = time.monotonic(), keep_seconds()

    def restore(self, model: nn.Module, optimizer: Optimizer) -> TrainingState | None:
        """The newest state that is whole; a damaged one is named and passed over."""
        for head in sorted(self.folder.glob("step_*.json"), reverse=True):
            try:
                checkpoint = Checkpoint.load(head.with_suffix(".safetensors"))
            except (DamagedCheckpointError, OSError) as error:
                say_once(f"{error}; the training goes on from an earlier state.")
                continue
            checkpoint.restore(model, optimizer if checkpoint.optimizer else None)
            extra = dict(checkpoint.extra)
            _set_random_state(extra)
            measured = {
                int(step): {name: extra[f"measured.{step}.{name}"].numpy() for name in names}
                for step, names in checkpoint.notes["measured"].items()
            }
            return TrainingState(checkpoint.step, extra["losses"], measured)
        return None

    def due(self, finished: bool) -> bool:
        since = time.monotonic() - self.last
        return since >= self.interval * (SHORT if finished else 1)

    def save(self, state: TrainingState, model: nn.Module, optimizer: Optimizer) -> None:
        """Write the new state, then remove the old. A disk that is full is a sentence."""
        extra = {"losses": state.losses.contiguous().clone(), **_random_state()}
        for step, arrays in state.measured.items():
            for name, array in arrays.items():
                extra[f"measured.{step}.{name}"] = torch.from_numpy(
                    np.array(array, order="C", copy=True)
                )
        notes = {"measured": {str(step): list(arrays) for step, arrays in state.measured.items()}}
        path = self.folder / f"step_{state.step:010d}.safetensors"
        old = list(self.folder.glob("step_*"))
        try:
            Checkpoint.of(model, state.step, optimizer, notes, extra).save(path)
            spent = {"cpu_seconds": self.progress.own_seconds}
            write_atomic(self.folder.parent / "spent.json", json.dumps(spent))
            for file in old:
                if file.stem != path.stem:
                    file.unlink(missing_ok=True)
        except OSError as error:
            cannot_keep(self.folder, error)
        self.last = time.monotonic()


def _spent(folder: Path | None) -> float:
    """CPU time that a stage had taken when it was last kept."""
    if folder is None:
        return 0.0
    try:
        return float(json.loads((folder / "spent.json").read_bytes())["cpu_seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _random_state() -> dict[str, Tensor]:
    """torch's global generators, which dropout draws from."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_state(extra: dict[str, Tensor]) -> None:
    torch.set_rng_state(extra["random.cpu"])
    if "random.cuda" in extra and torch.cuda.is_available():
        torch.cuda.set_rng_state(extra["random.cuda"])


def forget(folder: Path | None) -> None:
    """Remove unfinished trainings."""
    if folder is not None:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
