"""The experiments: parameters, units, determinism, what the explorer takes."""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import same_beside_others, smoke
from frames import frames_to_product

from synthcore.config import ParameterError
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments import (
    factors,
    navigation,
    one_layer,
    sampling,
    steering,
    stitching,
)
from synthcore.studies.stepwise_inference.figures import writing
from synthcore.studies.stepwise_inference.model import build, weights_of, with_weights
from synthcore.training.progress import Progress


def config(**changed: Any) -> Config:
    return Config(**smoke("stepwise_inference", **changed))


def test_every_number_has_a_unit(results: xr.DataTree) -> None:
    for node in results.children.values():
        data = node.to_dataset()
        assert [n for n, v in data.variables.items() if "units" not in v.attrs] == []
    assert results["lengths"].length_difference.attrs["units"] == "edges"


@pytest.mark.parametrize("stage", [navigation.stepwise, stitching.run, one_layer.run, steering.run])
def test_a_member_is_the_same_beside_others(stage: Any) -> None:
    both, alone = stage(config(n_seeds=2)), stage(config(seed=1, n_seeds=1))
    same_beside_others(both, alone, 2e-3)


def test_same_parameters_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    first = navigation.stepwise(config())
    monkeypatch.setenv("SYNTHCORE_FRESH", "1")
    xr.testing.assert_identical(first, navigation.stepwise(config()))


def test_the_network_is_eight_frames_from_the_experiment() -> None:
    for stage in (navigation.stepwise, stitching.run, one_layer.run, steering.run):
        run = stage.function
        frames = frames_to_product(lambda run=run: run(config(), Progress()), learning=True)
        assert len(frames) <= 8, frames


def test_networks_are_found_again_from_their_weights() -> None:
    shape = config().network(29)
    trained, other = (build(shape, seeds, torch.device("cpu")) for seeds in ([0, 1], [5, 6]))
    tokens = torch.randint(1, 29, (2, 3, 8), generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(trained(tokens), other(tokens))
    with_weights(other, weights_of(trained))
    assert isinstance(other, GPT)
    assert torch.equal(trained(tokens), other(tokens))


def test_sampled_ways_are_those_of_the_networks_that_were_trained(results: xr.DataTree) -> None:
    """The stage that samples evaluates the networks of the stage that trained them."""
    small = config()
    model, here = navigation.trained_network(small, Progress())
    measured = here.evaluator.evaluate_labels(model)["recall"].numpy()
    kept = navigation.stepwise(small).recall.isel(step=-1)
    np.testing.assert_allclose(measured, kept.values, atol=1e-6)


def test_a_line_that_does_not_fit_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="does not fit into a context of 13"):
        navigation.world(config(context=13, nodes=60, shift=0), "bernoulli")


def test_each_factor_changes_what_its_name_says() -> None:
    ours = config()
    changed = factors.factors(ours)
    assert changed[factors.BASE] == {}
    for values in changed.values():
        for name, value in values.items():
            assert name == "steps" or getattr(ours, name) != value
    single = [v for k, v in changed.items() if k not in (factors.ALL, "more updates", "more nodes")]
    assert changed[factors.ALL] == {k: v for values in single for k, v in values.items()}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"formats": ["direct", "step"]}, "formats must begin with step, direct"),
        ({"far": 6}, "far must be below layers"),
        ({"near": [2, 4]}, "near must lie between 2 and far - 1"),
        ({"near": [3, 2]}, "near must rise"),
        ({"motifs": 6, "between": 3}, "two chains need"),
        ({"edge_probability": 1.0}, "edge_probability must be"),
        ({"nodes": 2}, "nodes must be"),
        ({"exposure": "lines"}, "exposure must be"),
        ({"heads": 3}, "heads must divide width"),
        ({"context": 10}, "context must hold layers"),
    ],
)
def test_bad_parameters_are_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**changed)
    assert "\n" not in str(caught.value)


def test_measurements_start_untrained_and_end_trained(results: xr.DataTree) -> None:
    data = results["navigation"].to_dataset()
    assert data.step[0] == 0
    assert data.step[-1] == smoke("stepwise_inference")["steps"]
    assert set(data.recall.dims) == {"kind", "format", "step", "seed", "group"}
    assert bool(((data.recall >= 0) & (data.recall <= 1)).all())
    total = data.failure.sel(format="step").sum("outcome")
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_the_explorer_takes_as_many_pairs_as_a_page_can_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = sampling.shown(config())
    pairs, trees, logits = writing.explorer_data(data)
    assert len(pairs) == len(trees) == len(logits) == data.sizes["question"]
    nodes, size = data.sizes["node"], [2 * len(rows) * data.sizes["token"] for rows in logits]
    monkeypatch.setattr(writing, "MAX_BYTES", size[0] + size[1] + 8 * nodes)
    pairs, trees, logits = writing.explorer_data(data)
    assert len(pairs) == len(trees) == len(logits) == 2
    coordinates = np.zeros((nodes, 2))
    explorer = NavigationExplorer(coordinates, data.explorer_adjacency, pairs, trees, logits)
    assert explorer.data_bytes == writing.MAX_BYTES
