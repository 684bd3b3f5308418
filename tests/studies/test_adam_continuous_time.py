"""Bounds, flow, streams and layers of the Adam study against brute force and closed forms."""

import math

import mpmath
import numpy as np
import pytest
import torch

from synthcore.nn.invariant import Norm, NormalisedMLP
from synthcore.studies.adam_continuous_time import (
    calculator,
    flow,
    images,
    invariance,
    layers,
    streams,
    task,
    text,
    theory,
)
from synthcore.studies.adam_continuous_time.monitor import UpdateMonitor
from synthcore.training.k_adam import KAdam
from synthcore.training.k_adam_reference import Averages, Stage

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

    bound = float(theory.exact_bound(beta, gamma, n))
    assert update(m / v) == pytest.approx(bound, rel=1e-12)
    random = np.random.default_rng(0)
    assert max(update(random.standard_normal(n)) for _ in range(200)) <= bound * (1 + 1e-12)


def test_limits_rates_and_regions() -> None:
    assert float(theory.exact_limit(0.9, 0.999)) == pytest.approx(7.270, abs=5e-4)
    assert float(theory.continuous_limit(0.9, 0.999)) == pytest.approx(7.467, abs=5e-4)
    far = theory.exact_bound(0.9, 0.999, 20_000)
    assert float(far) == pytest.approx(float(theory.exact_limit(0.9, 0.999)), rel=1e-6)
    for beta, gamma, exact, continuous in (
        (0.99, 0.95, 0.01560, 0.01621),
        (0.95, 0.8, 0.0603, 0.0724),
        (0.999, 0.99, 0.00402, 0.00405),
    ):
        assert float(theory.exact_rate(beta, gamma)) == pytest.approx(exact, abs=5e-5)
        assert float(theory.continuous_rate(beta, gamma)) == pytest.approx(continuous, abs=5e-5)
        rise = np.log(theory.exact_bound(beta, gamma, [3000, 3001], corrected=False))
        assert rise[1] - rise[0] == pytest.approx(exact, abs=5e-5)
    assert float(theory.continuous_limit(0.7, 0.7)) == pytest.approx(1)
    assert np.isinf(theory.exact_limit(0.9, 0.5))
    assert theory.region(0.9, 0.815) == "wedge"
    for beta, width in ((0.5, 0.0833), (0.9, 0.00818), (0.99, 0.0000980)):
        gap = theory.continuous_frontier(beta) - theory.frontier(beta)
        assert float(gap) == pytest.approx(width, rel=0.01)
    with pytest.raises(ValueError, match=r"beta must lie in \[0, 1\)"):
        theory.exponent(1.0, 0.5)


def test_continuous_bound_is_the_integral() -> None:
    beta, gamma, n = 0.9, 0.95, 40
    a, b = (1 - beta) / beta, (1 - gamma) / gamma
    age = np.linspace(0, n, 400_001)
    integral = np.trapezoid((a * np.exp(-a * age)) ** 2 / (b * np.exp(-b * age)), age)
    bound = theory.continuous_bound(beta, gamma, n, corrected=False)
    assert float(bound) == pytest.approx(math.sqrt(integral), rel=1e-6)


def test_the_curve_is_normal_to_the_level_sets() -> None:
    c = np.array([-0.04, 0.0, 0.1, 0.2])
    beta, gamma = theory.normal_curve(c)
    np.testing.assert_allclose(theory.exponent(beta, gamma), c, atol=1e-12)
    ahead = [x - y for x, y in zip(theory.normal_curve(c + 1e-6), (beta, gamma), strict=True)]
    gradient = -2 / beta**2, 1 / gamma**2
    np.testing.assert_allclose(ahead[0] * gradient[1], ahead[1] * gradient[0], rtol=1e-3)


@pytest.mark.parametrize(("beta", "gamma"), [(0.9, 0.999), (0.9, 0.5), (0.5, 0.3)])
def test_streams_follow_the_readable_adam(beta: float, gamma: float) -> None:
    random = np.random.default_rng(1)
    g, _ = task.stream("sparse", 50, 6, random, np.array([beta]), np.array([gamma]), 0.4)
    averages = Averages(torch.zeros(6, dtype=torch.float64))
    stage = Stage(beta, gamma, 0.0)
    pair = np.array([beta]), np.array([gamma])
    for n, u in enumerate(streams.updates(g, *pair), start=1):
        expected = averages.normalise(torch.tensor(g[n - 1, 0]), stage, n).nan_to_num(nan=0.0)
        np.testing.assert_allclose(u[0], expected.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("beta", "gamma"), [(0.9, 0.5), (0.5, 0.3), (0.9, 0.999), (0.999, 0.99)])
@pytest.mark.parametrize(("kind", "value"), [("dying", 0.0), ("decaying", 0.5), ("sparse", 0.01)])
def test_long_streams_are_right_where_floats_end(
    kind: task.Kind, value: float, beta: float, gamma: float
) -> None:
    """Five thousand steps against numbers without a smallest or a largest one."""
    steps, pair = 5000, (np.array([beta]), np.array([gamma]))
    g, growth = task.stream(kind, steps, 1, np.random.default_rng(2), *pair, value)
    mpmath.mp.dps = 30
    b, c, grow = mpmath.mpf(beta), mpmath.mpf(gamma), mpmath.exp(mpmath.mpf(float(growth[0])))
    m = v = mpmath.mpf(0)
    scale = mpmath.mpf(1)
    for n, u in enumerate(streams.log_updates(g, *pair, growth, corrected=False), start=1):
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
    assert abs(float(mpmath.mpf(float(theory.log_exact_bound(beta, gamma, n))) - exact)) < 1e-10


