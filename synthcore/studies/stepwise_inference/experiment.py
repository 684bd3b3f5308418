"""Train transformers to say whether a goal can be reached, with and without the way there.

`run` is four stages, each public. `navigate` trains every format on Bernoulli and layered graphs
and examines temperature and length; `stitching` trains on near pairs; `one_layer` reads the
mechanism; `steering` trains on motifs.
"""

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.stepwise_inference.one_layer import one_layer
from synthcore.studies.stepwise_inference.parameters import Config
from synthcore.studies.stepwise_inference.single import (
    KINDS,
    Progress,
    School,
    learn,
    lengths,
    shortcuts,
    temperatures,
)
from synthcore.studies.stepwise_inference.steering import steering
from synthcore.studies.stepwise_inference.stitching import stitching

__all__ = ["Config", "assemble", "navigate", "one_layer", "run", "steering", "stitching"]

UNITS = {
    "step": "updates",
    "temperature": "1",
    "length_difference": "edges",
    "edges": "edges",
    "bayes_divergence": "nats",
    "distance": "layers",
    "near": "layers",
}


def navigate(config: Config, progress: Progress | None = None) -> tuple[xr.Dataset, School]:
    """Every format on both graph types; temperature and length for stepwise Bernoulli networks,
    which are returned too."""
    parts, found = [], None
    for kind in KINDS:
        schools = [learn(config, kind, style, progress) for style in config.formats]
        parts += [school.results for school in schools] + [shortcuts(config, kind, schools[0])]
        found = found or schools[0]
    assert found is not None
    further = [lengths(config, found), temperatures(config, found)]
    merged = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="drop")
    return xr.merge([merged, *further], join="outer", compat="no_conflicts"), found


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study: dimension `seed` everywhere, and those each stage names."""
    data, school = navigate(config, progress)
    parts = [data, stitching(config, progress), one_layer(config, school, progress)]
    if config.motif_steps:
        parts.append(steering(config, progress))
    return assemble(config, parts)


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS)
    data.attrs = {"study": "stepwise_inference", "samples": config.samples, "far": config.far}
    data.attrs |= {"between": config.between, "formats": list(config.formats)}
    return data
