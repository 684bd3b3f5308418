"""Which weights or units hold a behaviour? First-order scores, exact scores, and deletion.

The first-order score of a weight is theta times the gradient of a loss: deleting it changes that
loss by minus its score, to first order (Molchanov et al. 2017, arXiv:1611.06440). The exact score
is the loss now minus the loss without it, one forward pass for each. Deleting the *largest* scores
helps the loss most. A row is what one output of a linear layer is computed from, bias included; its
score is the sum over the row. Rows of an MLP's first matrix are its neurons.

Axis letters: M member, W weights of a member, R rows (or units), K deleted, I inputs of a layer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record, replace
from synthcore.nn.population import Linear

Model = TypeVar("Model", bound=nn.Module)
Loss = Callable[[nn.Module, Any], Tensor]  # of a batch, one number per member


def first_order_scores(model: nn.Module, loss: Loss, batches: Iterable[Any]) -> dict[str, Tensor]:
    """theta * d loss / d theta for every weight, by name; the mean over equal batches.

    Scaling one weight by 1 - eps changes the member's loss by -eps times its score:

    >>> from synthcore.nn.mlp import MLP, MLPConfig
    >>> model = MLP(MLPConfig(inputs=2, hidden=3, outputs=1, depth=2), seeds=[0])
    >>> x = torch.ones(1, 4, 2)
    >>> loss = lambda model, x: model(x).square().mean((1, 2))
    >>> score = first_order_scores(model, loss, [x])["layers.0.linear.weight"][0, 1, 2]
    >>> before = loss(model, x)
    >>> _ = model.layers[0].linear.weight.data[0, 1, 2].mul_(1 - 1e-3)
    >>> torch.allclose(before - loss(model, x), 1e-3 * score, rtol=1e-2, atol=1e-8)
    True
    """
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    for parameter, _ in wanted:
        parameter.requires_grad_(True)
        parameter.grad = None
    count = 0
    for batch in batches:
        torch.autograd.backward(loss(model, batch).sum())
        count += 1
    scores = {}
    for name, parameter in model.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        scores[name] = (parameter * gradient).detach() / max(count, 1)
    for parameter, before in wanted:
        parameter.grad = None
        parameter.requires_grad_(before)
    return scores


# --- single weights -----------------------------------------------------------------------------


def flatten_weights(values: Mapping[str, Tensor]) -> Float[Tensor, "M W"]:
    """All weights of a member (or their scores) in one row, in the order of the names."""
    return torch.cat([value.flatten(1) for value in values.values()], 1)


@torch.no_grad()
def delete_weights(model: Model, order: Int[Tensor, "M W"], k: int) -> Model:
    """A copy without the first k weights of each member's order.

    `order` holds indices into `flatten_weights(dict(model.named_parameters()))`.
    """
    out = deepcopy(model)
    parameters = dict(out.named_parameters())
    weights = flatten_weights(parameters).scatter(1, order[:, :k], 0.0)
    parts = weights.split([p[0].numel() for p in parameters.values()], 1)
    for parameter, part in zip(parameters.values(), parts, strict=True):
        parameter.copy_(part.view(parameter.shape))
    return out


# --- rows of linear layers ----------------------------------------------------------------------


def linear_layers(model: nn.Module, within: str = "") -> list[str]:
    """Names of the linear layers, those that start with `within`, in the order of the model.

    >>> from synthcore.nn.gpt import GPTConfig
    >>> model = GPT(GPTConfig(vocabulary=3, context=4, width=8, depth=1, heads=2), seeds=[0])
    >>> linear_layers(model, "blocks.0.mlp")
    ['blocks.0.mlp.up', 'blocks.0.mlp.down']
    """
    modules = model.named_modules()
    return [n for n, part in modules if isinstance(part, Linear) and n.startswith(within)]


def neuron_layers(model: GPT) -> list[str]:
    """The layers whose rows are the neurons of a transformer's MLPs, block by block."""
    return [name for name in linear_layers(model) if name.endswith(".mlp.up")]


