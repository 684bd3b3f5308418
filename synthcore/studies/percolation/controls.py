"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr


def _swapped(data: xr.Dataset, pairs: Mapping[str, str]) -> xr.Dataset:
    both = {**pairs, **{b: a for a, b in pairs.items()}}
    return data.assign({a: data[b].transpose(*data[a].dims) for a, b in both.items()})


def last_first(data: xr.Dataset) -> xr.Dataset:
    """Descriptive types rise when grammar does, grammar when they do."""
    found = _swapped(data, {"grammatical": "descriptive", "syntax": "class_mass"})
    likely = data.log_likelihood
    turned = likely.copy(deep=True)
    turned.loc[{"altered": "order"}] = likely.sel(altered="descriptors")
    turned.loc[{"altered": "descriptors"}] = likely.sel(altered="order")
    return found.assign(log_likelihood=turned)


def ramp(values: xr.DataArray, time: str, low: float, high: float) -> xr.DataArray:
    """The same shape, rising steadily in log time."""
    log = np.log(values[time])
    rise = (log - log[0]) / (log[-1] - log[0])
    return (low + (high - low) * rise).broadcast_like(values).transpose(*values.dims)


def gradual(data: xr.Dataset) -> xr.Dataset:
    """Relative types come as slowly as log time passes."""
    return data.assign(relative=ramp(data.relative, "step", 0.0, 1.0))


def copying_first(data: xr.Dataset) -> xr.Dataset:
    """Networks that unscramble and use given words before they know anything else."""
    names = ("exact", "tokens", "conditions", "rearranged")
    return data.assign({name: xr.ones_like(data[name]) for name in names})


def sorts_alike(data: xr.Dataset) -> xr.Dataset:
    """Both sorts of sentences are unscrambled equally well."""
    mean = data.exact.mean("sort").broadcast_like(data.exact)
    return data.assign(exact=mean.transpose(*data.exact.dims))


def steady(data: xr.Dataset) -> xr.Dataset:
    """Classes are learned from the first step on, without a plateau."""
    found = {"pair_class_mass": ramp(data.pair_class_mass, "pair_step", 0.25, 0.9)}
    if "class_mass" in data:
        found["class_mass"] = ramp(data.class_mass, "step", 0.25, 0.9)
    return data.assign(found)


def memoriser(data: xr.Dataset) -> xr.Dataset:
    """Only edges are known; all other pairs are alike."""
    names = [n for n in ("pair_odds", "odds", "pair_held_share", "held_share") if n in data]
    return data.assign({name: xr.zeros_like(data[name]) for name in names})


def size_blind(data: xr.Dataset) -> xr.Dataset:
    """Every |K| is learned as the smallest one is."""
    found = {}
    for name, values in data.data_vars.items():
        for along in ("properties", "pair_properties"):
            if along in values.dims:
                first = values.isel({along: 0}, drop=True)
                found[str(name)] = first.broadcast_like(values).transpose(*values.dims)
    return data.assign(found)


def syntax_waits(data: xr.Dataset) -> xr.Dataset:
    """Syntax comes as late as classes do."""
    return data.assign(syntax=data.class_mass)


def another_graph(data: xr.Dataset) -> xr.Dataset:
    """The theory of another ratio q / p_c."""
    return data.assign(joined_theory=data.joined_theory.roll(checked=1, roll_coords=False))


def one_sided(data: xr.Dataset) -> xr.Dataset:
    """Graphs of which only one side grows."""
    return data.assign(proportional_exponent=data.widening_exponent)


def one_step_more(data: xr.Dataset) -> xr.Dataset:
    """A twentieth of the pairs is joined by other walks."""
    return data.assign(hop_errors=xr.full_like(data.hop_errors, 0.05))


def seen_twice(data: xr.Dataset) -> xr.Dataset:
    """Edges count from their second presentation on."""
    x = data.exposure
    twice = (1 - np.exp(-x) * (1 + x)).broadcast_like(data.seen).transpose(*data.seen.dims)
    return data.assign(seen=twice, seen_in_text=twice)


def fragments_joined(data: xr.Dataset) -> xr.Dataset:
    """What no path joins is learned all the same."""
    if "world_odds" not in data:
        return data
    return data.assign(world_odds_apart=data.world_odds_joined)


def sentences_alike(data: xr.Dataset) -> xr.Dataset:
    """Fragments are learned in the same way from all kinds of sentences."""
    if "variant_odds_apart" not in data:
        return data
    names = ("variant_odds_apart", "variant_odds_joined")
    same = {n: data[n].mean("variant").broadcast_like(data[n]) for n in names}
    return data.assign({n: v.transpose(*data[n].dims) for n, v in same.items()})


def steps_set_the_clock(data: xr.Dataset) -> xr.Dataset:
    """Only the number of updates counts, however much each of them shows."""
    if "world_class_mass" not in data:
        return data
    mass = data.world_class_mass.copy(deep=True)
    mass.loc[{"world": "double batch"}] = mass.sel(world="base")
    return data.assign(world_class_mass=mass)
