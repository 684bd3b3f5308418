"""How long does a text survive? Hazards over a whole text, exact, sampled, and by noise alone.

Two histograms of the same distribution are a distance apart, and survival multiplies over
positions: with few completions every text seems to fork. Shuffling completions between a token and
the greedy one shows how much of that is noise.

Axis letters: N worlds, T positions, W tokens, K outcomes.
"""

import torch
import xarray as xr

from synthcore.studies.forking_paths import survival
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.paths import Paths
from synthcore.studies.forking_paths.stage import Progress
from synthcore.studies.forking_paths.task import Recipe

EPS = tuple(round(0.1 * i, 1) for i in range(1, 13))
KINDS = {"no fork": (0,), "one to three forks": (1, 2, 3)}


def lasting(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Mean survival to the end of a text by eps (L2): exact, and for every S observed and shuffled;
    by seed and kind of text."""
    rows = []
    for number, seed in enumerate(config.seeds):
        kinds = [_one_kind(config, seed, i, forks) for i, forks in enumerate(KINDS.values())]
        rows.append(xr.concat(kinds, "text").assign_coords(text=list(KINDS), seed=seed))
        if progress is not None:
            progress("survival", number + 1, config.n_seeds)
    return xr.concat(rows, "seed")


def _one_kind(config: Config, seed: int, stream: int, forks: tuple[int, ...]) -> xr.Dataset:
    recipe = Recipe(config.length, forks=forks, rare=(0,), hidden=(0,), drift=0)
    ensemble = Ensemble.draw(seed, 1000 + stream, config.noise_worlds, recipe, config.torch_device)
    outcomes = ensemble.sample(config.samples[-1], seed)
    exact = Paths(ensemble.p, ensemble.after).above(config.p_thresh)
    observed, null = [], []
    for samples in config.samples:
        paths = ensemble.paths(outcomes[..., :samples], config.p_thresh)
        observed.append(_ends(paths))
        null.append(_ends(survival.shuffled(paths, seed)))
    values = {
        "survival_exact": ("eps", _ends(exact)),
        "survival": (("samples", "eps"), observed),
        "survival_shuffled": (("samples", "eps"), null),
    }
    return xr.Dataset(values, {"eps": list(EPS), "samples": list(config.samples)})


def _ends(paths: Paths) -> list[float]:
    ends = [survival.survival(paths, eps)[:, -1].mean() for eps in EPS]
    return torch.stack(ends).tolist()
