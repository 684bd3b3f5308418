"""One module per experiment, and `training`, which they share; `run` is all of them as one dataset.

The networks that `finetuning.run` trains are opened by `pruning_and_probing`, trained back by
`relearning`, and fine-tuned in other ways by `variants`.
"""

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments import (
    compiled_networks,
    finetuning,
    pruning_and_probing,
    relearning,
    stories,
    variants,
)
from synthcore.training.progress import Progress

UNITS = {
    "step": "updates",
    "counter_step": "updates",
    "revival_step": "updates",
    "counter_revival_step": "updates",
    "story_step": "updates",
    "story_loss": "nats/token",
    "story_loss_before": "nats/token",
    "story_relearn": "nats/token",
    "story_relearn_control": "nats/token",
    "deleted": "neurons",
    "deciding": "neurons",
    "rows": "rows",
    "weights": "weights",
    "difference": "letters",
    "count": "letters",
}


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study: dimension `seed` everywhere, and those each experiment names."""
    compiled = compiled_networks.run(config, progress)
    finetuned, population = finetuning.run(config, progress)
    relearned, scratch = relearning.run(config, population, progress)
    parts = [
        compiled,
        finetuned,
        pruning_and_probing.prune(config, population),
        pruning_and_probing.probe(config, population),
        relearned,
        *variants.run(config, population, scratch, progress),
        stories.run(config, progress),
    ]
    return assemble(config, parts)


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS)
    data.attrs = {
        "study": "finetuning_wrappers",
        "rates": list(config.tune_rates),
        "compiled_rates": list(config.compiled_rates),
        "revive_every": config.revive_every,
        "window": config.window,
    }
    return data
