"""Exact segmentation against listing, densities and the best of all cuts."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthcore.changepoints import (
    best_cuts,
    conservative,
    detected,
    dirichlet_multinomial,
    gaussian,
    gaussian_posterior,
    listing,
    penalised_cuts,
    posterior,
    quality,
)
from synthcore.changepoints.posterior import log_segmentations
from synthcore.changepoints.scores import Quality


@given(
    st.integers(1, 10), st.integers(0, 4), st.integers(1, 4), st.integers(0, 10**6), st.booleans()
)
@settings(max_examples=80, deadline=None)
def test_posterior_equals_the_list_of_all_segmentations(
    length: int, m_max: int, min_length: int, seed: int, real: bool
) -> None:
    rng = np.random.default_rng(seed)
    counts = torch.from_numpy(rng.gamma(1.0, 4.0, (2, length, 3)))
    if real:
        y = torch.from_numpy(rng.normal(size=(2, length)))
        L = gaussian(y, torch.tensor([0.3], dtype=torch.float64), order=int(min_length > 1))[:, 0]
    else:
        L = dirichlet_multinomial(counts, 0.7)
    found = posterior(L, m_max, min_length)
    for n in range(2):
        p_m, p_tau = listing.listed_posterior(L[n].numpy(), m_max, min_length)
        np.testing.assert_allclose(found.p_m[n], p_m, atol=1e-10)
        np.testing.assert_allclose(found.p_tau[n], p_tau, atol=1e-10)
        mean = listing.listed_mean(L[n].numpy(), counts[n].numpy(), 0.7, m_max, min_length)
        np.testing.assert_allclose(found.smoothed(counts, 0.7)[n], mean, atol=1e-10)


def test_evidence_of_a_segment_is_the_probability_of_its_counts() -> None:
    counts = torch.tensor([[[3.0, 1.0], [0.0, 2.0], [5.0, 5.0]]]).double()
    L = dirichlet_multinomial(counts, 1.0)
    # one ordered sequence with these counts under a uniform prior: a! b! / (a + b + 1)!
    for s, e, (a, b) in ((0, 1, (3, 1)), (0, 2, (3, 3)), (1, 3, (5, 7))):
        exact = math.lgamma(a + 1) + math.lgamma(b + 1) - math.lgamma(a + b + 2)
        assert float(L[0, s, e]) == pytest.approx(exact, abs=1e-12)
    assert float(L[0, 2, 1]) == -math.inf


@pytest.mark.parametrize("order", [0, 1])
def test_gaussian_evidence_is_a_normal_density(order: int) -> None:
    rng = np.random.default_rng(order)
    y, s2, nu, length = rng.normal(size=9), 0.4, 1.7, 9
    L = gaussian(torch.from_numpy(y)[None], torch.tensor([s2], dtype=torch.float64), nu, order)[
        0, 0
    ]
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
    both = posterior(gaussian(y, s2), 2, 2, torch.tensor([0.3, 0.7]).log().double())
    weights, p_m = [], []
    for i, prior in enumerate((0.3, 0.7)):
        one = posterior(gaussian(y, s2[i : i + 1]), 2, 2)
        ways = [log_segmentations(8, m + 1, 2) for m in range(3)]
        evidence = [math.exp(float(one.forward[m, 0, 0, -1]) - ways[m]) for m in range(3)]
        weights.append(prior * sum(evidence))
        p_m.append(one.p_m[0].numpy())
    expected = np.average(p_m, 0, weights)
    np.testing.assert_allclose(both.p_m[0], expected, atol=1e-12)
    assert both.p_tau.sum() == pytest.approx(float((both.p_m * torch.arange(3)).sum()))


def test_what_cannot_be_has_probability_zero() -> None:
    found = posterior(dirichlet_multinomial(torch.ones(1, 5, 2).double()), 6, 3)
    assert found.p_m.tolist() == [[1, 0, 0, 0, 0, 0, 0]]
    assert found.p_tau.tolist() == [[0] * 5]


@given(st.integers(4, 11), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_best_cuts_are_the_best_of_all(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    L = dirichlet_multinomial(torch.from_numpy(rng.gamma(1.0, 5.0, (1, length, 3))))

    def score(cuts: tuple[int, ...]) -> float:
        ends = (0, *cuts, length)
        if any(b - a < 2 for a, b in pairwise(ends)):
            return -math.inf
        return sum(float(L[0, a, b]) for a, b in pairwise(ends))

    every = [c for m in range(3) for c in combinations(range(1, length), m)]
    for m in range(3):
        if 2 * (m + 1) > length:
            continue
        cuts = best_cuts(L, torch.tensor([m]), 2)[0].nonzero()[:, 0].tolist()
        best = max(score(c) for c in every if len(c) == m)
        assert score(tuple(cuts)) == pytest.approx(best)
    found = penalised_cuts(L, 2.0, 2, 2)[0].nonzero()[:, 0].tolist()
    best = max(score(c) - 2.0 * len(c) for c in every)
    assert score(tuple(found)) - 2.0 * len(found) == pytest.approx(best)


@pytest.mark.parametrize("length", range(1, 6))
def test_a_series_too_short_for_two_segments_has_no_change(length: int) -> None:
    counts = torch.tensor([[[30.0, 0.0]] * (length // 2) + [[0.0, 30.0]] * (length - length // 2)])
    found = posterior(dirichlet_multinomial(counts.double()))
    assert found.p_m.tolist() == [[1, 0, 0, 0, 0, 0, 0]]
    assert found.p_tau.tolist() == [[0] * length]
    assert not detected(found).any()
    smooth = found.smoothed(counts.double())
    assert bool(smooth.isfinite().all())
    assert float(gaussian_posterior(counts[..., 0].double()).any[0]) < 1e-12


def test_a_certain_change_needs_three_positions_on_each_side() -> None:
    counts = torch.tensor([[[30.0, 0.0]] * 3 + [[0.0, 30.0]] * 3]).double()
    found = posterior(dirichlet_multinomial(counts))
    assert float(found.any[0]) > 0.999
    assert detected(found)[0].nonzero()[:, 0].tolist() == [3]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ([[[0.5, 0.5], [0.2, 0.8]]], "These are shares"),
        ([[[3.0], [4.0]]], "Counts of one outcome say nothing"),
        ([[[3.0, math.nan]]], "must be finite"),
        ([[[3.0, -1.0]]], "not negative"),
    ],
)
def test_what_is_no_count_is_refused(counts: list[list[list[float]]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        dirichlet_multinomial(torch.tensor(counts))


def test_single_draws_are_counts() -> None:
    """Each position has one draw: rows that sum to one, but whole numbers."""
    draws = torch.eye(2)[[0] * 12 + [1] * 12][None].double()
    assert float(posterior(dirichlet_multinomial(draws)).any[0]) > 0.9


def test_a_missing_value_in_a_series_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        gaussian_posterior(torch.tensor([[0.1, math.nan, 0.3]]))


def test_the_posterior_is_calibrated_where_its_prior_is_true() -> None:
    """Segmentations and distributions drawn from the prior: stated probabilities are frequencies.

    400 series; the sum of a stated probability and the number of times it comes true differ by a
    martingale with variance sum p (1 - p).
    """
    rng = np.random.default_rng(0)
    length, most, least, series = 14, 2, 3, 400
    admissible = {
        m: [
            ends
            for cuts in combinations(range(1, length), m)
            for ends in [(0, *cuts, length)]
            if all(b - a >= least for a, b in pairwise(ends))
        ]
        for m in range(most + 1)
    }
    counts, m_true = np.zeros((series, length, 3)), rng.integers(most + 1, size=series)
    changed = np.zeros((series, length), bool)
    for n, m in enumerate(m_true):
        ends = admissible[int(m)][rng.integers(len(admissible[int(m)]))]
        changed[n, list(ends[1:-1])] = True
        for a, b in pairwise(ends):
            counts[n, a:b] = rng.multinomial(10, rng.dirichlet(np.ones(3)), b - a)
    found = posterior(dirichlet_multinomial(torch.from_numpy(counts)), most, least)
    said = np.concatenate([found.p_m.numpy(), found.p_tau.numpy()[:, 1:]], 1)
    true = np.concatenate([np.eye(most + 1)[m_true], changed[:, 1:]], 1)
    for low, high in pairwise((0.0, 0.05, 0.3, 0.7, 0.95, 1.0)):
        here = (said >= low) & (said <= high)
        spread = math.sqrt((said * (1 - said))[here].sum()) + 0.5
        assert abs(said[here].sum() - true[here].sum()) < 4 * spread, (low, high)


def test_scores_of_a_perfect_and_of_a_blind_detector() -> None:
    true = torch.zeros(2, 20, dtype=torch.bool)
    true[0, 8] = true[0, 14] = True
    assert quality(true, true) == Quality(precision=1.0, recall=1.0, spurious=0.0)
    near = true.roll(1, 1)
    near[1, 5] = True
    assert quality(near, true) == Quality(precision=2 / 3, recall=1.0, spurious=0.5)
    assert quality(near, true, tolerance=0).recall == 0
    assert math.isnan(quality(torch.zeros_like(true), true).precision)


def test_a_cautious_count_is_one_where_the_bayes_factor_is_nine() -> None:
    p_m = torch.tensor([[0.099, 0.901, 0.0], [0.101, 0.0, 0.899], [0.0, 0.05, 0.95]])
    assert conservative(p_m).tolist() == [1, 0, 2]
