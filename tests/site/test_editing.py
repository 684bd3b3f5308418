"""The explorers of edits: ROME in the browser against the Python editor, clouds, controls."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Show

from synthcore.editing import (
    EditedModel,
    Facts,
    covariances,
    edit,
)
from synthcore.explorers.base import Explorer
from synthcore.explorers.editing import LiveEditExplorer, ShatterExplorer
from synthcore.explorers.shared import gpt_weights
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.representation_shattering import theory
from synthcore.studies.representation_shattering.geometry import bare_prompts, clouds
from synthcore.studies.representation_shattering.holdouts import HoldOuts
from synthcore.studies.representation_shattering.networks import Recipe, build, train
from synthcore.studies.representation_shattering.task import Circles
from synthcore.studies.representation_shattering.walks import Walks

pytestmark = pytest.mark.browser
N, HOPS = 14, 2
# Of the relations that the browser puts before a fact, those that exist here.
CONTEXTS = [0, 3, 5, 9]
FACT, TARGET = (1, 5), 9


@cache
def world() -> tuple[Circles, HoldOuts, GPT, torch.Tensor]:
    """A small network that knows its facts, and the second moment of its keys."""
    circles = Circles.draw(N, [2], hops=HOPS)
    held = HoldOuts.draw(circles, [2])
    walks = Walks(circles, held, two_hop=0.2)
    recipe = Recipe(16, 2, 2, 0.01, 64, 8, 400, warmup=40)
    model = build(recipe, circles.vocabulary, [2])
    train(model, walks, recipe, 0)
    model.requires_grad_(False)
    tokens = walks.draw(2000, 7, torch.Generator().manual_seed(3))
    return circles, held, model, covariances(model, tokens, [1])[1]


def arguments(**changes: Any) -> dict[str, Any]:
    circles, held, model, moment = world()
    return {
        "weights": {name: value[0].numpy() for name, value in model.state_dict().items()},
        "heads": 2,
        "circles": circles.entity[0].numpy(),
        "table": circles.table[0].numpy(),
        "names": circles.relations.names,
        "held": held.facts[0].numpy(),
        "moment": moment[0].numpy(),
        "block": 1,
        "fact": FACT,
        **changes,
    }


def in_python() -> EditedModel:
    """The same fact, written by the Python editor behind the same prompts."""
    circles, held, model, moment = world()
    (r, x), table = FACT, circles.table[0]
    lines = [[x, N + r]]
    for first in CONTEXTS:
        origin = int(table[circles.relations.inverse[first], x])
        if not held.facts[0, first, origin] and (origin, first) != (x, r):
            lines.append([origin, N + first, x, N + r])
    tokens = torch.tensor([line + [0] * (4 - len(line)) for line in lines])[None, None, None]
    end = torch.tensor([len(line) - 1 for line in lines])[None, None, None]
    essence = torch.tensor([x, 0, 0, 0])[None, None, None]
    target, at = torch.tensor([[[TARGET]]]), torch.tensor([[[0]]])
    facts = Facts(tokens, end, end, target, essence, at)
    return edit(model, facts, "rome", [1], covariances={1: moment})


def test_rome_in_the_browser_is_rome_in_python(shown: Show) -> None:
    edited = in_python()
    circles, _, model, _ = world()
    update = edited.updates[1]
    tokens, at = bare_prompts(circles)
    expected = edited.answers(tokens, at)[0, 0]
    with shown(LiveEditExplorer(**arguments(target=TARGET))) as (page, wrong):
        found = page.evaluate(
            """([r, x, target, wanted]) => {
                const world = explorer.editingWorld(model);
                const change = explorer.writeFact(world, x, r, target, wanted);
                change.alpha = explorer.overlapsOf(world, change.left);
                const rows = Array.from({ length: world.N * world.R }, (_, i) => i);
                return { delta: [...change.delta], left: [...change.left], loss: change.loss,
                    alpha: [...change.alpha], answers: [...explorer.answersAt(world, change, 1)],
                    before: [...world.before],
                    likely: rows.map((q) => [...explorer.probabilitiesAt(world, change, 1, q)]) };
            }""",
            [*FACT, TARGET, CONTEXTS],
        )
    assert wrong == []
    assert edited.report is not None
    np.testing.assert_allclose(found["delta"], update.right[0, 0, 0], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(found["left"], update.left[0, 0, :, 0], rtol=2e-3, atol=2e-3)
    assert found["loss"] == pytest.approx(float(edited.report.loss), rel=1e-3, abs=1e-4)
    likely = expected.softmax(-1).numpy()
    np.testing.assert_allclose(found["likely"], likely, atol=5e-3)
    sure = np.sort(likely, -1)[:, -1] - np.sort(likely, -1)[:, -2] > 0.02
    np.testing.assert_array_equal(
        np.array(found["answers"])[sure], expected.argmax(-1).numpy()[sure]
    )
    base = model(tokens)[0, :, -1].argmax(-1).numpy()
    assert (np.array(found["before"]) == base).mean() > 0.995


def test_a_large_network_crosses_in_half_precision(
    shown: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = LiveEditExplorer(**arguments())
    monkeypatch.setattr(gpt_weights, "MAX_BYTES", whole.data_bytes)
    assert not LiveEditExplorer(**arguments()).half
    monkeypatch.setattr(gpt_weights, "MAX_BYTES", whole.data_bytes - 1)
    small = LiveEditExplorer(**arguments())
    assert small.half
    assert small.data_bytes == whole.data_bytes - len(whole.weights) // 2
    with shown(small) as (page, wrong):
        found = page.evaluate("() => [...explorer.editingWorld(model).before]")
    assert wrong == []
    circles, _, model, _ = world()
    answers = model(bare_prompts(circles)[0])[0, :, -1].argmax(-1).numpy()
    assert (np.array(found) == answers).mean() > 0.99


def test_shattering_in_the_browser_is_the_exact_formula(shown: Show) -> None:
    circles, _, model, _ = world()
    points = clouds(model, circles, 1)[0].double()
    with shown(ShatterExplorer(**arguments(distance=3, strength=1.5))) as (page, wrong):
        found = page.evaluate(
            """([r, x]) => {
                const world = explorer.editingWorld(model);
                const change = explorer.changeFor(world, r, x, 3);
                return { alpha: [...change.alpha], delta: [...change.delta], target: change.target,
                    parts: [0, 4, 9].map((q) => explorer.shatteringOf(world, change, 1.5, q)) };
            }""",
            list(FACT),
        )
    assert wrong == []
    delta = torch.tensor(found["delta"], dtype=torch.float64)
    alpha = torch.tensor(found["alpha"], dtype=torch.float64).view(-1, N)
    for q, parts in zip((0, 4, 9), found["parts"], strict=True):
        D = theory.distances(points[q])
        after = theory.predicted_distances(points[q], 1.5 * alpha[q], delta)
        R, inflation, shape = theory.shattering(after, D)
        assert parts["R"] == pytest.approx(float(R), rel=1e-4)
        assert parts["inflation"] == pytest.approx(float(inflation), rel=1e-3, abs=1e-5)
        assert parts["shape"] == pytest.approx(float(shape), rel=1e-3, abs=1e-5)
    old = circles.table[0, FACT[0], FACT[1]]
    target = torch.tensor([[found["target"]]])
    assert int(circles.distance(0, old.view(1, 1), target)) == 3


def test_the_plane_of_a_ring_shows_the_ring(shown: Show) -> None:
    """Projected lengths are at most true ones, and the first harmonic is kept whole."""
    circles, _, model, _ = world()
    points = clouds(model, circles, 1)[0, 0].double()
    with shown(ShatterExplorer(**arguments())) as (page, _):
        found = page.evaluate(
            """() => { const world = explorer.editingWorld(model),
                plane = explorer.harmonicPlane(world, 0, 0);
                return explorer.projected(world, plane, 0, null, 0); }"""
        )
    flat = torch.tensor(found, dtype=torch.float64)
    assert (theory.distances(flat) <= theory.distances(points) + 1e-5).all()
    centred = points - points.mean(0)
    own = theory.ring_power(points, circles.entity[0, 0])[0] * centred.square().sum()
    kept = theory.ring_power(flat, circles.entity[0, 0])[0] * flat.square().sum()
    assert float(kept) == pytest.approx(float(own), rel=1e-4)


def test_an_edit_shows_in_words_and_cells(shown: Show) -> None:
    with shown(LiveEditExplorer(**arguments(target=TARGET))) as (page, wrong):
        verdict = page.locator(".sx-verdict")
        assert f"{FACT[1]} {world()[0].relations.name(FACT[0])}" in verdict.inner_text()
        assert "answers 9 now" in verdict.inner_text()
        before = page.evaluate("drawn()")
        map_ = page.locator(".sx-panel svg").first
        box = map_.bounding_box()
        assert box is not None
        map_.click(position={"x": box["width"] - 20, "y": 60})
        assert page.evaluate("drawn()") != before
        assert page.evaluate("model.get('relation')") != FACT[0]
        now = page.evaluate(
            """() => { const world = explorer.editingWorld(model);
                return world.before[model.get("relation") * world.N + model.get("entity")]; }"""
        )
        page.get_by_label("New answer").select_option(value=str(now))
        page.evaluate("settled()")
        assert f"= {now} already" in verdict.inner_text()
    assert wrong == []


def test_no_edit_moves_nothing(shown: Show) -> None:
    with shown(ShatterExplorer(**arguments(distance=0))) as (page, wrong):
        assert page.locator(".sx-verdict").inner_text().startswith("No edit")
        values = page.locator("[data-bar='R'] .sx-bar-value").all_text_contents()
        assert values == ["0.00"] * 3
        page.get_by_label("New answer, steps").press("ArrowRight")
        page.evaluate("settled()")
        assert "1 step away" in page.locator(".sx-verdict").inner_text()
    assert wrong == []


@pytest.mark.parametrize("kind", [ShatterExplorer, LiveEditExplorer])
def test_rules(kind: type[Explorer], keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(kind(**arguments()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block": 0}, "block must be the last, 1"),
        ({"circles": [[0, 0, 1]], "distance": 1}, "orders of the same entities"),
        ({"table": np.zeros((3, N))}, "table must hold entities"),
        ({"names": ["a"] * 7}, "cannot be shared by 3 circles"),
        ({"moment": np.eye(3)}, r"moment must have shape \(64, 64\)"),
        ({"fact": (12, 0)}, "fact must be a relation below 12"),
        ({"distance": 8}, r"distance must lie in -7\.\.7"),
        ({"strength": 3.0}, r"strength must lie in 0\.\.2"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShatterExplorer(**arguments(**change))


def test_a_tied_head_is_refused() -> None:
    tied = GPT(GPTConfig(N + 12, 8, 16, 2, 2, positions="learned"), [0])
    weights = {name: value[0].detach().numpy() for name, value in tied.state_dict().items()}
    with pytest.raises(ValueError, match="output table of its own"):
        LiveEditExplorer(**arguments(weights=weights))
    with pytest.raises(ValueError, match="target must be an entity below 14"):
        LiveEditExplorer(**arguments(target=14))
