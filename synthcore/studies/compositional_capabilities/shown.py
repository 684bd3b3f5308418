"""What the explorers read from the dataset."""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from synthcore.figures import half_width
from synthcore.nn.population import named_weights
from synthcore.studies.compositional_capabilities.figures import sizes_of
from synthcore.studies.compositional_capabilities.networks import build
from synthcore.studies.compositional_capabilities.parameters import Config


def weights(config: Config, data: xr.Dataset) -> dict[str, NDArray[np.float32]]:
    """The kept network's weights by name: one member, no member axis."""
    empty = build(config.stepwise, config.layout, "step", [0], torch.device("cpu"))
    return named_weights(empty, data.shown_weights.values)


def grid(data: xr.Dataset) -> dict[str, object]:
    """Arguments of the grid explorer: subsets that share the first seed's functions."""
    names = [str(s) for s in data.subset.values if "repeat" not in s and "," not in s]
    first = data.sel(subset=names).isel(seed=0)
    cell = ("subset", "k", "m", "example")
    return {
        "subsets": names,
        "accuracy": first.cell_accuracy.transpose("subset", "k", "m").values,
        "tables": data.shown_tables.values.astype(int),
        "compositions": first.example_comps.transpose(*cell, "slot", "pair").values.astype(int),
        "words": first.example_words.transpose(*cell, "letter").values.astype(int),
        "generated": first.example_wrote.transpose(*cell, "slot", "letter").values.astype(int),
        "n_train": [int(n) for n in first.n_train.values],
    }


def rows(n: NDArray[np.int64], values: xr.DataArray, highest: float) -> NDArray[np.float64]:
    """(Q, 4) rows n, mean, and ends of the 95 % interval over seeds, cut at 0 and `highest`."""
    table = values.transpose("seed", ...).values.astype(float)
    mean, half = table.mean(0), half_width(table)
    return np.stack([n, mean, np.maximum(mean - half, 0), np.minimum(mean + half, highest)], -1)


def series(
    data: xr.Dataset,
) -> tuple[Mapping[str, NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]:
    """Measured points of the reachable explorer: accuracy on unseen ones, and numbers mastered."""
    n, names = sizes_of(data)
    one = data.sel(subset=names)
    sizes = data.n.values.astype(int)
    direct = data.sel(format="direct")
    accuracy = {
        "step by step": rows(n, one.unseen, 1),
        "at once": rows(sizes, direct.format_unseen, 1),
    }
    reached = {
        "step by step": rows(n, one.reached, np.inf),
        "at once": rows(sizes, direct.format_reached, np.inf),
        "step by step, displaced too": rows(n, one.reached_far, np.inf),
    }
    return accuracy, reached
