"""How the claims about the inside of the networks are decided."""

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most
from synthcore.studies.concept_space.decisions import (
    FACTOR,
    LEAST,
    capability,
    converged,
    crossing,
    hidden_now,
    log_ratio,
    naive,
    weak_signal,
)

NEVER = 5.0
"""stands for the log of a ratio with a time that is never reached"""


def latent(data: xr.Dataset) -> xr.DataArray:
    """Accuracy with the embedding pushed by the fixed strength: (signal, seed, step)."""
    return data.latent_joint.sel(push=data.attrs["push"], drop=True)


def two_roads(data: xr.Dataset) -> Verdict:
    """C7, at the signal where the paper finds the gap."""
    signal = weak_signal(data)
    weak = data.sel(signal=signal, drop=True)
    pushed, asked = crossing(latent(weak)), crossing(capability(weak))
    plain, given = crossing(naive(weak)), crossing(weak.patched_joint)
    apart = log_ratio(pushed, asked)
    patching = log_ratio(given, pushed)
    horizon = 2 * float(data.step[-1])
    reached, later = pushed.clip(max=horizon), plain.clip(max=horizon)
    earlier = xr.apply_ufunc(np.log, later / reached)
    return all_of(
        at_least(earlier, LEAST, label="log of plain / pushed"),
        at_most(apart.where(np.isfinite(apart), NEVER), FACTOR, label="log of pushed / bluer"),
        at_most(
            patching.where(np.isfinite(patching), NEVER), FACTOR, label="log of patched / pushed"
        ),
        at_most(hidden_now(weak, latent(weak)), 0.4, label="plain where pushed works"),
    )


def cosine(data: xr.Dataset) -> xr.DataArray:
    """Of the embeddings of blue and red alone, mean over blocks: (signal, seed, step)."""
    return data.embed_cosine.isel(pair=0, drop=True).mean("block")


def disentangled_late(data: xr.Dataset) -> Verdict:
    """C11: the cosine of blue and red falls in training, and at the capability's time (train
    convergence where there is none) is still .1 above its final value."""
    signal = weak_signal(data)
    weak = data.sel(signal=signal, drop=True)
    along = cosine(weak)
    last = along.isel(step=-1, drop=True)
    when = crossing(capability(weak))
    when = when.where(np.isfinite(when), converged(data).sel(signal=signal, drop=True).values)
    fine = np.isfinite(when)
    index = data.step.values.searchsorted(when.where(fine, 0).values)
    there = along.isel(step=xr.DataArray(index, dims="seed")).drop_vars("step").where(fine)
    return all_of(
        at_least(along.isel(step=0, drop=True) - last, LEAST, label="falls", rule="mean"),
        at_least(
            (there - last).dropna("seed"), 0.1, label="above its end when capable", rule="mean"
        ),
    )
