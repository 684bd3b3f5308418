"""What explorers are given: networks as trained, a map as drawn, within the limits of a page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from synthcore.explorers.base import MAX_BYTES
from synthcore.explorers.concept_path import ConceptPathExplorer
from synthcore.explorers.concept_prompt import ConceptPromptExplorer
from synthcore.press.parameters import scale_parameters
from synthcore.press.studies import Study
from synthcore.studies.concept_space import shown
from synthcore.studies.concept_space.experiment import Config, learn
from synthcore.studies.concept_space.measure import Reading
from synthcore.studies.concept_space.model import generate, starting_noise
from synthcore.studies.concept_space.sweep import Learned
from synthcore.studies.concept_space.task import TARGET, World, more_blue

SMOKE = scale_parameters(Study(Path(__file__).parents[2], "concept_space"), "smoke")
CONFIG = Config(**(SMOKE.all | {"device": "cpu", "steps": 60, "checkpoints": 8}))


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learn(CONFIG)


def test_the_explorers_take_a_run(learned: Learned) -> None:
    view = ConceptPromptExplorer(**shown.prompts(CONFIG, learned))
    assert view.data_bytes < MAX_BYTES
    assert view.contrast == CONFIG.colours[-1]
    way = ConceptPathExplorer(**shown.paths(learned.results))
    assert way.data_bytes < MAX_BYTES
    assert way.steps == learned.results.step.values.tolist()


def test_the_map_is_what_the_last_network_draws(learned: Learned) -> None:
    given = shown.prompts(CONFIG, learned, signal=0)
    model = learned.school.fresh([CONFIG.seed])
    final = learned.weights[CONFIG.steps]
    model.load_state_dict({name: value[:1] for name, value in final.items()})
    world = World.of([CONFIG.colours[0]], [CONFIG.size])
    prompt = world.prompts([TARGET])
    noise = starting_noise([CONFIG.seed], CONFIG.images, CONFIG.side, torch.device("cpu"))
    wanted, steps = torch.tensor([TARGET]), len(given["gammas"]) - 1
    for column in (0, 9, 18):
        asked = more_blue(prompt, shown.AMOUNTS[column])
        drawn = generate(model, asked, noise, steps)
        expected = float(Reading.of(world, drawn).joint(wanted))
        assert given["accuracy"][-1, column] == pytest.approx(expected, abs=1e-6)


def test_pictures_shrink_by_means_of_blocks() -> None:
    fine = np.kron(np.arange(64).reshape(8, 8), np.ones((4, 4)))[None, :, :, None] * np.ones(3)
    small = shown.coarse(fine)
    assert small.shape == (1, 8, 8, 3)
    np.testing.assert_array_equal(small[0, :, :, 1], np.arange(64).reshape(8, 8))


def test_a_run_of_other_networks_trains_one_that_a_page_can_carry(learned: Learned) -> None:
    same = shown.runnable(CONFIG, learned)
    assert same == (CONFIG, learned)
    wide = CONFIG.model_copy(update={"side": 16})
    made, own = shown.runnable(wide, replace(learned), steps=8)
    assert (made.side, made.network, len(made.seeds)) == (8, "mlp", 1)
    assert set(own.weights) == set(made.recipe.at)
