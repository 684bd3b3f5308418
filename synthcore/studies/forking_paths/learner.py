"""Does a network fork where its language does? Transformers trained on ForkWorld text.

Every member learns a few worlds of its own, told apart by the first token. Then each world's greedy
answer of the network is analysed like any language model's, and compared with the exact outcomes of
the language after the same text.

Axis letters: M member, T positions, K outcomes.
"""

import numpy as np
import torch
import xarray as xr

from synthcore.changepoints import dirichlet_multinomial, posterior, scores
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.forking_paths import theory
from synthcore.studies.forking_paths.black_box import expected_error
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.pipeline import FPA, run_fpa
from synthcore.studies.forking_paths.stage import Progress
from synthcore.studies.forking_paths.task import ForkWorld, Recipe
from synthcore.studies.forking_paths.transformer import Texts, TransformerBackend, Vocabulary
from synthcore.studies.forking_paths.worlds import answer_of
from synthcore.training.first_edition import fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import warmup_cosine

FOUND = 0.2
MEASURED = ("error", "noise", "recall", "spurious", "excess", "complete")


def train(
    config: Config, progress: Progress | None = None
) -> tuple[GPT, Vocabulary, list[list[ForkWorld]]]:
    """One network per seed, its vocabulary and its worlds."""
    recipe = Recipe(config.learner_length, forks=(1, 2), rare=(0,), hidden=(0,), drift=0)
    worlds = [
        list(Ensemble.draw(seed, 700, config.learner_worlds, recipe).worlds)
        for seed in config.seeds
    ]
    words = Vocabulary(config.learner_worlds, worlds[0][0].answers)
    device = config.torch_device
    texts = Texts(worlds, words, device)
    shape = GPTConfig(
        vocabulary=len(words.tokens),
        context=config.learner_length + 2,
        width=config.learner_width,
        depth=2,
        heads=2,
        positions="learned",
        initial_std=0.5 / config.learner_width**0.5,
    )
    model = GPT(shape, config.seeds).to(device)
    generator = torch.Generator(device).manual_seed(config.seed)
    fit(
        model,
        lambda step: texts.sample(config.n_seeds, config.learner_batch, generator),
        steps=config.learner_steps,
        optimizer=population_adamw(model, config.learning_rate),
        schedule=warmup_cosine(
            config.learner_steps, warmup=min(50, config.learner_steps // 4), final=0.05
        ),
        clip=1.0,
        progress=None if progress is None else lambda d, t: progress("networks", d, t),
    )
    return model.eval(), words, worlds


def learned(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Analyses of every network and world; means by seed, and outcomes along one path to show."""
    model, words, worlds = train(config, progress)
    rows, shown = [], None
    for member, seed in enumerate(config.seeds):
        backend = TransformerBackend(model, member, words, f"network {seed}")
        found = [
            _one_world(config, backend, words.prompt(i), w, seed)
            for i, w in enumerate(worlds[member])
        ]
        valid = [values for values, _ in found if values is not None]
        means = {
            f"learned_{name}": np.nanmean([values[name] for values in valid]) if valid else np.nan
            for name in MEASURED
        }
        means["learned_valid"] = len(valid) / len(found)
        rows.append(xr.Dataset(means, {"seed": seed}))
        shown = shown or next((curves for values, curves in found if values is not None), None)
        if progress is not None:
            progress("analysing networks", member + 1, config.n_seeds)
    data = xr.concat(rows, "seed")
    if shown is not None:
        for name, curve in zip(("learned_shown", "learned_exact"), shown, strict=True):
            data[name] = (("learned_position", "outcome"), curve)
    return data


def _one_world(
    config: Config, backend: TransformerBackend, prompt: str, world: ForkWorld, seed: int
) -> tuple[dict[str, float] | None, tuple[np.ndarray, np.ndarray]]:
    """Scores and (measured, exact) outcomes; None where the network leaves the language."""
    try:
        run, again = (_analyse(config, backend, prompt, world, seed + 10**6 * i) for i in range(2))
        path = run.tokens[: world.length]
        exact_rows = [world.exact_o(path[:t]) for t in range(len(path) + 1)]
    except ValueError:  # no end, no answer, or a text with no probability
        return None, (np.zeros(0), np.zeros(0))
    exact = torch.from_numpy(np.array(exact_rows))[None]
    paths, T, k = run.paths(), len(path), world.outcomes
    measured = paths.o_t[:, :T, :k]
    repeated = again.paths().o_t[:, :T, :k]
    found = scores.detected(posterior(dirichlet_multinomial(paths.pseudo[:, :T])))
    jumps = theory.total_variation(exact[:, 1:], exact[:, :-1])
    clear, moved = (scores.true_changes(jumps, least) for least in (FOUND, 0.02))
    right, _ = scores.matched(found, moved)
    _, seen = scores.matched(found, clear)
    n_eff = paths.n_eff[:, :T]
    values = {
        "error": float(theory.total_variation(measured, exact[:, :T]).mean()),
        "noise": float(expected_error(exact[:, :T], n_eff)),
        "recall": float(seen[clear].double().mean()),
        "spurious": float((found & ~right).sum()),
        # two analyses of one network differ by the noise of both
        "excess": float(
            theory.total_variation(measured, repeated).mean() / expected_error(measured, n_eff / 2)
        ),
        "complete": float((run.counts.sum(1) == run.counts.sum(1).max()).mean()),
    }
    return values, (measured[0].numpy(), exact[0, :T].numpy())


def _analyse(
    config: Config, backend: TransformerBackend, prompt: str, world: ForkWorld, seed: int
) -> FPA:
    return run_fpa(
        backend,
        prompt,
        answer_of(world),
        config.headline,
        config.p_thresh,
        max_tokens=world.length + 1,
        seed=seed,
        outcomes=world.names,
    )
