"""From our setting to the release's, one factor at a time: what happens to the gap?

Every setting trains stepwise and direct networks anew, on the same graphs and splits, and is judged
on hard negatives and on the paper's, each time against the better of the direct network and the
best shortcut.
"""

from typing import Any

import xarray as xr

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.stepwise_inference.config import COMMON, Config
from synthcore.studies.stepwise_inference.experiments import UNITS
from synthcore.studies.stepwise_inference.experiments.navigation import KINDS, shortcuts, train
from synthcore.studies.stepwise_inference.task.lines import Format
from synthcore.training.progress import Progress

BASE, ALL = "ours", "all of these"
CONSTANT = 1.0


def factors(config: Config) -> dict[str, dict[str, Any]]:
    """Name -> parameters that differ from ours. Dead ends are a format, not a parameter;
    layers get twice the nodes and as many edges per node."""
    single: dict[str, dict[str, Any]] = {
        "dead ends written out": {},
        "loss on every token": {"loss_on": "line"},
        "constant rate": {"final_learning_rate": CONSTANT},
        "all simple paths": {"exposure": "paths", "balanced": False},
        "uniform negatives": {"negatives": "uniform"},
    }
    together = {name: value for changed in single.values() for name, value in changed.items()}
    longer = {"steps": config.factor_long_steps}
    larger = {
        "nodes": config.factor_nodes,
        "edge_probability": config.factor_node_probability,
        "layer_width": 2 * config.layer_width,
        "layer_probability": config.layer_probability / 2,
    }
    return {BASE: {}, **single, ALL: together, "more updates": longer, "more nodes": larger}


DEAD_ENDS = ("dead ends written out", ALL)


@stage(
    reads=(
        *(*COMMON, "factor_steps", "factor_long_steps", "factor_nodes"),
        "factor_node_probability",
    ),
    seeds="factor_seeds",
)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Recalls at the end, and what shortcuts score: dimensions factor, kind, format, group, seed,
    baseline, test. `step` of the written format stands for dead ends where the factor is that."""
    found = []
    for name, changed in factors(config).items():
        kinds = [one(config, kind, name, changed, progress) for kind in KINDS]
        found.append(xr.concat(kinds, "kind", join="exact").expand_dims(factor=[name]))
    return labelled(xr.concat(found, "factor", join="exact"), UNITS)


def one(
    config: Config, kind: str, name: str, changed: dict[str, Any], progress: Progress
) -> xr.Dataset:
    """One setting on one kind of graph."""
    steps = changed.get("steps", config.factor_steps)
    setting = config.model_copy(update=changed)
    written: Format = "walk" if name in DEAD_ENDS else "step"
    parts = []
    for label, line_format in (("step", written), ("direct", "direct")):
        condition = f"{name}, {kind}, {line_format}"
        data = train(setting, kind, line_format, [steps], progress, condition)
        data = data.isel(step=-1, drop=True)
        part = data[["recall", "valid", "hard_share"]]
        parts.append(part.expand_dims(format=[label], kind=[kind]))
    return xr.concat(parts, "format", join="exact").merge(shortcuts(setting, kind))
