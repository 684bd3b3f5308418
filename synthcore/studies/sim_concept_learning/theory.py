"""Exact learning dynamics of the identity map: closed forms, fields, and the law of the pivots.
float64 throughout.

Two clocks. t is the time of gradient flow on the loss, so step size times steps. The paper writes
the flow of the tied two-layer network in a clock tau that runs twice as fast: tau = 2 t. Every
function here says which clock it is in.

Axis letters: s concepts, d coordinates (d >= s), T times. Leading axes are a batch.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Numbers = float | Sequence[float] | Tensor
STEP = 0.02  # Runge-Kutta step in units of 1 / a_max: an error of 1e-6; a third gives 1e-8
COARSE = 0.08  # the same for maps and searches: an error of 1e-4


def as_double(values: Numbers) -> Tensor:
    """A float64 tensor of these numbers."""
    return torch.as_tensor(values, dtype=torch.float64)


def strengths(mu: Numbers, sigma: Numbers) -> Float[Tensor, "*batch s"]:
    """a_p = sigma_p^2 + mu_p^2 / s: the second moments of the mixture, what learning follows.

    They are not centred, despite the word covariance in the paper. ValueError for a negative entry.

    >>> strengths([1.0, 2.0], [0.0, 0.0])
    tensor([0.5000, 2.0000], dtype=torch.float64)
    """
    signal, spread = as_double(mu), as_double(sigma)
    for name, values in (("mu", signal), ("sigma", spread)):
        if bool((values < 0).any()):
            raise ValueError(f"{name} must not be negative (got {values.tolist()})")
    return spread**2 + signal**2 / signal.shape[-1]


def initial(omega: Numbers, rho: Numbers, s: int) -> Float[Tensor, "*batch s s"]:
    """W(0) = omega [(1 - rho) I + rho 1 1^T]: small, and rho says how alike its rows are.

    ValueError unless W(0) is positive definite: omega > 0 and -1 / (s - 1) < rho < 1.

    >>> initial(0.1, 0.5, 2)
    tensor([[0.1000, 0.0500],
            [0.0500, 0.1000]], dtype=torch.float64)
    """
    size, alike = torch.broadcast_tensors(as_double(omega), as_double(rho))
    lowest = -1 / (s - 1) if s > 1 else -torch.inf
    if bool((size <= 0).any()) or bool((alike <= lowest).any()) or bool((alike >= 1).any()):
        raise ValueError(
            "W(0) must be positive definite: omega must be positive and rho between "
            f"{lowest:.3g} and 1 (both excluded) for {s} concepts"
        )
    same = torch.eye(s, dtype=torch.float64)
    return size[..., None, None] * (same + alike[..., None, None] * (1 - same))


def random_factor(
    omega: float, rho: float, s: int, hidden: int, generators: Sequence[torch.Generator]
) -> Float[Tensor, "M s hidden"]:
    """U(0) with Gaussian rows of correlation rho, so that W(0) is `initial(omega, rho, s)` on
    average and differs from seed to seed; one per generator. With rho = 0 it is the usual start.
    """
    rows = torch.linalg.cholesky(initial(omega, rho, s)) / hidden**0.5
    drawn = [torch.randn(s, hidden, generator=g, dtype=torch.float64) for g in generators]
    return rows @ torch.stack(drawn)


def log_times(first: float, last: float, count: int) -> Float[Tensor, "T"]:
    """0 and `count` times evenly spaced in the logarithm."""
    share = torch.linspace(0, 1, count, dtype=torch.float64)
    return torch.cat([torch.zeros(1, dtype=torch.float64), first * (last / first) ** share])


def require_definite(w: Float[Tensor, "*batch s s"], strictly: bool = True) -> None:
    """ValueError unless every W is symmetric and positive definite (or semi-definite)."""
    if not torch.allclose(w, w.mT, atol=1e-10):
        raise ValueError("W(0) must be symmetric: W = U U^T always is")
    lowest = float(torch.linalg.eigvalsh(w).min())
    if lowest <= 0 if strictly else lowest < -1e-9:
        kind = "positive definite" if strictly else "positive semi-definite"
        raise ValueError(f"W(0) must be {kind}; its smallest eigenvalue is {lowest:.3g}")


def square_root(w: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch s s"]:
    """The symmetric U with U U^T = W. ValueError unless W is positive semi-definite."""
    require_definite(w, strictly=False)
    values, vectors = torch.linalg.eigh(w.double())
    return (vectors * values.clamp(min=0).sqrt()[..., None, :]) @ vectors.mT


# --- one layer ------------------------------------------------------------------------------------


def one_layer(
    t: Float[Tensor, "T"], product: Float[Tensor, "M d d"], moment: Float[Tensor, "M d d"]
) -> Float[Tensor, "T M d d"]:
    """T1, clock t, for rows: f(x) = x P with P(t) = I + exp(-A t) (P(0) - I), the solution of
    dP/dt = -A (P - I). A need not be diagonal.
    """
    same = torch.eye(product.shape[-1], dtype=product.dtype)
    decay = torch.matrix_exp(-moment * t.view(-1, 1, 1, 1))
    return same + decay @ (product - same)


def one_layer_time(phi: float, a: Numbers) -> Float[Tensor, "*batch"]:
    """Clock t: when a one-layer network that starts at zero has learned the fraction phi of a
    concept: ln(1 / (1 - phi)) / a.
    """
    return -torch.log1p(-as_double(phi)) / as_double(a)


def crossing_diversity(mu: Sequence[float], sigma_strong: float) -> float:
    """sigma_1 at which two concepts are equally fast: sqrt(sigma_2^2 + (mu_2^2 - mu_1^2) / 2).

    >>> round(crossing_diversity((1, 2), 0.05), 3)
    1.226
    """
    return float((sigma_strong**2 + (mu[1] ** 2 - mu[0] ** 2) / 2) ** 0.5)


# --- tied two layers ------------------------------------------------------------------------------


def field(w: Float[Tensor, "*batch s s"], a: Float[Tensor, "*#batch s"]) -> Tensor:
    """T2, clock tau: dW/dtau = W A + A W - (A W^2 + W^2 A + 2 W A W) / 2 of f(x) = U U^T x.

    Gradient flow of the loss in U is twice this field (clock t). With C = A W + W A the field is
    C - (C W + W C) / 2: one product.
    """
    c = (a[..., :, None] + a[..., None, :]) * w
    product = c @ w
    return c - (product + product.mT) / 2


def growth_suppression_interaction(
    w: Float[Tensor, "*batch s s"], a: Float[Tensor, "*#batch s"]
) -> tuple[Tensor, Tensor, Tensor]:
    """The three parts of the field, clock tau: dw_ij/dtau = G_ij - S_ij - N_ij.

    Growth G = (a_i + a_j) w_ij; suppression S = w_ij [w_ii (3 a_i + a_j) + (i != j) w_jj (3 a_j +
    a_i)] / 2; interaction (the paper's noise) N = sum over k != i, j of w_ki w_kj (a_i + a_j + 2
    a_k) / 2. Source: the paper's Eq. 4.3.
    """
    row, column = a[..., :, None], a[..., None, :]
    own = torch.diagonal(w, dim1=-2, dim2=-1)
    off = 1 - torch.eye(w.shape[-1], dtype=w.dtype, device=w.device)
    growth = (row + column) * w
    by_row = own[..., :, None] * (3 * row + column)
    by_column = own[..., None, :] * (3 * column + row)
    suppression = w * (by_row + off * by_column) / 2
    # All k at once, less the terms k = i and k = j (which are one and the same on the diagonal).
    weighted = w * a[..., :, None]
    every = (row + column) * (w.mT @ w) / 2 + w.mT @ weighted
    at_row = own[..., :, None] * w * (3 * row + column) / 2
    at_column = own[..., None, :] * w * (3 * column + row) / 2
    return growth, suppression, every - at_row - off * at_column


def integrate(
    w0: Float[Tensor, "*batch s s"],
    a: Float[Tensor, "*#batch s"],
    tau: Float[Tensor, "T"],
    step: float = STEP,
) -> Float[Tensor, "T *batch s s"]:
    """W at the times `tau` (rising, from 0 or later) along the flow that starts at W(0).

    ValueError for a W(0) that is not positive semi-definite, and what `integrate_factor` raises.
    """
    return integrate_factor(square_root(w0), a, tau, step)


def integrate_factor(
    u0: Float[Tensor, "*batch s h"],
    a: Float[Tensor, "*#batch s"],
    tau: Float[Tensor, "T"],
    step: float = STEP,
) -> Float[Tensor, "T *batch s s"]:
    """W = U U^T at the times `tau` (rising, from 0 or later) by classical Runge-Kutta of order 4,
    all trajectories at once, from the network's weights U(0).

    What is integrated is U: dU/dtau = A U - (A W + W A) U / 2. So W is symmetric, positive
    semi-definite and of the rank it started with by construction. In W itself none of this holds
    numerically: an antisymmetric rounding error grows like exp((a_i + a_j) tau) for ever, and a
    zero eigenvalue that comes out as -1e-18 runs away.

    `step` is the largest step in units of 1 / a_max. ValueError for times that do not rise, or a
    step beyond what is stable.
    """
    if not 0 < step <= 0.5:
        raise ValueError(f"step must be more than 0 and at most 0.5, in units 1 / a_max ({step})")
    gaps = torch.diff(tau, prepend=tau.new_zeros(1))
    if bool((gaps < 0).any()):
        raise ValueError("tau must be rising and not negative")
    s, hidden = u0.shape[-2:]
    batch = u0.shape[:-2]
    own = a.expand(*batch, s).reshape(-1, s)
    sums = own[:, :, None] + own[:, None, :]
    # Trajectories along the last axis: three times as fast as batched products of tiny matrices.
    sums = sums.permute(1, 2, 0).contiguous()  # (s, s, B)
    growth = own.mT[:, None].contiguous()  # (s, 1, B)
    u = u0.double().reshape(-1, s, hidden).permute(1, 2, 0).contiguous()  # (s, h, B)

    def slope(u: Tensor) -> Tensor:
        c = _multiply(u, u.transpose(0, 1)).mul_(sums)  # A W + W A
        return (growth * u).sub_(_multiply(c, u), alpha=0.5)

    largest = step / float(a.max())
    found = []
    for gap in gaps.tolist():
        count = -int(-gap // largest)
        h = gap / max(count, 1)
        for _ in range(count):
            k1 = slope(u)
            k2 = slope(torch.add(u, k1, alpha=h / 2))
            k3 = slope(torch.add(u, k2, alpha=h / 2))
            k4 = slope(torch.add(u, k3, alpha=h))
            u = u.add(k2.add_(k3).mul_(2).add_(k1).add_(k4), alpha=h / 6)
        w = _multiply(u, u.transpose(0, 1))
        found.append(((w + w.transpose(0, 1)) / 2).permute(2, 0, 1).reshape(*batch, s, s))
    return torch.stack(found)


def _multiply(x: Float[Tensor, "i k B"], y: Float[Tensor, "k j B"]) -> Float[Tensor, "i j B"]:
    """Products of many matrices that lie along the last axis; tiny ones term by term."""
    if x.shape[1] > 8:
        return torch.einsum("ikb,kjb->ijb", x, y)
    product = x[:, 0, None] * y[0]
    for k in range(1, x.shape[1]):
        product.addcmul_(x[:, k, None], y[k])
    return product


def integrate_on(
    u0: Float[Tensor, "M s h"],
    moment: Float[Tensor, "M s s"],
    tau: Float[Tensor, "T"],
    step: float = STEP,
) -> Float[Tensor, "T M s s"]:
    """The same for a second moment that is not diagonal, such as that of a sample: in its
    eigenbasis it is, and the flow does not depend on the basis."""
    a, basis = torch.linalg.eigh(moment)
    w = integrate_factor(basis.mT @ u0, a, tau, step)
    return basis @ w @ basis.mT


def ood_output(w: Float[Tensor, "*batch s s"], mu: Numbers) -> Float[Tensor, "*batch s"]:
    """f(x^) = W mu at the sum of the centres."""
    return w @ as_double(mu)


def ood_loss(w: Float[Tensor, "*batch s s"], mu: Numbers) -> Float[Tensor, "*batch"]:
    """|W mu - mu|^2 / 2 at the sum of the centres."""
    return (ood_output(w, mu) - as_double(mu)).square().sum(-1) / 2


def largest_step(a: Numbers) -> float:
    """1 / (2 a_max): gradient descent on U is stable near W = I only below this step size.

    There a perturbation of u_pp shrinks by 1 - 4 eta a_p per step.
    """
    return 1 / (2 * float(as_double(a).max()))


def train_loss(
    w: Float[Tensor, "*batch s s"], a: Float[Tensor, "*#batch s"]
) -> Float[Tensor, "*batch"]:
    """|(W - I) A^(1/2)|^2 / 2, the population loss."""
    same = torch.eye(w.shape[-1], dtype=w.dtype, device=w.device)
    return ((w - same).square() * a[..., None, :]).sum((-2, -1)) / 2


# --- closed forms for the tied network ------------------------------------------------------------


def _log_growth(tau: Tensor, a: Numbers, seed: Numbers) -> Tensor:
    """ln D = ln(1 - seed + seed exp(2 a tau)) without overflow."""
    a, seed = as_double(a), as_double(seed)
    return 2 * a * tau + torch.log(seed + (1 - seed) * torch.exp(-2 * a * tau))


def two_concepts(
    tau: Float[Tensor, "*batch"],
    a_strong: Numbers,
    a_weak: Numbers,
    p: Numbers,
    r: Numbers,
    q: Numbers,
) -> tuple[Tensor, Tensor, Tensor]:
    """T4, clock tau: (w_ii, w_ij, w_jj) of a strong concept i and a weak one j in closed form.

    p = w_ii(0), r = w_ij(0), and q = w_jj(0) - r^2 / p, the Schur complement that the weak concept
    starts from. An approximation for small W(0): the largest error of an entry is at most .004 at
    omega = .001 and .018 at .01.
    """
    ai, aj = as_double(a_strong), as_double(a_weak)
    strong, weak = _log_growth(tau, ai, p), _log_growth(tau, aj, q)
    w_ii = as_double(p) * torch.exp(2 * ai * tau - strong)
    exponent = (ai + aj) * tau - (3 * ai + aj) / (4 * ai) * strong - (3 * aj + ai) / (4 * aj) * weak
    w_ij = as_double(r) * torch.exp(exponent)
    w_jj = as_double(q) * torch.exp(2 * aj * tau - weak) + w_ij**2 / w_ii
    return w_ii, w_ij, w_jj


def closed_form_loss(
    w0: Float[Tensor, "B 2 2"], mu: Numbers, a: Float[Tensor, "*#B 2"], tau: Float[Tensor, "T"]
) -> Float[Tensor, "T B"]:
    """OOD loss by T4; concept 1 (the second) must be the strong one."""
    p, r = w0[:, 1, 1], w0[:, 0, 1]
    a, centre = a.expand(len(w0), 2), as_double(mu).expand(len(w0), 2)
    strong, cross, weak = two_concepts(tau[:, None], a[:, 1], a[:, 0], p, r, w0[:, 0, 0] - r**2 / p)
    first = weak * centre[:, 0] + cross * centre[:, 1] - centre[:, 0]
    second = cross * centre[:, 0] + strong * centre[:, 1] - centre[:, 1]
    return (first**2 + second**2) / 2


def pivots(
    w0: Float[Tensor, "*batch s s"], a: Float[Tensor, "*#batch s"]
) -> Float[Tensor, "*batch s"]:
    """delta_p: the pivots of L D L^T of W(0) with concepts sorted by decreasing a, given back in
    the concepts' own order.

    Concept p starts from its pivot, not from w_pp(0). ValueError unless W(0) is positive definite.

    >>> pivots(initial(0.1, 0.5, 2), strengths([1.0, 2.0], [0.0, 0.0]))
    tensor([0.0750, 0.1000], dtype=torch.float64)
    """
    require_definite(w0)
    order = a.expand(w0.shape[:-1]).argsort(stable=True, dim=-1, descending=True)
    rows = w0.gather(-2, order[..., :, None].expand_as(w0))
    ranked = rows.gather(-1, order[..., None, :].expand_as(w0))
    found = torch.diagonal(torch.linalg.cholesky(ranked), dim1=-2, dim2=-1) ** 2
    return torch.empty_like(found).scatter(-1, order, found)


def logistic_time(phi: float, seed: Numbers, a: Numbers) -> Float[Tensor, "*batch"]:
    """Clock tau: when dw/dtau = 2 a w (1 - w) from w(0) = seed reaches phi.

    With the pivot as seed it is the pivot law; with w_pp(0) the naive prediction.
    """
    seed = as_double(seed)
    odds = torch.log(seed / (1 - seed))
    return (torch.logit(as_double(phi)) - odds) / (2 * as_double(a))
