"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import numpy as np
import xarray as xr

from synthcore.studies.forking_paths.black_box import FORGETFUL


def without_time(data: xr.Dataset) -> xr.Dataset:
    """The detector saw the positions of every text in a random order."""
    at = {"samples": data.attrs["headline"]}
    control = data.copy(deep=True)
    for name in ("recall", "precision", "spurious"):
        control[name].loc[at] = data[f"{name}_unordered"]
    return control


def told_by_confidence(data: xr.Dataset) -> xr.Dataset:
    """Only texts that end undecided have change points."""
    undecided = (data.released_end < 0.9).astype(float)
    return data.assign(
        released_alarm=undecided.broadcast_like(data.released_alarm),
        released_m=(1 - data.released_end).broadcast_like(data.released_m),
    )


def tasks_shuffled(data: xr.Dataset) -> xr.Dataset:
    """Questions are dealt to tasks at random."""
    order = np.random.default_rng(0).permutation(data.sizes["question"])
    return data.assign(released_task=("question", data.released_task.values[order]))


def blind_to_marks(data: xr.Dataset) -> xr.Dataset:
    """Punctuation is never a fork."""
    control = data.copy(deep=True)
    control.surface_recall.loc[{"surface": "punctuation"}] = 0
    if "released_after" in data:
        control.released_after.loc[{"token_class": "punctuation"}] = 0
    return control


def forgetful(data: xr.Dataset) -> xr.Dataset:
    """Every backend forgets what was written so far."""
    forgot = data.excess.sel(backend=FORGETFUL, drop=True)
    return data.assign(
        excess=forgot.broadcast_like(data.excess), learned_excess=xr.zeros_like(forgot) + 2.0
    )


def detectors_alike(data: xr.Dataset) -> xr.Dataset:
    """Change points are found wherever hazards are, and the other way round."""
    return data.assign(change_hit=data.hazard_hit, hazard_hit=data.change_hit)


def noise_without_root(data: xr.Dataset) -> xr.Dataset:
    """Noise that falls as 1 / S."""
    first = float(data.draws[0])
    return data.assign(noise=data.noise * (first / data.draws) ** 0.5)


def always_a_change(data: xr.Dataset) -> xr.Dataset:
    """A detector that sees one change more in every text."""
    return data.assign(counted=data.counted + 1, alarm=xr.ones_like(data.alarm))


def short_completions(data: xr.Dataset) -> xr.Dataset:
    """Completions of ten tokens, however much of the text is left."""
    control = data.assign(cost=data.length * data.branches * data.attrs["headline"] * 10)
    if "released_tokens" in data:
        control["released_tokens"] = data.released_branches * 300
    return control
