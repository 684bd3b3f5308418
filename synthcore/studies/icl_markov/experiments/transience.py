"""A long run at an intermediate diversity, and the same without anything to retrieve."""

import xarray as xr

from synthcore.stages import stage
from synthcore.studies.icl_markov.config import COMMON, Config
from synthcore.studies.icl_markov.experiments.training import Setting, train
from synthcore.training.progress import Progress

OWN = ("width", "heads", "learning_rate", "final_learning_rate", "checkpoints")
READS = (
    *(name for name in COMMON if name not in OWN),
    *("transience_diversity", "transience_width", "transience_heads", "transience_steps"),
    *("transience_checkpoints", "transience_learning_rate"),
)


def _setting(config: Config, inexhaustible: bool) -> Setting:
    return Setting.of(
        config,
        diversities=(config.transience_diversity,),
        width=config.transience_width,
        heads=config.transience_heads,
        steps=config.transience_steps,
        checkpoints=config.transience_checkpoints,
        learning_rate=config.transience_learning_rate,
        final_learning_rate=1.0,
        inexhaustible=inexhaustible,
    )


@stage(reads=READS, seeds="transience_seeds")
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Networks that count first and recall later, if transience is what happens."""
    return train(_setting(config, False), config, "long run", progress).squeeze("diversity")


@stage(reads=READS, seeds="transience_control_seeds")
def inexhaustible(config: Config, progress: Progress) -> xr.Dataset:
    """The control: every training sequence comes from a new chain, so that counting is all there is
    to learn and nothing can displace it. Measured with the chains of the long run."""
    return train(_setting(config, True), config, "new chains", progress).squeeze("diversity")
