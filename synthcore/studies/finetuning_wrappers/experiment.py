"""Fine-tune networks whose capabilities are known, open them, and bring the capabilities back.

`run` is the stages, each public. Compiled networks: `count`, `order`. The grammar: `wrap` pretrains
and fine-tunes, `prune` and `read` open, `revive` trains back; `mislead`, `mix`, `index` and
`jailbreak` need a longer run. Stories: `tell`.
"""

import xarray as xr

from synthcore.evidence.dataset import joined
from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers.compiled_stage import count, order
from synthcore.studies.finetuning_wrappers.grammar_school import Progress
from synthcore.studies.finetuning_wrappers.opened import prune, read
from synthcore.studies.finetuning_wrappers.parameters import Config
from synthcore.studies.finetuning_wrappers.revived import revive
from synthcore.studies.finetuning_wrappers.story_stage import tell
from synthcore.studies.finetuning_wrappers.variants import index, jailbreak, mislead, mix
from synthcore.studies.finetuning_wrappers.wrapped import Wrapped, wrap

__all__ = ["Config", "assemble", "compiled", "open_and_revive", "run", "tell", "variants", "wrap"]

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


def compiled(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Both compiled programs."""
    return xr.merge([count(config, progress), order(config, progress)], compat="no_conflicts")


def open_and_revive(
    config: Config, stage: Wrapped, progress: Progress | None = None
) -> tuple[xr.Dataset, GPT]:
    """Pruning, probes and revival; the baseline that counts b only is returned too."""
    revived, scratch = revive(config, stage, progress)
    parts = [prune(config, stage), read(config, stage), revived]
    return xr.merge(parts, compat="no_conflicts", join="outer"), scratch


def variants(
    config: Config, stage: Wrapped, scratch: GPT, progress: Progress | None = None
) -> list[xr.Dataset]:
    """What needs a longer run; stages without steps are left out."""
    parts = []
    if config.variant_steps:
        parts += [mislead(config, stage, scratch, progress), mix(config, stage, progress)]
    if config.index_steps:
        parts.append(index(config, stage, progress))
    if config.jailbreak_steps:
        parts.append(jailbreak(config, progress))
    return parts


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study: dimension `seed` everywhere, and those each stage names."""
    programs = compiled(config, progress)
    wrapped, stage = wrap(config, progress)
    opened, scratch = open_and_revive(config, stage, progress)
    more = variants(config, stage, scratch, progress)
    return assemble(config, [programs, wrapped, opened, *more, tell(config, progress)])


def assemble(config: Config, parts: list[xr.Dataset]) -> xr.Dataset:
    """One dataset of all parts, with units; measurements are float32."""
    data = joined(parts, UNITS)
    data.attrs = {
        "study": "finetuning_wrappers",
        "rates": [config.tune_rates[0], config.tune_rates[1]],
        "compiled_rates": list(config.compiled_rates),
        "revive_every": config.revive_every,
        "window": config.window,
    }
    return data
