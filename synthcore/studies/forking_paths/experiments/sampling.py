"""What sampling does: the law of its noise, survival by noise alone, and how to spend completions.

Adaptive sampling: `FIRST` completions per branch everywhere, then rounds. Each round looks at the
posterior of change points and adds `STEP` completions per branch at the positions where it is least
certain whether a change lies within one position. Cost is counted in sampled tokens.

Axis letters: N worlds, T positions, W tokens, K outcomes, S samples.
"""

from collections.abc import Iterator

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.changepoints import detected, dirichlet_multinomial, posterior, true_changes
from synthcore.changepoints.scores import matched, share
from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.experiments.detection import MOVES
from synthcore.studies.forking_paths.measure.paths import Paths, survival, survival_by_noise
from synthcore.studies.forking_paths.task.ensemble import Ensemble
from synthcore.studies.forking_paths.task.world import Recipe
from synthcore.studies.forking_paths.theory import expected_tv, total_variation
from synthcore.training.progress import Progress

UNFINISHED = MISREAD = 0.02
EPS = tuple(round(0.1 * i, 1) for i in range(1, 13))
TEXTS = {"no fork": (0,), "one to three forks": (1, 2, 3)}
DEALS = 5
FIRST, STEP, PLACES = 5, 5, 6
UNITS = {"draws": "completions", "samples": "completions", "spent": "completions"}
TOKENS = {"tokens": "sampled tokens", "adaptive_tokens": "sampled tokens"}


@stage(reads=("lengths", "noise_worlds", "noise_samples", "headline", "p_thresh"))
def noise(config: Config, progress: Progress) -> xr.Dataset:
    """Mean total variation between two independent histograms of S completions of one branch, over
    branches, and what the normal approximation expects; errors of o_t by source."""
    rows = []
    for number, seed in enumerate(config.seeds):
        recipe = Recipe(config.lengths[0])
        ensemble = Ensemble.draw(seed, 300, config.noise_worlds, recipe, config.torch_device)
        tried = ensemble.p > config.p_thresh
        found, expected = [], []
        for samples in config.noise_samples:
            outcomes = ensemble.sample(2 * samples, seed + samples)
            halves = [outcomes[..., :samples], outcomes[..., samples:]]
            one, two = (ensemble.paths(half, 0.0).o_tw[tried] for half in halves)
            found.append(float(total_variation(one, two).mean()))
            expected.append(float(expected_tv(ensemble.after[tried], samples).mean()))
        errors = _errors(config, ensemble, seed)
        values = {
            "noise": ("draws", found),
            "noise_expected": ("draws", expected),
            "error": ("cause", list(errors.values())),
        }
        coordinates = {"draws": list(config.noise_samples), "cause": list(errors), "seed": seed}
        rows.append(xr.Dataset(values, coordinates))
        progress("sampling noise", number + 1, len(config.seeds))
    return labelled(xr.concat(rows, "seed"), UNITS)


def _errors(config: Config, ensemble: Ensemble, seed: int) -> dict[str, float]:
    """Mean total variation between o_t and what each cause alone, and all together, make of it."""
    other = torch.zeros_like(ensemble.o[:, :-1, :1])
    exact = torch.cat([ensemble.o[:, :-1], other], -1)

    def error(distribution: Float[Tensor, "N T W K2"], threshold: float) -> float:
        seen = Paths(ensemble.p, distribution * (ensemble.p > 0)[..., None]).above(threshold)
        return float(total_variation(seen.o_t, exact).mean())

    def sampled(distribution: Float[Tensor, "N T W K2"], threshold: float) -> float:
        outcomes = ensemble.sample(config.headline, seed, distribution)
        kinds = distribution.shape[-1]
        counts = torch.stack([(outcomes == k).sum(-1) for k in range(kinds)], -1).double()
        return error(counts / config.headline, threshold)

    perfect = ensemble.observed(0.0, 0.0)
    return {
        f"{config.headline} samples": sampled(perfect, 0.0),
        f"threshold {config.p_thresh:g}": error(perfect, config.p_thresh),
        f"threshold {2 * config.p_thresh:g}": error(perfect, 2 * config.p_thresh),
        f"{MISREAD:.0%} misread": error(ensemble.observed(0.0, MISREAD), 0.0),
        f"{UNFINISHED:.0%} unfinished": error(ensemble.observed(UNFINISHED, 0.0), 0.0),
        "all": sampled(ensemble.observed(UNFINISHED, MISREAD), config.p_thresh),
    }


