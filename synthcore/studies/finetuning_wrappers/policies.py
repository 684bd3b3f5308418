"""Which algorithm is the network running? A mixture of policies, fitted to its answers.

Each answer is taken to come from one policy of a list with weights w, or to be uniform over the
numbers that are plausible answers. Where policies agree on a text it does not tell them apart; the
weights are identified by the texts on which they differ. Maximum likelihood by EM; the likelihood
is concave in w.

Axis letters: M member, B texts, P policies, the last of which is the uniform one.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

POLICIES = ("count b", "count a", "count a + 1", "modal", "other")


def policy_answers(
    n_a: Int[Tensor, "B"], n_b: Int[Tensor, "B"], modal: int
) -> Int[Tensor, "policy B"]:
    """What each policy but the uniform one answers."""
    return torch.stack([n_b, n_a, n_a + 1, torch.full_like(n_a, modal)])


def likelihoods(
    said: Int[Tensor, "M B"], answers: Int[Tensor, "policy B"], classes: int
) -> Float[Tensor, "M B P"]:
    """P(answer | policy): 0 or 1, and 1 / classes for the uniform policy."""
    agree = (said[:, None] == answers).double().transpose(1, 2)
    uniform = torch.full_like(agree[..., :1], 1 / classes)
    return torch.cat([agree, uniform], -1)


def fit_mixture(
    likelihood: Float[Tensor, "M B P"], steps: int = 2000, tolerance: float = 1e-9
) -> Float[Tensor, "M P"]:
    """Weights of largest likelihood.

    >>> n = torch.arange(6).repeat(50)
    >>> answers = policy_answers(n, 5 - n, modal=2)
    >>> said = torch.where(torch.arange(300) < 240, n + 1, 5 - n)[None]   # 80 % count a + 1
    >>> fit_mixture(likelihoods(said, answers, 7))[0].round(decimals=1).tolist()
    [0.2, 0.0, 0.8, 0.0, 0.0]
    """
    members, _, policies = likelihood.shape
    weights = torch.full((members, policies), 1 / policies, dtype=torch.double)
    for _ in range(steps):
        share = likelihood * weights[:, None]
        responsible = share / share.sum(-1, keepdim=True)
        updated = responsible.mean(1)
        moved = float((updated - weights).abs().max())
        weights = updated
        if moved < tolerance:
            break
    return weights


def interval(
    likelihood: Float[Tensor, "M B P"], generator: torch.Generator, draws: int = 200
) -> Float[Tensor, "M P end"]:
    """95 % intervals of the weights, by resampling texts."""
    texts = likelihood.shape[1]
    found = []
    for _ in range(draws):
        pick = torch.randint(texts, (texts,), generator=generator)
        found.append(fit_mixture(likelihood[:, pick], steps=300, tolerance=1e-6))
    ends = torch.tensor([0.025, 0.975], dtype=torch.double)
    return torch.stack(found).quantile(ends, dim=0).permute(1, 2, 0)
