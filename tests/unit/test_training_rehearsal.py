"""A rehearsal has the run's shapes and first losses, and counts what its arithmetic takes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training import fit as training
from synthcore.training.first_edition import History, fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.rehearsal import Rehearsal, whole_or_rehearsed

M, B, T, V, D, L, STEPS = 3, 4, 10, 6, 16, 2, 12
CONFIG = GPTConfig(vocabulary=V, context=T, width=D, depth=L, heads=2, tied=False)


def train(seen: list[int]) -> History:
    model = GPT(CONFIG, range(M))
    return fit(
        model,
        lambda step: torch.randint(V, (M, B, T), generator=torch.Generator().manual_seed(step)),
        steps=STEPS,
        optimizer=population_adamw(model, 1e-2),
        checkpoints=(0, 1, 2, 7, STEPS),
        on_checkpoint=lambda step, _: seen.append(step),
    )


@pytest.mark.parametrize("taken", [1, 3, 100])
def test_first_losses_are_real_and_every_checkpoint_is_made(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train([]).loss
    monkeypatch.setenv("SYNTHCORE_REHEARSAL", str(taken))
    seen: list[int] = []
    loss = train(seen).loss
    real = min(taken, STEPS)
    assert torch.equal(loss[:real], whole[:real])
    assert loss.shape == whole.shape
    assert (loss[real:] == loss[real - 1]).all()
    assert seen == [0, 1, 2, 7, STEPS]


def test_arithmetic_of_a_transformer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCORE_REHEARSAL", "2")
    monkeypatch.setenv("SYNTHCORE_RUN_DIR", str(tmp_path))
    train([])
    train([])
    first, second = map(json.loads, (tmp_path / "trainings.jsonl").read_text().splitlines())
    tokens = M * B * T
    # Per token: query, key, value and output are 4 D^2, the MLP 8 D^2, the head D V products.
    forward = 2 * tokens * (L * 12 * D * D + D * V)
    # Scores and values: 2 T D products per token and block; a gradient needs five such for two.
    attention = 2 * tokens * L * 2 * T * D
    assert first["flop"] == 3 * forward + attention + attention * 5 // 2
    assert first["members"] == M
    assert first["parameters"] == M * GPT(CONFIG, [0]).parameters_per_member
    assert first["updates"] == STEPS
    assert 0 < first["seconds"] < first["spent"]
    assert first["kernels"] == second["kernels"] > 50


def test_a_descent_without_a_module_is_whole_unless_it_is_rehearsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def advance(first: int, end: int) -> torch.Tensor:
        taken.extend(range(first, end))
        return torch.arange(first, end).view(-1, 1) * torch.ones(M)

    whole = whole_or_rehearsed(advance, STEPS, name="Line", parameters=7)
    assert taken == list(range(STEPS))
    assert whole.shape == (STEPS, M)
    monkeypatch.setenv("SYNTHCORE_REHEARSAL", "3")
    monkeypatch.setenv("SYNTHCORE_RUN_DIR", str(tmp_path))
    taken.clear()
    short = whole_or_rehearsed(advance, STEPS, name="Line", parameters=7)
    assert taken == [0, 1, 2]
    assert short[:, 0].tolist() == [0, 1, *[2] * (STEPS - 2)]
    written = json.loads((tmp_path / "trainings.jsonl").read_text())
    assert (written["model"], written["parameters"], written["updates"]) == ("Line", 7, STEPS)


def test_an_update_is_counted_without_the_checkpoint_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHCORE_REHEARSAL", "2")
    monkeypatch.setenv("SYNTHCORE_RUN_DIR", str(tmp_path))
    model, tokens = GPT(CONFIG, range(M)), torch.zeros(M, B, T, dtype=torch.long)
    for checkpoints in ((), (1,)):
        fit(
            model,
            lambda step: tokens,
            steps=STEPS,
            optimizer=population_adamw(model, 1e-2),
            checkpoints=checkpoints,
            on_checkpoint=lambda step, model: model(tokens),
        )
    plain, looked_at = map(json.loads, (tmp_path / "trainings.jsonl").read_text().splitlines())
    assert plain["flop"] == looked_at["flop"]
    assert plain["kernels"] == looked_at["kernels"]


def rehearsed(progress: Progress | None, seen: list[int]) -> training.History:
    """The same training by the loop that has no hidden mode."""
    model = GPT(CONFIG, range(M))
    return training.fit(
        model,
        lambda step: torch.randint(V, (M, B, T), generator=torch.Generator().manual_seed(step)),
        steps=STEPS,
        optimizer=population_adamw(model, 1e-2),
        checkpoints=(0, 1, 2, 7, STEPS),
        on_checkpoint=lambda step, model: seen.append(step) or {"at": np.array(step)},
        progress=progress,
    )


@pytest.mark.parametrize("taken", [1, 3, 100])
def test_a_rehearsal_is_passed_in(taken: int, tmp_path: Path) -> None:
    whole = rehearsed(None, []).loss
    seen: list[int] = []
    shown: list[tuple[str, int, int]] = []
    progress = Rehearsal(taken, tmp_path / "file", lambda *told: shown.append(told))
    history = rehearsed(progress, seen)
    real = min(taken, STEPS)
    assert torch.equal(history.loss[:real], whole[:real])
    assert (history.loss[real:] == history.loss[real - 1]).all()
    assert list(history.measured) == seen == [0, 1, 2, 7, STEPS]
    assert shown == [("training", done, STEPS) for done in range(1, real + 1)]


def test_both_loops_are_counted_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed(Rehearsal(2, tmp_path / "new"), [])
    monkeypatch.setenv("SYNTHCORE_REHEARSAL", "2")
    monkeypatch.setenv("SYNTHCORE_RUN_DIR", str(tmp_path))
    train([])
    new = json.loads((tmp_path / "new").read_text())
    old = json.loads((tmp_path / "trainings.jsonl").read_text())
    for name in ("model", "members", "parameters", "updates", "flop"):
        assert new[name] == old[name]
    assert new["kernels"] == pytest.approx(old["kernels"], abs=10)
    assert 0 < new["seconds"] < new["spent"]
