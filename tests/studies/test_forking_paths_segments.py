"""Exact segmentation against listing, densities and the best of all cuts."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthcore.studies.forking_paths import segments, theory


@given(
    st.integers(3, 10), st.integers(0, 4), st.integers(1, 4), st.integers(0, 10**6), st.booleans()
)
@settings(max_examples=80, deadline=None)
def test_posterior_equals_the_list_of_all_segmentations(
    length: int, m_max: int, min_length: int, seed: int, gaussian: bool
) -> None:
    if length < min_length:
        return
    rng = np.random.default_rng(seed)
    counts = torch.from_numpy(rng.gamma(1.0, 4.0, (2, length, 3)))
    if gaussian:
        y = torch.from_numpy(rng.normal(size=(2, length)))
        L = segments.gauss(y, torch.tensor([0.3], dtype=torch.float64), order=int(min_length > 1))[
            :, 0
        ]
    else:
        L = segments.dm(counts, 0.7)
    found = segments.posterior(L, m_max, min_length)
    for n in range(2):
        p_m, p_tau = theory.listed_posterior(L[n].numpy(), m_max, min_length)
        np.testing.assert_allclose(found.p_m[n], p_m, atol=1e-10)
        np.testing.assert_allclose(found.p_tau[n], p_tau, atol=1e-10)
        mean = theory.listed_mean(L[n].numpy(), counts[n].numpy(), 0.7, m_max, min_length)
        np.testing.assert_allclose(found.smoothed(counts, 0.7)[n], mean, atol=1e-10)


def test_evidence_of_a_segment_is_the_probability_of_its_counts() -> None:
    counts = torch.tensor([[[3.0, 1.0], [0.0, 2.0], [5.0, 5.0]]]).double()
    L = segments.dm(counts, 1.0)
    # one ordered sequence with these counts under a uniform prior: a! b! / (a + b + 1)!
    for s, e, (a, b) in ((0, 1, (3, 1)), (0, 2, (3, 3)), (1, 3, (5, 7))):
        exact = math.lgamma(a + 1) + math.lgamma(b + 1) - math.lgamma(a + b + 2)
        assert float(L[0, s, e]) == pytest.approx(exact, abs=1e-12)
    assert float(L[0, 2, 1]) == -math.inf


@pytest.mark.parametrize("order", [0, 1])
def test_gaussian_evidence_is_a_normal_density(order: int) -> None:
    rng = np.random.default_rng(order)
    y, s2, nu, length = rng.normal(size=9), 0.4, 1.7, 9
    L = segments.gauss(
        torch.from_numpy(y)[None], torch.tensor([s2], dtype=torch.float64), nu, order
    )[0, 0]
    for s, e in ((0, 9), (2, 7), (4, 6), (3, 4)):
        n = e - s
        t = np.arange(n) - (n - 1) / 2
        columns = [np.ones(n) * math.sqrt(length / n)]
        if order:
            size = math.sqrt(max((t**2).sum(), 1e-300))
            columns.append(t / size * math.sqrt(length) * (n > 1))
        X = np.stack(columns, 1)
        covariance = s2 * (np.eye(n) + X @ X.T / nu)
        exact = stats.multivariate_normal(np.zeros(n), covariance).logpdf(y[s:e])
        # a single position has no slope, but its prior factor stays
        slack = 0.5 * math.log(nu / (length + nu)) if order and n == 1 else 0.0
        assert float(L[s, e]) == pytest.approx(exact + slack, abs=1e-10)


def test_the_nuisance_parameter_is_summed_over() -> None:
    y = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 8)))
    s2 = torch.tensor([0.2, 0.9], dtype=torch.float64)
    both = segments.posterior(segments.gauss(y, s2), 2, 2, torch.tensor([0.3, 0.7]).log().double())
    weights, p_m = [], []
    for i, prior in enumerate((0.3, 0.7)):
        one = segments.posterior(segments.gauss(y, s2[i : i + 1]), 2, 2)
        ways = [segments.log_segmentations(8, m + 1, 2) for m in range(3)]
        evidence = [math.exp(float(one.forward[m, 0, 0, -1]) - ways[m]) for m in range(3)]
        weights.append(prior * sum(evidence))
        p_m.append(one.p_m[0].numpy())
    expected = np.average(p_m, 0, weights)
    np.testing.assert_allclose(both.p_m[0], expected, atol=1e-12)
    assert both.p_tau.sum() == pytest.approx(float((both.p_m * torch.arange(3)).sum()))


def test_what_cannot_be_has_probability_zero() -> None:
    found = segments.posterior(segments.dm(torch.ones(1, 5, 2).double()), 6, 3)
    assert found.p_m.tolist() == [[1, 0, 0, 0, 0, 0, 0]]
    assert found.p_tau.tolist() == [[0] * 5]


@given(st.integers(4, 11), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_best_cuts_are_the_best_of_all(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    L = segments.dm(torch.from_numpy(rng.gamma(1.0, 5.0, (1, length, 3))))

    def score(cuts: tuple[int, ...]) -> float:
        ends = (0, *cuts, length)
        if any(b - a < 2 for a, b in pairwise(ends)):
            return -math.inf
        return sum(float(L[0, a, b]) for a, b in pairwise(ends))

    every = [c for m in range(3) for c in combinations(range(1, length), m)]
    for m in range(3):
        if 2 * (m + 1) > length:
            continue
        cuts = segments.best_cuts(L, torch.tensor([m]), 2)[0].nonzero()[:, 0].tolist()
        best = max(score(c) for c in every if len(c) == m)
        assert score(tuple(cuts)) == pytest.approx(best)
    found = segments.penalised_cuts(L, 2.0, 2, 2)[0].nonzero()[:, 0].tolist()
    best = max(score(c) - 2.0 * len(c) for c in every)
    assert score(tuple(found)) - 2.0 * len(found) == pytest.approx(best)
