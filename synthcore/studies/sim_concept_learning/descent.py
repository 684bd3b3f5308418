"""Gradient descent on stored points, in float64, all members at once: the one-layer network and the
tied two-layer one.

Nothing here knows the closed forms: the loss is taken over the points and differentiated.

Axis letters: M member, N points, s inputs, d outputs, K measurements, S steps.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.studies.sim_concept_learning import task, theory
from synthcore.training.rehearsal import whole_or_rehearsed
from synthcore.training.seeding import seeded

Sample = Callable[[int], Tensor]


class Path(NamedTuple):
    """Weights W (f(x) = W x) after `step` updates, and after one more."""

    step: list[int]
    weights: Float[Tensor, "K M d s"]
    following: Float[Tensor, "K M d s"]

    def velocity(self, rate: float) -> Float[Tensor, "K M d s"]:
        """Finite difference dW/dt in the clock t = rate * step."""
        return (self.following - self.weights) / rate


def sample_loss(
    matrix: Float[Tensor, "M d s"], points: Float[Tensor, "M N s"]
) -> Float[Tensor, "M"]:
    """sum |W x - x|^2 / (2 N): summed over coordinates, averaged over points."""
    away = matrix - torch.eye(*matrix.shape[-2:], dtype=matrix.dtype)
    error = away @ points.mT  # points along the last axis: the fast layout for few coordinates
    return error.square().sum((-2, -1)) / (2 * points.shape[1])


def reduced_loss(
    matrix: Float[Tensor, "M d s"], moment: Float[Tensor, "M s s"]
) -> Float[Tensor, "M"]:
    """|(W - I) A^(1/2)|^2 / 2: the same number from the second moment alone."""
    error = matrix - torch.eye(*matrix.shape[-2:], dtype=matrix.dtype)
    return ((error @ moment) * error).sum((-2, -1)) / 2


def one_layer(
    start: Float[Tensor, "M d s"],
    points: Float[Tensor, "M N s"],
    rate: float,
    steps: int,
    at: Collection[int],
) -> Path:
    """f(x) = W x trained on all points at once. Columns of W beyond the first s never move and are
    left out.
    """
    along = points.mT.contiguous().mT
    return _descend(start, lambda w: w, lambda step: along, rate, steps, at)


def tied(
    start: Float[Tensor, "M s s"],
    points: Float[Tensor, "M N s"],
    rate: float,
    steps: int,
    at: Collection[int],
    batch: int | None = None,
    seed: int = 0,
) -> Path:
    """f(x) = U U^T x trained in U from U(0) = W(0)^(1/2), on all points or on batches of them.

    ValueError if W(0) is not positive definite, or if the step size is beyond 1 / (2 a_max).
    """
    moments = torch.diagonal(task.second_moment(points), dim1=-2, dim2=-1)
    theory.require_stable(rate, moments)
    sample: Sample = (
        (lambda step: points) if batch is None else task.Epochs(points, batch, seeded(seed, 3))
    )
    return _descend(theory.square_root(start), lambda u: u @ u.mT, sample, rate, steps, at)


def _descend(
    start: Tensor,
    matrix: Callable[[Tensor], Tensor],
    sample: Sample,
    rate: float,
    steps: int,
    at: Collection[int],
) -> Path:
    """`steps` updates; weights at the steps in `at`, each of which must be below `steps`."""
    order = sorted(set(at))
    row = {step: i for i, step in enumerate(order)}
    # Filled in place: small tensors kept between large short-lived ones cost gigabytes. What a
    # rehearsal does not reach is a straight line, which has a speed.
    line = torch.arange(1.0, len(order) + 1).to(start).view(-1, *[1] * start.ndim)
    weights = line.expand(-1, *start.shape).contiguous()
    following = torch.zeros_like(weights)
    parameter = start.clone().requires_grad_(True)

    def advance(first: int, end: int) -> Float[Tensor, "S M"]:
        losses = start.new_empty(end - first, len(start))
        for step in range(first, end):
            if step in row:
                weights[row[step]] = matrix(parameter.detach())
            if step - 1 in row:
                following[row[step - 1]] = matrix(parameter.detach())
            loss = sample_loss(matrix(parameter), sample(step))
            losses[step - first] = loss.detach()
            (gradient,) = torch.autograd.grad(loss.sum(), parameter)
            with torch.no_grad():
                parameter.sub_(rate * gradient)
        return losses

    whole_or_rehearsed(advance, steps, name="Descent", parameters=start.numel())
    last = matrix(parameter.detach())
    if steps - 1 in row:
        following[row[steps - 1]] = last
    if not bool(last.isfinite().all()):
        raise ValueError(f"training diverged: take a smaller step size than {rate:g}")
    return Path(order, weights, following)


def points_with_moment(a: Float[Tensor, "M s"]) -> Float[Tensor, "M s s"]:
    """s points whose second moment is exactly diag(a): data replaced by A."""
    return torch.diag_embed((a * a.shape[-1]).sqrt())
