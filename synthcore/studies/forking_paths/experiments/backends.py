"""The same analysis on every kind of backend, and on networks that have learned a language.

A world is asked directly, through HTTP in two dialects, and as a recorded run; through an object
that has `complete` and nothing else; and, as a control, through a backend that does not read what
has been written so far. Then transformers learn a few worlds each, told apart by the first token,
and each greedy answer of theirs is analysed like any language model's: does a network fork where
its language does?

Axis letters: M member, N paths, T positions, K outcomes.
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.changepoints import (
    detected,
    dirichlet_multinomial,
    posterior,
    quality,
    true_changes,
)
from synthcore.completions import loopback
from synthcore.completions.cache import Cached, ReplayBackend
from synthcore.completions.client import HTTPBackend
from synthcore.completions.protocol import Backend, Completion, Request
from synthcore.evidence.dataset import labelled
from synthcore.nn.gpt import GPT
from synthcore.stages import stage
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.experiments.detection import MOVES
from synthcore.studies.forking_paths.measure.analysis import FPA, run_fpa
from synthcore.studies.forking_paths.model import Texts, TransformerBackend, Vocabulary, network
from synthcore.studies.forking_paths.task.backend import PROMPT, ForkWorldBackend, answer_of
from synthcore.studies.forking_paths.task.ensemble import Ensemble
from synthcore.studies.forking_paths.task.world import ForkWorld, Recipe
from synthcore.studies.forking_paths.theory import total_variation
from synthcore.training.fit import fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.schedules import warmup_cosine
from synthcore.training.seeding import seeded

DIRECT, FORGETFUL = "ForkWorld", "control: forgets the text"
BACKENDS = (DIRECT, "HTTP, legacy", "HTTP, content", "recorded run", "bare", FORGETFUL)
FOUND = 0.2
MEASURED = ("error", "noise", "recall", "spurious", "excess", "complete")


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


@stage(reads=("lengths", "backend_samples", "p_thresh"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Share of completions that were counted, and the error of o_t as a multiple of what the
    sampling noise of as many completions gives; by seed and backend."""
    rows = []
    for number, seed in enumerate(config.seeds):
        recipe = Recipe(config.lengths[0], forks=(2, 3))  # something to be wrong about
        ensemble = Ensemble.draw(seed, 600, 1, recipe)
        runs = _runs(config, ensemble, seed)
        exact = ensemble.o[:, :-1]
        values = {
            "complete": ("backend", [_complete(runs[name]) for name in BACKENDS]),
            "excess": ("backend", [_excess(runs[name], exact) for name in BACKENDS]),
            "off_direct": (
                "backend",
                [float(np.abs(runs[name].counts - runs[DIRECT].counts).max()) for name in BACKENDS],
            ),
        }
        rows.append(xr.Dataset(values, {"backend": list(BACKENDS), "seed": seed}))
        progress("backends", number + 1, len(config.seeds))
    return labelled(xr.concat(rows, "seed"), {"off_direct": "completions"})


def _runs(config: Config, ensemble: Ensemble, seed: int) -> dict[str, FPA]:
    world = ensemble.worlds[0]
    direct = ForkWorldBackend(world)

    def analyse(backend: Backend) -> FPA:
        return run_fpa(
            backend, PROMPT, answer_of(world), config.backend_samples, config.p_thresh,
            max_tokens=world.length + 1, seed=seed, outcomes=world.names,
        )  # fmt: skip

    runs = {DIRECT: analyse(direct), "bare": analyse(Bare(direct))}
    runs[FORGETFUL] = analyse(Forgetful(direct))
    with loopback.serving(direct, "legacy") as url:
        runs["HTTP, legacy"] = analyse(HTTPBackend(url, direct.name))
    with loopback.serving(direct, "content") as url:
        runs["HTTP, content"] = analyse(HTTPBackend(url, direct.name))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        analyse(Cached(direct, path))
        runs["recorded run"] = analyse(ReplayBackend(path, direct.name))
    return runs


def _complete(fpa: FPA) -> float:
    """Share of branches of which no completion was lost."""
    asked = fpa.counts.sum(1)
    return float((asked == asked.max()).mean())


def _excess(fpa: FPA, exact: Float[Tensor, "1 T K"]) -> float:
    """Error of o_t over that of as many draws from the exact distribution."""
    paths, length = fpa.paths(), exact.shape[1]
    estimate = paths.o_t[:, :length, : exact.shape[-1]]
    error = total_variation(estimate, exact).mean()
    return float(error / expected_error(exact, paths.n_eff[:, :length]))


def expected_error(o: Float[Tensor, "N T K"], n_eff: Float[Tensor, "N T"]) -> Tensor:
    """Normal approximation of the mean total variation between o and as many draws from it."""
    return 0.5 * (2 * o * (1 - o) / (math.pi * n_eff[..., None])).sqrt().sum(-1).mean()


# --- networks -----------------------------------------------------------------------------------

