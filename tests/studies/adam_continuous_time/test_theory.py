"""Bounds, flow, streams and layers of the Adam study against brute force and closed forms."""

import math

import mpmath
import numpy as np
import pytest
import torch
from contracts import smoke

from synthcore.studies.adam_continuous_time import measure, task
from synthcore.studies.adam_continuous_time.config import Config
from synthcore.studies.adam_continuous_time.experiments import streams
from synthcore.studies.adam_continuous_time.theory import bounds, flow, layers
from synthcore.training.k_adam_reference import Averages, Stage
from synthcore.training.progress import Progress

PAIRS = [(0.9, 0.999), (0.5, 0.3), (0.9, 0.5), (0.95, 0.95), (0.0, 0.9)]


@pytest.mark.parametrize(("beta", "gamma"), PAIRS)
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_exact_bound_is_the_largest_update_of_any_history(
    beta: float, gamma: float, n: int
) -> None:
    """No history exceeds it, and M / V, where Cauchy-Schwarz is an equality, attains it."""
    m = (1 - beta) * beta ** np.arange(n, dtype=float) if beta else np.eye(n)[0]
    v = (1 - gamma) * gamma ** np.arange(n, dtype=float)
    factor = math.sqrt(1 - gamma**n) / (1 - beta**n)

    def update(g: np.ndarray) -> float:
        return float(factor * abs(m @ g) / math.sqrt(v @ g**2))

    bound = float(bounds.exact_bound(beta, gamma, n))
    assert update(m / v) == pytest.approx(bound, rel=1e-12)
    random = np.random.default_rng(0)
    assert max(update(random.standard_normal(n)) for _ in range(200)) <= bound * (1 + 1e-12)


def test_limits_rates_and_regions() -> None:
    assert float(bounds.exact_limit(0.9, 0.999)) == pytest.approx(7.270, abs=5e-4)
    assert float(bounds.continuous_limit(0.9, 0.999)) == pytest.approx(7.467, abs=5e-4)
    far = bounds.exact_bound(0.9, 0.999, 20_000)
    assert float(far) == pytest.approx(float(bounds.exact_limit(0.9, 0.999)), rel=1e-6)
    for beta, gamma, exact, continuous in (
        (0.99, 0.95, 0.01560, 0.01621),
        (0.95, 0.8, 0.0603, 0.0724),
        (0.999, 0.99, 0.00402, 0.00405),
    ):
        assert float(bounds.exact_rate(beta, gamma)) == pytest.approx(exact, abs=5e-5)
        assert float(bounds.continuous_rate(beta, gamma)) == pytest.approx(continuous, abs=5e-5)
        rise = np.log(bounds.exact_bound(beta, gamma, [3000, 3001], corrected=False))
        assert rise[1] - rise[0] == pytest.approx(exact, abs=5e-5)
    assert float(bounds.continuous_limit(0.7, 0.7)) == pytest.approx(1)
    assert np.isinf(bounds.exact_limit(0.9, 0.5))
    assert bounds.region(0.9, 0.815) == "wedge"
    for beta, width in ((0.5, 0.0833), (0.9, 0.00818), (0.99, 0.0000980)):
        gap = bounds.continuous_frontier(beta) - bounds.frontier(beta)
        assert float(gap) == pytest.approx(width, rel=0.01)
    with pytest.raises(ValueError, match=r"beta must lie in \[0, 1\)"):
        bounds.exponent(1.0, 0.5)


def test_continuous_bound_is_the_integral() -> None:
    beta, gamma, n = 0.9, 0.95, 40
    a, b = (1 - beta) / beta, (1 - gamma) / gamma
    age = np.linspace(0, n, 400_001)
    integral = np.trapezoid((a * np.exp(-a * age)) ** 2 / (b * np.exp(-b * age)), age)
    bound = bounds.continuous_bound(beta, gamma, n, corrected=False)
    assert float(bound) == pytest.approx(math.sqrt(integral), rel=1e-6)


def test_the_curve_is_normal_to_the_level_sets() -> None:
    c = np.array([-0.04, 0.0, 0.1, 0.2])
    beta, gamma = bounds.normal_curve(c)
    np.testing.assert_allclose(bounds.exponent(beta, gamma), c, atol=1e-12)
    ahead = [x - y for x, y in zip(bounds.normal_curve(c + 1e-6), (beta, gamma), strict=True)]
    gradient = -2 / beta**2, 1 / gamma**2
    np.testing.assert_allclose(ahead[0] * gradient[1], ahead[1] * gradient[0], rtol=1e-3)


@pytest.mark.parametrize(("beta", "gamma"), [(0.9, 0.999), (0.9, 0.5), (0.5, 0.3)])
def test_streams_follow_the_readable_adam(beta: float, gamma: float) -> None:
    g, _ = task.stream("sparse", 50, 6, 1, np.array([beta]), np.array([gamma]), 0.4)
    averages = Averages(torch.zeros(6, dtype=torch.float64))
    stage = Stage(beta, gamma, 0.0)
    pair = np.array([beta]), np.array([gamma])
    for n, u in enumerate(measure.updates(g, *pair), start=1):
        expected = averages.normalise(torch.tensor(g[n - 1, 0]), stage, n).nan_to_num(nan=0.0)
        np.testing.assert_allclose(u[0], expected.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("beta", "gamma"), [(0.9, 0.5), (0.5, 0.3), (0.9, 0.999), (0.999, 0.99)])