# --- survival -----------------------------------------------------------------------------------


@stage(reads=("lengths", "noise_worlds", "samples", "p_thresh"))
def lasting(config: Config, progress: Progress) -> xr.Dataset:
    """Mean survival to the end of a text by eps (L2): exact, and for every S observed and by noise
    alone; by seed and kind of text."""
    rows = []
    for number, seed in enumerate(config.seeds):
        kinds = [_one_text(config, seed, i, forks) for i, forks in enumerate(TEXTS.values())]
        rows.append(xr.concat(kinds, "text").assign_coords(text=list(TEXTS), seed=seed))
        progress("survival", number + 1, len(config.seeds))
    return labelled(xr.concat(rows, "seed"), UNITS)


def _one_text(config: Config, seed: int, stream: int, forks: tuple[int, ...]) -> xr.Dataset:
    recipe = Recipe(config.lengths[0], forks=forks, rare=(0,), hidden=(0,), drift=0)
    ensemble = Ensemble.draw(seed, 1000 + stream, config.noise_worlds, recipe, config.torch_device)
    outcomes = ensemble.sample(config.samples[-1], seed)
    exact = Paths(ensemble.p, ensemble.after).above(config.p_thresh)
    observed, by_noise = [], []
    for samples in config.samples:
        paths = ensemble.paths(outcomes[..., :samples], config.p_thresh)
        observed.append(_ends(paths))
        dealt = [survival_by_noise(paths, eps, deals=DEALS, seed=seed) for eps in EPS]
        by_noise.append([float(row[..., -1].mean()) for row in dealt])
    values = {
        "survival_exact": ("eps", _ends(exact)),
        "survival": (("samples", "eps"), observed),
        "survival_by_noise": (("samples", "eps"), by_noise),
    }
    return xr.Dataset(values, {"eps": list(EPS), "samples": list(config.samples)})


def _ends(paths: Paths) -> list[float]:
    return [float(survival(paths, eps)[:, -1].mean()) for eps in EPS]


# --- spending -----------------------------------------------------------------------------------


def near(x: Float[Tensor, "N T"]) -> Float[Tensor, "N T"]:
    """Sum over each position and its neighbours."""
    return torch.nn.functional.avg_pool1d(x[:, None], 3, 1, 1)[:, 0] * 3


def uncertainty(p_tau: Float[Tensor, "N T"]) -> Float[Tensor, "N T"]:
    """Binary entropy (nats) of "a change lies within one position"."""
    p = near(p_tau).clamp(0, 1)
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))


def tokens(used: Int[Tensor, "N T"], branches: Int[Tensor, "N T"]) -> Float[Tensor, "N"]:
    """Sampled tokens of each world: completions per branch, times branches, times what is left of
    the text."""
    left = torch.arange(used.shape[1] - 1, -1, -1, device=used.device)
    return (used * branches * left).sum(1).double()


