"""Train denoisers on three classes of discs, and watch the way to the fourth in concept space.

`learn` is the main sweep over the contrast of colour and returns the networks too; every stage
after it is a function of the config and what `learn` returned. `inside` asks within the networks,
`size_sweep` varies the contrast of size, `crossed` pixels and prompts apart from each other,
`without_blue` is the control that must not be capable, `masked` tells less, `three` adds a concept,
`ink` draws real digits, `unet_sweep` uses the paper's kind of network, `ways` lets prompts enter it
otherwise, and `classified` reads images as the paper does.
"""

from collections.abc import Callable

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.concept_space.classifier import classified
from synthcore.studies.concept_space.crossed import crossed, without_blue
from synthcore.studies.concept_space.ink import ink
from synthcore.studies.concept_space.inside import inside
from synthcore.studies.concept_space.masked import masked
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Conditions, Progress
from synthcore.studies.concept_space.sweep import Learned, follow
from synthcore.studies.concept_space.theory import signals
from synthcore.studies.concept_space.three import three
from synthcore.studies.concept_space.unet_sweep import unet_sweep
from synthcore.studies.concept_space.ways import ways

__all__ = ["Config", "assemble", "learn", "run", "size_sweep", "stages"]

UNITS = {"step": "updates", "pixel_signal": "squared intensity"}
Stage = Callable[[Config, Learned, Progress | None], xr.Dataset]


def learn(config: Config, progress: Progress | None = None) -> Learned:
    """The main sweep: dimension `signal` (Delta_c) x seed, with weights at every checkpoint."""
    learned = follow(config, config.main, config.seeds, "signal", "colour sweep", progress, True)
    data = learned.results.assign_coords(signal=list(config.colours))
    measured = [signals(c, config.size, config.side, config.spread) for c in config.colours]
    data["pixel_signal"] = (("signal", "concept"), measured)
    learned.results = data
    return learned


def size_sweep(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """Delta_s varies at one Delta_c: `size_right` (size, seed, step,
    concept) of the held-out class."""
    conditions = Conditions(
        (config.size_colour,) * len(config.sizes), config.sizes, spread=config.spread
    )
    found = follow(config, conditions, config.few, "size", "size sweep", progress).results
    right = found.right.isel(asked=-1, drop=True).assign_coords(size=list(config.sizes))
    return xr.Dataset({"size_right": right})


def stages(config: Config) -> list[Stage]:
    """What follows `learn`; those without members or steps are left out."""
    found: list[Stage] = [inside]
    found += [size_sweep] if config.sizes else []
    found += [crossed, without_blue]
    found += [masked] if config.masks else []
    found += [three] if config.three_colours and config.three_grounds else []
    found += [ink] if config.ink_colours else []
    found += [unet_sweep] if config.unet_colours else []
    found += [ways] if config.way_colours else []
    found += [classified] if config.classifier_steps else []
    return found


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study."""
    learned = learn(config, progress)
    parts = [stage(config, learned, progress) for stage in stages(config)]
    return assemble(config, [learned.results, *parts])


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS)
    data.attrs = {
        "study": "concept_space",
        "over": config.over,
        "push": config.push,
        "size": config.size,
        "images": config.images,
        "side": config.side,
        "spread": config.spread,
    }
    return data
