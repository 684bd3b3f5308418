"""The composition experiments: parameters, batches, independence, explorers, distance to the
networks.
"""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import ROOT, same_beside_others, smoke
from frames import frames_to_product

from synthcore.config import ParameterError
from synthcore.explorers.composer import ComposerExplorer
from synthcore.press.parameters import scale_parameters
from synthcore.press.studies import find_study
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.experiments import (
    formats,
    mechanism,
    step_by_step,
    training_sets,
)
from synthcore.studies.compositional_capabilities.figures import generalisation
from synthcore.studies.compositional_capabilities.measure import accuracy
from synthcore.studies.compositional_capabilities.measure.policies import Policy, memoriser
from synthcore.studies.compositional_capabilities.model import RELEASE
from synthcore.studies.compositional_capabilities.task.documents import FORMATS, Format
from synthcore.studies.compositional_capabilities.task.members import (
    FixedDocuments,
    FreshDocuments,
    MemberTasks,
)
from synthcore.studies.compositional_capabilities.task.subsets import Condition
from synthcore.training.progress import Progress

CPU = torch.device("cpu")


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("compositional_capabilities", **changed))


def test_every_variable_has_a_unit(results: xr.DataTree) -> None:
    for node in (*results.children.values(), step_by_step.browser_network(config())):
        data = node.to_dataset() if isinstance(node, xr.DataTree) else node
        assert [n for n, v in data.variables.items() if "units" not in v.attrs] == []
    assert results["step"].loss.attrs["units"] == "nats/token"


def test_measurements_are_shares_and_counts(results: xr.DataTree) -> None:
    step = results["step"].to_dataset()
    for name in ("seen", "unseen", "by_k", "ceiling", "cell_accuracy", "k_accuracy"):
        values = step[name].values
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1)).all()
    np.testing.assert_allclose(step.mistakes.sum("mistake"), 1, rtol=1e-5)
    np.testing.assert_allclose(step.first_wrong.sum("block"), 1, rtol=1e-5)
    assert set(step.n_train.sel(subset="base_combo 4").values) == {11}
    assert bool((step.reached_at_least <= step.reached).all())
    assert bool((step.reached <= step.reached_at_most).all())
    assert float(step.reached_at_most.max()) <= step.attrs["whole"] == 27
    upper = np.isnan(step.cell_accuracy.isel(subset=0, seed=0).values)
    np.testing.assert_array_equal(upper, np.triu(np.ones((4, 4), bool), 1))


def test_policies_are_measured_as_networks_are(results: xr.DataTree) -> None:
    known = results["policies"].to_dataset()
    exact = known.sel(policy="exact")
    assert float(exact.unseen.min()) == float(exact.cell_accuracy.min()) == 1
    memoriser = known.sel(policy="memoriser")
    assert float(memoriser.by_k.sel(subset="base", k=[0, 1]).min()) == 1
    assert float(memoriser.unseen.max()) < 0.5
    bound = known.sel(policy="own position")
    assert float(bound.cell_accuracy.isel(m=0).min()) == 1
    assert float(bound.cell_accuracy.isel(k=3, m=3).mean()) < 0.2
    last = known.sel(policy="all but one", subset=["random 12", "base_combo 4"])
    displaced = last.cell_accuracy.isel(k=3, m=3).mean("seed")
    assert float(displaced[0]) < 0.2
    assert 0.3 < float(displaced[1]) < 0.9


@pytest.mark.parametrize("format", FORMATS)
def test_a_memoriser_knows_what_it_was_trained_on(format: Format) -> None:
    conditions = [Condition.parse(text) for text in ("base 4", "random 12")]
    tasks = MemberTasks.draw(config().layout, format, conditions, (0, 1), CPU)
    policy = Policy(tasks, memoriser)
    for subset in tasks.subsets:
        right = accuracy.exact_match_on(policy, tasks, subset, 4, "test")
        own = [bool((one == 1).all()) for one in right]
        assert any(own)
    assert float(formats.score(policy, tasks, 2).unseen.mean()) < 0.5


# --- batches -------------------------------------------------------------------------------------


def tasks_of(texts: list[str], seeds: tuple[int, ...] = (0, 1)) -> MemberTasks:
    conditions = [Condition.parse(text) for text in texts]
    return MemberTasks.draw(config().layout, "step", conditions, seeds, CPU)


@pytest.mark.parametrize("fixed", [0, 40])
def test_a_batch_depends_on_seed_condition_and_step_alone(fixed: int) -> None:
    many = tasks_of(["base", "random 5"]).sampler(8, fixed)
    later, first = many(7).documents, many(3).documents
    one = tasks_of(["random 5"], seeds=(1,)).sampler(8, fixed)
    torch.testing.assert_close(one(3).documents[0], first[3])
    torch.testing.assert_close(one(7).documents[0], later[3])
    assert bool((first != later).any())
    assert bool((first[2] != first[3]).any()), "seeds differ"


def test_fixed_documents_are_read_once_in_every_pass() -> None:
    tasks = tasks_of(["random 5"])
    source = FixedDocuments(tasks, 8, 20)
    steps = [source.draw(step) for step in range(5)]  # two passes, the third batch in both
    comps, words = (torch.cat(parts, 1) for parts in zip(*steps, strict=True))
    documents = tasks.documents(comps, words)
    for half in documents.split(20, 1):
        for member, rows in enumerate(half.tolist()):
            assert sorted(rows) == sorted(
                tasks.documents(source.comps, source.words)[member].tolist()
            )
    assert bool((documents[:, :20] != documents[:, 20:]).any()), "the order is drawn anew"


