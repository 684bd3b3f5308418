"""How many compositions must be seen? Random training sets of rising size, for several numbers of
functions per position, step by step.

Axis letters: M member.
"""

import numpy as np
import torch
import xarray as xr

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.config import COMMON, Config
from synthcore.studies.compositional_capabilities.measure import accuracy
from synthcore.studies.compositional_capabilities.model import build_transformer, train
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import Condition
from synthcore.training.progress import Progress

READS = (
    *(name for name in COMMON if name != "functions"),
    *("sweep_functions", "sweep_n", "sweep_steps"),
)
TESTED = 512  # unseen compositions on which accuracy is measured
HALF = 0.5  # accuracy on unseen compositions at which half of the way is made
UNITS = {"n": "compositions", "functions": "functions", "whole": "compositions"}


@stage(reads=READS, seeds="further_seeds")
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Exact match on unseen compositions and what is identifiable: dimensions functions (N), n and
    seed. Missing where n compositions are not fewer than there are."""
    parts = []
    for functions in config.sweep_functions:
        layout = Layout(config.positions, functions, config.alphabet, config.word)
        whole = theory.in_order_size(layout)
        sizes = [n for n in config.sweep_n if n < whole]
        conditions = [Condition("random", (n,)) for n in sizes]
        tasks = MemberTasks.draw(layout, "step", conditions, config.seeds, config.torch_device)
        network = config.network(config.sweep_steps)
        model = build_transformer(network, tasks)
        train(model, tasks, network, f"{functions} functions per position", progress)
        comps = tasks.sample_in_order(~tasks.seen, min(TESTED, whole), "sweep")
        right = accuracy.exact_match_on(model, tasks, comps, config.words, "sweep").mean(1)
        known = torch.stack(
            [
                theory.is_identifiable(tasks.in_order, subset)[~seen].double().mean()
                for subset, seen in zip(tasks.subsets, tasks.seen, strict=True)
            ]
        )
        data = xr.Dataset(
            {
                "sweep_unseen": (("n", "seed"), tasks.by_seed(right).numpy()),
                "sweep_identifiable": (("n", "seed"), tasks.by_seed(known).numpy()),
            },
            {"n": sizes, "seed": list(config.seeds)},
        )
        whole_set = xr.Dataset({"whole": ("functions", [whole])})
        parts.append(xr.merge([data.expand_dims(functions=[functions]), whole_set]))
    data = xr.concat(parts, "functions", join="outer")
    return labelled(data.reindex(n=list(config.sweep_n)), UNITS)


def seen_at_half(data: xr.Dataset) -> xr.DataArray:
    """Number of trained compositions at which half of the unseen answers are right, interpolated in
    its logarithm, per N and seed; the least or the most of the sizes if it lies beyond."""

    def cross(accuracies: np.ndarray, sizes: np.ndarray) -> float:
        there = np.isfinite(accuracies)
        y, x = accuracies[there], np.log(sizes[there])
        above = np.flatnonzero(y >= HALF)
        if not len(above) or above[0] == 0:
            return float(np.exp(x[0 if len(above) else -1]))
        i = above[0]
        return float(np.exp(x[i - 1] + (HALF - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1])))

    found: xr.DataArray = xr.apply_ufunc(
        cross, data.sweep_unseen, data.n, input_core_dims=[["n"], ["n"]], vectorize=True
    )
    return found
