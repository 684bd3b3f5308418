"""Two settings of the paper beside ours: learned positions, and ten states."""

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


@stage(
    reads=(
        *(name for name in COMMON if name not in CHANGED_BY_STATES),
        *("many_states", "many_states_length", "many_states_diversities", "many_states_steps"),
        *("many_states_learning_rate", "many_states_contexts"),
    ),
    seeds="many_states_seeds",
)
def many_states(config: Config, progress: Progress) -> xr.Dataset:
    """Networks of a few diversities at a constant learning rate."""
    setting = Setting.of(
        config,
        states=config.many_states,
        length=config.many_states_length,
        diversities=config.many_states_diversities,
        steps=config.many_states_steps,
        learning_rate=config.many_states_learning_rate,
        final_learning_rate=1.0,
        contexts=config.many_states_contexts,
        shuffled_contexts=config.many_states_contexts[-1:],
    )
    return train(setting, config, f"{config.many_states} states", progress)
