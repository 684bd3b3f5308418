"""What an ideal learner would predict: the four algorithms, their distances, and closed forms.
float64 throughout.

Two questions give four algorithms. Which statistic of the context is used: single states (unigram)
or transitions (bigram)? And how: to recognise one of the N training chains (retrieval), or to
estimate the chain from the context alone (inference)? A fifth recognises the chain by one statistic
and predicts by the other.

Axis letters: A algorithm, M member, B sequences, T time, P positions, N chains, k states.
Prediction t uses tokens 0..t and is for token t+1.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from synthcore.studies.icl_markov.task import Mixture, draw_chains
from synthcore.studies.icl_markov.task import stationary as solve_stationary
from synthcore.training.seeding import seeded

ALGORITHMS = ("Uni-Ret", "Bi-Ret", "Uni-Inf", "Bi-Inf", "Hybrid-Ret")
FOUR = ALGORITHMS[:4]
"""The paper's four. The fifth recognises the chain by single states and then uses its rows."""


class Retrieval(NamedTuple):
    """Posterior over the training chains after each token, from single states and from transitions;
    the last axis is N.
    """

    unigram: Float[Tensor, "B T N"]
    bigram: Float[Tensor, "B T N"]


def posteriors(
    tokens: Int[Tensor, "B T"],
    transitions: Float[Tensor, "N k k"],
    stationary: Float[Tensor, "N k"],
    weights: Float[Tensor, "N"],
) -> Retrieval:
    """w_n ∝ p_n prod_u pi_n(x_u), and w_n ∝ p_n pi_n(x_0) prod_u T_n[x_{u-1}, x_u].

    Both see exactly the tokens 0..t, so after one token they are equal. Logarithms are summed in
    float64: hundreds of factors underflow otherwise.
    """
    k = stationary.shape[-1]
    prior = weights.log()
    log_pi = stationary.clamp_min(1e-300).log().T  # (k, N)
    log_t = transitions.clamp_min(1e-300).log().flatten(1).T  # (k*k, N)
    unigram = log_pi[tokens].cumsum(1)
    steps = log_t[tokens[:, :-1] * k + tokens[:, 1:]]
    bigram = torch.cat([log_pi[tokens[:, :1]], steps], dim=1).cumsum(1)
    return Retrieval((prior + unigram).softmax(-1), (prior + bigram).softmax(-1))


def unigram_counts(tokens: Int[Tensor, "*B T"], states: int) -> Float[Tensor, "*B T k"]:
    """m_j: how often each state occurs among tokens 0..t."""
    return F.one_hot(tokens, states).double().cumsum(-2)


def bigram_counts(tokens: Int[Tensor, "*B T"], states: int) -> Float[Tensor, "*B T k k"]:
    """n_ij: how often state j followed state i among tokens 0..t."""
    pairs = F.one_hot(tokens[..., :-1] * states + tokens[..., 1:], states * states)
    counts = F.pad(pairs.double().cumsum(-2), (0, 0, 1, 0))
    return counts.unflatten(-1, (states, states))


def current_row(
    matrix: Float[Tensor, "*B T k k"], tokens: Int[Tensor, "*B T"]
) -> Float[Tensor, "*B T k"]:
    """The row of each matrix that belongs to the current state x_t."""
    index = tokens[..., None, None].expand(*tokens.shape, 1, matrix.shape[-1])
    return matrix.gather(-2, index).squeeze(-2)


