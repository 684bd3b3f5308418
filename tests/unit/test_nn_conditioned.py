"""The conditioned perceptron against torch.nn, and populations against their members."""

import math
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from synthcore.nn import hooks
from synthcore.nn.conditioned import (
    ConditionedMLP,
    ConditionedMLPConfig,
    Way,
    repeated,
    sinusoids,
)
from synthcore.nn.population import Linear
from synthcore.training.optimizers import population_adamw

SHAPE = ConditionedMLPConfig(data=12, condition=4, width=10, depth=2)


def given(members: int, batch: int = 6, conditions: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(members, batch, 3, 2, 2, generator=generator)
    time = torch.rand(members, conditions, generator=generator)
    return z, time, torch.rand(members, conditions, 4, generator=generator)


def layer(linear: Linear, member: int) -> nn.Linear:
    inputs, outputs = linear.weight.shape[1:]
    out = nn.Linear(inputs, outputs)
    assert linear.bias is not None
    out.weight.data = linear.weight[member].T.detach()
    out.bias.data = linear.bias[member, 0].detach()
    return out


def test_a_member_is_a_torch_network() -> None:
    model = ConditionedMLP(SHAPE, seeds=[3, 4])
    z, time, told = given(2)
    for member in range(2):
        h = layer(model.enter, member)(z[member].flatten(1))
        when = torch.tensor(
            [
                [f(t * 1000 ** (k / 31)) for f in (math.sin, math.cos) for k in range(32)]
                for t in time[member].double().tolist()
            ]
        )
        for block in model.blocks:
            encode = nn.Sequential(
                layer(block.conditioning.first, member),
                nn.GELU(),
                layer(block.conditioning.second, member),
                nn.GELU(),
            )
            shift = encode(told[member]) + layer(block.time, member)(when)
            h = h + torch.relu(layer(block.mix, member)(h) + shift[[0, 0, 1, 1, 2, 2]])
        expected = layer(model.leave, member)(h).view(6, 3, 2, 2)
        torch.testing.assert_close(model(z, time, told)[member], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("way", get_args(Way)[1:])
def test_other_ways_to_tell_a_block(way: Way) -> None:
    """Linear maps of the condition, or of what one perceptron makes of it for all blocks."""
    model = ConditionedMLP(replace(SHAPE, way=way), seeds=[3, 4])
    with torch.no_grad():
        for block in model.blocks:
            block.conditioning.weight += 0.1  # also where it starts at zero
    z, time, told = given(2)
    h, waves, seen = model.enter(z.flatten(2)), sinusoids(time), told
    if way != "linear":
        for part in (model.shared.first, model.shared.second):
            seen = nn.functional.gelu(seen @ part.weight + part.bias)
    for block in model.blocks:
        shift = seen @ block.conditioning.weight + block.conditioning.bias + block.time(waves)
        h = h + torch.relu(block.mix(h) + shift.repeat_interleave(2, 1))
    torch.testing.assert_close(model(z, time, told), model.leave(h).view(z.shape))


def test_from_zero_a_condition_changes_nothing_at_first() -> None:
    z, time, told = given(1)
    changed = {}
    for way in get_args(Way):
        model = ConditionedMLP(replace(SHAPE, way=way), seeds=[0])
        changed[way] = not torch.equal(model(z, time, told), model(z, time, told + 1))
    assert changed == {"own": True, "linear": True, "shared": True, "shared from zero": False}


def test_a_centre_is_taken_from_every_condition() -> None:
    z, time, told = given(2)
    centre = (0.5, 0.25, 0.0, -1.0)
    raw = ConditionedMLP(SHAPE, seeds=[0, 1])
    centred = ConditionedMLP(replace(SHAPE, centre=centre), seeds=[0, 1])
    assert centred.state_dict().keys() == raw.state_dict().keys()
    torch.testing.assert_close(centred(z, time, told + torch.tensor(centre)), raw(z, time, told))


def test_a_population_step_is_the_loop_of_single_steps() -> None:
    together = ConditionedMLP(SHAPE, seeds=[0, 1, 2])
    alone = [ConditionedMLP(SHAPE, seeds=[seed]) for seed in (0, 1, 2)]
    data = given(3)
    for models in ([together], alone):
        for m, model in enumerate(models):
            own = data if len(models) == 1 else tuple(x[m : m + 1] for x in data)
            optimizer = population_adamw(model, 1e-2)
            for _ in range(3):
                optimizer.zero_grad()
                (model(*own) - own[0]).square().mean((1, 2, 3, 4)).sum().backward()
                optimizer.step()
    for m, model in enumerate(alone):
        for name, weight in together.named_parameters():
            torch.testing.assert_close(
                weight[m : m + 1], model.get_parameter(name), atol=1e-6, rtol=1e-5
            )


def test_a_loss_of_one_member_leaves_the_others_alone() -> None:
    model = ConditionedMLP(SHAPE, seeds=[0, 1, 2])
    model(*given(3))[1].square().mean().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        moved = weight.grad.flatten(1).abs().sum(1) > 0
        assert moved.tolist() == [False, True, False], name


def test_one_vector_for_a_run_of_images_is_the_vector_for_each() -> None:
    model = ConditionedMLP(SHAPE, seeds=[0])
    z, time, told = given(1)
    each = model(z, time.repeat_interleave(2, 1), told.repeat_interleave(2, 1))
    torch.testing.assert_close(model(z, time, told), each)
    assert repeated(told, 6).shape == (1, 6, 4)
    with pytest.raises(ValueError, match="3 conditions do not divide a batch of 7"):
        repeated(told, 7)


def test_every_block_lets_its_embedding_be_replaced() -> None:
    model = ConditionedMLP(SHAPE, seeds=[0])
    z, time, told = given(1)
    points = [name for name in hooks.names(model) if name.endswith("condition")]
    assert points == ["blocks.0.hook_condition", "blocks.1.hook_condition"]
    with hooks.replace(model, dict.fromkeys(points, torch.zeros_like)):
        blind = model(z, time, told)
        torch.testing.assert_close(blind, model(z, time, told + 1))
    assert not torch.allclose(blind, model(z, time, told))


def test_times_are_told_apart_and_bounded() -> None:
    waves = sinusoids(torch.linspace(0, 1, 200, dtype=torch.float64))
    torch.testing.assert_close(waves.square().sum(-1), torch.full((200,), 32.0).double())
    apart = torch.cdist(waves, waves) + 10 * torch.eye(200)
    assert float(apart.min()) > 0.5


def test_weights_start_uniform_within_the_fan_in_bound() -> None:
    model = ConditionedMLP(ConditionedMLPConfig(data=64, condition=11, width=256), seeds=[0])
    weight = model.enter.weight.detach()
    assert float(weight.abs().max()) <= 1 / 8
    assert float(weight.std()) == pytest.approx(1 / 8 / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("name", ["data", "condition", "width", "depth"])
def test_bad_shapes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        ConditionedMLPConfig(**{"data": 2, "condition": 2, name: 0})
    with pytest.raises(ValueError, match="at least one seed"):
        ConditionedMLP(SHAPE, [])
    with pytest.raises(ValueError, match="centre must have 4 numbers"):
        replace(SHAPE, centre=(0.5,))
