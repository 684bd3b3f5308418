"""Linear interpolation of predictors: which mixture of known predictors is a network?

The weights w minimise |P_network - sum_a w_a P_a|^2 over all entries (sequence, position,
outcome), with w >= 0 and sum(w) = 1. All that the fit needs are inner products, so thousands of
cells (member, step, context) are solved at once, and exactly: A predictors have 2^A - 1 possible
supports. Two predictors of three outcomes, and a network that answers halfway between them:

>>> known = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2]], dtype=torch.float64)
>>> fit = interpolate(known, known.mean(0))
>>> fit.weights, bool(fit.identifiable)
(tensor([0.5000, 0.5000], dtype=torch.float64), True)

Source: "linear interpolation of algorithms" in Park et al., Competition Dynamics Shape Algorithmic
Phases of In-Context Learning (ICLR 2025); the exact solution is ours.

Axis letters: A known predictors, C cell (any leading axes), E entries.
"""

from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Keeps the equations of a support solvable when two predictors coincide; relative to the scale of
# the inner products.
RIDGE = 1e-12
# Above this ratio of largest to smallest curvature on the simplex the weights mean nothing.
LARGEST_CONDITION = 1e4


class Fit(NamedTuple):
    """Weights, the root mean square of what they leave over (in units of probability), and how well
    the predictors can be told apart.

    Where `condition` exceeds `LARGEST_CONDITION` other weights fit as well: `identifiable` is
    false, and the weights must not be read.
    """

    weights: Float[Tensor, "*C A"]
    residual: Float[Tensor, "*C"]
    condition: Float[Tensor, "*C"]

    @property
    def identifiable(self) -> Bool[Tensor, "*C"]:
        return self.condition < LARGEST_CONDITION


def interpolate(known: Float[Tensor, "*C A E"], observed: Float[Tensor, "*C E"]) -> Fit:
    """The mixture of `known` predictions nearest to the `observed` ones, in every cell."""
    products = inner_products(known, observed)
    weights = simplex_least_squares(products.gram, products.cross)
    return Fit(weights, products.residual(weights), condition(products.gram))


class InnerProducts(NamedTuple):
    """Means over entries: `gram[a, b]` = <P_a, P_b>, `cross[a]` = <P_a, P_network>, `power` =
    <P_network, P_network>.
    """

    gram: Float[Tensor, "*C A A"]
    cross: Float[Tensor, "*C A"]
    power: Float[Tensor, "*C"]

    def residual(self, weights: Float[Tensor, "*C A"]) -> Float[Tensor, "*C"]:
        """Root mean square of P_network - sum_a w_a P_a."""
        quadratic = torch.einsum("...a,...ab,...b->...", weights, self.gram, weights)
        return (self.power - 2 * (weights * self.cross).sum(-1) + quadratic).clamp_min(0).sqrt()


def inner_products(
    known: Float[Tensor, "*C A E"], observed: Float[Tensor, "*C E"]
) -> InnerProducts:
    """All that a fit needs to know of the predictions."""
    entries = observed.shape[-1]
    gram = known @ known.mT / entries
    cross = (known @ observed[..., None])[..., 0] / entries
    return InnerProducts(gram, cross, observed.square().mean(-1))


def simplex_least_squares(
    gram: Float[Tensor, "*C A A"], cross: Float[Tensor, "*C A"]
) -> Float[Tensor, "*C A"]:
    """Exact minimiser of w'Gw - 2 w'h over the probability simplex, for every cell.

    For each support the equality-constrained problem is one linear system (weights and a Lagrange
    multiplier). The best of the solutions without a negative weight is the answer: the objective is
    convex and the optimum has some support.
    """
    count = cross.shape[-1]
    scale = gram.diagonal(dim1=-2, dim2=-1).mean(-1)
    best = torch.zeros_like(cross)
    lowest = torch.full_like(scale, torch.inf)
    for size in range(1, count + 1):
        for support in combinations(range(count), size):
            on = torch.tensor(support, device=gram.device)
            system = gram.new_zeros(*scale.shape, size + 1, size + 1)
            ridge = (
                RIDGE
                * scale[..., None, None]
                * torch.eye(size, dtype=gram.dtype, device=gram.device)
            )
            system[..., :size, :size] = gram[..., on[:, None], on] + ridge
            system[..., size, :size] = system[..., :size, size] = 1
            target = torch.cat([cross[..., on], torch.ones_like(scale)[..., None]], dim=-1)
            solution = torch.linalg.solve(system, target)[..., :size]
            weights = torch.zeros_like(cross).index_copy(-1, on, solution)
            value = torch.einsum("...a,...ab,...b->...", weights, gram, weights) - 2 * (
                weights * cross
            ).sum(-1)
            better = (solution >= 0).all(-1) & (value < lowest)
            best = torch.where(better[..., None], weights, best)
            lowest = torch.where(better, value, lowest)
    return best


def condition(gram: Float[Tensor, "*C A A"]) -> Float[Tensor, "*C"]:
    """Condition number of the fit within the simplex, where only differences of weights can change.

    Infinite if two predictors make the same predictions.
    """
    count = gram.shape[-1]
    ones = torch.ones(count, 1, dtype=gram.dtype, device=gram.device)
    differences = torch.linalg.qr(ones, mode="complete").Q[:, 1:]
    curvature = torch.linalg.eigvalsh(differences.T @ gram @ differences)
    smallest = curvature[..., 0]
    singular = smallest <= 1e-12 * curvature[..., -1]
    return torch.where(singular, torch.inf, curvature[..., -1] / smallest.clamp_min(1e-300))
