"""`make gpu`, on whatever machine the tests run."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

TOOL = Path(__file__).parents[2] / "tools" / "gpu.py"


@pytest.fixture
def tool() -> ModuleType:
    """`tools/gpu.py`, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("gpu_check", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
def test_without_a_gpu_it_says_so_and_ends(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([]) == 2
    said = capsys.readouterr()
    assert "finds no CUDA device" in said.err
    assert not said.out


def test_one_failure_is_told_and_the_others_still_run(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "MEMBERS", 2)
    monkeypatch.setattr(tool, "STEPS", 3)
    checks = {
        "broken": lambda device: 1 / 0,
        "wrong": lambda device: (False, "as it is"),
        "a population": tool.population,
    }
    monkeypatch.setattr(tool, "CHECKS", checks)
    assert tool.main(["--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == ["broken: no", "wrong: no", "a population: yes"]
    assert "ZeroDivisionError" in said.out
    monkeypatch.setattr(tool, "CHECKS", {"a population": tool.population})
    assert tool.main(["--device", "cpu"]) == 0


def test_another_training_is_not_taken_for_the_same(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses that differ between the devices are a failure, however fast they come."""
    rows = {"meta": torch.zeros(9, 2), "cpu": torch.full((3, 2), 0.01)}
    monkeypatch.setattr(tool, "train", lambda device, steps: (rows[device.type], 1.0))
    works, said = tool.population("meta")
    assert not works
    assert "0.01 nats" in said
