"""The identity-mapping theory against brute force: loops, scipy, conservation, limits."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from synthcore.studies.sim_concept_learning import measure, task, theory
from synthcore.training.seeding import seeded

Tensor = torch.Tensor


def random_psd(s: int, seed: int, size: float = 0.5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    root = torch.rand(s, s, generator=generator, dtype=torch.float64) - 0.3
    return size * root @ root.mT / s + 1e-3 * torch.eye(s, dtype=torch.float64)


def random_strengths(s: int, seed: int) -> Tensor:
    return 0.1 + torch.rand(s, generator=torch.Generator().manual_seed(seed)).double()


# --- fields -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(s=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_field_is_the_matrix_form_and_the_entry_form(s: int, seed: int) -> None:
    w, a = random_psd(s, seed), random_strengths(s, seed)
    A = torch.diag(a)
    matrix = w @ A + A @ w - (A @ w @ w + w @ w @ A + 2 * w @ A @ w) / 2
    found = theory.field(w, a)
    torch.testing.assert_close(found, matrix, atol=1e-14, rtol=0)
    growth, suppression, interaction = theory.growth_suppression_interaction(w, a)
    torch.testing.assert_close(growth - suppression - interaction, found, atol=1e-14, rtol=0)
    for i, j in itertools.product(range(s), repeat=2):
        others = [k for k in range(s) if k not in (i, j)]
        noise = sum(float(w[k, i] * w[k, j] * (a[i] + a[j] + 2 * a[k])) for k in others) / 2
        assert float(interaction[i, j]) == pytest.approx(noise, abs=1e-13)


@settings(deadline=None, max_examples=20)
@given(s=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_gradient_flow_in_u_is_twice_the_field(s: int, seed: int) -> None:
    w, a = random_psd(s, seed), random_strengths(s, seed)
    u = theory.square_root(w).requires_grad_(True)
    (gradient,) = torch.autograd.grad(theory.train_loss(u @ u.mT, a), u)
    velocity = -(gradient @ u.mT + u @ gradient.mT).detach()
    torch.testing.assert_close(velocity, 2 * theory.field(w, a), atol=1e-13, rtol=0)


@settings(deadline=None, max_examples=15)
@given(s=st.integers(2, 4), seed=st.integers(0, 1000))
def test_training_loss_never_rises_and_w_stays_definite(s: int, seed: int) -> None:
    tau = torch.linspace(0, 20, 60, dtype=torch.float64)
    w = theory.integrate(random_psd(s, seed), random_strengths(s, seed), tau)
    assert bool((torch.diff(theory.train_loss(w, random_strengths(s, seed))) <= 1e-12).all())
    assert float(torch.linalg.eigvalsh(w).min()) > 0


def wishart(s: int, hidden: int, draws: int = 1, size: float = 0.1) -> Tensor:
    """Gaussian U(0) whose W(0) = U U^T has diagonal entries of mean `size`."""
    generator = torch.Generator().manual_seed(100 * s + hidden)
    u = torch.randn(draws, s, hidden, generator=generator, dtype=torch.float64)
    return (size / hidden) ** 0.5 * u


def by_scipy(w0: Tensor, a: Tensor, tau: Tensor) -> np.ndarray:
    """The flow of W itself by another method, (T, s, s)."""
    s = len(a)

    def field(_: float, w: np.ndarray) -> np.ndarray:
        square = torch.from_numpy(w.reshape(s, s))
        return theory.field((square + square.mT) / 2, a).numpy().ravel()

    end = float(tau[-1]) + 1e-9
    found = solve_ivp(
        field,
        (0, end),
        w0.numpy().ravel(),
        method="DOP853",
        rtol=1e-12,
        atol=1e-14,
        t_eval=tau.numpy(),
    )
    states: np.ndarray = found.y
    return states.T.reshape(-1, s, s)


@pytest.mark.parametrize(
    ("s", "hidden", "last"),
    [(2, 2, 12.0), (3, 5, 12.0), (4, 64, 8.0), (16, 16, 5.0), (64, 64, 3.0), (64, 80, 3.0)],
)
def test_random_starts_agree_with_scipy(s: int, hidden: int, last: float) -> None:
    u0 = wishart(s, hidden)[0]
    a = 0.5 + 1.5 * torch.arange(s, dtype=torch.float64) / s
    tau = theory.log_times(0.05, last, 12)
    expected = by_scipy(u0 @ u0.mT, a, tau)
    found = theory.integrate_factor(u0, a, tau, step=0.006)
    np.testing.assert_allclose(found, expected, atol=1e-8, rtol=0)
    w0 = u0 @ u0.mT  # not symmetric to the last bit
    np.testing.assert_allclose(theory.integrate(w0, a, tau), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("s", "hidden"), [(2, 1), (2, 64), (8, 3), (64, 16), (64, 64)])
def test_long_flows_stay_symmetric_definite_and_of_their_rank(s: int, hidden: int) -> None:
    """Over hundreds of clock units, where the flow of W grows an antisymmetric part by e^400."""
    a = torch.linspace(0.5, 2.0, s, dtype=torch.float64)
    tau = torch.tensor([0.0, 5.0, 200.0 if s < 64 else 60.0], dtype=torch.float64)
    draws = 20 if s < 64 else 1
    w = theory.integrate_factor(wishart(s, hidden, draws), a, tau, step=0.08)
    assert torch.equal(w, w.mT)
    values = torch.linalg.eigvalsh(w[-1])
    rank = min(s, hidden)
    assert float(w.diff(dim=0).abs().max()) < 3
    assert float(values[:, : s - rank].abs().max() if rank < s else 0.0) < 1e-12
    # What it has the rank for it learns: the strongest concepts, exactly.
    strongest = torch.diagonal(w[-1], dim1=-2, dim2=-1)[:, s - rank :]
    if s < 64:
        torch.testing.assert_close(strongest, torch.ones_like(strongest), atol=1e-9, rtol=0)


def test_halving_the_step_divides_the_error_by_sixteen() -> None:
    u0, a = wishart(3, 5)[0], torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    tau = torch.tensor([0.0, 2.0], dtype=torch.float64)
    exact = theory.integrate_factor(u0, a, tau, step=0.004)
    errors = [
        float((theory.integrate_factor(u0, a, tau, step=h) - exact).abs().max()) for h in (0.2, 0.1)
    ]
    assert 12 < errors[0] / errors[1] < 20


@pytest.mark.parametrize("s", [2, 4])
def test_batched_integration_is_the_loop_of_single_ones(s: int) -> None:
    generator = torch.Generator().manual_seed(s)
    omega = 10 ** (-4 + 3 * torch.rand(3, generator=generator, dtype=torch.float64))
    w0 = theory.initial(omega, torch.tensor([-0.3, 0.5, 0.99], dtype=torch.float64), s)
    a = theory.strengths([float(p) for p in range(1, s + 1)], [0.5] * s)
    tau = theory.log_times(0.01, 12.0, 20)
    found = theory.integrate(w0, a, tau)
    for i in range(3):
        alone = theory.integrate(w0[i], a, tau)
        torch.testing.assert_close(found[:, i], alone, atol=1e-12, rtol=0)
        np.testing.assert_allclose(alone, by_scipy(w0[i], a, tau), atol=1e-6, rtol=0)


def test_one_layer_solves_its_equation() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    root = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    moment = root @ root.mT / 3
    t = torch.linspace(0, 1, 401, dtype=torch.float64)
    w = theory.one_layer(t, start, moment)
    middle = (w[2:] - w[:-2]) / (t[2] - t[0])
    torch.testing.assert_close(middle, -moment @ (w[1:-1] - torch.eye(3)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(w[0], start)
    assert float(theory.one_layer_time(0.5, 2.0)) == pytest.approx(np.log(2) / 2)


def test_a_moment_that_is_not_diagonal_turns_with_its_basis() -> None:
    """The flow under Q diag(a) Q^T from Q U is the flow under diag(a) from U, turned."""
    q = task.rotations([3], 3)[0]
    a = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    u0 = wishart(3, 4)
    tau = torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64)
    plain = theory.integrate_factor(u0, a, tau)
    turned = theory.integrate_on(q @ u0, (q @ torch.diag(a) @ q.mT)[None], tau)
    torch.testing.assert_close(turned, q @ plain @ q.mT, atol=1e-10, rtol=0)


def test_random_factors_are_alike_on_average_and_differ() -> None:
    generators = [seeded(seed) for seed in range(2000)]
    u = theory.random_factor(0.1, 0.95, 2, 16, generators)
    w = u @ u.mT
    torch.testing.assert_close(w.mean(0), theory.initial(0.1, 0.95, 2), rtol=0.03, atol=0)
    assert float(w[:, 0, 0].std() / 0.1) == pytest.approx((2 / 16) ** 0.5, rel=0.1)


def test_loss_by_the_closed_form_is_the_loss_of_its_entries() -> None:
    w0 = theory.initial([0.01, 0.001], [0.5, 0.9], 2)
    a, tau = theory.strengths([1.0, 2.0], [0.05] * 2), theory.log_times(0.1, 15.0, 50)
    exact = theory.ood_loss(theory.integrate(w0, a, tau), [1.0, 2.0])
    found = theory.closed_form_loss(w0, [1.0, 2.0], a, tau)
    torch.testing.assert_close(found, exact, atol=0.04, rtol=0)


def test_strengths_are_the_second_moment_of_the_mixture() -> None:
    mixture = task.Mixture(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 1.0]]))
    points, _ = mixture.draw(50_000, [0])
    moment = task.second_moment(points)[0]
    a = theory.strengths([1.0, 2.0], [0.5, 1.0])
    error = task.moment_errors(mixture.mu, mixture.sigma, 50_000)[0]
    assert bool(((moment - torch.diag(a)).abs() < 5 * error).all())


def test_moment_errors_are_the_spread_over_samples() -> None:
    mixture = task.Mixture(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 1.0]]))
    repeated = task.Mixture(mixture.mu.repeat(400, 1), mixture.sigma.repeat(400, 1))
    moments = task.second_moment(repeated.draw(50, list(range(400)))[0])
    exact = task.moment_errors(mixture.mu, mixture.sigma, 50)[0]
    torch.testing.assert_close(moments.std(0), exact, rtol=0.15, atol=0)


# --- closed forms -----------------------------------------------------------------------------


@pytest.mark.parametrize(("omega", "entry"), [(1e-4, 0.001), (1e-3, 0.004), (1e-2, 0.018)])
@pytest.mark.parametrize("rho", [0.5, 0.8, 0.95, 0.99])
def test_closed_form_for_two_concepts_is_as_near_as_it_says(
    omega: float, entry: float, rho: float
) -> None:
    a = theory.strengths([1.0, 2.0], [0.05, 0.05])
    tau = torch.linspace(0, 25, 400, dtype=torch.float64)
    w = theory.integrate(theory.initial(omega, rho, 2), a, tau)
    p, r = omega, omega * rho
    strong, minor, weak = theory.two_concepts(tau, a[1], a[0], p, r, p - r**2 / p)
    assert float((strong - w[:, 1, 1]).abs().max()) <= entry * 1.05
    assert float((minor - w[:, 0, 1]).abs().max()) <= entry * 1.05
    assert float((weak - w[:, 0, 0]).abs().max()) <= entry * 1.05


def test_closed_form_starts_at_its_start() -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    strong, minor, weak = theory.two_concepts(zero, 2.0, 0.5, 0.1, 0.09, 0.1 - 0.081)
    assert [float(x) for x in (strong, minor, weak)] == pytest.approx([0.1, 0.09, 0.1])


@settings(deadline=None, max_examples=30)
@given(s=st.integers(2, 5), seed=st.integers(0, 10_000))
def test_pivots_are_ratios_of_leading_determinants(s: int, seed: int) -> None:
    w, a = random_psd(s, seed), random_strengths(s, seed)
    order = a.argsort(descending=True)
    ranked = w[order][:, order]
    minors = [1.0, *(float(torch.linalg.det(ranked[:k, :k])) for k in range(1, s + 1))]
    expected = torch.tensor([b / c for c, b in itertools.pairwise(minors)], dtype=torch.float64)
    torch.testing.assert_close(theory.pivots(w, a)[order], expected, rtol=1e-6, atol=1e-12)


def test_without_minor_entries_every_concept_is_logistic() -> None:
    a = theory.strengths([1.0, 2.0, 3.0], [0.05] * 3)
    tau = theory.log_times(0.05, 60.0, 800)
    w = theory.integrate(0.01 * torch.eye(3).double(), a, tau)
    times = measure.arrival(torch.diagonal(w, dim1=-2, dim2=-1), 0.8, tau)
    torch.testing.assert_close(times, theory.logistic_time(0.8, 0.01, a), rtol=1e-3, atol=0)
    assert float(measure.draw_up(theory.ood_loss(w, [1.0, 2.0, 3.0]))) == 0


# --- bad input ----------------------------------------------------------------------------------


def test_bad_input_is_refused_in_a_sentence() -> None:
    a = torch.tensor([0.5, 2.0], dtype=torch.float64)
    indefinite = torch.tensor([[0.1, 0.2], [0.2, 0.1]], dtype=torch.float64)
    tau = torch.linspace(0, 1, 3, dtype=torch.float64)
    for call, sentence in (
        (lambda: theory.initial(0.1, 1.0, 2), "W\\(0\\) must be positive definite"),
        (lambda: theory.initial(0.1, -0.6, 3), "rho between -0.5 and 1"),
        (lambda: theory.strengths([1.0], [-0.1]), "sigma must not be negative"),
        (lambda: theory.pivots(indefinite, a), "must be positive definite"),
        (lambda: theory.integrate(indefinite, a, tau), "positive semi-definite"),
        (lambda: theory.integrate(torch.ones(2, 2).double().triu(), a, tau), "symmetric"),
        (lambda: theory.integrate(theory.initial(0.1, 0, 2), a, tau, step=1.0), "step must be"),
        (lambda: theory.integrate(theory.initial(0.1, 0, 2), a, tau.flip(0)), "rising"),
        (lambda: task.embed(torch.zeros(1, 1, 3), torch.eye(2)[None]), "3 concepts do not fit"),
        (lambda: task.Mixture(torch.ones(1, 2), -torch.ones(1, 2)), "sigma must not be negative"),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()
