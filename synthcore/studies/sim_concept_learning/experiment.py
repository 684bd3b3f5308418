"""Train networks on the identity map, follow their dynamics, and map the exact theory.

`run` is seven stages, each public. `order` and `hierarchy` train networks by SGD on samples;
`track` follows one-layer and tied networks on samples against the closed forms; `depth` trains deep
linear networks on the population loss; `draw_up_maps`, `pivot_law` and `searches` integrate the
exact flow.
"""

import xarray as xr

from synthcore.evidence.dataset import labelled
from synthcore.studies.sim_concept_learning.exact import depth, draw_up_maps, pivot_law, searches
from synthcore.studies.sim_concept_learning.parameters import Config
from synthcore.studies.sim_concept_learning.sampled import Progress, hierarchy, order
from synthcore.studies.sim_concept_learning.tracked import track

__all__ = [
    "Config",
    "assemble",
    "depth",
    "draw_up_maps",
    "hierarchy",
    "order",
    "pivot_law",
    "run",
    "searches",
    "track",
]

UNITS = {
    "time": "clock t = step size x steps",
    "tau": "clock tau = 2 t",
}
TIMES = {
    "network_arrival": "time",
    "balanced_arrival": "time",
    "one_layer_arrival": "time",
    "network_time": "time",
    "one_layer_time": "time",
    "speed_time": "time",
    "tau": "tau",
    "slope_tau": "tau",
    "search_tau": "tau",
    "tied_minor_peak_time": "tau",
    "tied_loss_minimum_time": "tau",
    "tied_loss_maximum_time": "tau",
    "tied_weak_half_time": "tau",
    "pivot_measured": "tau",
    "pivot_law": "tau",
    "pivot_naive": "tau",
    "failure_measured": "tau",
    "failure_law": "tau",
    "failure_naive": "tau",
}


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study; every part has dimensions of its own, `seed` where networks are trained."""
    return assemble(
        config,
        [
            order(config, progress),
            hierarchy(config, progress),
            track(config, progress),
            depth(config, progress),
            draw_up_maps(config),
            pivot_law(config),
            searches(config, progress),
        ],
    )


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units. Measurements are float32 where that is enough."""
    data = xr.merge(parts, compat="no_conflicts", join="exact", combine_attrs="drop")
    for name, variable in data.data_vars.items():
        exact = "loss_" in str(name)  # compared to a millionth
        if variable.dtype == "float64" and not exact:
            data[name] = variable.astype("float32")
    data = labelled(data, {name: UNITS[clock] for name, clock in TIMES.items()})
    data.attrs = {
        "study": "sim_concept_learning",
        "mu": list(config.mu),
        "sigma": config.sigma,
        "omega": config.omega,
        "rho": config.rho,
        "learning_rate": config.learning_rate,
        "tied_learning_rate": config.tied_learning_rate,
        "points": config.points,
    }
    return data
