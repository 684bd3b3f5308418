"""A training that is killed at any moment goes on where it was, bit for bit."""

import json
import os
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

INTERVAL = 0.5  # seconds between two states that are kept
KILLS = 20

STUDY = '''
"""A small transformer on random tokens; every batch is noted in a file as it is drawn."""
import os, time
import numpy as np, torch, xarray as xr
from pydantic import Field
from synthcore.config import StudyConfig
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.stages import stage
from synthcore.training.config import TrainingConfig
from synthcore.training.fit import fit

PAUSE = float(os.environ.get("PAUSE", "0"))
LOG = os.environ["LOG"]

class Config(StudyConfig):
    """Parameters."""
    steps: int = Field(ge=1, description="updates")

@stage(reads=("steps",))
def run(config, progress):
    """Losses, measured weights and final weights."""
    training = TrainingConfig(
        config.steps, 4, 1e-2, warmup=5, weight_decay=0.1, decayed="matrices", clip=0.5)
    parts = []
    for width in (4, 8):
        model = GPT(GPTConfig(5, 8, width, 1, 2, positions="learned"), config.seeds)

        def sample(step):
            with open(LOG, "a") as log:
                log.write(f"{os.getpid()} {width} {step} {time.monotonic()}\\n")
            time.sleep(PAUSE)
            keys = [torch.Generator().manual_seed(1000 * s + step) for s in config.seeds]
            return torch.stack([torch.randint(5, (4, 8), generator=key) for key in keys])

        history = fit(
            model, sample, steps=training.steps, optimizer=training.optimizer(model),
            schedule=training.schedule(), clip=training.clip, checkpoints=range(0, config.steps, 7),
            on_checkpoint=lambda step, m: {"bias": m.embed.weight.detach().numpy().sum((1, 2))},
            progress=progress, name=f"width {width}")
        measured = np.stack([arrays["bias"] for arrays in history.measured.values()], 1)
        parts.append(xr.Dataset(
            {"loss": (("seed", "step"), history.loss.T.numpy()),
             "measured": (("seed", "checkpoint"), measured),
             "weights": (("seed", "token", "feature"), model.embed.weight.detach().numpy())},
            {"seed": list(config.seeds), "checkpoint": list(history.measured)}))
    return xr.concat([part.pad(feature=(0, 8 - part.sizes["feature"])) for part in parts], "width")
'''

DRIVER = '''
"""Runs the study in children that are killed; importing once is what takes time."""
import json, os, signal, sys, time
import killed_study as study

moments, steps, out = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
study.run(study.Config(seed=9, n_seeds=1, steps=9, device="cpu"))
open(study.LOG, "w").close()
for moment in [*moments, None]:
    child = os.fork()
    if child == 0:
        study.run(study.Config(seed=0, n_seeds=2, steps=steps, device="cpu")).to_netcdf(
            out, engine="h5netcdf")
        os._exit(0)
    if moment is None:
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        break
    drawn = os.path.getsize(study.LOG)
    while os.path.getsize(study.LOG) == drawn and os.waitpid(child, os.WNOHANG)[0] == 0:
        time.sleep(0.005)
    time.sleep(moment)
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
'''


def drive(
    folder: Path, name: str, moments: list[float], steps: int, pause: float
) -> tuple[xr.Dataset, list[list[str]]]:
    """The study's dataset and one line per batch drawn: process, width, step, time."""
    (folder / "killed_study.py").write_text(STUDY)
    (folder / "driver.py").write_text(DRIVER)
    past = time.time() - 10
    os.utime(folder / "killed_study.py", (past, past))
    env = os.environ | {
        "SYNTHCORE_CACHE": str(folder / name),
        "SYNTHCORE_KEEP_SECONDS": str(INTERVAL),
        "LOG": str(folder / f"{name}.log"),
        "PAUSE": str(pause),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    out = folder / f"{name}.nc"
    command = [sys.executable, "driver.py", json.dumps(moments), str(steps), str(out)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    log = [line.split() for line in (folder / f"{name}.log").read_text().splitlines()]
    return xr.load_dataset(out, engine="h5netcdf"), log


def test_killed_at_twenty_random_moments(tmp_path: Path) -> None:
    steps = 200
    moments = [random.Random(i).uniform(0.0, 1.0) for i in range(KILLS)]
    whole, log = drive(tmp_path, "whole", [], steps, pause=0.0)
    assert len(log) == 2 * steps
    killed, log = drive(tmp_path, "killed", moments, steps, pause=0.025)
    xr.testing.assert_identical(killed, whole)
    for name in whole.data_vars:
        assert np.array_equal(killed[name].values, whole[name].values, equal_nan=True)
    lives = list(dict.fromkeys(process for process, *_ in log))
    assert len(lives) >= KILLS  # the training outlives the kills
    first_drawn: dict[tuple[str, str], float] = {}
    last = slowest = 0.0
    for process in lives:
        rows = [(width, step, float(at)) for p, width, step, at in log if p == process]
        again = first_drawn.get(rows[0][:2])
        if again is not None:  # what lies between was computed for nothing
            assert last - again < INTERVAL + 2 * slowest
        first_drawn |= {(width, step): at for width, step, at in rows}
        times = [at for _, _, at in rows]
        slowest, last = max((b - a for a, b in pairwise(times)), default=0.0), times[-1]
    assert not list((tmp_path / "killed").rglob("*.work"))


def test_two_at_once_compute_a_block_once(tmp_path: Path) -> None:
    (tmp_path / "killed_study.py").write_text(STUDY)
    code = (
        "import killed_study as s; c = s.Config(seed=0, n_seeds=2, steps=30, device='cpu'); "
        "print(float(s.run(c).loss.sum()))"
    )
    env = os.environ | {
        "SYNTHCORE_CACHE": str(tmp_path / "cache"),
        "LOG": str(tmp_path / "log"),
        "PAUSE": "0.05",
        "OMP_NUM_THREADS": "1",
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert len((tmp_path / "log").read_text().splitlines()) == 2 * 30
    assert sum("waiting for it" in error for _, error in said) == 1
