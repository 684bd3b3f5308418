"""One module per experiment, and `assemble`, which joins what their `run` returned."""

from collections.abc import Sequence

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.stepwise_inference.config import Config

UNITS = {
    "step": "updates",
    "temperature": "1",
    "length_difference": "edges",
    "edges": "edges",
    "bayes_divergence": "nats",
    "distance": "layers",
    "near": "layers",
}


def assemble(config: Config, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32.

    Dimension `seed` runs through all of them; each experiment names its own others. The attributes
    say what figures and claims must know of the parameters.
    """
    data = joined(parts, UNITS)
    data.attrs = {"study": "stepwise_inference", "samples": config.samples, "far": config.far}
    data.attrs |= {"between": config.between, "formats": list(config.formats)}
    return data
