"""What sampling alone does to outcome distributions, and what else stands between them and truth.

Axis letters: N worlds, T positions, W tokens, K outcomes.
"""

import torch
import xarray as xr

from synthcore.studies.forking_paths import theory
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.paths import Paths
from synthcore.studies.forking_paths.stage import Progress
from synthcore.studies.forking_paths.task import Recipe

UNFINISHED = MISREAD = 0.02


def noise(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Mean total variation between two independent histograms of S completions of one branch, over
    branches, and what the normal approximation expects; errors of o_t by source."""
    rows = []
    for number, seed in enumerate(config.seeds):
        recipe = Recipe(config.length)
        ensemble = Ensemble.draw(seed, 300, config.noise_worlds, recipe, config.torch_device)
        shown = ensemble.p > config.p_thresh
        found, expected = [], []
        for samples in config.noise_samples:
            outcomes = ensemble.sample(2 * samples, seed + samples)
            halves = [outcomes[..., :samples], outcomes[..., samples:]]
            one, two = (ensemble.paths(half, 0.0).o_tw[shown] for half in halves)
            found.append(float(theory.total_variation(one, two).mean()))
            expected.append(float(theory.expected_tv(ensemble.after[shown], samples).mean()))
        errors = _errors(config, ensemble, seed)
        rows.append(
            xr.Dataset(
                {
                    "noise": ("draws", found),
                    "noise_expected": ("draws", expected),
                    "error": ("source", list(errors.values())),
                },
                {"draws": list(config.noise_samples), "source": list(errors), "seed": seed},
            )
        )
        if progress is not None:
            progress("sampling noise", number + 1, config.n_seeds)
    return xr.concat(rows, "seed")


def _errors(config: Config, ensemble: Ensemble, seed: int) -> dict[str, float]:
    """Mean total variation between o_t and what each source alone, and all together, make of it."""
    other = torch.zeros_like(ensemble.o[:, :-1, :1])
    exact = torch.cat([ensemble.o[:, :-1], other], -1)

    def error(distribution: torch.Tensor, threshold: float) -> float:
        seen = Paths(ensemble.p, distribution * (ensemble.p > 0)[..., None]).above(threshold)
        return float(theory.total_variation(seen.o_t, exact).mean())

    def sampled(distribution: torch.Tensor, threshold: float) -> float:
        outcomes = ensemble.sample(config.headline, seed, distribution)
        kinds = distribution.shape[-1]
        counts = torch.stack([(outcomes == k).sum(-1) for k in range(kinds)], -1).double()
        return error(counts / config.headline, threshold)

    perfect = ensemble.observed(0.0, 0.0)
    flawed = ensemble.observed(UNFINISHED, MISREAD)
    return {
        f"{config.headline} samples": sampled(perfect, 0.0),
        f"threshold {config.p_thresh:g}": error(perfect, config.p_thresh),
        f"threshold {2 * config.p_thresh:g}": error(perfect, 2 * config.p_thresh),
        f"{MISREAD:.0%} misread": error(ensemble.observed(0.0, MISREAD), 0.0),
        f"{UNFINISHED:.0%} unfinished": error(ensemble.observed(UNFINISHED, 0.0), 0.0),
        "all": sampled(flawed, config.p_thresh),
    }
