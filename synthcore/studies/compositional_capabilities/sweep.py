"""Which depth each format needs."""

from dataclasses import replace

import xarray as xr

from synthcore.studies.compositional_capabilities.at_once import examined
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import Progress
from synthcore.studies.compositional_capabilities.task import STYLES


def depth_sweep(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Exact match on seen and unseen compositions: dimensions depth, format and seed.

    Step by step on `one_layer_n` compositions, at once on the most of `direct_n`: the first asks
    whether depth is needed at all, the second what depth buys when fitting is hard.
    """
    joined = xr.Dataset()
    for depth in config.depths:
        for style, recipe, n in zip(
            STYLES,
            (config.matched, config.direct),
            (config.one_layer_n, config.direct_n[-1]),
            strict=True,
        ):
            deeper = replace(recipe, depth=depth, steps=config.depth_steps)
            found = examined(config, style, deeper, (n,), progress).isel(n=0, drop=True)
            names = {name: str(name).replace("format", "depth") for name in found.data_vars}
            part = found.rename(names).expand_dims(depth=[depth])
            joined = xr.merge([joined, part], join="outer", compat="no_conflicts")
    return joined
