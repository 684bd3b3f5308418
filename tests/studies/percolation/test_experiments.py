"""The experiments: parameters, units, independence of neighbours, going on after a stop."""

import copy
from typing import Any

import pytest
import torch
import xarray as xr
from contracts import same_beside_others, smoke
from frames import frames_to_product
from torch import nn
from torch.optim import Optimizer

from synthcore.config import ParameterError
from synthcore.explorers.collapse import CollapseExplorer
from synthcore.studies.percolation.config import Config
from synthcore.studies.percolation.experiments import languages, pairs
from synthcore.studies.percolation.figures.pairs import collapsible
from synthcore.studies.percolation.task.language import ALTERED
from synthcore.training.progress import Keeper, Progress, TrainingState


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("percolation", **changed))


def test_every_variable_has_a_unit(results: xr.DataTree) -> None:
    for node in results.children.values():
        data = node.to_dataset()
        assert [n for n, v in data.variables.items() if "units" not in v.attrs] == []
    assert results["languages"].loss.attrs["units"] == "nats/token"


def test_measurements_are_shares(results: xr.DataTree) -> None:
    data = results["languages"].to_dataset()
    for name in ("grammatical", "exact", "conditions", "class_mass", "syntax", "never_left"):
        values = data[name].values
        assert ((values >= 0) & (values <= 1.0001)).all(), name
    assert (data.excess_loss > 0).all()  # nothing is below the entropy of the language
    learners = results["pairs"].to_dataset()
    assert (learners.edge_mass <= learners.class_mass + 1e-6).all()
    assert set(data.altered.values) == set(ALTERED)
    assert (data.never_left.diff("step") <= 1e-6).all()  # pairs only ever meet


def test_the_explorer_takes_what_the_run_keeps(results: xr.DataTree) -> None:
    runs = [results[name].to_dataset() for name in ("pairs", "languages", "graphs")]
    assert len(CollapseExplorer(collapsible(*runs)).metrics) == 5


@pytest.mark.parametrize("stage", [languages.run, pairs.sweep])
def test_a_member_is_the_same_beside_others(stage: Any) -> None:
    both, alone = (
        stage(config(n_seeds=2, pair_seeds=2)),
        stage(config(seed=1, n_seeds=1, pair_seeds=1)),
    )
    same_beside_others(both, alone, 2e-3)


class Kept(Keeper):
    """Keeps a training in memory."""

    def __init__(self) -> None:
        self.state: TrainingState | None = None
        self.weights: dict[str, Any] = {}

    def restore(self, model: nn.Module, optimizer: Optimizer) -> TrainingState | None:
        if self.state is not None:
            model.load_state_dict(self.weights["model"])
            optimizer.load_state_dict(self.weights["optimizer"])
        return self.state

    def due(self, finished: bool) -> bool:
        return not finished

    def save(self, state: TrainingState, model: nn.Module, optimizer: Optimizer) -> None:
        copies = {name: value.clone() for name, value in model.state_dict().items()}
        self.state, self.weights = state, {"model": copies}
        self.weights["optimizer"] = copy.deepcopy(optimizer.state_dict())


class StoppedError(Exception):
    """A run that was killed."""


class Killed(Progress):
    """Stops at an update, and keeps what was there."""

    def __init__(self, at: int | None, kept: Kept) -> None:
        self.at, self.kept = at, kept

    def __call__(self, label: str, done: int, total: int) -> None:
        if done == self.at:
            raise StoppedError

    def keeper(self, name: str) -> Keeper:
        return self.kept


def test_a_language_that_was_stopped_goes_on_as_if_it_had_not_been() -> None:
    """Bit for bit, with the pairs that met before the stop."""
    small = config(properties=[160])
    whole = languages.run.function(small, Progress())
    kept = Kept()
    with pytest.raises(StoppedError):
        languages.run.function(small, Killed(13, kept))
    again = languages.run.function(small, Killed(None, kept))
    xr.testing.assert_identical(whole, again)


def test_sizes_of_a_seed_have_streams_of_their_own() -> None:
    """Graphs, weights and pairs differ beyond what the larger size adds."""
    small, large = (pairs.task_of(config(), size) for size in (160, 320))
    graphs = [task.graph(0, f"|K| = {task.properties}") for task in (small, large)]
    assert not torch.equal(graphs[0].edges.sum(1), graphs[1].edges.sum(1) // 2)
    streams = [
        pairs.PairSampler([graph], 32, [0], f"|K| = {task.properties}")(0)
        for graph, task in zip(graphs, (small, large), strict=True)
    ]
    assert not torch.equal(streams[0][..., 0], streams[1][..., 0])


def test_the_network_is_eight_frames_from_the_experiment() -> None:
    run = languages.run.function
    frames = frames_to_product(lambda: run(config(), Progress()), learning=True)
    assert len(frames) <= 8, frames


def test_variants_change_what_they_say() -> None:
    base = languages.setting_of(config(), 16, 160)
    for name in config().variants:
        other = languages.variant_of(config(), name)
        changed = [field for field in vars(base) if vars(base)[field] != vars(other)[field]]
        assert changed, name
    code = languages.variant_of(config(), "words of the code")
    assert code.words.adjectives == 20
    assert code.grammar.verb == pytest.approx(20 / 21)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"classes": 3}, "classes must be"),
        ({"properties": [161]}, "properties must be a multiple of the number of classes, 4"),
        ({"entities": [20]}, "the number of classes, 16"),
        ({"properties": [320, 160]}, "properties must rise"),
        ({"verbs": 3}, "verbs must be a multiple of 2"),
        ({"density": 0.0}, "density must be"),
        ({"density": 0.3}, "no room for 4 fragments"),
        ({"shares": [0.0, 1.0, 1.0]}, "the first must be positive"),
        ({"grammar": "paper"}, "adjectives must be 0 for the plain grammar, and only for it"),
        ({"properties": [80]}, "multiple of 40"),
        ({"pair_entities": 40}, "pair_entities must be a multiple of 4 pair_classes"),
        ({"first_checkpoint": 24}, "first_checkpoint must be below steps"),
        ({"warmup": 24}, "warmup must be below"),
        ({"heads": 3}, "width must be a multiple of heads"),
        ({"variants": ["none"]}, "variants must be"),
        ({"worlds": ["none"]}, "worlds must be"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**change)
    assert "\n" not in str(caught.value)
