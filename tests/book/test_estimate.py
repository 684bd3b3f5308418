"""`synthcore estimate`: what a run would take, from a few of its updates."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from synthcore.press.estimate import (
    GPU_FLOP_PER_SECOND,
    GPU_SECONDS_PER_KERNEL,
    Estimate,
    Training,
    estimates,
    grouped,
)
from synthcore.press.pages import estimates_table

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))

TRAINING = """
# %%
import torch
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training.first_edition import fit
from synthcore.training.optimizers import population_adamw
for width in (8, 8, 16):
    model = GPT(GPTConfig(5, 8, width, 1, 2), range(n_seeds))
    history = fit(model, lambda step: torch.zeros(n_seeds, 2, 8, dtype=torch.long), steps=50000,
                  optimizer=population_adamw(model, 1e-3))
assert history.loss[-1].max() < 1e-3, "it has not learned"

# %% [markdown]
# ## Results
"""


def test_a_chapter_is_rehearsed_whole(copy: "Project") -> None:
    copy.edit("notebooks/toy.py", "\n# %% [markdown]\n# ## Results\n", TRAINING)
    done = copy.run("estimate", "toy", "--scale", "smoke", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(row["count"], row["one"]["updates"]) for row in found["trainings"]] == [
        (2, 50000),
        (1, 50000),
    ]
    rows = [(row["count"] * 50000, row["one"]) for row in found["trainings"]]
    updates = sum(n * one["seconds"] for n, one in rows)
    assert found["seconds_here"] == pytest.approx(updates + found["rest"])
    assert found["flop"] == pytest.approx(sum(n * one["flop"] for n, one in rows))
    assert found["peak_rss_mb"] > 50
    # Nothing is left that could be taken for a run.
    assert not any((copy.root / "_build" / "estimates").rglob("record.json"))
    table = copy.run("estimate", "toy", "--scale", "smoke", "--updates", "1")
    assert table.returncode == 0, table.stderr
    assert "3 GPT" in table.stdout
    assert "50,000" in table.stdout


def test_what_is_kept_takes_the_place_of_an_older_one(copy: "Project") -> None:
    (copy.root / "benchmarks").mkdir(exist_ok=True)
    for seeds in ("2", "4"):
        done = copy.run("estimate", "toy", "--scale", "smoke", "--record", "-p", "n_seeds", seeds)
        assert done.returncode == 0, done.stderr
    (row,) = estimates(copy.root)
    assert (row["study"], row["scale"], row["networks"], row["updates"]) == ("toy", "smoke", 0, 0)
    table = estimates_table([row | {"seconds_on_gpu": 7200.0, "flop": 3e12}])
    assert row["changed"] == {"n_seeds": 4}
    assert "| toy (smoke; n_seeds: 4) | 0 | 0 | 0 | 3.0e+12 |" in table
    assert "| 2.0 h |" in table


def test_what_fails_in_a_run_fails_in_a_rehearsal(copy: "Project") -> None:
    done = copy.run("estimate", "toy", "--scale", "smoke", "-p", "mode", "raise")
    assert done.returncode == 1
    assert "the toy broke" in done.stderr
    assert copy.run("estimate", "toy", "--scale", "nowhere").returncode == 2


def test_a_gpu_is_bound_by_arithmetic_or_by_starting_kernels() -> None:
    large = Training("GPT", 2, 1000, updates=10, seconds=4, flop=1e15, kernels=100, spent=9)
    small = Training("MLP", 2, 10, updates=1000, seconds=0.1, flop=1e3, kernels=50, spent=1)
    groups = grouped([large, small, small])
    assert [group.count for group in groups] == [1, 2]
    whole = Estimate("toy", "authors", {}, "cpu", groups, rest=5, peak_rss_mb=1, peak_gpu_mb=None)
    assert whole.seconds_here == pytest.approx(5 + 40 + 200)
    assert whole.flop == pytest.approx(1e16 + 2e6)
    assert whole.seconds_on_gpu == pytest.approx(
        5 + 1e16 / GPU_FLOP_PER_SECOND + 2000 * 50 * GPU_SECONDS_PER_KERNEL
    )


@pytest.mark.parametrize(
    "study",
    [
        # each takes as long as a run at smoke, which every chapter has had before
        pytest.param(name, marks=() if name == "icl_markov" else pytest.mark.thorough)
        for name in CHAPTERS
    ],
)
def test_every_chapter_can_be_rehearsed(study: str) -> None:
    """Claims, figures and exercises bear networks that have hardly learned."""
    command = [sys.executable, "-m", "synthcore", "estimate", study, "--scale", "smoke", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["study"] == study
