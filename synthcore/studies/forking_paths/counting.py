"""How many forks does a detector count? The exact model beside the paper's kind of model.

The paper fits piecewise lines to the distance y_t of o_t from o_0, with jitter, by MCMC. Here the
same kind of model is summed exactly ("BEAST-like"), with and without the jitter; and the least
squares partition with a BIC penalty, the optimum that PELT finds.
"""

import math

import numpy as np
import torch
import xarray as xr

from synthcore.changepoints import (
    dirichlet_multinomial,
    gaussian,
    gaussian_posterior,
    penalised_cuts,
    posterior,
    scores,
)
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.paths import Paths
from synthcore.studies.forking_paths.stage import Progress, seeded
from synthcore.studies.forking_paths.task import Recipe

JITTER, LONGEST, CHUNK = 0.03, 60, 20
DETECTORS = ("exact DM", "BEAST-like", "BEAST-like, no jitter", "least squares + BIC")
FORKS = (0, 1, 2)


def jittered(y: torch.Tensor, seed: int, jitter: float = JITTER) -> torch.Tensor:
    """The paper's series: y with noise N(0, jitter^2), clipped to [0, 1]."""
    noise = torch.randn(y.shape, generator=seeded(seed, 2), dtype=y.dtype).to(y.device)
    return (y + jitter * noise).clamp(0, 1)


def conservative(p_m: torch.Tensor) -> torch.Tensor:
    """m^, the 0.1-quantile of p(m | y): at least 1 if and only if the Bayes factor is above 9."""
    return (p_m.cumsum(-1) < 0.1).sum(-1)


def beast_like(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """p(m | y) and p(tau | y) of the Gaussian model, a few series at a time (the grid takes
    memory)."""
    found = [gaussian_posterior(part) for part in y.split(CHUNK)]
    return torch.cat([f.p_m for f in found]), torch.cat([f.p_tau for f in found])


def least_squares(y: torch.Tensor) -> torch.Tensor:
    """Change points of the least squares partition with penalty 2 s2 ln T, the variance from first
    differences."""
    s2 = y.diff(dim=1).square().mean(1).clamp(min=1e-12) / 2
    L = gaussian(y / s2[:, None].sqrt(), torch.ones(1, dtype=y.dtype, device=y.device), 1e-9)
    # flat segments; the prior's and the noise's constants cancel against the penalty
    flat = L[:, 0] - 0.5 * math.log(1e-9 / (y.shape[1] + 1e-9))
    return penalised_cuts(flat, math.log(y.shape[1]))


def counting(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Worlds with 0, 1 and 2 planted forks and no other change: how many each detector counts."""
    rows = []
    for number, seed in enumerate(config.seeds):
        cells = [_one_number(config, seed, forks).assign_coords(forks=forks) for forks in FORKS]
        rows.append(xr.concat(cells, "forks").assign_coords(seed=seed))
        if progress is not None:
            progress("counting", number + 1, config.n_seeds)
    return xr.concat(rows, "seed")


def _one_number(config: Config, seed: int, forks: int) -> xr.Dataset:
    length = min(config.length, LONGEST)
    recipe = Recipe(length, forks=(forks,), rare=(0,), hidden=(0,), drift=0)
    ensemble = Ensemble.draw(seed, 400 + forks, config.counted, recipe, config.torch_device)
    paths = ensemble.paths(ensemble.sample(config.headline, seed), config.p_thresh)
    p_m = counts_of(paths, seed)
    modes = torch.stack(
        [p.argmax(-1) for p in p_m] + [least_squares(paths.drift()).sum(1)]
    ).double()
    true = scores.true_changes(ensemble.jumps).sum(1)
    some = torch.stack([1 - p[:, 0] for p in p_m])
    return xr.Dataset(
        {
            "counted": ("detector", modes.mean(1).cpu()),
            "counted_right": ("detector", (modes == true).double().mean(1).cpu()),
            "conservative": (
                "soft",
                torch.stack([conservative(p) for p in p_m]).double().mean(1).cpu(),
            ),
            "alarm": ("soft", (some > 0.9).double().mean(1).cpu()),
            "any": ("soft", some.mean(1).cpu()),
            "true_forks": float(true.double().mean()),
        },
        {"detector": list(DETECTORS), "soft": list(DETECTORS[:3])},
    )


def counts_of(paths: Paths, seed: int) -> list[torch.Tensor]:
    """p(m | data) of the three Bayesian detectors."""
    y = paths.drift()
    exact = posterior(dirichlet_multinomial(paths.pseudo)).p_m
    return [exact, beast_like(jittered(y, seed))[0], beast_like(y.clamp(0, 1))[0]]


def versus(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Recall of jumps of .2 and more, and precision, of three detectors against S, on a quarter as
    many worlds with two forks."""
    rows = []
    for number, seed in enumerate(config.seeds):
        recipe = Recipe(min(config.length, LONGEST), forks=(2,), rare=(0,), hidden=(0,), drift=0)
        count = max(config.counted // 4, 2)
        ensemble = Ensemble.draw(seed, 450, count, recipe, config.torch_device)
        outcomes = ensemble.sample(config.samples[-1], seed)
        large, moved = (scores.true_changes(ensemble.jumps, least).cpu() for least in (0.2, 0.02))
        table = []
        for samples in config.samples:
            paths = ensemble.paths(outcomes[..., :samples], config.p_thresh)
            exact = posterior(dirichlet_multinomial(paths.pseudo))
            found = (
                scores.detected(exact),
                scores.peaks(*beast_like(jittered(paths.drift(), seed))),
                least_squares(paths.drift()),
            )
            table.append([_quality(mark.cpu(), large, moved) for mark in found])
        quality = np.array(table)
        names = [DETECTORS[0], DETECTORS[1], DETECTORS[3]]
        rows.append(
            xr.Dataset(
                {
                    "versus_recall": (("samples", "rival"), quality[..., 0]),
                    "versus_precision": (("samples", "rival"), quality[..., 1]),
                },
                {"samples": list(config.samples), "rival": names, "seed": seed},
            )
        )
        if progress is not None:
            progress("detectors", number + 1, config.n_seeds)
    return xr.concat(rows, "seed")


def _quality(found: torch.Tensor, large: torch.Tensor, moved: torch.Tensor) -> tuple[float, float]:
    """Recall of large changes, and precision (NaN without detections)."""
    right, _ = scores.matched(found, moved)
    _, seen = scores.matched(found, large)
    return float(seen[large].double().mean()), float(right[found].double().mean())
