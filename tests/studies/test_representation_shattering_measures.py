"""What is measured around edits: exact laws, questions, maps, equal success."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import numbers_held

from synthcore.editing import (
    METHODS,
    EditedModel,
    Update,
    edit,
)
from synthcore.editing.updates import add_ridge
from synthcore.nn.hooks import record
from synthcore.nn.passes import numbers_per_sequence
from synthcore.press.parameters import scale_parameters
from synthcore.press.studies import find_study
from synthcore.studies.representation_shattering import geometry, theory, tracing
from synthcore.studies.representation_shattering.editors import LEVEL, SEEN_IN, equalised
from synthcore.studies.representation_shattering.edits import counterfactual
from synthcore.studies.representation_shattering.effects import change, effects, misses
from synthcore.studies.representation_shattering.experiment import Config, edited, trained
from synthcore.studies.representation_shattering.questions import follow, right_after
from synthcore.studies.representation_shattering.single_edits import Plan, alphas, success
from synthcore.studies.representation_shattering.world import World

ROOT = Path(__file__).parents[2]
TINY = scale_parameters(find_study(ROOT, "representation_shattering"), "smoke").all


@pytest.fixture(scope="module")
def world() -> World:
    return trained(Config(**TINY))[0]


@pytest.fixture(scope="module")
def made(world: World) -> tuple[xr.Dataset, Plan, EditedModel]:
    return edited(world)


@given(seed=st.integers(0, 10_000), scale=st.floats(0.2, 5))
@settings(max_examples=25, deadline=None)
def test_shattering_splits_exactly_and_knows_its_symmetries(seed: int, scale: float) -> None:
    random = torch.Generator().manual_seed(seed)
    before, after = torch.randn(2, 9, 4, generator=random, dtype=torch.float64)
    D, E = theory.distances(before), theory.distances(after)
    R, inflation, shape = theory.shattering(E, D)
    torch.testing.assert_close(R**2, inflation**2 + shape**2)
    assert float(R) == pytest.approx(float(torch.linalg.norm(E - D) / torch.linalg.norm(D)))
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=random, dtype=torch.float64))
    moved = theory.distances(before @ turn + 3.0)
    assert float(theory.shattering(moved, D)[0]) == pytest.approx(0, abs=1e-7)
    grown = theory.shattering(scale * D, D)
    assert float(grown[0]) == pytest.approx(abs(scale - 1), abs=1e-7)
    assert float(grown[2]) == pytest.approx(0, abs=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_fast_shattering_is_the_definition(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    before = torch.randn(2, 3, 12, 5, generator=random)
    after = before[:, None] + 0.3 * torch.randn(2, 4, 3, 12, 5, generator=random)
    D = geometry.fast_distances(before)[:, None]
    torch.testing.assert_close(D[:, 0], theory.distances(before), rtol=1e-3, atol=3e-3)
    found = geometry.fast_shattering(after, before, D)
    expected = theory.shattering(
        theory.distances(after.double()), theory.distances(before.double())[:, None]
    )
    torch.testing.assert_close(found, torch.stack(expected, -1), rtol=1e-3, atol=1e-4)


def test_ring_power_by_projection_on_waves() -> None:
    random = torch.Generator().manual_seed(0)
    points, order = torch.randn(10, 3, generator=random, dtype=torch.float64), torch.randperm(10)
    centred = (points - points.mean(0))[order]
    place = torch.arange(10, dtype=torch.float64)
    for f in range(1, 6):
        angle = 2 * torch.pi * f * place / 10
        waves = [angle.cos(), angle.sin()] if f < 5 else [angle.cos()]
        power = sum(float(((w / w.norm()) @ centred).square().sum()) for w in waves)
        share = power / float(centred.square().sum())
        assert float(theory.ring_power(points, order)[f - 1]) == pytest.approx(share)
    odd = theory.ring_power(points[:9], torch.arange(9))
    assert float(odd.sum()) == pytest.approx(1)
    many = theory.ring_power(torch.randn(4000, 9, 3, generator=random), torch.arange(9))
    assert float(many[:, 0].mean()) == pytest.approx(theory.ring_chance(9, 1), rel=0.03)


def test_losses_of_walks_by_enumeration() -> None:
    p, R = 0.3, 5
    lengths = {2: 1 - p, 3: p}  # tokens of a fact, of a chain
    nats = sum(q * (-np.log(q) + (n - 1) * np.log(R)) for n, q in lengths.items())
    tokens = sum(q * n for n, q in lengths.items())
    assert theory.full_loss_floor(R, p) == pytest.approx(nats / tokens)
    assert theory.full_loss_chance(2048, 24) == pytest.approx(5.234, abs=1e-3)
    assert theory.capacity_ratio(2048, 24, 64_600) == pytest.approx(4.2, abs=0.05)


def test_distances_after_an_edit_are_predicted_without_running_the_edited_network(
    world: World, made: tuple[xr.Dataset, Plan, EditedModel]
) -> None:
    """|h_i - h_j + (alpha_i - alpha_j) delta| against forward passes of the edited copies."""
    _, _, copies = made
    before = geometry.clouds(world.model, world.circles, 1)
    after = geometry.edited_clouds(copies, world.circles, 1)
    alpha = alphas(world, copies)
    delta = copies.updates[1].right[..., 0, :]
    for m, e, r in ((0, 0, 0), (1, 5, 7), (0, 9, 11)):
        predicted = theory.predicted_distances(
            before[m, r].double(), alpha[m, e, r], delta[m, e].double()
        )
        torch.testing.assert_close(
            theory.distances(after[m, e, r]).double(), predicted, rtol=1e-3, atol=1e-3
        )


def test_alpha_is_the_overlap_of_keys(
    world: World, made: tuple[xr.Dataset, Plan, EditedModel]
) -> None:
    """Without contexts: k(x)^T C^-1 k* over k*^T C^-1 k*, and 1 at the edited prompt itself."""
    _, plan, _ = made
    given = world.covariances([1])
    copies = edit(world.model, plan.facts.first_prompts(1), "rome", [1], covariances=given)
    alpha = alphas(world, copies)
    C = add_ridge(given[1], METHODS["rome"].ridge)
    tokens, _ = geometry.bare_prompts(world.circles)
    with record(world.model, ["blocks.1.mlp.hook_post"]) as seen:
        world.model(tokens)
    keys = seen["blocks.1.mlp.hook_post"][:, :, -1].double()
    for m, e in ((0, 0), (1, 6)):
        x, r = int(plan.targets.entity[m, e]), int(plan.targets.relation[m, e])
        expected = theory.overlaps(C[m], keys[m, r * world.circles.entities + x], keys[m])
        torch.testing.assert_close(alpha[m, e].flatten(), expected, rtol=1e-4, atol=1e-5)
        assert float(alpha[m, e, r, x]) == pytest.approx(1)


# --- questions and edits --------------------------------------------------------------------------


def test_questions_ask_what_they_say(world: World) -> None:
    circles, questions = world.circles, world.questions
    N = circles.entities
    assert questions.entity.shape == (2, 9 * 8)
    assert torch.equal(questions.answer, follow(circles, questions.entity, questions.relation))
    tasks, held = world.group // 3, world.held
    for m in range(2):
        for q in range(questions.entity.shape[1]):
            x, (r, then) = int(questions.entity[m, q]), questions.relation[m, q].tolist()
            assert bool(held.facts[m, r, x]) == (int(tasks[q]) == 1)
            assert (then >= 0) == (int(tasks[q]) == 2)
            if then >= 0:
                assert held.chains[m, x, r, then]
            prompt = [x, N + r] + ([N + then] if then >= 0 else [])
            for line, end in zip(
                questions.tokens[m, q].tolist(), questions.at[m, q].tolist(), strict=True
            ):
                assert line[end - len(prompt) + 1 : end + 1] == prompt
                before = line[: end - len(prompt) + 1]
                stated = [before[i : i + len(prompt)] for i in range(len(before))]
                assert prompt not in stated
                assert end < world.config.length - 1


def test_edited_facts_and_their_ways_back_are_not_counted(world: World) -> None:
    circles = world.circles
    x, r = torch.tensor([[3], [4]]), torch.tensor([[0], [5]])
    touched = world.questions.touches(circles, x, r)[:, 0]
    table, inverse = circles.table, circles.relations.inverse
    for m in range(2):
        fact = (int(x[m, 0]), int(r[m, 0]))
        back = (int(table[m, fact[1], fact[0]]), inverse[fact[1]])
        for q in range(touched.shape[1]):
            at, pair = int(world.questions.entity[m, q]), world.questions.relation[m, q].tolist()
            steps = [(at, pair[0])]
            if pair[1] >= 0:
                steps.append((int(table[m, pair[0], at]), pair[1]))
            assert bool(touched[m, q]) == (fact in steps or back in steps)


def test_change_is_the_difference_over_what_counts() -> None:
    before = torch.tensor([[True, True, False, True]])
    after = torch.tensor([[[True, False, True, False]]])
    left_out = torch.tensor([[[False, False, False, True]]])
    found = change(before, after, left_out, torch.tensor([0, 0, 1, 1]))
    torch.testing.assert_close(found, torch.tensor([[[-0.5, 1.0]]], dtype=torch.float64))


def test_counterfactual_answers_lie_as_far_as_asked(world: World) -> None:
    circles = world.circles
    x = torch.arange(20).expand(2, -1)
    r = torch.randint(4, (2, 20), generator=torch.Generator().manual_seed(0))
    member = torch.arange(2)[:, None]
    for d in (1, 2, 8):
        made = counterfactual(circles, x, r, d, torch.Generator().manual_seed(d))
        old = circles.table[member, r, x]
        assert (circles.distance(0, old, made.target) == d).all()
        assert (made.target != x).all()
    with pytest.raises(ValueError, match=r"distances must lie in 1\.\.10"):
        counterfactual(circles, x, r, 11, torch.Generator())


def test_edits_are_of_known_facts_and_corrections_of_wrong_ones(
    world: World, made: tuple[xr.Dataset, Plan, EditedModel]
) -> None:
    data, plan, copies = made
    averaged, bare = world.known()
    E, member = plan.each, torch.arange(2)[:, None]
    t = plan.targets
    at = (member, t.relation, t.entity)
    assert (t.relation < world.circles.relations.each).all()
    truth = world.circles.table[at]
    assert torch.equal(t.target[:, :E], truth[:, :E])
    assert not averaged[at][:, :E].any()
    assert averaged[at][:, E:].all()
    assert bare[at][:, E:].all()
    for k in range(2, 4):  # the same facts at every distance
        assert torch.equal(t.entity[:, k * E : (k + 1) * E], t.entity[:, E : 2 * E])
    reported = success(copies, plan.facts)[1].view(2, 4, E)
    np.testing.assert_array_equal(data.succeeded.values, reported.numpy())


def test_effects_are_those_of_edited_networks_asked_one_by_one(
    world: World, made: tuple[xr.Dataset, Plan, EditedModel]
) -> None:
    _, plan, copies = made
    after = right_after(copies, world.questions)
    tokens, at = world.questions.rows
    J = world.questions.at.shape[2]
    for m, e in ((0, 1), (1, 7)):
        one = copies.pick([e])
        logits = one(tokens[:, None])[m, 0]
        likely = logits[torch.arange(len(at[m])), at[m]].softmax(-1).view(-1, J, logits.shape[-1])
        found = likely.mean(1).argmax(-1) == world.questions.answer[m]
        assert (found == after[m, e]).double().mean() > 0.98  # ties within rounding
    data = effects(world, copies, plan.targets, 1)
    nothing = effects(world, copies.scaled(0.0), plan.targets, 1)
    assert float(abs(nothing.change).max()) < 0.02
    assert float(nothing.shattering.max()) < 1e-3
    assert float(data.shattering.max()) > 0.01


@pytest.mark.parametrize("block", [0, 1])
def test_edits_are_measured_in_parts(
    world: World,
    made: tuple[xr.Dataset, Plan, EditedModel],
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No pass holds more than it may, whichever block is edited; the numbers are the same."""
    _, chosen, rome = made
    copies = EditedModel(world.model, {block: rome.updates[1]})
    length = max(world.questions.tokens.shape[3], chosen.facts.tokens.shape[4])
    held = 6 * rome.edits * numbers_per_sequence(world.model, length)

    def measure() -> tuple[xr.Dataset, tuple[torch.Tensor, torch.Tensor]]:
        return effects(world, copies, chosen.targets, 1), success(copies, chosen.facts)

    whole, whole_success = measure()
    assert numbers_held(measure) > 2 * held
    monkeypatch.setattr("synthcore.nn.passes.HELD_ON_CPU", held)
    monkeypatch.setattr(geometry, "CHUNK", held // 4)
    parts, parts_success = measure()
    xr.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(parts_success, whole_success)
    assert numbers_held(measure) < 2 * held


def test_equal_success_is_enforced(
    world: World, made: tuple[xr.Dataset, Plan, EditedModel]
) -> None:
    """Editors that write the same direction at different strengths become the same edit."""
    _, plan, copies = made
    full, strength, reached = equalised(copies, plan, halvings=14)
    shrunk, other, also = equalised(copies.scaled(0.3), plan, halvings=14)
    likely = success(full, plan.facts.first_prompts(SEEN_IN))[0]
    assert torch.equal(reached, also)
    assert reached.double().mean() > 0.8
    np.testing.assert_allclose(likely[reached].numpy(), LEVEL, atol=0.01)
    torch.testing.assert_close(strength[reached], 0.3 * other[reached], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        full.updates[1].matrix[reached], shrunk.updates[1].matrix[reached], rtol=1e-2, atol=1e-3
    )
    weak = EditedModel(
        world.model, {1: Update(copies.updates[1].left * 0, copies.updates[1].right)}
    )
    assert not equalised(weak, plan)[2].any()


def test_tracing_recovers_everything_where_the_whole_stream_is_put_back(world: World) -> None:
    traced = tracing.trace(world.model, world.circles, torch.Generator().manual_seed(0))
    assert traced.shape == (2, 2, 3, 2)
    last = traced[:, -1, tracing.SITES.index("residual"), tracing.TOKENS.index("relation")]
    torch.testing.assert_close(last, torch.ones(2))
    entity = traced[:, -1, :, tracing.TOKENS.index("entity")]
    assert entity.abs().max() < 1e-6  # behind the last block the entity's place is not read


def test_answers_that_miss_are_measured_along_the_circle(world: World) -> None:
    found = misses(world)
    known = float(found.sel(task="direct").mean())
    assert 0 <= known < float(found.sel(task="logical").mean()) < 1.5


def test_maps_can_be_laid_on_each_other() -> None:
    angle = torch.arange(40) * 2 * torch.pi / 40
    ring = torch.stack([angle.cos(), angle.sin(), 0 * angle], -1)
    found, joined = geometry.flat_map(ring, neighbours=4)
    assert not joined
    gaps = np.linalg.norm(found - np.roll(found, 1, 0), axis=1)
    assert gaps.max() < 1.2 * gaps.min()
    turned = found @ np.array([[0.0, 1.0], [1.0, 0.0]]) + 5
    np.testing.assert_allclose(geometry.aligned(turned, found), found - found.mean(0), atol=1e-9)
    apart = torch.cat([ring, ring + 100])
    assert geometry.flat_map(apart, neighbours=4)[1]
