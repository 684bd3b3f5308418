"""Which algorithm is the network running? A mixture of policies, fitted to its answers.

Each answer is taken to come from one policy of a list, with weights w, or to be uniform over the
plausible numbers. Where policies agree on a text, the text does not tell them apart; the weights
are identified by the texts on which they differ. An answer's likelihood depends only on which
policies it agrees with, so that answers are counted by this pattern first. Maximum likelihood by
EM; the likelihood is concave in w.

Axis letters: M member, B texts, P policies with the uniform one last, K patterns (2 ** (P - 1)).
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


def patterns(said: Int[Tensor, "M B"], answers: Int[Tensor, "policy B"]) -> Float[Tensor, "M K"]:
    """How many answers agree with exactly this set of policies; bit i of K stands for policy i."""
    agree = said[:, None] == answers
    code = (agree.long() << torch.arange(len(answers))[:, None]).sum(1)
    return torch.nn.functional.one_hot(code, 2 ** len(answers)).double().sum(1)


def fit_mixture(
    counts: Float[Tensor, "M K"], classes: int, steps: int = 3000, tolerance: float = 1e-10
) -> Float[Tensor, "M P"]:
    """Weights of largest likelihood; `classes` plausible numbers share the uniform policy.

    >>> n = torch.arange(6).repeat(50)
    >>> answers = policy_answers(n, 5 - n, modal=2)
    >>> said = torch.where(torch.arange(300) < 240, n + 1, 5 - n)[None]   # 80 % count a + 1
    >>> fit_mixture(patterns(said, answers), 7)[0].round(decimals=1).tolist()
    [0.2, 0.0, 0.8, 0.0, 0.0]
    """
    policies = counts.shape[1].bit_length() - 1
    code = torch.arange(counts.shape[1])[:, None]
    agree = (code >> torch.arange(policies)) & 1
    likelihood = torch.cat([agree.double(), torch.full((len(code), 1), 1 / classes).double()], 1)
    share = counts / counts.sum(1, keepdim=True)
    weights = torch.full((len(counts), policies + 1), 1 / (policies + 1), dtype=torch.double)
    for _ in range(steps):
        mixture = weights @ likelihood.T  # (M, K)
        updated = weights * ((share / mixture.clamp(min=1e-300)) @ likelihood)
        moved = float((updated - weights).abs().max())
        weights = updated
        if moved < tolerance:
            break
    return weights


def interval(
    counts: Float[Tensor, "M K"], classes: int, generator: torch.Generator, draws: int = 200
) -> Float[Tensor, "end M P"]:
    """95 % intervals of the weights, by resampling texts."""
    members, kinds = counts.shape
    size = int(counts[0].sum())
    drawn = torch.multinomial(counts.repeat(draws, 1), size, replacement=True, generator=generator)
    again = torch.nn.functional.one_hot(drawn, kinds).double().sum(1)
    fitted = fit_mixture(again, classes, steps=1000, tolerance=1e-7).view(draws, members, -1)
    return fitted.quantile(torch.tensor([0.025, 0.975], dtype=torch.double), dim=0)