def predictions(
    tokens: Int[Tensor, "B T"],
    transitions: Float[Tensor, "N k k"],
    stationary: Float[Tensor, "N k"],
    weights: Float[Tensor, "N"],
) -> Float[Tensor, "5 B T k"]:
    """P(next state) by each of `ALGORITHMS`.

    - Uni-Ret: sum_n w_n pi_n(j) with the unigram posterior.
    - Bi-Ret: sum_n w_n T_n[x_t, j] with the bigram posterior: the exact Bayes predictor of the
      training mixture. No predictor has a lower expected loss in distribution.
    - Uni-Inf: (m_j + 1) / (t + 1 + k).
    - Bi-Inf: (n_{x_t j} + 1) / (n_{x_t} + k): the posterior mean of the row under its Dirichlet(1)
      prior, hence the limit of Bi-Ret for N -> infinity (up to the information in x_0).
    - Hybrid-Ret: sum_n w_n T_n[x_t, j] with the unigram posterior (`bayes_ul_bp` in the release).
    """
    k = stationary.shape[-1]
    posterior = posteriors(tokens, transitions, stationary, weights)
    uni_ret = posterior.unigram @ stationary
    rows = transitions.flatten(1)
    mean_matrix = (posterior.bigram @ rows).unflatten(-1, (k, k))
    hybrid_matrix = (posterior.unigram @ rows).unflatten(-1, (k, k))
    uni_inf = unigram_counts(tokens, k) + 1
    bi_inf = current_row(bigram_counts(tokens, k), tokens) + 1
    return torch.stack(
        [
            uni_ret,
            current_row(mean_matrix, tokens),
            uni_inf / uni_inf.sum(-1, keepdim=True),
            bi_inf / bi_inf.sum(-1, keepdim=True),
            current_row(hybrid_matrix, tokens),
        ]
    )


