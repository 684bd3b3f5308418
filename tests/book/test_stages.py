"""Stages under the runner, in a sweep, in an estimate: trained once, gone on with when killed."""

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import xarray as xr

if TYPE_CHECKING:
    from conftest import Project

STEPS = 60

TRAINING = f'''
"""Trains a small transformer and notes every batch it draws."""
import os, time
import numpy as np, torch, xarray as xr
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.stages import stage
from synthcore.training.fit import fit
from synthcore.training.optimizers import population_adamw

@stage(reads=("steps",))
def run(config, progress):
    """Losses per seed."""
    model = GPT(GPTConfig(5, 8, 8, 1, 2), config.seeds)

    def sample(step):
        with open(os.environ["LOG"], "a") as log:
            log.write(f"{{step}}\\n")
        time.sleep(float(os.environ.get("PAUSE", "0")))
        return torch.randint(
            5, (len(config.seeds), 4, 8), generator=torch.Generator().manual_seed(step))

    history = fit(model, sample, steps=config.steps * {STEPS // 2}, progress=progress,
                  optimizer=population_adamw(model, 1e-2))
    return xr.Dataset({{"loss": (("seed", "step"), history.loss.T.numpy())}},
                      {{"seed": list(config.seeds)}})
'''

CELL = """
# %%
from synthcore.studies.toy.experiments import training
losses = chapter.stage(training.run)

# %% [markdown]
# ## Results
"""


@pytest.fixture
def staged(project: "Project", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Project":
    """The toy with a stage, a cache and a log of its own."""
    folder = project.root / "synthcore/studies/toy/experiments"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "training.py").write_text(TRAINING)
    project.edit("notebooks/toy.py", "\n# %% [markdown]\n# ## Results\n", CELL)
    monkeypatch.setenv("SYNTHCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SYNTHCORE_KEEP_SECONDS", "0.2")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return project


def drawn(tmp_path: Path) -> list[int]:
    """The steps whose batch was drawn, in order."""
    path = tmp_path / "log"
    return list(map(int, path.read_text().split())) if path.exists() else []


def stage_of(project: "Project") -> xr.Dataset:
    folder = project.root / "_build/runs/toy/smoke/stages"
    return xr.load_dataset(folder / "training.run.nc", engine="h5netcdf")


def test_a_killed_run_goes_on_where_it_was(
    staged: "Project", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSE", "0.1")
    run = staged.start("run", "toy", "--scale", "smoke", stdout=subprocess.DEVNULL)
    started = time.monotonic()
    while len(drawn(tmp_path)) < STEPS // 2:
        assert run.poll() is None
        assert time.monotonic() - started < 300
        time.sleep(0.05)
    for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
        process.kill()
    run.wait(60)
    before = drawn(tmp_path)
    monkeypatch.setenv("PAUSE", "0")
    done = staged.run("run", "toy", "--scale", "smoke")
    assert done.returncode == 0, done.stderr
    after = drawn(tmp_path)[len(before) :]
    assert 0 < len(before) - after[0] <= 10  # updates of the interval and of writing
    assert after == list(range(after[0], STEPS))
    resumed = stage_of(staged)

    staged.edit("notebooks/toy.py", "It grows", "It rises")  # a caption
    assert staged.run("run", "toy", "--scale", "smoke").returncode == 0
    assert len(drawn(tmp_path)) == len(before) + len(after)
    xr.testing.assert_identical(stage_of(staged), resumed)
    record = json.loads((staged.root / "_build/runs/toy/smoke/record.json").read_text())
    assert [(stage["name"], stage["source"]) for stage in record["stages"]] == [
        ("training.run", "kept")
    ]

    assert staged.run("run", "toy", "--scale", "smoke", "--fresh").returncode == 0
    assert drawn(tmp_path)[len(before) + len(after) :] == list(range(STEPS))
    xr.testing.assert_identical(stage_of(staged), resumed)


@pytest.mark.thorough
def test_runs_of_a_sweep_share_a_stage(staged: "Project", tmp_path: Path) -> None:
    """The toy's rate is not read by its training."""
    done = staged.run(
        *("sweep", "toy", "--scale", "smoke", "-g", "rate=0.1,0.2"),
        *("--out", str(tmp_path / "sweep"), "--workers", "2"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert drawn(tmp_path) == list(range(STEPS))


def test_an_estimate_rehearses_stages_and_keeps_nothing(staged: "Project", tmp_path: Path) -> None:
    staged.edit("notebooks/params/smoke/toy.yaml", "steps: 2", "steps: 100")
    done = staged.run("estimate", "toy", "--scale", "smoke", "-p", "n_seeds", "6", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["trainings"]
    assert [(row["count"], row["one"]["members"]) for row in rows] == [(1, 4), (1, 2)]
    assert {row["one"]["updates"] for row in rows} == {50 * STEPS}
    assert drawn(tmp_path) == [0, 1, 2] * 2
    assert not list((tmp_path / "cache").rglob("*.nc"))
