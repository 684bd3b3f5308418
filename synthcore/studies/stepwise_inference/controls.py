"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import numpy as np
import xarray as xr


def formats_alike(data: xr.Dataset) -> xr.Dataset:
    """Stepwise networks answer like the direct ones."""
    control = data.copy(deep=True)
    for name in ("recall", "far_recall"):
        control[name].loc[{"format": "step"}] = data[name].sel(format="direct", drop=True)
    return control


def graphs_alike(data: xr.Dataset) -> xr.Dataset:
    """Layered graphs give what Bernoulli graphs give."""
    control = data.copy(deep=True)
    control.recall.loc[{"kind": "layered"}] = data.recall.sel(kind="bernoulli", drop=True)
    return control


def temperature_reversed(data: xr.Dataset) -> xr.Dataset:
    """Cold is called hot, and every temperature finds equally many paths."""
    control = data.copy()
    control["temperature_accuracy"] = data.temperature_accuracy.copy(
        data=data.temperature_accuracy.isel(temperature=slice(None, None, -1)).values
    )
    flat = data.temperature_distinct_valid.mean("temperature")
    control["temperature_distinct_valid"] = flat.broadcast_like(data.temperature_distinct_valid)
    return control


def uniform_walker(data: xr.Dataset) -> xr.Dataset:
    """Answers as long as uniform paths."""
    control = data.copy(deep=True)
    control.length_difference.loc[{"reference": "uniform path"}] = 0
    return control


def errors_alike(data: xr.Dataset) -> xr.Dataset:
    """Both kinds of failure follow one curve."""
    return data.assign(astray=data.misstep, edge_error=data.misstep)


def without_exemplars(data: xr.Dataset) -> xr.Dataset:
    """Every prompt is asked bare: success is what it is without exemplars."""
    bare = data.steering_given.isel(exemplars=0, drop=True)
    return data.assign(
        steering=bare.broadcast_like(data.steering),
        steering_given=bare.broadcast_like(data.steering_given),
    )


def chains_swapped(data: xr.Dataset) -> xr.Dataset:
    """A policy blind to position: first and second chain are followed alike."""
    return data.assign(primacy=data.primacy.mean("position").broadcast_like(data.primacy))


def nodes_relabelled(data: xr.Dataset) -> xr.Dataset:
    """The tables of a network whose nodes were renamed at random know nothing of the graph."""
    nothing = xr.zeros_like(data.rule_accuracy)
    return data.assign(
        rule_accuracy=nothing + float(np.mean(data.mechanism_adjacency.values)),
        attention_mass=nothing + 0.5,
        distance_correlation=nothing,
        adjacency_auc=nothing + 0.5,
    )
