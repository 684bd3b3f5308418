"""Are planted forks found, and nothing else? The exact model beside the paper's kind of model.

A detection is right if a change of at least `MOVES` lies within two positions; beside it stands
what comes out if only changes of .1 count. The paper has no truth to compare with. It fits
piecewise lines to the distance y_t of o_t from o_0, with jitter, by MCMC; here the same kind of
model is summed exactly ("BEAST-like"), with and without the jitter, and the least squares partition
with a BIC penalty stands for what PELT finds.

Axis letters: N worlds, T positions, M numbers of change points.
"""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.changepoints import (
    conservative,
    detected,
    dirichlet_multinomial,
    gaussian,
    gaussian_posterior,
    penalised_cuts,
    posterior,
    quality,
    true_changes,
)
from synthcore.changepoints.scores import calibration, matched, share
from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.measure.paths import Paths, hazard
from synthcore.studies.forking_paths.task.ensemble import Ensemble
from synthcore.studies.forking_paths.task.world import Recipe
from synthcore.studies.forking_paths.theory import identities, total_variation
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

BINS = (0.02, 0.05, 0.1, 0.2)
MOVES = 0.02
EDGES = tuple(np.linspace(0, 1, 11))
SURFACES = {"punctuation": 1, "number": 2, "word": 3}
JITTER, LONGEST, AT_ONCE = 0.03, 60, 20
COUNTERS = ("exact DM", "BEAST-like", "BEAST-like, no jitter", "least squares + BIC")
FORKS = (0, 1, 2)
PLANTED_LENGTH, FAR, SHOWN = 80, 0.3, 60
# greedy probability of the fork and the threshold of its analysis: rare alternatives need a lower
KINDS = {
    "rare": ((0.93, 0.97), 0.02),
    "uneven": ((0.8, 0.88), 0.02),
    "even": ((0.4, 0.6), 0.02),
    "hidden": (None, None),
}
UNITS = {
    "length": "tokens",
    "samples": "completions",
    "spurious": "change points",
    "detections": "change points",
    "changes": "change points",
    "counted": "change points",
    "true_forks": "change points",
    "cost": "sampled tokens",
}


