"""The Markov experiment: parameters, determinism, and its claims on the recorded runs."""

import xarray as xr
from contracts import ExperimentContract

from synthcore.studies.icl_markov import dataset

TINY = {
    "seed": 0,
    "n_seeds": 3,
    "states": 3,
    "length": 24,
    "diversities": [4, 16],
    "weighting": "normalised-uniform",
    "width": 8,
    "depth": 2,
    "heads": 2,
    "mlp_ratio": 2.0,
    "vocabulary": 0,
    "tied": False,
    "initial_std": 0.1,
    "steps": 6,
    "batch": 4,
    "learning_rate": 0.004,
    "final_learning_rate": 0.1,
    "warmup": 2,
    "beta2": 0.99,
    "weight_decay": 0.01,
    "clip": 1.0,
    "bfloat16": False,
    "checkpoints": 4,
    "first_checkpoint": 1,
    "evaluation_sequences": 8,
    "contexts": [1, 4, 24],
    "learned_diversities": [16],
    "variant_steps": 4,
    "variant_diversities": [4],
    "variant_widths": [4],
    "variant_states": [2],
    "two_token": True,
}


def test_populations_are_told_apart(tiny: xr.Dataset) -> None:
    assert dict(dataset.by_condition(tiny).sizes)["diversity"] == 2
    assert dataset.by_condition(tiny, positions="learned").diversity.values.tolist() == [16]
    assert dataset.by_condition(tiny, two_token=True).step.values[-1] == 4
    assert dataset.by_condition(tiny, width=999).sizes["seed"] == 0


class TestExperiment(ExperimentContract):
    refused = (
        ({"diversities": [0]}, "every diversity N must be at least 1"),
        ({"states": 1}, "states must be an integer, 2 to 64"),
        ({"contexts": [25]}, "contexts must not exceed the length 24"),
        ({"heads": 3}, "heads must divide width"),
        ({"warmup": 6}, "warmup must be shorter"),
        ({"vocabulary": 5}, "vocabulary must be 0 or hold every token"),
        ({"weighting": "even"}, "weighting must be one of"),
    )