def test_fresh_documents_are_uniform_over_the_subset() -> None:
    tasks = tasks_of(["random 5"], seeds=(3,))
    comps, words = FreshDocuments(tasks, 4000).draw(0)
    _, counts = comps[0].flatten(1).unique(dim=0, return_counts=True)
    assert len(counts) == 5
    assert float((counts / 800 - 1).abs().max()) < 0.15
    assert words.unique().tolist() == [0, 1, 2, 3]


def test_every_k_is_tested_on_as_many_documents() -> None:
    """One composition has no function at all; it gets as many words as the others together."""
    tasks = tasks_of(["base"])
    comps, words = step_by_step._documents_of_every_k(tasks)
    each = step_by_step.DURING_TRAINING
    assert comps.shape[1] == words.shape[1] == 4 * each
    assert len(words[0, :each, 0].unique(dim=0)) > each / 2
    k = (comps[..., 1] > 0).sum(-1)[0]
    assert k.tolist() == [number for number in range(4) for _ in range(each)]


# --- independence --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stage",
    [step_by_step.run, step_by_step.policies, formats.direct, mechanism.one_layer],
    ids=lambda stage: stage.name,
)
def test_a_member_is_the_same_beside_others(stage: Any) -> None:
    """But for rounding: of the answers of networks hardly trained, a few may change."""
    both, alone = stage(config(n_seeds=2)), stage(config(seed=1, n_seeds=1))
    same_beside_others(both, alone, 0.02)


def test_the_network_in_the_browser_is_the_one_that_was_measured() -> None:
    step = step_by_step.run(config())
    shown = step_by_step.browser_network(config())
    assert shown.sizes["trained"] == 12
    expected = step.unseen.sel(subset="random 12").isel(seed=0)
    assert float(shown.shown_unseen) == pytest.approx(float(expected), abs=0.02)
    np.testing.assert_array_equal(
        shown.shown_tables, step.tables.sel(subset="random 12").isel(seed=0)
    )


def test_explorers_take_what_the_run_keeps(results: xr.DataTree) -> None:
    settings = config()
    step, direct = (results[name].to_dataset() for name in ("step", "direct"))
    grid = generalisation.grid_explorer(step)
    assert "repeat random 5" not in grid.subsets
    reach = generalisation.reachable_explorer(settings.layout, step, direct)
    assert "direct" in reach.series
    shown = step_by_step.browser_network(settings)
    composer = ComposerExplorer(
        generalisation.composer_weights(settings, shown),
        shown.shown_tables.values.astype(int),
        heads=settings.heads,
        norm=settings.norm,
        word_length=settings.word,
        trained=shown.shown_trained.values.astype(int),
    )
    assert len(composer.trained) == 12


@pytest.mark.parametrize(
    "stage",
    [step_by_step.run, formats.direct, formats.two_slots, training_sets.run],
    ids=lambda stage: stage.name,
)
def test_the_network_is_eight_frames_from_the_experiment(stage: Any) -> None:
    frames = frames_to_product(lambda: stage.function(config(), Progress()), learning=True)
    assert len(frames) <= 8, frames


# --- settings ------------------------------------------------------------------------------------


def test_the_authors_networks_are_the_release_s_default() -> None:
    """And the networks that are read are built and trained like these at other scales too."""
    study = find_study(ROOT, "compositional_capabilities")
    authors = Config(**{**scale_parameters(study, "authors").all, "bfloat16": False})
    assert authors.network(6250) == RELEASE
    assert authors.deep_network(2) == RELEASE
    reference = Config(**scale_parameters(study, "reference").all)
    assert reference.deep_network(2) == RELEASE
    assert max(reference.deep_layers) == 12


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"positions": 1}, "positions must be"),
        ({"alphabet": 1}, "alphabet must be"),
        ({"subsets": ["random 5", "random 12", "random 27"]}, "subsets must be below 27"),
        ({"subsets": ["random 5", "random 12", "some 3"]}, "no training subset"),
        ({"subsets": ["base", "base"]}, "subsets must differ"),
        ({"subsets": ["base"]}, "subsets must hold 'random n'"),
        ({"direct_n": [27]}, "subsets must be below 27"),
        ({"slot_n": [25, 30]}, "slot_n and slot_control must be below 25"),
        ({"slot_n": [10, 5]}, "slot_n must be positive and rise"),
        ({"slot_decides": 7}, "slot_decides must be in"),
        ({"sweep_heads": [1]}, "sweep_heads needs 2"),
        ({"sweep_n": [3, 64]}, "sweep_n must fit"),
        ({"lstm_n": 27}, "subsets must be below 27"),
        ({"coverage": [4, 8]}, "coverage must begin with 0"),
        ({"vocabulary": 5}, "vocabulary must be 0 or at least 16"),
        ({"width": 9}, "width must be divisible by"),
        ({"deep_heads": 3}, "deep_heads must divide deep_width"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**change)
    assert "\n" not in str(caught.value)