def adaptive_rounds(
    ensemble: Ensemble, outcomes: Int[Tensor, "N T W S"], threshold: float
) -> Iterator[tuple[Paths, Int[Tensor, "N T"]]]:
    """Counts and completions per position after every round; as many rounds as a position could be
    chosen before its samples are used up."""
    kinds, most = ensemble.after.shape[-1], outcomes.shape[-1]
    sums = torch.stack([(outcomes == k).int().cumsum(-1) for k in range(kinds)], -1)
    used = torch.full(outcomes.shape[:2], FIRST, device=outcomes.device)
    for _ in range((most - FIRST) // STEP + 1):
        at = (used - 1)[:, :, None, None, None].expand(*sums.shape[:3], 1, kinds)
        counts = sums.gather(3, at)[:, :, :, 0].double() * (ensemble.p > 0)[..., None]
        paths = Paths(ensemble.p, counts).above(threshold)
        yield paths, used
        found = posterior(dirichlet_multinomial(paths.pseudo))
        # the most uncertain positions and their neighbours
        places = uncertainty(found.p_tau).topk(PLACES, 1).indices
        chosen = torch.zeros_like(used, dtype=torch.double).scatter_(1, places, 1.0)
        used = used + STEP * (near(chosen) > 0).long()


def brier(p_tau: Float[Tensor, "N T"], true: Bool[Tensor, "N T"]) -> float:
    """Mean squared error of "a change lies within one position", summed over a text."""
    said = near(p_tau).clamp(0, 1)
    is_so = (near(true.double()) > 0).double()
    return float((said - is_so).square().sum(1).mean())


@stage(reads=("lengths", "spent", "spent_worlds", "p_thresh"))
def spending(config: Config, progress: Progress) -> xr.Dataset:
    """Error of change points and recall against sampled tokens, for uniform sampling at several S,
    the same with pooled estimates, and adaptive rounds."""
    rows = []
    for number, seed in enumerate(config.seeds):
        recipe = Recipe(config.lengths[0])
        ensemble = Ensemble.draw(seed, 500, config.spent_worlds, recipe, config.torch_device)
        outcomes = ensemble.sample(config.spent[-1], seed)
        evenly = []
        for samples in config.spent:
            paths = ensemble.paths(outcomes[..., :samples], config.p_thresh)
            used = torch.full(paths.p.shape[:2], samples, device=paths.p.device)
            pair = (paths.pseudo, paths.pooled())
            evenly.append([_point(ensemble, paths, counts, used) for counts in pair])
        rounds = [
            _point(ensemble, paths, paths.pseudo, used)
            for paths, used in adaptive_rounds(ensemble, outcomes, config.p_thresh)
        ]
        even, adaptive = np.array(evenly), np.array(rounds)
        values = {
            "tokens": (("spent", "strategy"), even[..., 0]),
            "brier": (("spent", "strategy"), even[..., 1]),
            "found": (("spent", "strategy"), even[..., 2]),
            "adaptive_tokens": ("round", adaptive[:, 0]),
            "adaptive_brier": ("round", adaptive[:, 1]),
            "adaptive_found": ("round", adaptive[:, 2]),
        }
        coordinates = {
            "spent": list(config.spent),
            "strategy": ["uniform", "pooled"],
            "round": np.arange(len(adaptive)),
            "seed": seed,
        }
        rows.append(xr.Dataset(values, coordinates))
        progress("adaptive sampling", number + 1, len(config.seeds))
    return labelled(xr.concat(rows, "seed"), UNITS | TOKENS)


def _point(
    ensemble: Ensemble, paths: Paths, counts: Float[Tensor, "N T K"], used: Int[Tensor, "N T"]
) -> tuple[float, float, float]:
    """Tokens, Brier score and recall of clear changes, after one expense."""
    found = posterior(dirichlet_multinomial(counts))
    clear = true_changes(ensemble.jumps).cpu()
    seen = matched(detected(found).cpu(), clear)[1]
    error = brier(found.p_tau, true_changes(ensemble.jumps, MOVES))
    cost = tokens(used, (paths.p > 0).sum(-1)).mean()
    return float(cost), error, share(seen, clear)


def tokens_saved(data: xr.Dataset, index: int) -> float:
    """Tokens that adaptive rounds need for the Brier score of uniform sampling at the S number
    `index`, as a share of what that costs; NaN if they do not get there."""
    mean = data.mean("seed")
    uniform = mean.sel(strategy="uniform").isel(spent=index)
    goal, reached = float(uniform.brier), mean.adaptive_brier.values
    if reached.min() > goal:
        return float("nan")
    cost = np.interp(goal, reached[::-1], mean.adaptive_tokens.values[::-1])
    return float(cost / uniform.tokens)
