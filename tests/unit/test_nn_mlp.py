"""Populations of multilayer perceptrons against loops of single ones and against torch.nn."""

import math

import pytest
import torch
from torch import nn

from synthcore.nn import hooks
from synthcore.nn.mlp import MLP, MLPConfig


def config(**changed: object) -> MLPConfig:
    values = {"inputs": 3, "hidden": 8, "outputs": 2, "depth": 3, **changed}
    return MLPConfig(**values)  # type: ignore[arg-type]


def step(model: MLP, x: torch.Tensor, y: torch.Tensor) -> None:
    """One step of gradient descent on every member's own loss."""
    loss = (model(x) - y).square().mean((1, 2)).sum()
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_population_step_is_the_loop_of_single_steps(activation: str, bias: bool) -> None:
    shape = config(activation=activation, bias=bias)
    together = MLP(shape, seeds=[0, 1, 2])
    x, y = torch.randn(3, 16, 3), torch.randn(3, 16, 2)
    alone = [MLP(shape, seeds=[seed]) for seed in (0, 1, 2)]
    for _ in range(3):
        step(together, x, y)
        for m, model in enumerate(alone):
            step(model, x[m : m + 1], y[m : m + 1])
    for m, model in enumerate(alone):
        torch.testing.assert_close(together(x)[m], model(x[m : m + 1])[0])


def test_a_member_is_a_torch_network() -> None:
    model = MLP(config(bias=True), seeds=[4])
    layers: list[nn.Module] = []
    for layer in model.layers:
        inputs, outputs = layer.linear.weight.shape[1:]
        linear = nn.Linear(inputs, outputs)
        linear.weight.data = layer.linear.weight[0].T.detach()
        linear.bias.data = layer.linear.bias[0, 0].detach()
        layers += [linear, nn.ReLU()]
    x = torch.randn(5, 3)
    torch.testing.assert_close(model(x[None])[0], nn.Sequential(*layers[:-1])(x))


def test_initial_weights_are_uniform_within_the_fan_in_bound() -> None:
    model = MLP(config(inputs=64, hidden=256, gain=0.5), seeds=[0])
    first = model.layers[0].linear.weight.detach()
    bound = 0.5 / math.sqrt(64)
    assert float(first.abs().max()) <= bound * (1 + 1e-6)
    assert float(first.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_the_product_is_the_map_of_a_linear_network() -> None:
    model = MLP(config(activation="linear"), seeds=[0, 1])
    x = torch.randn(2, 7, 3)
    torch.testing.assert_close(model(x), x @ model.product())
    with pytest.raises(ValueError, match="only a linear network"):
        MLP(config(), seeds=[0]).product()


def test_activations_can_be_read_and_replaced() -> None:
    model = MLP(config(depth=2), seeds=[0])
    x = torch.randn(1, 4, 3)
    with hooks.record(model, ["layers.0.hook_post"]) as seen:
        model(x)
    assert bool((seen["layers.0.hook_post"] >= 0).all())
    with hooks.replace(model, {"layers.0.hook_post": torch.zeros_like}):
        assert bool((model(x) == 0).all())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"depth": 0}, "depth must be at least 1"),
        ({"gain": 0.0}, "gain must be positive"),
    ],
)
def test_bad_shapes_are_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        config(**change)


def test_an_empty_population_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        MLP(config(), seeds=[])
