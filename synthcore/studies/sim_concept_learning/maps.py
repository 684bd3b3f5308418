"""Maps of exact dynamics: draw-ups over initialisations, the law of the pivots, and searches for
multiple descents and for concepts that seem never to be learned.

Axis letters: B trajectory, s concepts, T times.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.sim_concept_learning import measure, theory
from synthcore.training.seeding import seeded

COARSE = 0.08  # Runge-Kutta step of searches, in units of 1 / a_max
CHUNK = 1000  # trajectories at a time: memory stays small

Numbers = Sequence[float]


def log_times(first: float, last: float, count: int) -> Float[Tensor, "T"]:
    """0 and `count` times evenly spaced in the logarithm."""
    log = torch.linspace(0, 1, count, dtype=torch.float64)
    return torch.cat([torch.zeros(1, dtype=torch.float64), first * (last / first) ** log])


def ood_losses(
    u0: Float[Tensor, "B s h"],
    mu: Float[Tensor, "*#batch s"],
    a: Float[Tensor, "*#batch s"],
    tau: Float[Tensor, "T"],
) -> Float[Tensor, "T B"]:
    """OOD loss along the exact flow from U(0), in chunks."""
    a, mu = a.expand(u0.shape[:-1]), mu.expand(u0.shape[:-1])
    parts = []
    for part in torch.arange(u0.shape[0]).split(CHUNK):
        w = theory.integrate_factor(u0[part], a[part], tau, step=COARSE)
        error = (w @ mu[part][..., None])[..., 0] - mu[part]
        parts.append(error.square().sum(-1) / 2)
    return torch.cat(parts, dim=1)


def closed_form_losses(
    w0: Float[Tensor, "B 2 2"],
    mu: Float[Tensor, "B 2"],
    a: Float[Tensor, "B 2"],
    tau: Float[Tensor, "T"],
) -> Float[Tensor, "T B"]:
    """The same for two concepts by T4; concept 1 (the second) must be the strong one."""
    p, r = w0[:, 1, 1], w0[:, 0, 1]
    strong, cross, weak = theory.two_concepts(
        tau[:, None], a[:, 1], a[:, 0], p, r, w0[:, 0, 0] - r**2 / p
    )
    first = weak * mu[:, 0] + cross * mu[:, 1] - mu[:, 0]
    second = cross * mu[:, 0] + strong * mu[:, 1] - mu[:, 1]
    return (first**2 + second**2) / 2


class Map(NamedTuple):
    """Draw-up over a grid of two quantities, by integration and by T4."""

    simulated: Float[Tensor, "X Y"]
    closed_form: Float[Tensor, "X Y"]


def draw_up_map(
    x: Numbers, rho: Numbers, mu: Numbers, sigma: float, omega: float, kind: str, last: float = 60.0
) -> Map:
    """DU over (x, rho) for two concepts; x is omega, or the ratio a_weak / a_strong.

    For the ratio, mu[0] is chosen so that a_weak = x a_strong.
    """
    first, second = torch.meshgrid(theory.as_double(x), theory.as_double(rho), indexing="ij")
    strong = sigma**2 + mu[1] ** 2 / 2
    if kind == "omega":
        w0 = theory.initial(first, second, 2).flatten(0, 1)
        weak_mu = torch.full_like(first, mu[0]).flatten()
    elif kind == "ratio":
        w0 = theory.initial(omega, second, 2).flatten(0, 1)
        weak_mu = (2 * (first * strong - sigma**2)).sqrt().flatten()
    else:
        raise ValueError(f"kind must be omega or ratio (got {kind!r})")
    centres = torch.stack([weak_mu, torch.full_like(weak_mu, mu[1])], dim=-1)
    a = sigma**2 + centres**2 / 2
    tau = log_times(0.02, last, 400)
    both = (
        ood_losses(theory.square_root(w0), centres, a, tau),
        closed_form_losses(w0, centres, a, tau),
    )
    return Map(*(measure.draw_up(loss).view(first.shape) for loss in both))


class PivotLaw(NamedTuple):
    """Clock tau, when w_pp = .8: measured, by the pivot, by the diagonal; one row per case."""

    measured: Float[Tensor, "B s"]
    law: Float[Tensor, "B s"]
    naive: Float[Tensor, "B s"]


def pivot_law(
    w0: Float[Tensor, "B s s"], a: Float[Tensor, "s"], phi: float, last: float
) -> PivotLaw:
    """Arrival of every major entry at phi, against both predictions."""
    tau = log_times(0.05, last, 1200)
    w = theory.integrate(w0, a, tau)
    own = torch.diagonal(w, dim1=-2, dim2=-1)
    return PivotLaw(
        measure.arrival(own, phi, tau),
        theory.logistic_time(phi, theory.pivots(w0, a), a),
        theory.logistic_time(phi, torch.diagonal(w0, dim1=-2, dim2=-1), a),
    )


def random_starts(draws: int, s: int, seed: int) -> Float[Tensor, "B s s"]:
    """W(0) = u u^T + epsilon I: u log-uniform in [.02, .6], epsilon in [1e-5, 1e-2]."""
    generator = seeded(seed, 5, s)
    u = torch.rand(draws, s, generator=generator, dtype=torch.float64)
    e = torch.rand(draws, 1, 1, generator=generator, dtype=torch.float64)
    u = 0.02 * 30**u
    return u[:, :, None] * u[:, None, :] + 1e-5 * 1000**e * torch.eye(s, dtype=torch.float64)


def gaussian_starts(draws: int, s: int, hidden: int, omega: float, seed: int) -> Tensor:
    """Gaussian U(0), s x hidden, scaled so that the mean of w_pp(0) is omega."""
    generator = seeded(seed, 6, hidden)
    u = torch.randn(draws, s, hidden, generator=generator, dtype=torch.float64)
    return (omega / hidden) ** 0.5 * u


class Search(NamedTuple):
    """Descents of every draw, of its minor-free twin, and the loss of the best draw."""

    descents: Int[Tensor, "B"]
    without_minor: Int[Tensor, "B"]
    tau: Float[Tensor, "T"]
    best_start: Float[Tensor, "s s"]
    best_loss: Float[Tensor, "T"]


def search(
    mu: Numbers, sigma: Numbers, draws: int, seed: int, last: float = 40.0, control: int = 200
) -> Search:
    """Count the descents of the OOD loss over random starts.

    The twins are the first `control` starts without minor entries. The best draw has the most
    descents and, among those, the largest draw-up.
    """
    w0, tau = random_starts(draws, len(mu), seed), log_times(0.02, last, 300)
    centres, a = theory.as_double(mu), theory.strengths(mu, sigma)
    loss = ood_losses(theory.square_root(w0), centres, a, tau)
    count = measure.descents(loss)
    twins = torch.diag_embed(torch.diagonal(w0[:control], dim1=-2, dim2=-1))
    alone = measure.descents(ood_losses(twins.sqrt(), centres, a, tau))
    best = int((count + measure.draw_up(loss).clamp(max=0.99)).argmax())
    return Search(count, alone, tau, w0[best], loss[:, best])


class Failures(NamedTuple):
    """How late the weakest concept is, per draw: clock tau, when its major entry reaches phi."""

    measured: Float[Tensor, "B"]
    law: Float[Tensor, "B"]
    naive: Float[Tensor, "B"]
    plateau: Float[Tensor, "B"]
    start: Float[Tensor, "s s"]


def failures(
    mu: Numbers, sigma: Numbers, draws: int, seed: int, phi: float = 0.1, last: float = 80.0
) -> Failures:
    """Arrival of the weakest major entry at phi against its pivot and its diagonal seed.

    `plateau` is the relative change of the OOD loss from .5 to .8 of the waiting time. Draws whose
    diagonal entry starts above phi have no naive prediction: NaN. `start` is the W(0) that is
    latest in units of its naive prediction.
    """
    w0, tau = random_starts(draws, len(mu), seed), log_times(0.02, last, 500)
    centres, a = theory.as_double(mu), theory.strengths(mu, sigma)
    weakest = int(a.argmin())
    w = torch.cat([theory.integrate(part, a, tau, step=COARSE) for part in w0.split(CHUNK)], dim=1)
    measured = measure.arrival(w[:, :, weakest, weakest], phi, tau)
    loss = theory.ood_loss(w, centres)
    waiting = measured.nan_to_num(last)
    middle, late = (
        loss.gather(0, torch.searchsorted(tau, share * waiting).clamp(max=len(tau) - 1)[None])[0]
        for share in (0.5, 0.8)
    )
    seeds = w0[:, weakest, weakest]
    naive = theory.logistic_time(phi, seeds, a[weakest])
    return Failures(
        measured,
        theory.logistic_time(phi, theory.pivots(w0, a)[:, weakest], a[weakest]),
        torch.where(seeds < phi, naive, torch.nan),
        (late - middle).abs() / middle,
        w0[int((measured / naive).where(seeds < phi, 0).nan_to_num(0).argmax())],
    )
