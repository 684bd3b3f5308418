"""Checkpoints in memory and on disk: safetensors for numbers, JSON for the rest, a checksum for
each.

Nothing is pickled or unpickled. A file whose checksum does not match is refused by name.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn
from torch.optim import Optimizer

FORMAT = 1


class DamagedCheckpointError(ValueError):
    """A checkpoint file is incomplete or was altered; the message names it."""


@dataclass(frozen=True)
class Checkpoint:
    """A population after `step` updates, on the CPU and independent of the model it came from.

    `optimizer` maps `<parameter index>.<quantity>` to the optimiser's state (empty if not kept);
    `notes` is anything JSON holds, for example the model's config; `extra` is further tensors.
    """

    step: int
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: nn.Module,
        step: int,
        optimizer: Optimizer | None = None,
        notes: Mapping[str, Any] | None = None,
        extra: Mapping[str, Tensor] | None = None,
    ) -> "Checkpoint":
        """Copy a model (and, to resume training later, its optimiser's state)."""
        weights = {name: _copy(value) for name, value in model.state_dict().items()}
        state = {} if optimizer is None else optimizer.state_dict()["state"]
        moments = {
            f"{index}.{quantity}": _copy(value)
            for index, quantities in state.items()
            for quantity, value in quantities.items()
        }
        return cls(step, weights, moments, dict(notes or {}), dict(extra or {}))

    def restore(self, model: nn.Module, optimizer: Optimizer | None = None) -> None:
        """Load into a model of the same shape and an optimiser built as the kept one was."""
        model.load_state_dict(dict(self.weights))
        if optimizer is None:
            return
        if not self.optimizer:
            raise ValueError(f"the checkpoint of step {self.step} keeps no optimiser state")
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in self.optimizer.items():
            index, quantity = name.split(".", 1)
            state.setdefault(int(index), {})[quantity] = value.clone()
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})

    def save(self, path: Path) -> None:
        """Write `path` (ending in .safetensors) and, after it, the .json beside it."""
        tensors = {f"weights.{name}": value for name, value in self.weights.items()}
        tensors |= {f"optimizer.{name}": value for name, value in self.optimizer.items()}
        tensors |= {f"extra.{name}": value for name, value in self.extra.items()}
        content = safetensors.torch.save(tensors)
        head = {
            "format": FORMAT,
            "step": self.step,
            "notes": self.notes,
            "tensors": path.name,
            "tensors_sha256": hashlib.sha256(content).hexdigest(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        signed = json.dumps(head | {"sha256": _digest(head)}, indent=1)
        _write(path.with_suffix(".json"), signed.encode())

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read what `save` wrote; `DamagedCheckpointError` if either file is not what it was."""
        head = _read_head(path.with_suffix(".json"))
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != head["tensors_sha256"]:
            raise DamagedCheckpointError(f"{path} is damaged: its checksum does not match")
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}, "extra": {}}
        for name, value in safetensors.torch.load(content).items():
            part, rest = name.split(".", 1)
            parts[part][rest] = value
        return cls(
            int(head["step"]),
            parts["weights"],
            parts["optimizer"],
            head["notes"],
            parts["extra"],
        )


class InMemory(dict[int, Checkpoint]):
    """Keeps every checkpoint: `kept = InMemory(); fit(..., on_checkpoint=kept); kept[100]`."""

    def __call__(self, step: int, model: nn.Module) -> None:
        self[step] = Checkpoint.of(model, step)


class OnDisk:
    """Writes every checkpoint to `folder/step_00000100.safetensors`, with what resuming needs."""

    def __init__(
        self, folder: Path, optimizer: Optimizer, notes: Mapping[str, Any] | None = None
    ) -> None:
        self.folder, self.optimizer, self.notes = folder, optimizer, notes

    def __call__(self, step: int, model: nn.Module) -> None:
        path = self.folder / f"step_{step:08d}.safetensors"
        Checkpoint.of(model, step, self.optimizer, self.notes).save(path)

    def latest(self) -> Checkpoint | None:
        """The last complete checkpoint in the folder; continue with `fit(..., start=its.step)`."""
        complete = sorted(self.folder.glob("step_*.json"))
        return Checkpoint.load(complete[-1].with_suffix(".safetensors")) if complete else None


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone().contiguous()


def _write(path: Path, content: bytes) -> None:
    """Atomic: a reader sees the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _read_head(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(path.read_bytes())
        signature = head.pop("sha256")
        if signature == _digest(head) and head["format"] == FORMAT:
            return dict(head)
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    raise DamagedCheckpointError(f"{path} is damaged: its checksum does not match")


def _digest(head: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()
