"""Interpolation of predictors against scipy and planted mixtures."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from synthcore.interp import interpolation


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_simplex_least_squares_agrees_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    P, target = rng.dirichlet(np.ones(6), size=(4, 5)).reshape(4, -1), rng.random(30)
    gram, cross = P @ P.T / 30, P @ target / 30
    ours = interpolation.simplex_least_squares(torch.tensor(gram), torch.tensor(cross)).numpy()
    theirs = optimize.minimize(
        lambda w: w @ gram @ w - 2 * w @ cross,
        np.full(4, 0.25),
        jac=lambda w: 2 * (gram @ w - cross),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(1)
    assert ours @ gram @ ours - 2 * ours @ cross <= theirs.fun + 1e-9


def test_condition_knows_when_predictors_coincide() -> None:
    P = torch.rand(4, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert float(interpolation.condition(P @ P.T)) < 1e4
    P[3] = P[1]
    assert float(interpolation.condition(P @ P.T)) == math.inf


def test_a_fit_says_when_its_weights_mean_nothing() -> None:
    P = torch.rand(2, 3, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    P[1, 2] = P[1, 0]
    fit = interpolation.interpolate(P, P.mean(1))
    assert fit.identifiable.tolist() == [True, False]
    assert float(fit.residual.max()) < 1e-7