def test_streams_obey_the_bound_and_the_worst_case_attains_it() -> None:
    data = streams.measure([0], 8, 5000)
    assert float(data.stream_ratio.max()) <= 1 + 1e-9
    worst = data.stream_ratio_least.sel(stream="worst case")
    np.testing.assert_allclose(worst, 1, rtol=1e-9)
    rate = theory.exact_rate(data.point_beta.values, data.point_gamma.values)
    np.testing.assert_allclose(data.dying_rate[0], rate, atol=1e-12)


def test_flow_orders_and_the_wrong_normalisation_of_the_start() -> None:
    errors = {}
    for order, matching in ((1, "lag"), (2, "lag"), (2, "decay")):
        for eta in (0.02, 0.01):
            adam = flow.AdamW(eta)
            start = task.START[None]
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
    condition = invariance.Condition(beta=beta, decay=0.0)
    paths = invariance.simulate([condition] * 2, [0, 1], 200, 1500)
    gained = paths.norm2[-1] - paths.norm2[100]
    ratio = gained / (1e-6 * paths.update2[100:].sum(0))
    np.testing.assert_allclose(ratio, invariance.amplification(beta), rtol=0.04)


def test_equilibrium_is_what_the_calculator_says() -> None:
    d, eta, decay = 300, 1e-3, 2.0
    rate = calculator.effective_rate(eta, decay, 0.9, d)
    condition = invariance.Condition(beta=0.9, eta=eta, decay=decay, norm=rate.norm)
    paths = invariance.simulate([condition] * 3, [3, 4, 5], d, 1200)
    assert paths.angle[-400:].mean() == pytest.approx(rate.angular_step, rel=0.05)
    assert np.sqrt(paths.norm2[-400:]).mean() == pytest.approx(rate.norm, rel=0.05)


def test_second_normalisation_is_weight_decay_on_a_normalised_layer() -> None:
    found = layers.equivalence([0, 1], 500, 500)
    assert float(found.equivalence.sel(correction="momentum").min()) > 0.99
    pairs = found.equivalence.sel(correction="none", pair="beta 0.9, decay 1")
    assert float(pairs.max()) < 0.95


@pytest.mark.parametrize("norm", ["layer", "batch", "weight", "none"])
def test_normalised_layers_are_scale_invariant(norm: Norm) -> None:
    model = NormalisedMLP((12, 8, 3), [0, 1], norm=norm)
    x = torch.randn(2, 16, 12, generator=torch.Generator().manual_seed(0))
    before = model(x)
    with torch.no_grad():
        model.hidden[0].weight.mul_(7.0)  # type: ignore[operator,union-attr]
    changed = float((model(x) - before).detach().abs().max())
    assert (changed < 1e-5) == (norm != "none")


@pytest.mark.parametrize("norm", ["layer", "batch", "weight", "none"])
def test_a_population_of_perceptrons_is_a_loop(norm: Norm) -> None:
    x = torch.randn(3, 10, 12, generator=torch.Generator().manual_seed(0))
    together = NormalisedMLP((12, 8, 6, 3), [4, 5, 6], norm=norm)(x)
    for m, seed in enumerate((4, 5, 6)):
        alone = NormalisedMLP((12, 8, 6, 3), [seed], norm=norm)(x[m : m + 1])
        torch.testing.assert_close(together[m : m + 1], alone, rtol=1e-5, atol=1e-6)


def test_monitor_sees_the_updates_that_adam_makes() -> None:
    weights = torch.nn.Parameter(torch.zeros(2, 5, dtype=torch.float64))
    beta, gamma = torch.tensor([0.9, 0.5]), torch.tensor([0.99, 0.9])
    optimizer = KAdam([weights], 1.0, k=1, betas=(beta, gamma), eps=0.0, weight_decay=0.0)
    monitor = UpdateMonitor([weights], beta, gamma)
    monitor.attach(optimizer)
    for step in range(8):
        generator = torch.Generator().manual_seed(step)
        weights.grad = torch.randn(2, 5, generator=generator, dtype=torch.float64)
        before = weights.detach().clone()
        optimizer.step()
        moved = (weights.detach() - before).abs().amax(1)
        torch.testing.assert_close(monitor.largest[-1, 0], moved, rtol=1e-6, atol=0)
    assert (monitor.density == 1).all()


def test_text_has_its_frequencies_and_floor() -> None:
    source = text.Source.draw(0, 12)
    sample = source.sample(60_000, 0)
    pairs = source.pair_frequencies()
    np.testing.assert_allclose(pairs.sum(), 1)
    counts = np.bincount(sample.numpy(), minlength=12) / len(sample)
    np.testing.assert_allclose(counts, pairs.sum(0), atol=0.02)
    chains = sample.numpy().reshape(1000, -1)
    a, b, c = chains[:, :-2], chains[:, 1:-1], chains[:, 2:]
    loss = -np.log(source.table[a, b, c]).mean()
    assert loss == pytest.approx(source.floor(), abs=0.02)


@pytest.mark.parametrize("name", ["digits", "textures"])
def test_image_parts_do_not_overlap(name: images.Name) -> None:
    split = images.load(name, 0, textures=200)
    rows = torch.cat([split.train, split.validation, split.test])
    assert rows.sort().values.tolist() == list(range(len(split.labels)))
    assert float(split.images.std()) == pytest.approx(1, abs=1e-4)


def test_calculator_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="weight_decay must be positive"):
        calculator.effective_rate(1e-3, 0.0, 0.9, 10)
    with pytest.raises(ValueError, match="gamma must lie"):
        calculator.safe_betas(0.9, 1.5)
