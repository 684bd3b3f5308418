"""What can be read from the residual stream: linear discriminants in closed form, and controls.

One Gaussian per class with a common covariance: the scores are linear in the activation, so this is
a linear probe, fitted without gradient steps. Ridge regression on one-hot codes would hide middle
classes of an ordered variable behind their neighbours; discriminants do not.

Axis letters: M member, B texts, D width, C classes, L blocks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.finetuning_wrappers.networks import prompts_at_once

SHRINK = 1e-3  # of the covariance towards a multiple of the identity


class Discriminant(NamedTuple):
    """Scores x @ weight + bias of the classes."""

    weight: Float[Tensor, "M D C"]
    bias: Float[Tensor, "M C"]


def fit(x: Float[Tensor, "M B D"], labels: Int[Tensor, "M B"], classes: int) -> Discriminant:
    """Linear discriminants, float64. A class without texts is never chosen."""
    x = x.double()
    code = torch.nn.functional.one_hot(labels, classes).double()
    count = code.sum(1)
    means = code.transpose(1, 2) @ x / count.clamp(min=1)[..., None]  # (M, C, D)
    rest = x - code @ means
    spread = rest.transpose(1, 2) @ rest / x.shape[1]
    scale = spread.diagonal(dim1=1, dim2=2).mean(-1)
    eye = torch.eye(x.shape[-1], dtype=torch.double, device=x.device)
    weight = torch.linalg.solve(
        (1 - SHRINK) * spread + (SHRINK * scale + 1e-12)[:, None, None] * eye,
        means.transpose(1, 2),
    )
    bias = (count / x.shape[1]).log() - (means.transpose(1, 2) * weight).sum(1) / 2
    return Discriminant(weight, bias)


def accuracy(
    probe: Discriminant, x: Float[Tensor, "M B D"], labels: Int[Tensor, "M B"]
) -> Float[Tensor, "M"]:
    """Share of right classes."""
    scores = x.double() @ probe.weight + probe.bias[:, None]
    return (scores.argmax(-1) == labels).double().mean(1)


def places(model: GPT) -> list[str]:
    """Where is read: the embedding, and the residual stream after every block."""
    return [
        "blocks.0.hook_resid_pre",
        *(f"blocks.{i}.hook_resid_post" for i in range(model.config.depth)),
    ]


@torch.no_grad()
def activations(
    model: GPT, prompts: Int[Tensor, "M B T"], chunk: int = 256
) -> Float[Tensor, "L M B D"]:
    """Residual stream at the last place, the one that predicts the answer."""
    parts = []
    for part in prompts.split(min(chunk, prompts_at_once(model)), 1):
        with record(model, places(model)) as seen:
            model(part)
        parts.append(torch.stack([seen[name][:, :, -1] for name in places(model)]))
    return torch.cat(parts, 2)


def probe(
    x: Float[Tensor, "L M B D"], labels: Int[Tensor, "B"], classes: int, seeds: Sequence[int]
) -> tuple[Float[Tensor, "L M"], Float[Tensor, "L M"]]:
    """Accuracy of a probe of the activations at each place, fitted on the first three quarters of
    the texts and tested on the rest; and the same with shuffled labels, what the probe can learn by
    heart."""
    wanted = labels.expand(x.shape[1], -1)
    cut = 3 * x.shape[2] // 4
    shuffled = torch.stack(
        [
            labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
            for seed in seeds
        ]
    )
    rows = []
    for target in (wanted, shuffled):
        each = [
            accuracy(fit(layer[:, :cut], target[:, :cut], classes), layer[:, cut:], target[:, cut:])
            for layer in x
        ]
        rows.append(torch.stack(each))
    return rows[0], rows[1]
