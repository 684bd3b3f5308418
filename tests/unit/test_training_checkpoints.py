"""A checkpoint comes back as it was, or not at all."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training.checkpoints import Checkpoint, DamagedCheckpointError, OnDisk
from synthcore.training.first_edition import fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import warmup_cosine

CONFIG = GPTConfig(vocabulary=6, context=10, width=8, depth=1, heads=2)


def sample(step: int) -> Tensor:
    return torch.randint(6, (2, 4, 10), generator=torch.Generator().manual_seed(step))


def build(rates: float | Tensor = 1e-2) -> tuple[GPT, Optimizer]:
    model = GPT(CONFIG, [0, 1])
    return model, population_adamw(model, rates, weight_decay=0.1)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model, _ = build()
    path = tmp_path / "kept.safetensors"
    Checkpoint.of(model, 3, notes={"width": 8}).save(path)
    return path


def test_round_trip(saved: Path) -> None:
    checkpoint = Checkpoint.load(saved)
    assert (checkpoint.step, checkpoint.notes, checkpoint.optimizer) == (3, {"width": 8}, {})
    model, _ = build()
    assert set(checkpoint.weights) == set(model.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(checkpoint.weights[name], value)


def test_a_checkpoint_does_not_follow_the_model() -> None:
    model, _ = build()
    checkpoint = Checkpoint.of(model, 0)
    with torch.no_grad():
        model.embed.weight.zero_()
    assert checkpoint.weights["embed.weight"].abs().sum() > 0


@pytest.mark.parametrize("rates", [1e-2, torch.tensor([1e-2, 3e-3])], ids=["shared", "each"])
def test_resumed_training_is_uninterrupted_training(tmp_path: Path, rates: float | Tensor) -> None:
    schedule = warmup_cosine(12, warmup=3)
    model, optimizer = build(rates)
    store = OnDisk(tmp_path, optimizer)
    whole = fit(
        model,
        sample,
        steps=12,
        optimizer=optimizer,
        schedule=schedule,
        checkpoints=[0, 2, 5],
        on_checkpoint=store,
    )
    resumed, fresh = build(rates)
    checkpoint = OnDisk(tmp_path, fresh).latest()
    assert checkpoint is not None
    assert checkpoint.step == 5
    checkpoint.restore(resumed, fresh)
    rest = fit(resumed, sample, steps=12, optimizer=fresh, schedule=schedule, start=5)
    assert rest.first == 5
    assert torch.equal(rest.loss, whole.loss[5:])


def test_an_empty_folder_has_no_latest(tmp_path: Path) -> None:
    assert OnDisk(tmp_path, build()[1]).latest() is None


def test_a_checkpoint_without_optimiser_cannot_resume(saved: Path) -> None:
    with pytest.raises(ValueError, match="step 3 keeps no optimiser state"):
        Checkpoint.load(saved).restore(*build())


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("fault", ["flipped", "cut", "empty"])
def test_damage_is_refused_by_name(saved: Path, suffix: str, fault: str) -> None:
    path = saved.with_suffix(suffix)
    content = bytearray(path.read_bytes())
    if fault == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes({"flipped": content, "cut": content[:-9], "empty": b""}[fault])
    with pytest.raises(DamagedCheckpointError, match=path.name):
        Checkpoint.load(saved)


def test_an_edited_step_is_refused(saved: Path) -> None:
    head = saved.with_suffix(".json")
    head.write_text(head.read_text().replace('"step": 3', '"step": 4'))
    with pytest.raises(DamagedCheckpointError, match=r"kept\.json"):
        Checkpoint.load(saved)


def test_nothing_temporary_is_left(saved: Path) -> None:
    assert sorted(p.name for p in saved.parent.iterdir()) == ["kept.json", "kept.safetensors"]