def row_scores(scores: Mapping[str, Tensor], layers: Sequence[str]) -> Float[Tensor, "M R"]:
    """Sum of the scores of each row of these layers and of its bias, layer by layer.

    KeyError names a layer that has no scores.
    """
    rows = []
    for name in layers:
        row = scores[f"{name}.weight"].sum(1)  # (M, I, R) -> (M, R)
        bias = scores.get(f"{name}.bias")
        rows.append(row if bias is None else row + bias[:, 0])
    return torch.cat(rows, 1)


def row_norms(model: nn.Module, layers: Sequence[str]) -> Float[Tensor, "M R"]:
    """Euclidean norm of each row with its bias: the score that magnitude pruning takes."""
    squares = {name: p.detach().square() for name, p in model.named_parameters()}
    return row_scores(squares, layers).sqrt()


@torch.no_grad()
def delete_rows(model: Model, layers: Sequence[str], order: Int[Tensor, "M R"], k: int) -> Model:
    """A copy without the first k rows of these layers, biases included, of each member's order."""
    out, start = deepcopy(model), 0
    keep = torch.ones(order.shape, device=order.device).scatter(1, order[:, :k], 0.0)
    parameters = dict(out.named_parameters())
    for name in layers:
        weight, bias = parameters[f"{name}.weight"], parameters.get(f"{name}.bias")
        rows = weight.shape[2]
        part = keep[:, None, start : start + rows]
        weight.mul_(part)
        if bias is not None:
            bias.mul_(part)
        start += rows
    return out


def random_orders(
    members: int, rows: int, draws: int, generator: torch.Generator
) -> Int[Tensor, "draws M R"]:
    """Random orders of deletion: the control that a score must beat."""
    return torch.rand(draws, members, rows, generator=generator).argsort(-1)


# --- units, at hook points ----------------------------------------------------------------------


def delete_neurons(model: GPT, order: Int[Tensor, "M R"], k: int) -> AbstractContextManager[None]:
    """A context in which the first k neurons of each member's order are deleted.

    The same as `delete_rows(model, neuron_layers(model), order, k)` without a copy: a row of zeros
    with a bias of zero gives gelu(0) = 0, so the neuron is silent.
    """
    keep = torch.ones(order.shape, device=order.device).scatter(1, order[:, :k], 0.0)
    parts = keep.view(len(order), model.config.depth, -1)

    def silence(index: int) -> Callable[[Tensor], Tensor]:
        return lambda hidden: hidden * parts[:, index, None, None]

    return replace(
        model, {f"blocks.{i}.mlp.hook_post": silence(i) for i in range(model.config.depth)}
    )


@torch.no_grad()
def exact_unit_scores(
    model: nn.Module, loss: Loss, batches: Sequence[Any], names: Sequence[str]
) -> Float[Tensor, "M R"]:
    """The loss now minus the loss with one unit at zero, for each unit of these hook points alone.

    A unit is a coordinate of the last axis: for neurons `blocks.0.mlp.hook_post` and so on. As many
    passes as units; ValueError for an unknown activation.
    """
    with record(model, names) as seen:
        now = _mean_loss(model, loss, batches)
    scores = []
    for name in names:
        for unit in range(seen[name].shape[-1]):
            with replace(model, {name: _silencing(unit)}):
                scores.append(now - _mean_loss(model, loss, batches))
    return torch.stack(scores, 1)


def _silencing(unit: int) -> Callable[[Tensor], Tensor]:
    def change(x: Tensor) -> Tensor:
        x = x.clone()
        x[..., unit] = 0
        return x

    return change


def _mean_loss(model: nn.Module, loss: Loss, batches: Sequence[Any]) -> Float[Tensor, "M"]:
    return torch.stack([loss(model, batch) for batch in batches]).mean(0)
