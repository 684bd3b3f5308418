"""Which weights hold the wrapper? First-order scores, deletion, and the controls it must beat.

The score of a weight is theta times the gradient of the *pretraining* loss: deleting it changes
that loss by minus its score, to first order. So the largest scores are deleted. A neuron is a row
of a weight matrix with its bias; its score is the sum over the row.

Axis letters: M member, W weights of a member, R rows, K deleted, B batch, L blocks, H hidden units.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import replace

Model = TypeVar("Model", bound=nn.Module)
Loss = Callable[[nn.Module, Any], Tensor]
Change = Callable[[Tensor], Tensor]


def first_order(model: nn.Module, loss: Loss, batches: Iterable[Any]) -> dict[str, Tensor]:
    """theta * d loss / d theta for every weight, by name; the mean over equal batches.

    Scaling one weight by 1 - eps changes the member's loss by -eps times its score:

    >>> from synthcore.nn.mlp import MLP, MLPConfig
    >>> model = MLP(MLPConfig(inputs=2, hidden=3, outputs=1, depth=2), seeds=[0])
    >>> x = torch.ones(1, 4, 2)
    >>> loss = lambda model, x: model(x).square().mean((1, 2))
    >>> score = first_order(model, loss, [x])["layers.0.linear.weight"][0, 1, 2]
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


def flat(values: Mapping[str, Tensor]) -> Float[Tensor, "M W"]:
    """All weights of a member in one row, in the order of the names."""
    return torch.cat([value.flatten(1) for value in values.values()], 1)


@torch.no_grad()
def without_weights(model: Model, order: Int[Tensor, "M W"], k: int) -> Model:
    """A copy without the first k weights of each member's order."""
    out = deepcopy(model)
    parameters = dict(out.named_parameters())
    weights = flat(parameters).scatter(1, order[:, :k], 0.0)
    parts = weights.split([p[0].numel() for p in parameters.values()], 1)
    for parameter, part in zip(parameters.values(), parts, strict=True):
        parameter.copy_(part.view(parameter.shape))
    return out


# --- neurons of the MLPs of a transformer -------------------------------------------------------


def neuron_scores(model: GPT, scores: Mapping[str, Tensor]) -> Float[Tensor, "M R"]:
    """Sum of the scores of each row of the MLPs' first matrices and of its bias, block by block."""
    rows = []
    for index in range(model.config.depth):
        name = f"blocks.{index}.mlp.up"
        rows.append(scores[f"{name}.weight"].sum(1) + scores[f"{name}.bias"][:, 0])
    return torch.cat(rows, 1)


def neuron_sizes(model: GPT) -> Float[Tensor, "M R"]:
    """Euclidean norm of each row with its bias: the score that magnitude pruning takes."""
    squares = {name: p.detach().square() for name, p in model.named_parameters()}
    return neuron_scores(model, squares).sqrt()


def deleting(model: GPT, order: Int[Tensor, "M R"], k: int) -> Any:
    """A context in which the first k neurons of each member's order are deleted.

    A row of zeros with a bias of zero gives gelu(0) = 0: the neuron is silent.
    """
    keep = torch.ones(order.shape, device=order.device).scatter(1, order[:, :k], 0.0)
    parts = keep.view(len(order), model.config.depth, -1)

    def silence(index: int) -> Change:
        return lambda hidden: hidden * parts[:, index, None, None]

    return replace(
        model, {f"blocks.{i}.mlp.hook_post": silence(i) for i in range(model.config.depth)}
    )


def random_orders(
    members: int, rows: int, draws: int, generator: torch.Generator
) -> Int[Tensor, "draws M R"]:
    """Random orders of deletion."""
    return torch.rand(draws, members, rows, generator=generator).argsort(-1)


# --- all rows of a transformer ------------------------------------------------------------------


def every_row_scores(model: GPT, scores: Mapping[str, Tensor]) -> Float[Tensor, "M R"]:
    """Scores of the rows of all four kinds of matrices (query-key-value, attention output, both of
    the MLP), in the order of `row_names`."""
    return torch.cat(
        [
            scores[f"{name}.weight"].sum(1) + scores[f"{name}.bias"][:, 0]
            for name in _matrices(model)
        ],
        1,
    )


def row_names(model: GPT) -> list[str]:
    """`blocks.0.attn.qkv 17` and so on."""
    parameters = dict(model.named_parameters())
    return [
        f"{name} {row}"
        for name in _matrices(model)
        for row in range(parameters[f"{name}.weight"].shape[2])
    ]


@torch.no_grad()
def without_rows(model: GPT, order: Int[Tensor, "M R"], k: int) -> GPT:
    """A copy without the first k rows, biases included, of each member's order."""
    out, start = deepcopy(model), 0
    keep = torch.ones(order.shape, device=order.device).scatter(1, order[:, :k], 0.0)
    parameters = dict(out.named_parameters())
    for name in _matrices(model):
        weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
        rows = weight.shape[2]
        part = keep[:, None, start : start + rows]
        weight.mul_(part)
        bias.mul_(part)
        start += rows
    return out


def _matrices(model: GPT) -> list[str]:
    parts = ("attn.qkv", "attn.out", "mlp.up", "mlp.down")
    return [f"blocks.{i}.{part}" for i in range(model.config.depth) for part in parts]
