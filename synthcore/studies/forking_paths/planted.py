"""One planted fork per text: do change points and hazards see the same forks?

Forks of three sizes, and forks too rare to be branched to. Change points are looked for in o_t;
a hazard is an alternative whose outcomes are at least `FAR` away in total variation.
"""

import torch
import xarray as xr

from synthcore.changepoints import dirichlet_multinomial, posterior, scores
from synthcore.studies.forking_paths import survival, theory
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.stage import Progress
from synthcore.studies.forking_paths.task import Recipe

LENGTH, FAR = 80, 0.3
# greedy probability of the fork and the threshold of its analysis: rare alternatives need a lower
KINDS = {
    "rare": ((0.93, 0.97), 0.02),
    "uneven": ((0.8, 0.88), 0.02),
    "even": ((0.4, 0.6), 0.02),
    "hidden": (None, None),
}


def planted(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Hit rates of both detectors, the mean jump, jump against expected distance, and the largest
    violation of every identity; by seed and kind of fork."""
    rows = []
    for number, seed in enumerate(config.seeds):
        kinds = [
            _one_kind(config, seed, i, *about).assign_coords(fork=name)
            for i, (name, about) in enumerate(KINDS.items())
        ]
        rows.append(xr.concat(kinds, "fork").assign_coords(seed=seed))
        if progress is not None:
            progress("planted forks", number + 1, config.n_seeds)
    return xr.concat(rows, "seed")


def _one_kind(
    config: Config,
    seed: int,
    number: int,
    greedy: tuple[float, float] | None,
    threshold: float | None,
) -> xr.Dataset:
    recipe = Recipe(LENGTH, forks=(0,), rare=(0,), hidden=(1,), drift=0)
    if greedy is not None:
        recipe = Recipe(LENGTH, forks=(1,), rare=(0,), hidden=(0,), drift=0, greedy=greedy)
    ensemble = Ensemble.draw(seed, 200 + number, config.planted, recipe, config.torch_device)
    paths = ensemble.paths(ensemble.sample(config.headline, seed), threshold or config.p_thresh)
    found = scores.detected(posterior(dirichlet_multinomial(paths.pseudo)))
    rows = torch.arange(config.planted)
    at = torch.tensor([int(world.forks("fork", "hidden")[0]) for world in ensemble.worlds])
    true = torch.zeros_like(found)
    true[rows, at + 1] = True
    _, seen = scores.matched(found.cpu(), true.cpu())
    hazard = survival.hazard(paths, FAR, "tv").cpu()
    exact = theory.identities(ensemble.p, ensemble.after, ensemble.o)
    far = theory.total_variation(
        ensemble.after[..., :1, :].expand_as(ensemble.after), ensemble.after
    )
    expected = (ensemble.p * far)[..., 1:].sum(-1).cpu()
    return xr.Dataset(
        {
            "change_hit": float(seen[rows, at + 1].double().mean()),
            "hazard_hit": float((hazard[rows, at] > 0).double().mean()),
            "planted_jump": float(ensemble.jumps.cpu()[rows, at].mean()),
            "identity": ("law", list(exact.values())),
            "fork_jump": ("world", ensemble.jumps.cpu()[rows, at][:60].numpy()),
            "fork_distance": ("world", expected[rows, at][:60].numpy()),
        },
        {"law": list(exact)},
    )