@stage(reads=("lengths", "worlds", "samples", "headline", "p_thresh"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Recall by size of the jump, precision, calibration, by seed, length and S, of three detectors
    (the exact one, the same without time, an oracle that knows all changes of .1); and estimates of
    o_t, raw, pooled and smoothed."""
    parts = []
    for number, seed in enumerate(config.seeds):
        rows = []
        for length in config.lengths:
            recipe = Recipe(length)
            ensemble = Ensemble.draw(seed, length, config.worlds, recipe, config.torch_device)
            rows.append(_one_length(config, ensemble, seed).assign_coords(length=length))
        parts.append(xr.concat(rows, "length").assign_coords(seed=seed))
        progress("detection", number + 1, len(config.seeds))
    data = xr.concat(parts, "seed").assign_attrs(headline=config.headline)
    return labelled(data, UNITS)


def _one_length(config: Config, ensemble: Ensemble, seed: int) -> xr.Dataset:
    outcomes = ensemble.sample(config.samples[-1], seed)
    jumps, surface = ensemble.jumps.cpu(), ensemble.surface
    order = torch.randperm(jumps.shape[1], generator=seeded(seed, "order"))
    rows = []
    for count in config.samples:
        paths = ensemble.paths(outcomes[..., :count], config.p_thresh)
        found = posterior(dirichlet_multinomial(paths.pseudo))
        mixed = posterior(dirichlet_multinomial(paths.reordered(order).pseudo))
        reported = {
            "exact DM": detected(found).cpu(),
            "without time": detected(mixed).cpu(),
            "oracle": true_changes(jumps),
        }
        scored = [_scored(marks, jumps) for marks in reported.values()]
        row = xr.concat(scored, "detector").assign_coords(detector=list(reported))
        rows.append(row.merge(_calibrated(found.p_tau.cpu(), jumps)))
        if count == config.headline:
            kept, chosen = paths, found
    data = xr.concat(rows, "samples").assign_coords(samples=list(config.samples))
    exact = ensemble.o[:, :-1]
    pooled = kept.pooled()
    data["error_raw"] = float(total_variation(kept.o_t, exact).mean())
    data["error_pooled"] = float(
        total_variation(pooled / pooled.sum(-1, keepdim=True), exact).mean()
    )
    data["error_smoothed"] = float(total_variation(chosen.smoothed(kept.pseudo), exact).mean())
    left = torch.arange(jumps.shape[1] - 1, -1, -1, device=kept.p.device)
    branches = (kept.p > 0).sum(-1).double()
    data["cost"] = config.headline * float((branches * left).sum(1).mean())
    data["branches"] = float(branches.mean())
    data["still"] = float((jumps < MOVES).double().mean())
    seen = matched(detected(chosen).cpu(), true_changes(jumps, BINS[-1]))[1]
    by_surface = []
    for kind in SURFACES.values():
        true = torch.zeros_like(seen)
        true[:, 1:] = (jumps[:, :-1] >= BINS[-1]) & (surface[:, :-1] == kind)
        by_surface.append(share(seen, true))
    data["surface_recall"] = ("surface", by_surface)
    return data.assign_coords(surface=list(SURFACES))


def _scored(found: Bool[Tensor, "N T"], jumps: Float[Tensor, "N T"]) -> xr.Dataset:
    """At our threshold (a change of .02 is near) and at the one first specified (.1)."""
    ours, specified = (
        quality(found, true_changes(jumps, MOVES)),
        quality(found, true_changes(jumps)),
    )
    _, seen = matched(found, true_changes(jumps, MOVES))
    recall = []
    for low, high in zip(BINS, (*BINS[1:], 2.0), strict=True):
        recall.append(share(seen, true_changes(jumps, low) & ~true_changes(jumps, high)))
    values = {
        "recall": ("jump", recall),
        "precision": ours.precision,
        "spurious": ours.spurious,
        "recall_specified": specified.recall,
        "precision_specified": specified.precision,
        "detections": float(found.double().sum(1).mean()),
        "changes": float(true_changes(jumps).double().sum(1).mean()),
    }
    return xr.Dataset(values, {"jump": list(BINS)})


def _calibrated(p_tau: Float[Tensor, "N T"], jumps: Float[Tensor, "N T"]) -> xr.Dataset:
    found = calibration(p_tau, true_changes(jumps, MOVES), EDGES)
    values = {
        "calibration_said": ("probability", found["said"]),
        "calibration_rate": ("probability", found["rate"]),
        "calibration_count": ("probability", found["count"]),
        "calibration_error": float(found["error"][0]),
    }
    return xr.Dataset(values, {"probability": [(a + b) / 2 for a, b in pairwise(EDGES)]})


# --- how many forks, by four detectors ----------------------------------------------------------


@stage(reads=("lengths", "counted", "headline", "start", "p_thresh"))
def counting(config: Config, progress: Progress) -> xr.Dataset:
    """Worlds with 0, 1 and 2 planted forks and no other change: how many each detector counts."""
    rows = []
    for number, seed in enumerate(config.seeds):
        cells = [_one_number(config, seed, forks).assign_coords(forks=forks) for forks in FORKS]
        rows.append(xr.concat(cells, "forks").assign_coords(seed=seed))
        progress("counting", number + 1, len(config.seeds))
    return labelled(xr.concat(rows, "seed"), UNITS)


def _one_number(config: Config, seed: int, forks: int) -> xr.Dataset:
    recipe = Recipe(min(config.lengths[0], LONGEST), 4, (forks,), (0,), (0,), 0)
    ensemble = Ensemble.draw(seed, 400 + forks, config.counted, recipe, config.torch_device)
    paths = ensemble.paths(ensemble.sample(config.headline, seed), config.p_thresh)
    paths = replace(paths, start=ensemble.sample_start(config.start, seed))
    y = paths.drift()
    p_m = [
        posterior(dirichlet_multinomial(paths.pseudo)).p_m,
        beast_like(jittered(y, seed))[0],
        beast_like(y.clamp(0, 1))[0],
    ]
    modes = [p.argmax(-1) for p in p_m] + [least_squares(y).sum(1)]
    counts = torch.stack(modes).double()
    true = true_changes(ensemble.jumps).sum(1)
    some = torch.stack([1 - p[:, 0] for p in p_m])
    cautious = torch.stack([conservative(p) for p in p_m]).double()
    values = {
        "counted": ("counter", counts.mean(1).cpu()),
        "counted_right": ("counter", (counts == true).double().mean(1).cpu()),
        "conservative": ("model", cautious.mean(1).cpu()),
        "alarm": ("model", (some > 0.9).double().mean(1).cpu()),
        "true_forks": float(true.double().mean()),
    }
    return xr.Dataset(values, {"counter": list(COUNTERS), "model": list(COUNTERS[:3])})


def jittered(y: Float[Tensor, "N T"], seed: int, jitter: float = JITTER) -> Float[Tensor, "N T"]:
    """The paper's series: y with noise N(0, jitter^2), clipped to [0, 1]."""
    noise = torch.randn(y.shape, generator=seeded(seed, "jitter"), dtype=y.dtype).to(y.device)
    return (y + jitter * noise).clamp(0, 1)


def beast_like(y: Float[Tensor, "N T"]) -> tuple[Float[Tensor, "N M"], Float[Tensor, "N T"]]:
    """p(m | y) and p(tau | y) of the Gaussian model, a few series at a time (the grid takes
    memory)."""
    found = [gaussian_posterior(part) for part in y.split(AT_ONCE)]
    return torch.cat([f.p_m for f in found]), torch.cat([f.p_tau for f in found])


def least_squares(y: Float[Tensor, "N T"]) -> Bool[Tensor, "N T"]:
    """Change points of the least squares partition with penalty 2 s2 ln T, the variance from first
    differences."""
    s2 = y.diff(dim=1).square().mean(1).clamp(min=1e-12) / 2
    one = torch.ones(1, dtype=y.dtype, device=y.device)
    L = gaussian(y / s2[:, None].sqrt(), one, 1e-9)
    # flat segments; the prior's and the noise's constants cancel against the penalty
    flat = L[:, 0] - 0.5 * math.log(1e-9 / (y.shape[1] + 1e-9))
    return penalised_cuts(flat, math.log(y.shape[1]))


# --- change points and hazards ------------------------------------------------------------------


@stage(reads=("planted", "headline", "p_thresh"))
def planted(config: Config, progress: Progress) -> xr.Dataset:
    """One planted fork per text: hit rates of change points and of hazards, jump against expected
    distance, the largest violation of every identity; by seed and kind of fork."""
    rows = []
    for number, seed in enumerate(config.seeds):
        kinds = [_one_kind(config, seed, name).assign_coords(fork=name) for name in KINDS]
        rows.append(xr.concat(kinds, "fork").assign_coords(seed=seed))
        progress("planted forks", number + 1, len(config.seeds))
    return labelled(xr.concat(rows, "seed"), UNITS)


def _one_kind(config: Config, seed: int, name: str) -> xr.Dataset:
    greedy, threshold = KINDS[name]
    recipe = Recipe(PLANTED_LENGTH, forks=(0,), rare=(0,), hidden=(1,), drift=0)
    if greedy is not None:
        recipe = replace(recipe, forks=(1,), hidden=(0,), greedy=greedy)
    stream = 200 + list(KINDS).index(name)
    ensemble = Ensemble.draw(seed, stream, config.planted, recipe, config.torch_device)
    paths = ensemble.paths(ensemble.sample(config.headline, seed), threshold or config.p_thresh)
    at = torch.tensor([int(world.forks("fork", "hidden")[0]) for world in ensemble.worlds])
    exact = identities(ensemble.p, ensemble.after, ensemble.o)
    base = ensemble.after[..., :1, :].expand_as(ensemble.after)
    expected = (ensemble.p * total_variation(base, ensemble.after))[..., 1:].sum(-1).cpu()
    rows, jumps = torch.arange(config.planted), ensemble.jumps.cpu()
    values = {
        "change_hit": _hits(paths, at),
        "hazard_hit": float((hazard(paths, FAR, "tv").cpu()[rows, at] > 0).double().mean()),
        "identity": ("law", list(exact.values())),
        "fork_jump": ("world", jumps[rows, at][:SHOWN].numpy()),
        "fork_distance": ("world", expected[rows, at][:SHOWN].numpy()),
    }
    return xr.Dataset(values, {"law": list(exact)})


def _hits(paths: Paths, at: Int[Tensor, "N"]) -> float:
    """Share of planted changes after token `at` that are detected."""
    found = detected(posterior(dirichlet_multinomial(paths.pseudo))).cpu()
    true = torch.zeros_like(found)
    true[torch.arange(len(at)), at + 1] = True
    return share(matched(found, true)[1], true)
