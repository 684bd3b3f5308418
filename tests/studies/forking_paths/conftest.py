"""A small run of every experiment, shared by the tests of this study."""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import smoke

from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.experiments import (
    backends,
    detection,
    language_model,
    released,
    sampling,
)
from synthcore.studies.forking_paths.measure.paths import Paths
from synthcore.studies.forking_paths.task.backend import PROMPT, ForkWorldBackend, answer_of
from synthcore.studies.forking_paths.task.world import ForkWorld
from synthcore.training.progress import Progress

# Enough seeds and worlds to decide, of short texts.
SMALL: dict[str, Any] = {
    "n_seeds": 5,
    "worlds": 30,
    "lengths": [60],
    "samples": [10, 30],
    "headline": 30,
    "planted": 60,
    "counted": 24,
    "noise_worlds": 6,
    "noise_samples": [10, 30, 100],
    "backend_samples": 10,
}


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("forking_paths", **changed))


def question(name: str, changes: int, rng: np.random.Generator) -> released.Released:
    """A question of 60 positions and three outcomes, with two tokens everywhere and 30 completions
    of each; the answer is open until the first of its changes."""
    segment = np.searchsorted(
        np.sort(rng.choice(np.arange(8, 52, 6), changes, False)), np.arange(60)
    )
    share = np.full((60, 3), 0.02)
    share[np.arange(60), segment % 3] = 0.96
    law = np.stack([np.roll(share, -1, 0), share], 1)
    counts = torch.from_numpy(rng.multinomial(30, law)).double()[None]
    p = torch.tensor([0.8, 0.15], dtype=torch.float64).expand(1, 60, 2)
    return released.Released(name, Paths(p, counts), rng.choice(4, 60, p=(0.05, 0.16, 0.06, 0.73)))


@pytest.fixture(scope="session")
def questions() -> list[released.Released]:
    """Twelve of each of three tasks, that change as the paper's do."""
    rng = np.random.default_rng(0)
    wanted = {"CoinFlip": (0,), "HotpotQA": (1, 2), "LastLetter": (3,)}
    return [
        question(f"{task}/{i}", counts[i % len(counts)], rng)
        for task, counts in wanted.items()
        for i in range(12)
    ]


@pytest.fixture(scope="session")
def results(questions: list[released.Released]) -> xr.DataTree:
    """What the notebook judges: one dataset per experiment."""
    small = config(**SMALL)
    return xr.DataTree.from_dict(
        {
            "detection": detection.run(small),
            "counting": detection.counting(small),
            "planted": detection.planted(small),
            "noise": sampling.noise(small),
            "backends": backends.run(small),
            "released": released.analyse(questions, Progress()),
            "language_model": made_up(),
        }
    )


def made_up() -> xr.Dataset:
    """Twenty analyses of worlds, as the language model's are kept."""
    rows = []
    for number in range(20):
        world = ForkWorld(number % 5)
        fpa = language_model.run_plan(
            ForkWorldBackend(world),
            language_model.plan_fpa(ForkWorldBackend(world), PROMPT, 5, max_tokens=61),
            answer_of(world),
            outcomes=world.names,
        )
        asked = language_model.Question("CoinFlip", PROMPT, "yes")
        rows.append(language_model.row(fpa, asked, number).assign_coords(question=str(number)))
    return xr.concat(rows, "question")
