"""Train transformers on some compositions of functions, and ask for all others.

`step_by_step` trains on every subset; `formats` compares writing every step with answering
directly, over shapes and architectures; `mechanism` looks inside. Each experiment returns a
dataset; `assemble` joins them.
"""

from collections.abc import Callable

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.experiments import (
    formats,
    mechanism,
    step_by_step,
)
from synthcore.training.progress import Progress

Experiment = Callable[[Config, Progress | None], xr.Dataset]

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
    """The whole study: dimension `seed` everywhere, and those each experiment names."""
    data = step_by_step.run(config, progress)
    further = [experiment(config, progress) for experiment in further_experiments(config)]
    return assemble(config, [data, *further])


def further_experiments(config: Config) -> list[Experiment]:
    """What follows `step_by_step`; experiments without steps are left out."""
    further: list[Experiment] = [formats.run, formats.two_slots, mechanism.one_layer]
    further += [formats.depths] if config.depth_steps else []
    further += [formats.architectures] if config.lstm_steps else []
    further += [mechanism.deep_networks] if config.deep_steps else []
    further += [mechanism.order_bias] if config.bias_steps else []
    return further


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS)
    data.attrs = {
        "study": "compositional_capabilities",
        "slot_decides": config.slot_decides,
        "heads": config.direct_network.heads,
    }
    return data
