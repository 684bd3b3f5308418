"""Which depth and how many heads each format needs, and the network written by hand."""

from dataclasses import replace

import torch
import xarray as xr

from synthcore.studies.compositional_capabilities import counts
from synthcore.studies.compositional_capabilities.at_once import examined
from synthcore.studies.compositional_capabilities.construction import one_layer_network
from synthcore.studies.compositional_capabilities.measure import exact
from synthcore.studies.compositional_capabilities.networks import Recipe
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import Progress, Task, seeded
from synthcore.studies.compositional_capabilities.subsets import Condition, cell_sample
from synthcore.studies.compositional_capabilities.task import Functions, Style


def depth_sweep(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Exact match on seen and unseen compositions: dimensions depth, heads, format and seed.

    Step by step on `one_layer_n` compositions, at once on `depth_n`: the first asks whether depth
    is needed at all, the second what depth buys when fitting is hard. At once has
    the heads of the other direct networks only.
    """
    parts = [constructed(config)]
    cases: tuple[tuple[Style, Recipe, int, tuple[int, ...]], ...] = (
        ("step", config.matched, config.one_layer_n, config.sweep_heads),
        ("direct", config.direct, config.depth_n, (config.direct.heads,)),
    )
    for depth in config.depths:
        for style, recipe, n, heads in cases:
            for count in heads:
                deeper = replace(recipe, depth=depth, heads=count, steps=config.depth_steps)
                found = examined(config, style, deeper, (n,), progress).isel(n=0, drop=True)
                names = {name: str(name).replace("format", "depth") for name in found.data_vars}
                parts.append(found.rename(names).expand_dims(depth=[depth], heads=[count]))
    return xr.merge(parts, join="outer", compat="no_conflicts")


def constructed(config: Config) -> xr.Dataset:
    """Exact match of the network written by hand on samples of every cell of C: by seed."""
    task = Task.draw(config.layout, "step", [Condition("base")], config.seeds, torch.device("cpu"))
    comps = torch.cat(
        [
            cell_sample(config.layout, k, m, config.cell_samples, seeded(config.seed, 70 + k))
            for k, m in counts.cells(config.layout)
        ]
    )
    words = task.words(len(comps), config.words, 71)
    right = []
    for member, tables in enumerate(task.functions.tables):
        model = one_layer_network(config.layout, tables)
        one = slice(member, member + 1)
        functions = Functions(task.functions.tables[one], task.functions.places[one])
        right.append(exact(model, config.layout, functions, comps[None], words[one], "step").mean())
    return xr.Dataset(
        {"constructed": ("seed", torch.stack(right).numpy())}, {"seed": list(config.seeds)}
    )
