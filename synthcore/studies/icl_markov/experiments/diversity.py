"""The main experiment: networks trained on few and on many chains, and what ideal learners and
hand-made policies score under the same measurement.
"""

import numpy as np
import xarray as xr

from synthcore.stages import stage
from synthcore.studies.icl_markov import task, theory
from synthcore.studies.icl_markov.config import COMMON, Config
from synthcore.studies.icl_markov.experiments.training import (
    Setting,
    as_arrays,
    by_condition,
    train,
)
from synthcore.studies.icl_markov.measure.evaluator import Evaluator
from synthcore.training.progress import Progress

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
UNI_INF, BI_INF = theory.ALGORITHMS.index("Uni-Inf"), theory.ALGORITHMS.index("Bi-Inf")


@stage(reads=(*COMMON, "diversities", "steps"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Train every diversity with every seed; measure throughout."""
    found = []
    for few in Setting.of(config).groups(config.seeds):
        found.append(train(few, config, "diversities", progress))
    return xr.concat(found, "diversity", data_vars="minimal", coords="minimal", compat="equals")


@stage(reads=(*COMMON, "diversities", "steps"))
def policies(config: Config, progress: Progress) -> xr.Dataset:
    """The same measurement of predictors that are known: dimension `policy` in place of step.

    A policy is one of the exact algorithms by its name, or `bigram share s`: s parts Bi-Inf and
    1 - s parts Uni-Inf, from which learners are put together that change gradually.
    """
    setting = Setting.of(config)
    found = []
    for done, n in enumerate(setting.diversities):
        numbers = [n] * len(config.seeds)
        mixture = task.Mixture.draw(numbers, config.seeds, setting.states, setting.weighting)
        evaluator = Evaluator(mixture, config.seeds, numbers, setting.evaluation)
        measured = [as_arrays(evaluator.algorithm(weights)) for weights in POLICIES.values()]
        stacked = {name: np.stack([each[name] for each in measured]) for name in measured[0]}
        found.append(by_condition(stacked, {}, setting, [n], config.seeds, policy=list(POLICIES)))
        progress("policies", done + 1, len(setting.diversities))
    return xr.concat(found, "diversity", data_vars="minimal", coords="minimal", compat="equals")


def _policies() -> dict[str, tuple[float, ...]]:
    """Name -> shares of `theory.ALGORITHMS`."""
    exact = np.eye(len(theory.ALGORITHMS))
    named = {name: tuple(row) for name, row in zip(theory.ALGORITHMS, exact, strict=True)}
    blends = {
        f"bigram share {s:.1f}": tuple(s * exact[BI_INF] + (1 - s) * exact[UNI_INF]) for s in SHARES
    }
    return named | blends


POLICIES = _policies()
