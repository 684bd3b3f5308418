"""The same analysis call on every kind of backend, against what it should find.

A world is asked directly, through HTTP in both dialects, and as a recorded run; through an object
that has `complete` and nothing else; and, as a control, through a backend that does not read what
has been written so far. A trained network is in `learner`.
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
import xarray as xr

from synthcore.completions import loopback
from synthcore.completions.cache import Cached, ReplayBackend
from synthcore.completions.client import HTTPBackend
from synthcore.completions.protocol import Backend, Completion, Request
from synthcore.studies.forking_paths import theory
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.pipeline import FPA, run_fpa
from synthcore.studies.forking_paths.stage import Progress
from synthcore.studies.forking_paths.task import Recipe
from synthcore.studies.forking_paths.worlds import PROMPT, ForkWorldBackend, answer_of

FORGETFUL = "control: forgets the text"
BACKENDS = ("ForkWorld", "HTTP, legacy", "HTTP, content", "recorded run", "bare", FORGETFUL)


class Bare:
    """Completions and probabilities, and nothing else to look at."""

    __slots__ = ("_complete", "name")

    def __init__(self, backend: Backend) -> None:
        self.name, self._complete = backend.name, backend.complete

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        return self._complete(requests)


class Forgetful:
    """Continues every text from its beginning: outcomes do not depend on what was written."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.name = backend, "forgetful"

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        fresh = [replace(r, prefix=r.prefix[:1], max_tokens=512) for r in requests]
        return self.backend.complete(fresh)


def black_box(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Share of completions that were counted, and the error of o_t as a multiple of what the
    sampling noise of as many completions gives; by seed and backend."""
    rows = []
    for number, seed in enumerate(config.seeds):
        recipe = Recipe(config.length, forks=(2, 3))  # something to be wrong about
        ensemble = Ensemble.draw(seed, 600, 1, recipe)
        runs = _runs(config, ensemble, seed)
        found = [_quality(config, runs[name], ensemble) for name in BACKENDS]
        rows.append(
            xr.Dataset(
                {
                    "complete": ("backend", [share for share, _ in found]),
                    "excess": ("backend", [excess for _, excess in found]),
                },
                {"backend": list(BACKENDS), "seed": seed},
            )
        )
        if progress is not None:
            progress("backends", number + 1, config.n_seeds)
    return xr.concat(rows, "seed")


def _runs(config: Config, ensemble: Ensemble, seed: int) -> dict[str, FPA]:
    world = ensemble.worlds[0]
    direct = ForkWorldBackend(world)

    def analyse(backend: Backend) -> FPA:
        names, most = world.names, world.length + 1
        return run_fpa(
            backend, PROMPT, answer_of(world), config.box_samples, config.p_thresh,
            max_tokens=most, seed=seed, outcomes=names,
        )  # fmt: skip

    runs = {"ForkWorld": analyse(direct), "bare": analyse(Bare(direct))}
    runs[FORGETFUL] = analyse(Forgetful(direct))
    for dialect in ("legacy", "content"):
        with loopback.serving(direct, dialect) as url:
            runs[f"HTTP, {dialect}"] = analyse(HTTPBackend(url, direct.name))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        analyse(Cached(direct, path))
        runs["recorded run"] = analyse(ReplayBackend(path, direct.name))
    return runs


def _quality(config: Config, run: FPA, ensemble: Ensemble) -> tuple[float, float]:
    exact, length = ensemble.o[:, :-1], ensemble.o.shape[1] - 1
    paths = run.paths()
    counted = float((run.counts.sum(1) == config.box_samples).mean())
    estimate = paths.o_t[:, :length, : exact.shape[-1]]
    error = theory.total_variation(estimate, exact).mean()
    return counted, float(error / expected_error(exact, paths.n_eff[:, :length]))


def expected_error(o: torch.Tensor, n_eff: torch.Tensor) -> torch.Tensor:
    """Normal approximation of the mean total variation between o and as many draws from it."""
    return 0.5 * (2 * o * (1 - o) / (math.pi * n_eff[..., None])).sqrt().sum(-1).mean()
