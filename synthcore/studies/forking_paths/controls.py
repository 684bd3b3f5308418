"""What takes the detector's place, or the texts', to see that a claim can fail, and can hold.

Most were run by the same experiments and put through the same measurement: the detector on
positions in a random order, an oracle that knows every change, the paper's kind of model without
its jitter, texts simulated with and without changes, a backend that forgets.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.results import with_experiment
from synthcore.studies.forking_paths.experiments.backends import DIRECT, FORGETFUL

FIRST_HITS = {"rare": (0.31, 0.88), "uneven": (0.79, 0.91), "even": (0.96, 0.89)}


def _detector(results: xr.DataTree, name: str) -> xr.DataTree:
    data = results["detection"].to_dataset()
    other = data.sel(detector=[name]).assign_coords(detector=["exact DM"])
    return with_experiment(results, "detection", other)


def without_time(results: xr.DataTree) -> xr.DataTree:
    """The detector saw the positions of every text in a random order."""
    return _detector(results, "without time")


def oracle(results: xr.DataTree) -> xr.DataTree:
    """All changes of .1 and more are reported, and nothing else."""
    return _detector(results, "oracle")


def hazards_for_both(results: xr.DataTree) -> xr.DataTree:
    """One detector under two names: hazards in place of change points."""
    data = results["planted"].to_dataset()
    return with_experiment(results, "planted", data.assign(change_hit=data.hazard_hit))


def as_first_simulated(results: xr.DataTree) -> xr.DataTree:
    """Hit rates of a first simulation, with the noise of so many worlds."""
    data = results["planted"].to_dataset()
    worlds = 100
    ideal = data[["change_hit", "hazard_hit"]].copy(deep=True)
    for seed in data.seed.values:
        rng = np.random.default_rng([int(seed), 1])
        for fork, (change, hazard) in FIRST_HITS.items():
            at = {"seed": seed, "fork": fork}
            ideal.change_hit.loc[at] = rng.binomial(worlds, change) / worlds
            ideal.hazard_hit.loc[at] = rng.binomial(worlds, hazard) / worlds
    return with_experiment(results, "planted", data.assign(ideal.data_vars))


def paper_without_jitter(results: xr.DataTree) -> xr.DataTree:
    """A model of the paper's kind, on the distance y_t without jitter."""
    data = results["counting"].to_dataset()
    name = "BEAST-like, no jitter"
    other = data.sel(counter=[name], model=[name])
    other = other.assign_coords(counter=["exact DM"], model=["exact DM"])
    return with_experiment(results, "counting", other)


def true_counts(results: xr.DataTree) -> xr.DataTree:
    """Every change of .1 is counted, and an alarm is raised where there is one."""
    data = results["counting"].to_dataset()
    counted = data.true_forks.broadcast_like(data.counted)
    alarm = (data.true_forks > 0).astype(float).broadcast_like(data.alarm)
    return with_experiment(results, "counting", data.assign(counted=counted, alarm=alarm))


def forgetful(results: xr.DataTree) -> xr.DataTree:
    """A backend that continues every text from its beginning."""
    data = results["backends"].to_dataset()
    forgot = data.sel(backend=[FORGETFUL]).assign_coords(backend=[DIRECT])
    return with_experiment(results, "backends", forgot)


def noise_without_root(results: xr.DataTree) -> xr.DataTree:
    """Noise that falls as 1 / S."""
    data = results["noise"].to_dataset()
    faster = data.noise * (float(data.draws[0]) / data.draws) ** 0.5
    return with_experiment(results, "noise", data.assign(noise=faster))


# --- the released runs ---------------------------------------------------------------------------


def _source(results: xr.DataTree, name: str) -> xr.DataTree:
    data = results["released"].to_dataset()
    other = data.sel(source=[name]).assign_coords(source=["released"])
    return with_experiment(results, "released", other)


def never_changing(results: xr.DataTree) -> xr.DataTree:
    """The same questions, with the same outcomes at all of their tokens."""
    return _source(results, "no change")


def planted(results: xr.DataTree) -> xr.DataTree:
    """The same questions, with as many changes as the paper's saved posteriors have on average."""
    return _source(results, "planted")


def always_changing(results: xr.DataTree) -> xr.DataTree:
    """Six changes, as many as the model can count, in every question."""
    data = results["released"].to_dataset()
    most = xr.full_like(data.change_points, float(data.m.max()))
    return with_experiment(results, "released", data.assign(change_points=most))


def estimates_apart(results: xr.DataTree) -> xr.DataTree:
    """Estimates of positions that are 20 tokens apart, in place of those of one position."""
    data = results["released"].to_dataset()
    return with_experiment(results, "released", data.assign(agree=data.agree_apart))


# --- a language model on this machine ------------------------------------------------------------


def in_random_order(results: xr.DataTree) -> xr.DataTree:
    """The tokens of every answer in a random order: no position is special any more."""
    data = results["language_model"].to_dataset()
    other = data.sel(source=["in random order"]).assign_coords(source=["observed"])
    return with_experiment(results, "language_model", other)


def all_fork(results: xr.DataTree) -> xr.DataTree:
    """A change in every answer."""
    data = results["language_model"].to_dataset()
    sure = xr.where(data.m == 0, 0.0, 1 / (data.sizes["m"] - 1))
    return with_experiment(
        results, "language_model", data.assign(p_m=sure.broadcast_like(data.p_m))
    )
