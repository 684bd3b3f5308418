"""How many of the planted forks are found, at which cost, and how many that are not there.

A detection is right if a change of at least `MOVES` lies within two positions. The paper has no
truth to compare with.
"""

from itertools import pairwise

import numpy as np
import torch
import xarray as xr

from synthcore.changepoints import dirichlet_multinomial, posterior, scores
from synthcore.studies.forking_paths import theory
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.stage import Progress, seeded
from synthcore.studies.forking_paths.task import Recipe

BINS = (0.02, 0.05, 0.1, 0.2)
MOVES = 0.02
EDGES = tuple(np.linspace(0, 1, 11))
SURFACES = {"punctuation": 1, "number": 2, "word": 3}


def detection(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Recall by size of the jump, precision, calibration, by seed, length and S; recall by surface;
    estimates of o_t, raw, pooled and smoothed; and the same detector without time."""
    parts = []
    for number, seed in enumerate(config.seeds):
        rows = []
        for length in config.lengths:
            ensemble = Ensemble.draw(
                seed, length, config.worlds, Recipe(length), config.torch_device
            )
            rows.append(_one_length(config, ensemble, seed).assign_coords(length=length))
        parts.append(xr.concat(rows, "length").assign_coords(seed=seed))
        if progress is not None:
            progress("detection", number + 1, config.n_seeds)
    return xr.concat(parts, "seed")


def _one_length(config: Config, ensemble: Ensemble, seed: int) -> xr.Dataset:
    outcomes = ensemble.sample(config.samples[-1], seed)
    jumps, surface = ensemble.jumps.cpu(), ensemble.surface
    rows = []
    for count in config.samples:
        paths = ensemble.paths(outcomes[..., :count], config.p_thresh)
        found = posterior(dirichlet_multinomial(paths.pseudo))
        rows.append(_scored(scores.detected(found).cpu(), found.p_tau.cpu(), jumps))
        if count == config.headline:
            kept, chosen = paths, found
    data = xr.concat(rows, "samples").assign_coords(samples=list(config.samples))
    exact = ensemble.o[:, :-1]
    for name, estimate in (
        ("raw", kept.o_t),
        ("pooled", kept.pooled() / kept.pooled().sum(-1, keepdim=True)),
        ("smoothed", chosen.smoothed(kept.pseudo)),
    ):
        data[f"error_{name}"] = float(theory.total_variation(estimate, exact).mean())
    left = torch.arange(ensemble.p.shape[1] - 1, -1, -1, device=kept.p.device)
    branches = (kept.p > 0).sum(-1).double()
    data["cost"] = config.headline * float((branches * left).sum(1).mean())
    data["branches"] = float(branches.mean())
    data["still"] = float((jumps < MOVES).double().mean())
    mixed = kept.reordered(torch.randperm(ensemble.p.shape[1], generator=seeded(seed, 1)))
    control = posterior(dirichlet_multinomial(mixed.pseudo))
    control_scores = _scored(scores.detected(control).cpu(), control.p_tau.cpu(), jumps)
    for name in ("recall", "precision", "spurious"):
        data[f"{name}_unordered"] = control_scores[name]
    seen = scores.matched(scores.detected(chosen).cpu(), scores.true_changes(jumps, BINS[-1]))[1]
    by_surface = []
    for kind in SURFACES.values():
        true = torch.zeros_like(seen)
        true[:, 1:] = (jumps[:, :-1] >= BINS[-1]) & (surface[:, :-1] == kind)
        by_surface.append(_share(seen, true))
    data["surface_recall"] = ("surface", by_surface)
    return data.assign_coords(surface=list(SURFACES))


def _scored(found: torch.Tensor, p_tau: torch.Tensor, jumps: torch.Tensor) -> xr.Dataset:
    moved = scores.true_changes(jumps, MOVES)
    strict = scores.true_changes(jumps)
    right, seen = scores.matched(found, moved)
    recall = []
    for low, high in zip(BINS, (*BINS[1:], 2.0), strict=True):
        inside = scores.true_changes(jumps, low) & ~scores.true_changes(jumps, high)
        recall.append(_share(seen, inside))
    quality = scores.calibration(p_tau, moved, EDGES)
    values = {
        "recall": ("jump", recall),
        "precision": _share(right, found),
        "precision_strict": _share(scores.matched(found, strict)[0], found),
        "spurious": float((found & ~right).double().sum(1).mean()),
        "detections": float(found.double().sum(1).mean()),
        "changes": float(strict.double().sum(1).mean()),
        "calibration_error": float(quality["error"][0]),
        **{f"calibration_{k}": ("probability", quality[k]) for k in ("said", "rate", "count")},
    }
    middle = [(a + b) / 2 for a, b in pairwise(EDGES)]
    return xr.Dataset(values, {"jump": list(BINS), "probability": middle})


def _share(hits: torch.Tensor, of: torch.Tensor) -> float:
    """Share of `of` that is in `hits`; NaN for none."""
    return float(hits[of].double().mean())
