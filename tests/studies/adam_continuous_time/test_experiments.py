"""The experiments: parameters, units, independence of neighbours, and oracles of the training."""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import smoke
from frames import frames_to_product

from synthcore.config import ParameterError
from synthcore.studies.adam_continuous_time import task
from synthcore.studies.adam_continuous_time.config import Config
from synthcore.studies.adam_continuous_time.experiments import comparison, growth, layers
from synthcore.studies.adam_continuous_time.experiments.arenas import ImageArena, TextArena
from synthcore.training.fit import History
from synthcore.training.progress import Progress


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("adam_continuous_time", **changed))


def test_every_variable_has_a_unit(results: xr.DataTree) -> None:
    for node in results.children.values():
        data = node.to_dataset()
        assert [n for n, v in data.variables.items() if "units" not in v.attrs] == []


@pytest.mark.parametrize("stage", [growth.images, growth.transformers, comparison.grid])
def test_a_member_is_the_same_beside_others(stage: Any) -> None:
    both = stage(config(n_seeds=2))
    alone = stage(config(seed=1, n_seeds=1))
    for name in ("growth_loss", "language_rate", "grid_test_loss", "grid_rate"):
        if name in alone:
            np.testing.assert_allclose(
                both[name].sel(seed=[1]), alone[name], rtol=1e-4, atol=1e-6, err_msg=name
            )


def test_the_network_is_eight_frames_from_the_experiment() -> None:
    for stage in (layers.networks, growth.images, comparison.grid):
        run = stage.function
        frames = frames_to_product(lambda run=run: run(config(), Progress()), learning=True)
        assert len(frames) <= 8, frames


def test_seeds_differ_in_data_as_well_as_weights(results: xr.DataTree) -> None:
    """The first edition's language seeds shared one source and one text."""
    arena = TextArena(config(), [(0, "run", 0), (1, "run", 0), (0, "tuning", 0), (0, "run", 0)])
    tokens = arena.sample(0, 4)
    assert torch.equal(tokens[0], tokens[3])
    assert not torch.equal(tokens[0], tokens[1])
    assert not torch.equal(arena.train[0], arena.train[1])
    sources = [task.Source.draw((seed, "run", 0)).table for seed in (0, 1)]
    assert np.abs(sources[0] - sources[1]).max() > 0.1
    gaps = results["transformers"].language_rate
    assert float(gaps.std("seed").max()) > 0


@pytest.mark.parametrize("name", ["digits", "textures"])
def test_tuning_and_the_run_that_counts_share_no_draw(name: task.ImageSet) -> None:
    keys: list[task.Key] = [(3, "tuning", 0), (3, "tuning", 1), (3, "run", 0)]
    splits = [task.images(name, key, 200) for key in keys]
    assert not torch.equal(splits[0].train, splits[2].train)
    assert not torch.equal(splits[0].train, splits[1].train)
    arena = ImageArena(name, "none", keys, 4, 200)
    weights = next(arena.model.parameters())
    assert not torch.equal(weights[0], weights[2])
    rows = torch.cat([splits[0].train, splits[0].validation, splits[0].test])
    assert rows.sort().values.tolist() == list(range(len(splits[0].labels)))


def test_the_best_rate_is_sought_beyond_the_first_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss whose best rate lies far above what is tried at first: the grid follows it."""
    best = 3.0  # of log10 of the rate over the lowest

    class Valley:
        def __init__(self, _: Any) -> None:
            self.model = torch.nn.Linear(1, 1)

        def sample(self, *_: Any) -> None: ...

        def loss(self, *_: Any) -> None: ...

        def evaluate(self, _: str) -> torch.Tensor:
            rates: torch.Tensor = self.model.rates  # type: ignore[assignment]
            return (torch.log10(rates / 1e-3) - best) ** 2

    def build(model: torch.nn.Module, rates: torch.Tensor, _: Any) -> torch.optim.Optimizer:
        model.rates = rates
        return torch.optim.SGD(model.parameters(), lr=0.1)

    def fit(model: Any, *_: Any, **__: Any) -> History:
        return History(torch.ones(10, len(model.rates)), {})

    monkeypatch.setattr(comparison, "fit", fit)
    settings = config(n_seeds=2, lowest_rate=1e-3, first_rates=3, extensions=6, tuning_draws=2)
    found = comparison.tuned(Valley, build, 2, 10, 4, settings, Progress(), "x")  # type: ignore[arg-type]
    np.testing.assert_allclose(found.rate, 1.0, rtol=1e-6)
    assert found.inside.all()
    fewer = settings.model_copy(update={"extensions": 2})
    ended = comparison.tuned(Valley, build, 2, 10, 4, fewer, Progress(), "x")  # type: ignore[arg-type]
    assert not ended.inside.any()


def test_texts_have_their_frequencies_and_floor() -> None:
    key = (0, "run", 0)
    source = task.Source.draw(key, 12)
    sample = source.sample(60_000, key)
    pairs = source.pair_frequencies()
    np.testing.assert_allclose(pairs.sum(), 1)
    counts = np.bincount(sample.numpy(), minlength=12) / len(sample)
    np.testing.assert_allclose(counts, pairs.sum(0), atol=0.02)
    chains = sample.numpy().reshape(1000, -1)
    a, b, c = chains[:, :-2], chains[:, 1:-1], chains[:, 2:]
    loss = -np.log(source.table[a, b, c]).mean()
    assert loss == pytest.approx(source.floor(), abs=0.02)


def test_state_is_counted(results: xr.DataTree) -> None:
    state = results["tournament"].to_dataset().state.isel(arena=0)
    numbers = {name: round(float(state.sel(optimizer=name))) for name in ("Adam", "2-Adam", "SGD")}
    assert numbers == {"Adam": 2, "2-Adam": 4, "SGD": 1}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"curve_exponents": [0.3, 0.1]}, "curve_exponents must lie between"),
        ({"curve_exponents": [0.05, 0.1]}, "curve_exponents must have both signs"),
        ({"heads": 3}, "heads must divide width"),
        ({"heads": 8}, "width over heads must be even"),
        ({"growth_rates": [0.0]}, "learning rates must be positive"),
        ({"epsilon": -1.0}, "epsilon must be a number"),
        ({"arenas": ["faces"]}, "arenas must be a list"),
        ({"text_symbols": 2000, "context": 200}, "text_symbols must leave room"),
        ({"grid_betas": [1.5]}, "grid_betas must lie between 0 and 1"),
        ({"grid_margins": [-1.0, -0.5, 0.5]}, "grid_margins must be below 1"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**change)
    assert "\n" not in str(caught.value)
