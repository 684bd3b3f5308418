"""The experiments: parameters, units, determinism, what the explorer takes."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from contracts import smoke

from synthcore.config import ParameterError
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments import sampling


def test_same_parameters_give_the_same_numbers(results: xr.Dataset, again: xr.Dataset) -> None:
    xr.testing.assert_identical(results, again)


def test_every_number_has_a_unit(results: xr.Dataset) -> None:
    without = [n for n, variable in results.variables.items() if "units" not in variable.attrs]
    assert without == []
    assert results.length_difference.attrs["units"] == "edges"


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
    ],
)
def test_bad_parameters_are_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        Config(**smoke("stepwise_inference", **changed))
    assert "\n" not in str(caught.value)


def test_measurements_start_untrained_and_end_trained(results: xr.Dataset) -> None:
    assert results.step[0] == 0
    assert results.step[-1] == smoke("stepwise_inference")["steps"]
    assert set(results.recall.dims) == {"kind", "format", "step", "seed", "group"}
    assert bool(((results.recall >= 0) & (results.recall <= 1)).all())


def test_the_explorer_takes_as_many_pairs_as_a_page_can_hold(
    results: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, trees, logits = sampling.explorer_data(results)
    assert len(pairs) == len(trees) == len(logits) == results.sizes["question"]
    nodes, size = results.sizes["node"], [2 * len(rows) * results.sizes["token"] for rows in logits]
    monkeypatch.setattr(sampling, "MAX_BYTES", size[0] + size[1] + 8 * nodes)
    pairs, trees, logits = sampling.explorer_data(results)
    assert len(pairs) == len(trees) == len(logits) == 2
    coordinates = np.zeros((nodes, 2))
    explorer = NavigationExplorer(coordinates, results.explorer_adjacency, pairs, trees, logits)
    assert explorer.data_bytes == sampling.MAX_BYTES
