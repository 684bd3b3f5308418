"""Train transformers on some compositions of functions, and ask for all others.

`run` is the stages, each public: `written_out` trains step by step on every subset, `at_once`
compares both formats, `two_slots` has a permutation and a bijection, `one_layer`
reads attention; `depth_sweep`, `recurrent`, `deep` and `order_bias` need a longer run.
"""

from collections.abc import Callable

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.compositional_capabilities.at_once import at_once
from synthcore.studies.compositional_capabilities.deep import deep
from synthcore.studies.compositional_capabilities.one_layer import one_layer
from synthcore.studies.compositional_capabilities.order_bias import order_bias
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.recurrent import recurrent
from synthcore.studies.compositional_capabilities.school import Progress
from synthcore.studies.compositional_capabilities.sweep import depth_sweep
from synthcore.studies.compositional_capabilities.two_slots import two_slots
from synthcore.studies.compositional_capabilities.written_out import written_out

__all__ = ["Config", "assemble", "run", "stages", "written_out"]

UNITS = {
    "step": "updates",
    "n": "compositions",
    "n_train": "compositions",
    "pairs": "compositions",
    "reached": "compositions",
    "format_reached": "compositions",
    "reached_functions": "functions",
    "all_functions": "functions",
    "reached_far": "compositions",
    "reached_far_error": "compositions",
    "loss": "nats/token",
    "floor": "nats/token",
    "k": "functions",
    "m": "functions",
}


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study: dimension `seed` everywhere, and those each stage names."""
    data, _, _ = written_out(config, progress)
    return assemble(config, [data, *(stage(config, progress) for stage in stages(config))])


def stages(config: Config) -> list[Callable[[Config, Progress | None], xr.Dataset]]:
    """What follows `written_out`; stages without steps are left out."""
    found: list[Callable[[Config, Progress | None], xr.Dataset]] = [at_once, two_slots, one_layer]
    found += [depth_sweep] if config.depth_steps else []
    found += [recurrent] if config.lstm_steps else []
    found += [deep] if config.deep_steps else []
    found += [order_bias] if config.bias_steps else []
    return found


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS)
    data.attrs = {
        "study": "compositional_capabilities",
        "slot_decides": config.slot_decides,
        "heads": config.direct.heads,
    }
    return data
