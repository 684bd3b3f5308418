"""What can be read from activations: linear probes in closed form, and controls.

One Gaussian per class with a common covariance (linear discriminants, Fisher 1936): the scores are
linear in the activation, so this is a linear probe, fitted without gradient steps. Ridge regression
on one-hot codes would hide middle classes of an ordered variable behind their neighbours;
discriminants do not. What a probe finds means something only beside its controls: shuffled labels,
which it can at most learn by heart (Hewitt and Liang 2019, arXiv:1909.03368), and networks that
were never trained.

Axis letters: M member, B examples, T tokens, D width, C classes, L sites that are read.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record

SHRINK = 1e-3  # of the covariance towards a multiple of the identity


class LinearProbe(NamedTuple):
    """Scores x @ weight + bias of the classes."""

    weight: Float[Tensor, "M D C"]
    bias: Float[Tensor, "M C"]

    def predict(self, x: Float[Tensor, "M B D"]) -> Int[Tensor, "M B"]:
        """The class of largest score."""
        return (x.double() @ self.weight + self.bias[:, None]).argmax(-1)

    def accuracy(self, x: Float[Tensor, "M B D"], labels: Int[Tensor, "M B"]) -> Float[Tensor, "M"]:
        """Share of right classes."""
        return (self.predict(x) == labels).double().mean(1)


def fit_probe(x: Float[Tensor, "M B D"], labels: Int[Tensor, "M B"], classes: int) -> LinearProbe:
    """Linear discriminants of the classes 0 to classes - 1, float64.

    A class without examples is never chosen. RuntimeError for a label that is no class.
    """
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
    return LinearProbe(weight, bias)


class Probed(NamedTuple):
    """Accuracy of probes on examples they were not fitted on, and of the same with shuffled labels.

    `untrained` is the accuracy on activations of networks that were never trained, if given.
    """

    accuracy: Float[Tensor, "L M"]
    shuffled: Float[Tensor, "L M"]
    untrained: Float[Tensor, "L M"] | None

    @property
    def selectivity(self) -> Float[Tensor, "L M"]:
        """Accuracy beyond that with shuffled labels."""
        return self.accuracy - self.shuffled


def probe(
    x: Float[Tensor, "L M B D"],
    labels: Int[Tensor, "B"],
    classes: int,
    seeds: Sequence[int],
    untrained: Float[Tensor, "L M B D"] | None = None,
) -> Probed:
    """Probes of the activations at each site, fitted on the first three quarters of the examples
    and tested on the rest.

    Args:
        x: activations, as `read_activations` gives them.
        labels: of the examples, the same for all members.
        classes: how many there are.
        seeds: one per member, for shuffling.
        untrained: activations of `untrained_copy` for the same examples.
    """
    shuffled = torch.stack(
        [
            labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
            for seed in seeds
        ]
    )
    true = labels.expand(x.shape[1], -1)
    return Probed(
        _held_out(x, true, classes),
        _held_out(x, shuffled, classes),
        None if untrained is None else _held_out(untrained, true, classes),
    )


def _held_out(
    x: Float[Tensor, "L M B D"], labels: Int[Tensor, "M B"], classes: int
) -> Float[Tensor, "L M"]:
    cut = 3 * x.shape[2] // 4
    return torch.stack(
        [
            fit_probe(site[:, :cut], labels[:, :cut], classes).accuracy(
                site[:, cut:], labels[:, cut:]
            )
            for site in x
        ]
    )


# --- activations of a transformer ---------------------------------------------------------------


def stream_sites(model: GPT) -> list[str]:
    """Hook points of the embedding, and of the residual stream after every block."""
    return [
        "blocks.0.hook_resid_pre",
        *(f"blocks.{i}.hook_resid_post" for i in range(model.config.depth)),
    ]


@torch.no_grad()
def read_activations(
    model: nn.Module,
    tokens: Int[Tensor, "M B T"],
    sites: Sequence[str],
    position: int = -1,
    chunk: int = 256,
) -> Float[Tensor, "L M B D"]:
    """Activations at these hook points and one position, `chunk` examples in a pass.

    ValueError for an unknown activation.
    """
    parts = []
    for part in tokens.split(chunk, 1):
        with record(model, sites) as seen:
            model(part)
        parts.append(torch.stack([seen[name][:, :, position] for name in sites]))
    return torch.cat(parts, 2)


def untrained_copy(model: GPT, seeds: Sequence[int] | None = None) -> GPT:
    """Networks of the same shape that were never trained, by default from the same seeds."""
    fresh = GPT(model.config, model.seeds if seeds is None else seeds)
    return fresh.to(model.embed.weight)