NETWORK = (
    *("network_worlds", "network_length", "network_width", "network_steps", "network_batch"),
    "network_learning_rate",
)


def worlds_of(config: Config, seed: int) -> list[ForkWorld]:
    """What the network of a seed learns."""
    recipe = Recipe(config.network_length, forks=(1, 2), rare=(0,), hidden=(0,), drift=0)
    return list(Ensemble.draw(seed, 700, config.network_worlds, recipe).worlds)


def train(config: Config, progress: Progress) -> tuple[GPT, Vocabulary]:
    """One network per seed, trained together."""
    worlds = [worlds_of(config, seed) for seed in config.seeds]
    words = Vocabulary(config.network_worlds, worlds[0][0].answers)
    device, steps = config.torch_device, config.network_steps
    texts = Texts(worlds, words, device)
    model = GPT(network(words, config.network_length, config.network_width), config.seeds)
    model.to(device)

    def sample(step: int) -> Int[Tensor, "M B T"]:
        random = [seeded(seed, step, "texts") for seed in config.seeds]
        return texts.sample(config.network_batch, random)

    fit(
        model,
        sample,
        steps=steps,
        optimizer=population_adamw(model, config.network_learning_rate),
        schedule=warmup_cosine(steps, warmup=min(50, steps // 4), final=0.05),
        clip=1.0,
        progress=progress,
        name="networks",
    )
    return model.eval(), words


@stage(reads=(*NETWORK, "headline", "p_thresh"), seeds="network_seeds")
def networks(config: Config, progress: Progress) -> xr.Dataset:
    """Analyses of every network and world; means by seed, and outcomes along one text of each."""
    model, words = train(config, progress)
    rows = []
    for member, seed in enumerate(config.seeds):
        backend = TransformerBackend(model, member, words, f"network {seed}")
        worlds = worlds_of(config, seed)
        found = [
            _one_world(config, backend, words.prompt(i), w, seed) for i, w in enumerate(worlds)
        ]
        valid = [data for data in found if data is not None]
        row = _absent(config, worlds[0]) if not valid else xr.concat(valid, "world")
        curves = row[["measured", "exact"]].isel(world=0)
        means = row.drop_vars(["measured", "exact"]).mean("world").merge(curves)
        rows.append(means.assign(valid=len(valid) / len(found)).assign_coords(seed=seed))
        progress("analysing networks", member + 1, len(config.seeds))
    return labelled(xr.concat(rows, "seed"), {"position": "tokens", "spurious": "change points"})


def _one_world(
    config: Config, backend: TransformerBackend, prompt: str, world: ForkWorld, seed: int
) -> xr.Dataset | None:
    """Scores, and outcomes measured and exact; None where the network leaves the language."""
    try:
        fpa, again = (_analyse(config, backend, prompt, world, seed + 10**6 * i) for i in range(2))
        path = fpa.tokens[: world.length]
        rows = [world.exact_o(path[:t]) for t in range(len(path) + 1)]
    except ValueError:  # no end, no answer, or a text with no probability
        return None
    if len(path) < world.length:
        return None
    exact = torch.from_numpy(np.array(rows))[None]
    paths, T, k = fpa.paths(), len(path), world.outcomes
    measured, repeated = paths.o_t[:, :T, :k], again.paths().o_t[:, :T, :k]
    found = detected(posterior(dirichlet_multinomial(paths.pseudo[:, :T])))
    jumps = total_variation(exact[:, 1:], exact[:, :-1])
    n_eff = paths.n_eff[:, :T]
    values = {
        "error": float(total_variation(measured, exact[:, :T]).mean()),
        "noise": float(expected_error(exact[:, :T], n_eff)),
        "recall": quality(found, true_changes(jumps, FOUND)).recall,
        "spurious": quality(found, true_changes(jumps, MOVES)).spurious,
        # two analyses of one network differ by the noise of both
        "excess": float(
            total_variation(measured, repeated).mean() / expected_error(measured, n_eff / 2)
        ),
        "complete": _complete(fpa),
        "measured": (("position", "outcome"), measured[0].numpy()),
        "exact": (("position", "outcome"), exact[0, :T].numpy()),
    }
    return xr.Dataset(values)


def _absent(config: Config, world: ForkWorld) -> xr.Dataset:
    """In place of a network that left all of its languages."""
    blank = np.full((1, config.network_length, world.outcomes), np.nan)
    values = dict.fromkeys(MEASURED, ("world", [np.nan]))
    curves = dict.fromkeys(("measured", "exact"), (("world", "position", "outcome"), blank))
    return xr.Dataset({**values, **curves})


def _analyse(
    config: Config, backend: TransformerBackend, prompt: str, world: ForkWorld, seed: int
) -> FPA:
    return run_fpa(
        backend, prompt, answer_of(world), config.headline, config.p_thresh,
        max_tokens=world.length + 1, seed=seed, outcomes=world.names,
    )  # fmt: skip
