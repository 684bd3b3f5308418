"""Plant forks, sample, find them; ask every kind of backend; look at the paper's own runs.

`run` is the stages, each public: `detection` (recall, precision, calibration), `planted` (change
points against hazards), `lasting` (survival and its null), `noise` (the law of sampling noise,
error budget), `counting` and `versus` (detectors compared), `spending` (pooled and adaptive
sampling), `black_box` (the same call on every backend), `learned` (transformers), and in longer
runs `released` (the paper's counts) and `small_model` (a language model on this machine).
"""

from collections.abc import Callable

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.forking_paths.adaptive import spending
from synthcore.studies.forking_paths.black_box import black_box
from synthcore.studies.forking_paths.counting import counting, versus
from synthcore.studies.forking_paths.detection import detection
from synthcore.studies.forking_paths.lasting import lasting
from synthcore.studies.forking_paths.learner import learned
from synthcore.studies.forking_paths.noise import noise
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.planted import planted
from synthcore.studies.forking_paths.released import released
from synthcore.studies.forking_paths.small_model import small_model
from synthcore.studies.forking_paths.stage import Progress

__all__ = ["Config", "assemble", "run", "stages"]

UNITS = {
    "length": "tokens",
    "samples": "completions",
    "draws": "completions",
    "spent": "completions",
    "cost": "sampled tokens",
    "uniform_tokens": "sampled tokens",
    "pooled_tokens": "sampled tokens",
    "adaptive_tokens": "sampled tokens",
    "released_tokens": "sampled tokens",
    "live_tokens": "sampled tokens",
    "released_length": "tokens",
    "live_length": "tokens",
    "m": "change points",
    "detections": "change points",
    "changes": "change points",
    "spurious": "change points",
    "counted": "change points",
}


def stages(config: Config) -> list[Callable[[Config, Progress | None], xr.Dataset]]:
    """All stages that the parameters ask for, in order."""
    found: list[Callable[[Config, Progress | None], xr.Dataset]] = [
        *(detection, planted, lasting, noise, counting, versus, spending, black_box, learned)
    ]
    found += [lambda config, progress: released(progress)] if config.released else []
    found += [small_model] if config.live_questions else []
    return found


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study: dimension `seed` everywhere but in the last two stages."""
    return assemble(config, [stage(config, progress) for stage in stages(config)])


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    attributes = {name: value for part in parts for name, value in part.attrs.items()}
    data = joined(parts, UNITS)
    data.attrs = {"study": "forking_paths", "headline": config.headline, **attributes}
    return data
