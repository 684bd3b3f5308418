"""Networks trained by stochastic gradient descent on samples, in d dimensions and rotated: linear
ones of one and two layers, and ReLU ones of two.

Axis letters: M member, B batch, s concepts, d coordinates, V probes, K measurements.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.nn.mlp import MLP, MLPConfig
from synthcore.studies.sim_concept_learning import task
from synthcore.training.first_edition import fit
from synthcore.training.seeding import seeded

Condition = tuple[tuple[float, ...], tuple[float, ...]]  # mu and sigma

ARCHITECTURES = {
    "1-layer linear": (1, "linear"),
    "2-layer linear": (2, "linear"),
    "2-layer ReLU": (2, "relu"),
}


@dataclass(frozen=True)
class Training:
    """How every network here is trained."""

    dimension: int
    hidden: int
    points: int
    batch: int
    learning_rate: float
    epochs: int
    stride: int
    device: torch.device
    bias: bool = False


class Run(NamedTuple):
    """Outputs at the probes, un-rotated, in the first s coordinates, and losses there, over all d
    coordinates; `loss` is the training loss of the batch before; `model` is after training.
    """

    step: list[int]
    output: Float[Tensor, "K M V s"]
    probe_loss: Float[Tensor, "K M V"]
    loss: Float[Tensor, "K M"]
    points: Float[Tensor, "M N s"]
    rotation: Float[Tensor, "M d d"]
    products: list[Tensor]
    model: MLP


def identity_loss(model: nn.Module, points: Float[Tensor, "M B d"]) -> Float[Tensor, "M"]:
    """|f(x) - x|^2 / 2, summed over coordinates and averaged over the batch, per member."""
    error: Tensor = model(points) - points
    return error.square().sum(-1).mean(-1) / 2


def train(
    architecture: str,
    conditions: Sequence[Condition],
    seeds: Sequence[int],
    training: Training,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """One member per condition and seed, conditions outermost, trained as one population.

    A seed fixes initial weights, rotation and noise; conditions of one seed share them.
    """
    depth, activation = ARCHITECTURES[architecture]
    device = training.device
    every = [*seeds] * len(conditions)
    mixture = task.Mixture.of(conditions, len(seeds))
    shape = MLPConfig(
        inputs=training.dimension,
        hidden=training.hidden,
        outputs=training.dimension,
        depth=depth,
        activation=activation,  # type: ignore[arg-type]
        bias=training.bias,
    )
    model = MLP(shape, every).to(device)
    rotation = task.rotations(every, training.dimension).float().to(device)
    points = mixture.draw(training.points, every)[0].float().to(device)
    probes = task.embed(mixture.probes().float().to(device), rotation)
    batches = task.Epochs(points, training.batch, seeded(seeds[0], 4))
    steps = training.epochs * batches.per_epoch
    s = mixture.concepts
    milestones = {0, steps // 10, steps}
    at = sorted({*range(0, steps, training.stride), *milestones})
    # Filled in place: many small tensors kept between large short-lived ones cost gigabytes.
    outputs = torch.empty(len(at), *probes.shape[:2], s)
    losses = torch.empty(len(at), *probes.shape[:2])
    products: list[Tensor] = []

    @torch.no_grad()
    def look(step: int, model: nn.Module) -> None:
        output, row = model(probes), at.index(step)
        outputs[row] = (output @ rotation[:, :, :s]).cpu()
        losses[row] = ((output - probes).square().sum(-1) / 2).cpu()
        if step in milestones and activation == "linear":
            assert isinstance(model, MLP)
            products.append(model.product().detach().double().cpu())

    history = fit(
        model,
        lambda step: task.embed(batches(step), rotation),
        steps=steps,
        optimizer=torch.optim.SGD(model.parameters(), lr=training.learning_rate),
        checkpoints=at,
        on_checkpoint=look,
        loss=identity_loss,
        progress=progress,
    )
    before = torch.tensor([max(step - 1, 0) for step in at])
    return Run(
        at,
        outputs,
        losses,
        history.loss[before],
        points.cpu(),
        rotation.cpu(),
        products,
        model,
    )
