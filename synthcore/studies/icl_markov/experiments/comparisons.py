"""Settings of the paper beside ours: learned positions, ten states, few chains of ten."""

from typing import Any

import xarray as xr

from synthcore.stages import stage
from synthcore.studies.icl_markov.config import COMMON, Config
from synthcore.studies.icl_markov.experiments.training import Setting, train
from synthcore.training.progress import Progress

CHANGED_BY_POSITIONS = ("positions", "initial_std")
CHANGED_BY_STATES = (
    *("states", "length", "contexts", "shuffled_contexts"),
    *("learning_rate", "final_learning_rate"),
)


@stage(
    reads=(
        *(name for name in COMMON if name not in CHANGED_BY_POSITIONS),
        *("positions_diversity", "positions_steps", "positions_initial_std"),
    ),
    seeds="positions_seeds",
)
def positions(config: Config, progress: Progress) -> xr.Dataset:
    """The same worlds and batches for both: dimension `positions` is rotary, learned."""
    kinds = [
        train(
            Setting.of(
                config,
                diversities=(config.positions_diversity,),
                steps=config.positions_steps,
                initial_std=config.positions_initial_std,
                positions=positions,
            ),
            config,
            f"{positions} positions",
            progress,
        )
        for positions in ("rotary", "learned")
    ]
    index = xr.Variable("positions", ["rotary", "learned"], {"units": "1"})
    return xr.concat(kinds, dim=index).squeeze("diversity")


MANY_STATES = (
    *(name for name in COMMON if name not in CHANGED_BY_STATES),
    *("many_states", "many_states_length", "many_states_learning_rate", "many_states_contexts"),
)


def _many_states(config: Config, **changed: Any) -> Setting:
    return Setting.of(
        config,
        states=config.many_states,
        length=config.many_states_length,
        learning_rate=config.many_states_learning_rate,
        final_learning_rate=1.0,
        contexts=config.many_states_contexts,
        shuffled_contexts=config.many_states_contexts[-1:],
        **changed,
    )


@stage(
    reads=(*MANY_STATES, "many_states_diversities", "many_states_steps"),
    seeds="many_states_seeds",
)
def many_states(config: Config, progress: Progress) -> xr.Dataset:
    """Long runs with ten states, at a constant learning rate."""
    setting = _many_states(
        config, diversities=config.many_states_diversities, steps=config.many_states_steps
    )
    return train(setting, config, f"{config.many_states} states", progress)


@stage(
    reads=(
        *(name for name in MANY_STATES if name != "evaluation_sequences"),
        *("ascent_diversity", "ascent_steps", "ascent_sequences"),
    ),
    seeds="many_states_seeds",
)
def ascent(config: Config, progress: Progress) -> xr.Dataset:
    """Short runs with ten states and few chains, measured on many sequences: does divergence on new
    chains first rise with context?"""
    setting = _many_states(
        config,
        diversities=(config.ascent_diversity,),
        steps=config.ascent_steps,
        evaluation_sequences=config.ascent_sequences,
    )
    return train(setting, config, "few chains", progress).squeeze("diversity")
