"""What the explorer and the collapse figure show of a run: curves, floors, intervals."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from synthcore.evidence.statistics import t_interval
from synthcore.explorers.collapse import Curves
from synthcore.studies.percolation.decisions import copies, curve
from synthcore.studies.percolation.onsets import exponents
from synthcore.studies.percolation.simulations import PROPORTIONAL, WIDENING


def metrics(data: xr.Dataset, entities: int = 0) -> dict[str, tuple[xr.DataArray, float]]:
    """Name -> curves over properties, seed and step, and their floor."""
    one = data.isel(entities=entities, drop=True)
    chance = 1 / data.attrs["classes"]
    return {
        "descriptive check": (one.descriptive, chance),
        "class probability": (one.class_mass * one.descriptor_mass, chance),
        "exact match, descriptive": (curve(one, "exact_descriptive"), 0.0),
        "syntax (first rise)": (one.syntax, float(one.syntax.isel(step=0).max())),
    }


def in_words(values: xr.DataArray) -> str:
    """Mean and 95 % interval over seeds.

    >>> in_words(xr.DataArray([0.4, 0.5, 0.6]))
    '0.50 (0.25 to 0.75)'
    """
    low, high = t_interval(values)
    return f"{float(values.mean()):.2f} ({low:.2f} to {high:.2f})"


def collapsible(runs: Mapping[str, xr.Dataset], simulated: xr.Dataset) -> list[Curves]:
    """Mean curves of the transformers of every run, of the first run's pair learner, and of
    simulated graphs. Exact match is shown where it has formed."""
    found = []
    for label, run in runs.items():
        for name, (values, floor) in metrics(run).items():
            if not name.startswith("exact") or copies(run):
                found.append(_curves(f"{name} ({label})", values, "properties", floor))
    data = next(iter(runs.values()))
    pairs = data.pair_class_mass
    found.append(
        _curves("pair learner, class", pairs, "pair_properties", 1 / data.attrs["pair_classes"])
    )
    for name, sizes, label in (
        ("proportional", [e * k for e, k in PROPORTIONAL], "|E||K|"),
        ("widening", [k for _, k in WIDENING], "|K|"),
    ):
        words = "both sides grow" if name == "proportional" else "|E| fixed"
        found.append(
            Curves(
                f"simulated graphs, {words}",
                sizes,
                simulated[f"{name}_edges"].mean("seed").values,
                simulated[f"{name}_joined"].mean("seed").values,
                size=label,
                time="edges",
            )
        )
    return found


def _curves(name: str, values: xr.DataArray, along: str, floor: float) -> Curves:
    time = next(str(d) for d in values.dims if str(d).endswith("step"))
    seed = next(str(d) for d in values.dims if str(d).endswith("seed"))
    table = values.transpose(seed, along, time).fillna(floor)
    low, high = t_interval(exponents(table, along, floor))
    return Curves(
        name,
        [float(size) for size in table[along].values],
        table[time].values.astype(float),
        table.mean(seed).values,
        floor,
        interval=(low, high) if np.isfinite([low, high]).all() else None,
    )
