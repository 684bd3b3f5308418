"""Linear interpolation of algorithms (LIA): which mixture of the four algorithms is the network?

The weights w minimise |P_model - sum_a w_a P_a|^2 over all entries (sequence, position, next state)
of in-distribution sequences, with w >= 0 and sum(w) = 1. All that the fit needs are inner products,
so thousands of cells (member, step, context) are solved at once, and exactly: with four weights
there are only 15 possible supports.

Axis letters: A algorithm, C cell (any leading axes), E entries.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

# Keeps the equations of a support solvable when two algorithms coincide; relative to the scale of
# the inner products.
RIDGE = 1e-12
# Above this ratio of largest to smallest curvature on the simplex the weights are not identifiable.
LARGEST_CONDITION = 1e4


class InnerProducts(NamedTuple):
    """Means over entries: `gram[a, b]` = <P_a, P_b>, `cross[a]` = <P_a, P_model>, `power` =
    <P_model, P_model>.
    """

    gram: Float[Tensor, "*C A A"]
    cross: Float[Tensor, "*C A"]
    power: Float[Tensor, "*C"]

    def residual(self, weights: Float[Tensor, "*C A"]) -> Float[Tensor, "*C"]:
        """Root mean square of P_model - sum_a w_a P_a, in units of probability."""
        quadratic = torch.einsum("...a,...ab,...b->...", weights, self.gram, weights)
        return (self.power - 2 * (weights * self.cross).sum(-1) + quadratic).clamp_min(0).sqrt()


def inner_products(
    predicted: Sequence[Float[Tensor, "M A _"]], observed: Sequence[Float[Tensor, "M 1 _"]]
) -> InnerProducts:
    """Inner products of every member (M) and context (one list item each, with its own number of
    entries E).
    """
    pairs = list(zip(predicted, observed, strict=True))
    gram = torch.stack([p @ p.mT / p.shape[-1] for p, _ in pairs], dim=1)
    cross = torch.stack([(p @ o.mT)[..., 0] / p.shape[-1] for p, o in pairs], dim=1)
    power = torch.stack([o.square().mean(-1)[:, 0] for o in observed], dim=1)
    return InnerProducts(gram, cross, power)


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

    infinity if two algorithms make the same predictions, as all bigram and unigram pairs do after
    one token.
    """
    count = gram.shape[-1]
    ones = torch.ones(count, 1, dtype=gram.dtype, device=gram.device)
    differences = torch.linalg.qr(ones, mode="complete").Q[:, 1:]
    curvature = torch.linalg.eigvalsh(differences.T @ gram @ differences)
    smallest = curvature[..., 0]
    singular = smallest <= 1e-12 * curvature[..., -1]
    return torch.where(singular, torch.inf, curvature[..., -1] / smallest.clamp_min(1e-300))
