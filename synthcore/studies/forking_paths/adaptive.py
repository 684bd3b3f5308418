"""Spend completions where the answer is open: uniform, pooled and adaptive sampling compared.

Adaptive: `FIRST` completions per branch everywhere, then rounds. Each round looks at the posterior
of change points and adds `STEP` completions per branch at the positions where it is least certain
whether a change lies within one position. Cost is counted in sampled tokens.

Axis letters: N worlds, T positions, W tokens, K outcomes, S samples.
"""

from collections.abc import Iterator

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.changepoints import dirichlet_multinomial, posterior, scores
from synthcore.studies.forking_paths.detection import MOVES
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.paths import Paths
from synthcore.studies.forking_paths.stage import Progress
from synthcore.studies.forking_paths.task import Recipe

FIRST, STEP, PLACES = 5, 5, 6
MEASURED = ("tokens", "brier", "found")


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
    """Counts and completions per position after every round, until a branch has used up all of its
    samples."""
    most = outcomes.shape[-1]
    kinds = ensemble.after.shape[-1]
    sums = torch.stack([(outcomes == k).int().cumsum(-1) for k in range(kinds)], -1)
    used = torch.full(outcomes.shape[:2], FIRST, device=outcomes.device)
    while int(used.max()) <= most:
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


def spending(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Error of change points and recall against sampled tokens, for uniform sampling at several S,
    the same with pooled estimates, and adaptive rounds."""
    rows = []
    for number, seed in enumerate(config.seeds):
        recipe = Recipe(config.length)
        ensemble = Ensemble.draw(seed, 500, config.spent_worlds, recipe, config.torch_device)
        outcomes = ensemble.sample(config.spent[-1], seed)
        tables: dict[str, list[list[float]]] = {"uniform": [], "pooled": [], "adaptive": []}
        for samples in config.spent:
            paths = ensemble.paths(outcomes[..., :samples], config.p_thresh)
            used = torch.full(paths.p.shape[:2], samples, device=paths.p.device)
            tables["uniform"].append(_point(ensemble, paths, paths.pseudo, used))
            tables["pooled"].append(_point(ensemble, paths, paths.pooled(), used))
        for paths, used in adaptive_rounds(ensemble, outcomes, config.p_thresh):
            tables["adaptive"].append(_point(ensemble, paths, paths.pseudo, used))
        found = {
            f"{name}_{what}": ("round" if name == "adaptive" else "spent", column)
            for name, table in tables.items()
            for what, column in zip(MEASURED, np.array(table).T, strict=True)
        }
        rounds = np.arange(len(tables["adaptive"]))
        rows.append(xr.Dataset(found, {"spent": list(config.spent), "round": rounds, "seed": seed}))
        if progress is not None:
            progress("adaptive sampling", number + 1, config.n_seeds)
    return xr.concat(rows, "seed", join="inner")


def _point(ensemble: Ensemble, paths: Paths, counts: Tensor, used: Tensor) -> list[float]:
    """Tokens, Brier score and recall of clear changes, after one expense."""
    found = posterior(dirichlet_multinomial(counts))
    clear = scores.true_changes(ensemble.jumps).cpu()
    _, seen = scores.matched(scores.detected(found).cpu(), clear)
    error = brier(found.p_tau, scores.true_changes(ensemble.jumps, MOVES))
    cost = tokens(used, (paths.p > 0).sum(-1)).mean()
    return [float(cost), error, float(seen[clear].double().mean())]


def tokens_saved(data: xr.Dataset, index: int) -> float:
    """Tokens that adaptive rounds need for the Brier score of uniform sampling at the S number
    `index`, as a share of what that costs; NaN if they do not get there."""
    mean = data.mean("seed")
    goal = float(mean.uniform_brier[index])
    reached = mean.adaptive_brier.values
    if reached.min() > goal:
        return float("nan")
    cost = np.interp(goal, reached[::-1], mean.adaptive_tokens.values[::-1])
    return float(cost / mean.uniform_tokens[index])
