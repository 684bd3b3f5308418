"""Closed forms of the editors against brute force: Lagrange conditions, a numerical optimiser, the
systems of the papers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from synthcore.editing import Update
from synthcore.editing import updates as closed


def problem(seed: int, hidden: int = 5, width: int = 3, at_once: int = 1) -> dict[str, Tensor]:
    draw = np.random.default_rng(seed)
    root = draw.normal(size=(hidden, hidden))
    return {
        "C": torch.tensor((root @ root.T + 0.1 * np.eye(hidden))[None]),
        "key": torch.tensor(draw.normal(size=(1, 1, at_once, hidden))),
        "residual": torch.tensor(draw.normal(size=(1, 1, at_once, width))),
    }


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_rome_meets_its_constraint_with_the_least_change(seed: int) -> None:
    """Against the linear system of the Lagrange conditions of min tr(D C D^T), D k = r."""
    p = problem(seed)
    left, right, overlap = closed.rome(p["C"], p["key"], p["key"], p["residual"])
    change = Update(left, right).matrix[0, 0].T.numpy()  # (D, K)
    C, k, r = p["C"][0].numpy(), p["key"][0, 0, 0].numpy(), p["residual"][0, 0, 0].numpy()
    np.testing.assert_allclose(change @ k, r, atol=1e-9)
    K = len(k)
    for row, wanted in zip(change, r, strict=True):
        system = np.block([[2 * C, k[:, None]], [k[None], np.zeros((1, 1))]])
        best = np.linalg.solve(system, np.append(np.zeros(K), wanted))[:K]
        np.testing.assert_allclose(row, best, atol=1e-7)
    whitened = np.linalg.solve(C, k)
    assert float(overlap) == pytest.approx(k @ whitened / np.linalg.norm(whitened))


def test_rome_is_what_a_numerical_optimiser_finds() -> None:
    p = problem(3, hidden=4, width=2)
    C, k, r = p["C"][0].numpy(), p["key"][0, 0, 0].numpy(), p["residual"][0, 0, 0].numpy()
    found = minimize(
        lambda d: float(np.trace(d.reshape(2, 4) @ C @ d.reshape(2, 4).T)),
        np.zeros(8),
        constraints={"type": "eq", "fun": lambda d: d.reshape(2, 4) @ k - r},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    left, right, _ = closed.rome(p["C"], p["key"], p["key"], p["residual"])
    np.testing.assert_allclose(Update(left, right).matrix[0, 0].T, found.x.reshape(2, 4), atol=1e-5)


@given(seed=st.integers(0, 10_000), at_once=st.integers(1, 4), weight=st.floats(0.01, 10))
@settings(max_examples=25, deadline=None)
def test_memit_is_the_ridge_regression_of_the_paper(seed: int, at_once: int, weight: float) -> None:
    p = problem(seed, at_once=at_once)
    left, right = closed.memit(p["C"], p["key"], p["residual"], weight)
    K, R = p["key"][0, 0].T, p["residual"][0, 0].T  # (hidden, F), (width, F)
    expected = R @ K.T @ torch.linalg.inv(weight * p["C"][0] + K @ K.T)
    torch.testing.assert_close(Update(left, right).matrix[0, 0].T, expected, rtol=1e-6, atol=1e-8)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_one_fact_of_memit_is_a_shrunken_rome(seed: int) -> None:
    p = problem(seed)
    left, right, _ = closed.rome(p["C"], p["key"], p["key"], p["residual"])
    full = Update(left, right).matrix
    q = float((p["key"] * closed.solve(p["C"], p["key"])).sum())
    for weight in (1e-9, 0.3, 50.0):
        small = Update(*closed.memit(p["C"], p["key"], p["residual"], weight)).matrix
        torch.testing.assert_close(small, q / (weight + q) * full, rtol=1e-6, atol=1e-9)


@given(seed=st.integers(0, 10_000), at_once=st.integers(1, 3), earlier=st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_alphaedit_solves_its_system_and_leaves_preserved_keys_alone(
    seed: int, at_once: int, earlier: int
) -> None:
    p = problem(seed, at_once=at_once)
    P = closed.null_space_projector(p["C"], 0.6)  # 3 of 5
    before = problem(seed + 1, at_once=max(earlier, 1))["key"] if earlier else None
    left, right = closed.alphaedit(P, p["key"], p["residual"], 0.1, before)
    change = Update(left, right).matrix[0, 0].T
    K, R, Q = p["key"][0, 0].T, p["residual"][0, 0].T, P[0]
    power = ((Q @ K) * K).sum(0)
    level = 0.1 * power.median()
    old = torch.zeros(5, 0, dtype=torch.float64) if before is None else before[0, 0].T
    system = Q @ (K @ K.T + old @ old.T) + level * torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(
        change, torch.linalg.solve(system, Q @ K @ R.T).T, rtol=1e-6, atol=1e-8
    )
    _, vectors = torch.linalg.eigh(p["C"][0])
    assert (change @ vectors[:, 3:]).abs().max() < 1e-10  # the loud directions
    assert torch.linalg.matrix_rank(Q) == 3


@given(seed=st.integers(0, 10_000), at_once=st.integers(1, 4), weight=st.floats(0.01, 10))
@settings(max_examples=15, deadline=None)
def test_memit_is_the_least_squares_of_old_and_new_keys(
    seed: int, at_once: int, weight: float
) -> None:
    """min |Delta K - R|^2 + weight tr(Delta C Delta^T), stacked as rows and given to lstsq."""
    p = problem(seed, at_once=at_once)
    C, K, R = p["C"][0].numpy(), p["key"][0, 0].numpy(), p["residual"][0, 0].numpy()
    old = np.sqrt(weight) * np.linalg.cholesky(C).T  # old^T old = weight C
    rows = np.vstack([K, old])
    wanted = np.vstack([R, np.zeros((len(C), R.shape[1]))])
    best = np.linalg.lstsq(rows, wanted)[0]
    left, right = closed.memit(p["C"], p["key"], p["residual"], weight)
    np.testing.assert_allclose(Update(left, right).matrix[0, 0], best, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("square_root", [False, True])
def test_a_residual_is_spread_over_blocks(square_root: bool) -> None:
    """MEMIT: were every block to add its share to the last, nothing would be left. PMET writes
    the whole at the last block, and more than MEMIT before."""
    left = torch.ones(1, 1, 1, 3, dtype=torch.float64)
    for blocks in (4, 3, 2, 1):
        share = closed.spread_residual(left, blocks, square_root)
        assert torch.allclose(share, left / (blocks**0.5 if square_root else blocks))
        left = left - share
    assert (left == 0).all()


def test_a_covariance_is_square_and_regular() -> None:
    C = torch.eye(3, dtype=torch.float64)[None]
    with pytest.raises(ValueError, match="must be square"):
        closed.add_ridge(C[:, :2], 0.0)
    with pytest.raises(ValueError, match="member 1 is singular"):
        closed.add_ridge(torch.cat([C, 0 * C]), 0.0)
    torch.testing.assert_close(closed.add_ridge(2 * C, 0.5), 3 * C)
