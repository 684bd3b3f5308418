"""Change points: where does a series change its law, and how sure is that? No sampling, no tuning.

Outcomes of 20 draws at each of 40 positions; at position 25 their distribution changes::

    import torch

    from synthcore.changepoints import detected, dirichlet_multinomial, posterior

    before, after = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.2, 0.2, 0.6])
    share = torch.where(torch.arange(40)[:, None] < 25, before, after)
    drawn = torch.multinomial(share, 20, replacement=True)
    counts = torch.nn.functional.one_hot(drawn, 3).sum(1).double()

    found = posterior(dirichlet_multinomial(counts[None]))  # the first axis is series
    print(found.p_m[0])  # P(0, 1, ... 6 change points | counts)
    print(detected(found)[0].nonzero())  # where: 25, or a neighbour
    print(found.smoothed(counts[None])[0, 0])  # outcomes at the start, over all segmentations

`evidence` says how well a segment fits, of counts or of real numbers; `posterior` sums over all
segmentations, `listing` does so by writing them out, and `scores` compares with a truth.
"""

from synthcore.changepoints.evidence import dirichlet_multinomial, gaussian
from synthcore.changepoints.posterior import (
    Posterior,
    best_cuts,
    gaussian_posterior,
    penalised_cuts,
    posterior,
)
from synthcore.changepoints.scores import conservative, detected, quality, true_changes

__all__ = [
    "Posterior",
    "best_cuts",
    "conservative",
    "detected",
    "dirichlet_multinomial",
    "gaussian",
    "gaussian_posterior",
    "penalised_cuts",
    "posterior",
    "quality",
    "true_changes",
]