@pytest.mark.parametrize(("kind", "value"), [("dying", 0.0), ("decaying", 0.5), ("sparse", 0.01)])
def test_long_streams_are_right_where_floats_end(
    kind: task.Kind, value: float, beta: float, gamma: float
) -> None:
    """Five thousand steps against numbers without a smallest or a largest one."""
    steps, pair = 5000, (np.array([beta]), np.array([gamma]))
    g, growth = task.stream(kind, steps, 1, 2, *pair, value)
    mpmath.mp.dps = 30
    b, c, grow = mpmath.mpf(beta), mpmath.mpf(gamma), mpmath.exp(mpmath.mpf(float(growth[0])))
    m = v = mpmath.mpf(0)
    scale = mpmath.mpf(1)
    for n, u in enumerate(measure.log_updates(g, *pair, growth, corrected=False), start=1):
        scale *= grow
        gradient = mpmath.mpf(float(g[n - 1, 0, 0])) * scale
        m, v = b * m + (1 - b) * gradient, c * v + (1 - c) * gradient**2
        if n in (700, 1200, steps):
            exact = mpmath.log(abs(m) / mpmath.sqrt(v))
            assert abs(float(mpmath.mpf(float(u[0, 0])) - exact)) < 1e-10, n


@pytest.mark.parametrize("n", [1, 2, 60, 1200, 5000])
@pytest.mark.parametrize(
    ("beta", "gamma"),
    [*PAIRS, (0.999, 0.9), *((0.9, 0.81 * (1 + d)) for d in (1e-15, -1e-13, 1e-11, -1e-8, 1e-5))],
)
def test_bounds_keep_their_digits(beta: float, gamma: float, n: int) -> None:
    mpmath.mp.dps = 50
    b, c = mpmath.mpf(beta), mpmath.mpf(gamma)
    q = b**2 / c
    series = (q**n - 1) / (q - 1)
    bias = mpmath.sqrt(1 - c**n) / (1 - b**n)
    exact = mpmath.log((1 - b) / mpmath.sqrt(1 - c) * mpmath.sqrt(series) * bias)
    assert abs(float(mpmath.mpf(float(bounds.log_exact_bound(beta, gamma, n))) - exact)) < 1e-10


def test_streams_obey_the_bound_and_the_worst_case_attains_it() -> None:
    data = streams.run.function(
        Config(
            **smoke("adam_continuous_time", n_seeds=1, stream_coordinates=16, stream_steps=5000)
        ),
        Progress(),
    )
    assert float(data.stream_ratio.max()) <= 1 + 1e-9
    worst = data.stream_ratio_least.sel(stream="worst case")
    np.testing.assert_allclose(worst, 1, rtol=1e-9)
    rate = bounds.exact_rate(data.point_beta.values, data.point_gamma.values)
    np.testing.assert_allclose(data.dying_rate[0], rate, atol=1e-12)


def test_flow_orders_and_the_wrong_normalisation_of_the_start() -> None:
    errors = {}
    for order, matching in ((1, "lag"), (2, "lag"), (2, "decay")):
        for eta in (0.02, 0.01):
            adam = flow.AdamW(eta)
            start = np.array([[1.0, -1.5, 0.7]])
            exact = adam.trajectory(task.toy_gradient, start, round(1 / eta))
            path = flow.flow(
                adam,
                lambda _, x: task.toy_gradient(x),
                start,
                round(1 / eta),
                order,
                matching,  # type: ignore[arg-type]
            )
            errors[order, matching, eta] = np.abs(path - exact).max()
    assert errors[1, "lag", 0.02] / errors[1, "lag", 0.01] == pytest.approx(2, rel=0.2)
    assert errors[2, "lag", 0.02] / errors[2, "lag", 0.01] > 3
    assert errors[2, "decay", 0.01] > 3 * errors[2, "lag", 0.01]


def test_flow_of_a_constant_gradient_is_a_straight_line() -> None:
    adam, start = flow.AdamW(0.1), np.zeros((1, 2))
    path = flow.flow(adam, lambda _, x: np.full_like(x, -3.0), start, 10, 2)
    np.testing.assert_allclose(path[:, 0, 0], 0.1 * np.arange(11), rtol=1e-6)


def test_recorded_gradients_keep_their_second_moment() -> None:
    g = np.random.default_rng(0).standard_normal((400, 1))
    held = flow.recorded_gradient(g)
    seen = np.array([held(n, g[0]) for n in np.arange(0.025, 399, 0.05)])
    assert (seen**2).mean() == pytest.approx((g**2).mean(), rel=0.01)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_norm_law_by_simulation(beta: float) -> None:
    condition = layers.Condition(beta=beta, decay=0.0)
    paths = layers.simulate([condition] * 2, [0, 1], 200, 1500)
    gained = paths.norm2[-1] - paths.norm2[100]
    ratio = gained / (1e-6 * paths.update2[100:].sum(0))
    np.testing.assert_allclose(ratio, layers.amplification(beta), rtol=0.04)


def test_equilibrium_is_what_the_calculator_says() -> None:
    d, eta, decay = 300, 1e-3, 2.0
    rate = layers.effective_rate(eta, decay, 0.9, d)
    condition = layers.Condition(beta=0.9, eta=eta, decay=decay, norm=rate.norm)
    paths = layers.simulate([condition] * 3, [3, 4, 5], d, 1200)
    assert paths.angle[-400:].mean() == pytest.approx(rate.angular_step, rel=0.05)
    assert np.sqrt(paths.norm2[-400:]).mean() == pytest.approx(rate.norm, rel=0.05)


def test_calculator_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="weight_decay must be positive"):
        layers.effective_rate(1e-3, 0.0, 0.9, 10)
    with pytest.raises(ValueError, match="gamma must lie"):
        bounds.safe_betas(0.9, 1.5)