def of_every_member(mixture: Mixture, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "A M B T k"]:
    """`predictions` for every member without its padding, in parts that bound memory."""
    answers = []
    for member, sequences in enumerate(tokens):
        real = mixture.weights[member] > 0
        chains = (
            mixture.transitions[member, real],
            mixture.stationary[member, real],
            mixture.weights[member, real],
        )
        at_once = max(1, int(2e7) // (sequences.shape[1] * int(real.sum())))
        parts = [predictions(part, *chains) for part in sequences.split(at_once)]
        answers.append(torch.cat(parts, dim=1))
    return torch.stack(answers, dim=1)


def true_rows(
    chains: Float[Tensor, "M B k k"], tokens: Int[Tensor, "M B P"]
) -> Float[Tensor, "M B P k"]:
    """The row of each sequence's chain that belongs to each of its tokens."""
    index = tokens[..., None].expand(*tokens.shape, chains.shape[-1])
    return chains.gather(-2, index)


def surprisal(
    predicted: Float[Tensor, "*A M B T k"], tokens: Int[Tensor, "M B T"]
) -> Float[Tensor, "*A M B T1"]:
    """-ln P(next token) in nats at positions 0..T-2."""
    following = tokens[..., 1:, None].expand(*predicted.shape[:-2], -1, 1)
    return -predicted[..., :-1, :].gather(-1, following).squeeze(-1).clamp_min(1e-300).log()


def stationary_of_counts(tokens: Int[Tensor, "B T"], states: int) -> Float[Tensor, "B k"]:
    """Uni-Inf as the official code computes it: the stationary distribution of the matrix of
    add-one bigram frequencies.

    It differs from counting states by less than 0.003 nats at 400 tokens, by about 0.03 at the
    first.
    """
    counts = bigram_counts(tokens, states)[:, -1] + 1
    return solve_stationary(counts / counts.sum(-1, keepdim=True))


def kl(
    left: Float[Tensor, "... k"], right: Float[Tensor, "... k"], floor: float = 1e-8
) -> Float[Tensor, "..."]:
    """D(left || right) in nats, summed over the last axis. Claims use left = estimate, right =
    truth; `floor` guards both logarithms alike, so that nothing diverges from itself.
    """
    return (torch.special.xlogy(left, left + floor) - left * (right + floor).log()).sum(-1)


# --- closed forms for rows drawn from Dirichlet(1, ..., 1); nats
# -----------------------------------------------------------------


def harmonic(n: int) -> float:
    """H_n = 1 + 1/2 + ... + 1/n."""
    return math.fsum(1 / i for i in range(1, n + 1))


def row_entropy(k: int) -> float:
    """Expected entropy of a row: H_k - 1."""
    return harmonic(k) - 1


def kl_uniform_to_row(k: int) -> float:
    """Expected D(uniform || row): H_{k-1} - ln k. What a predictor without context loses, in the
    estimate-to-truth direction.
    """
    return harmonic(k - 1) - math.log(k)


def kl_row_to_uniform(k: int) -> float:
    """Expected D(row || uniform): ln k - (H_k - 1)."""
    return math.log(k) - row_entropy(k)


def _visit_law(n: int, k: int) -> tuple[Float[Tensor, "n1"], Float[Tensor, "n1"]]:
    """P(m) = C(n-m+k-2, k-2) / C(n+k-1, k-1), the Polya law of one successor's count after n
    visits, and q_m = (m+1)/(n+k).
    """
    m = torch.arange(n + 1, dtype=torch.float64)
    log_p = (
        torch.lgamma(n - m + k - 1) - torch.lgamma(n - m + 1) - math.lgamma(k - 1)
        - (math.lgamma(n + k) - math.lgamma(n + 1) - math.lgamma(k))
    )  # fmt: skip
    return log_p.exp(), (m + 1) / (n + k)


def kl_truth_to_bi_inf(n: int, k: int) -> float:
    """Expected D(row || Bi-Inf) after n earlier visits to the row: ln(n+k) - k sum_m P(m) q_m
    ln(m+1) - (H_k - 1).
    """
    p, q = _visit_law(n, k)
    return math.log(n + k) - k * float((p * q * (q * (n + k)).log()).sum()) - row_entropy(k)


def kl_bi_inf_to_truth(n: int, k: int) -> float:
    """Expected D(Bi-Inf || row) after n earlier visits: k sum_m P(m) q_m [ln q_m - psi(m+1) +
    psi(n+k)].
    """
    p, q = _visit_law(n, k)
    m1 = q * (n + k)
    return k * float(
        (p * q * (q.log() - torch.digamma(m1) + torch.digamma(torch.tensor(float(n + k))))).sum()
    )


def simulate(states: int, seeds: Sequence[int], rows: int = 4000) -> xr.Dataset:
    """Closed forms against simulation: mean over `rows` drawn rows per seed, its standard error,
    and the exact value, in nats. Bi-Inf sees a row that was visited exactly 5 and 20 times.
    """
    exact = {
        "row entropy": row_entropy(states),
        "D(uniform || row)": kl_uniform_to_row(states),
        "D(row || uniform)": kl_row_to_uniform(states),
    }
    for n in (5, 20):
        exact[f"D(row || Bi-Inf), n = {n}"] = kl_truth_to_bi_inf(n, states)
        exact[f"D(Bi-Inf || row), n = {n}"] = kl_bi_inf_to_truth(n, states)
    drawn = np.stack([_simulated(states, seeded(seed, "closed forms"), rows) for seed in seeds])
    return xr.Dataset(
        {
            "simulated": (("seed", "quantity"), drawn.mean(-1), {"units": "nats"}),
            "error": (
                ("seed", "quantity"),
                drawn.std(-1, ddof=1) / math.sqrt(rows),
                {"units": "nats"},
            ),
            "exact": (("quantity",), list(exact.values()), {"units": "nats"}),
        },
        {
            "seed": ("seed", list(seeds), {"units": "1"}),
            "quantity": ("quantity", list(exact), {"units": "1"}),
        },
    )


def _simulated(states: int, generator: torch.Generator, rows: int) -> np.ndarray:
    """Every quantity (in the order of `simulate`) of every drawn row."""
    row = draw_chains((rows,), states, generator)[:, 0]
    uniform = torch.full_like(row, 1 / states)
    values = [torch.special.entr(row).sum(-1), kl(uniform, row, 0), kl(row, uniform, 0)]
    for n in (5, 20):
        visits = torch.multinomial(row, n, replacement=True, generator=generator)
        estimate = F.one_hot(visits, states).sum(-2).add(1).double() / (n + states)
        values += [kl(row, estimate, 0), kl(estimate, row, 0)]
    simulated: np.ndarray = torch.stack(values).numpy()
    return simulated
