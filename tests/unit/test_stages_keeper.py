"""An unfinished training goes on exactly where it was, whatever the model and the optimiser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from synthcore.nn.population import Linear
from synthcore.stages import keeper, store
from synthcore.stages.keeper import KeepingProgress
from synthcore.training.fit import History, fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.rehearsal import Rehearsal

STEPS = 12


class Interrupted(Exception):  # noqa: N818
    """Stands for a kill."""


class Dropping(nn.Module):
    """A layer behind dropout, whose masks come from torch's global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Linear(2, 3, 1)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.dropout(x))


def squared(model: nn.Module, batch: Tensor) -> Tensor:
    return (model(batch) - 1).square().mean((1, 2))


Build = Callable[[nn.Module], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Build] = {
    "adamw": lambda model: population_adamw(model, 0.05, weight_decay=0.1),
    "adamw each": lambda model: population_adamw(model, torch.tensor([0.05, 0.1])),
    "matrices": lambda model: population_adamw(model, 0.05, decayed="matrices"),
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
    "momentum": lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
}


@pytest.fixture(autouse=True)
def every_update_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCORE_KEEP_SECONDS", "0")
    monkeypatch.setattr(store, "_said", set())


def train(
    build: Build, progress: Progress, stop: int | None = None, name: str = "training"
) -> tuple[nn.Module, History]:
    torch.manual_seed(5)
    model = Dropping()

    def sample(step: int) -> Tensor:
        if step == stop:
            raise Interrupted
        return torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(step))

    def measure(step: int, model: nn.Module) -> dict[str, Any]:
        weight = next(model.parameters()).detach().numpy()
        return {
            "z": weight,  # the memory of the weights themselves
            "a": np.array([step], dtype=np.int64),
            "sign": weight[:, 0] > 0,
            "mean": weight.mean(),
        }

    history = fit(
        model,
        sample,
        steps=STEPS,
        optimizer=build(model),
        loss=squared,
        checkpoints=(0, 3, 8, STEPS),
        on_checkpoint=measure,
        progress=progress,
        name=name,
    )
    return model, history


def assert_same(one: tuple[nn.Module, History], other: tuple[nn.Module, History]) -> None:
    for a, b in zip(one[0].parameters(), other[0].parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(one[1].loss, other[1].loss)
    assert list(one[1].measured) == list(other[1].measured) == [0, 3, 8, STEPS]
    for step, arrays in one[1].measured.items():
        again = other[1].measured[step]
        assert list(again) == list(arrays)
        for name, array in arrays.items():
            assert np.array_equal(array, again[name])
            assert np.asarray(array).dtype == again[name].dtype


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stop", [1, 3, 7, STEPS - 1])
def test_interrupted_and_gone_on_is_uninterrupted(
    tmp_path: Path, optimizer: str, stop: int
) -> None:
    build = OPTIMIZERS[optimizer]
    whole = train(build, Progress())
    with pytest.raises(Interrupted):
        train(build, KeepingProgress(Progress(), tmp_path), stop)
    assert_same(whole, train(build, KeepingProgress(Progress(), tmp_path)))


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    build = OPTIMIZERS["adamw"]
    first = train(build, KeepingProgress(Progress(), tmp_path))
    assert_same(first, train(build, KeepingProgress(Progress(), tmp_path), stop=0))


@pytest.mark.parametrize("fault", ["cut", "no head"])
def test_a_damaged_state_is_passed_over(
    tmp_path: Path,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build = OPTIMIZERS["adamw"]
    whole = train(build, Progress())
    # Killed between writing a state and removing the one before it.
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(Interrupted):
        train(build, KeepingProgress(Progress(), tmp_path), stop=6)
    monkeypatch.undo()
    latest = sorted(tmp_path.rglob("step_*.safetensors"))[-1]
    assert latest.stem == "step_0000000006"
    if fault == "cut":
        latest.write_bytes(latest.read_bytes()[:-8])
    else:
        latest.with_suffix(".json").unlink()
    steps: list[int] = []

    class Noted(Progress):
        def __call__(self, label: str, done: int, total: int) -> None:
            steps.append(done)

    assert_same(whole, train(build, KeepingProgress(Noted(), tmp_path)))
    assert steps[0] == 6
    said = capsys.readouterr().err
    assert (latest.name in said) is (fault == "cut")


def test_two_trainings_of_one_name_are_refused(tmp_path: Path) -> None:
    progress = KeepingProgress(Progress(), tmp_path)
    train(OPTIMIZERS["sgd"], progress, name="first")
    with pytest.raises(ValueError, match="Two trainings of a stage are called 'first'"):
        train(OPTIMIZERS["sgd"], progress, name="first")


def test_a_full_disk_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeper.Checkpoint, "save", full)
    progress = KeepingProgress(Progress(), tmp_path)
    assert_same(train(OPTIMIZERS["sgd"], Progress()), train(OPTIMIZERS["sgd"], progress))
    said = capsys.readouterr().err
    assert said.count("No space left on device") == 1


def test_a_rehearsal_keeps_nothing(tmp_path: Path) -> None:
    train(OPTIMIZERS["adamw"], KeepingProgress(Rehearsal(2), tmp_path))
    assert not list(tmp_path.iterdir())


def test_cpu_seconds_of_what_was_killed_count(tmp_path: Path) -> None:
    before = KeepingProgress(Progress(), tmp_path)
    with pytest.raises(Interrupted):
        train(OPTIMIZERS["adamw"], before, stop=6)
    after = KeepingProgress(Progress(), tmp_path)
    assert 0 < after.cpu_seconds <= before.cpu_seconds + 1
    assert after.before > 0
    outer = KeepingProgress(Progress(), None)
    inner = KeepingProgress(outer, tmp_path)
    inner.add_inside(100.0)
    inner.close()
    assert outer.cpu_seconds == pytest.approx(100 + after.before, abs=1)
