"""Exact dynamics without a network: maps of the draw-up, the law of the pivots, the closed form for
two concepts, and searches for many descents and for concepts that seem never to be learned.
"""

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.sim_concept_learning import measure, theory
from synthcore.studies.sim_concept_learning.config import Config
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

# mu and sigma of the paper's Figs. 8, 9 and 10
SETTINGS = {
    3: ((1.0, 1.5, 2.2), (0.05, 0.05, 0.05)),
    4: ((1.0, 1.5, 2.2, 2.7), (0.05, 0.05, 0.05, 0.5)),
}
FAILURE = ((0.7, 1.7, 3.0), (0.05, 0.05, 0.05))
FAILURE_PHI, FAILURE_LAST = 0.1, 80.0
PIVOT_OMEGAS, PIVOT_RHOS, PIVOT_PHI = (1e-4, 1e-3, 1e-2), (0.5, 0.8, 0.95, 0.99), 0.8
CLOSED_FORM_OMEGAS = (1e-4, 1e-3, 1e-2, 1e-1)
TWINS = 40  # starts per seed whose minor entries are taken away
UNITS = {
    "search_tau": "clock tau = 2 t",
    "pivot_measured": "clock tau = 2 t",
    "pivot_law": "clock tau = 2 t",
    "pivot_diagonal": "clock tau = 2 t",
    "failure_measured": "clock tau = 2 t",
    "failure_law": "clock tau = 2 t",
    "failure_diagonal": "clock tau = 2 t",
}


@stage(reads=("mu", "sigma", "omega", "grid"), per_seed=False)
def maps(config: Config, progress: Progress) -> xr.Dataset:
    """Draw-up over size and alikeness of W(0), and over a_weak / a_strong and alikeness; integrated
    and by T4."""
    omegas = np.geomspace(1e-4, 0.5, config.grid)
    ratios = np.linspace(0.02, 0.95, config.grid)
    rhos = np.linspace(-0.5, 0.99, config.grid)
    strong = config.sigma**2 + config.mu[1] ** 2 / 2
    size, alike = torch.meshgrid(torch.tensor(omegas), torch.tensor(rhos), indexing="ij")
    start = theory.initial(size, alike, 2).flatten(0, 1)
    by_size = _draw_ups(start, theory.as_double(config.mu), config.sigma)
    progress("maps", 1, 2)
    ratio, alike = torch.meshgrid(torch.tensor(ratios), torch.tensor(rhos), indexing="ij")
    weak = (2 * (ratio * strong - config.sigma**2)).sqrt().flatten()
    centres = torch.stack([weak, torch.full_like(weak, config.mu[1])], dim=-1)
    start = theory.initial(config.omega, alike, 2).flatten(0, 1)
    by_ratio = _draw_ups(start, centres, config.sigma)
    progress("maps", 2, 2)
    shape = (config.grid, config.grid)
    data = xr.Dataset(
        {
            "by_size": (("map_omega", "map_rho"), by_size[0].view(shape).numpy()),
            "by_size_closed_form": (("map_omega", "map_rho"), by_size[1].view(shape).numpy()),
            "by_ratio": (("map_ratio", "map_rho"), by_ratio[0].view(shape).numpy()),
            "by_ratio_closed_form": (("map_ratio", "map_rho"), by_ratio[1].view(shape).numpy()),
        },
        {"map_omega": omegas, "map_ratio": ratios, "map_rho": rhos},
        {"omega": config.omega},
    )
    return labelled(data, {})


def _draw_ups(
    w0: Float[Tensor, "B 2 2"], mu: Float[Tensor, "*#B 2"], sigma: float
) -> tuple[Tensor, Tensor]:
    """Of the exact flow and of T4."""
    a, tau = theory.strengths(mu, torch.full_like(mu, sigma)), theory.log_times(0.02, 60.0, 400)
    w = theory.integrate(w0, a, tau, step=theory.COARSE)
    error = (w @ mu[..., None])[..., 0] - mu
    return (
        measure.draw_up(error.square().sum(-1) / 2).float(),
        measure.draw_up(theory.closed_form_loss(w0, mu, a, tau)).float(),
    )


@stage(reads=("mu", "sigma"), per_seed=False)
def laws(config: Config, progress: Progress) -> xr.Dataset:
    """Arrival of every concept at .8 for two to four concepts, by the pivot and by the diagonal
    entry of W(0); and the largest error of an entry of T4, by size and alikeness of W(0)."""
    size, alike = torch.meshgrid(
        theory.as_double(PIVOT_OMEGAS), theory.as_double(PIVOT_RHOS), indexing="ij"
    )
    rows = []
    for s in (2, 3, 4):
        a = theory.strengths([float(p) for p in range(1, s + 1)], [config.sigma] * s)
        w0 = theory.initial(size.flatten(), alike.flatten(), s)
        tau = theory.log_times(0.05, 80.0, 1200)
        own = torch.diagonal(theory.integrate(w0, a, tau, step=0.05), dim1=-2, dim2=-1)
        measured = measure.arrival(own, PIVOT_PHI, tau)
        law = theory.logistic_time(PIVOT_PHI, theory.pivots(w0, a), a)
        naive = theory.logistic_time(PIVOT_PHI, torch.diagonal(w0, dim1=-2, dim2=-1), a)
        for concept in range(s):
            columns = (each[:, concept].tolist() for each in (measured, law, naive))
            rows += [(s, s - concept, *cell) for cell in zip(*columns, strict=True)]
        progress("laws", s - 1, 4)
    table = np.array(rows)
    small, alike = torch.meshgrid(
        theory.as_double(CLOSED_FORM_OMEGAS), theory.as_double(PIVOT_RHOS), indexing="ij"
    )
    a = theory.strengths(config.mu, (config.sigma,) * 2)
    tau = torch.linspace(0, 40, 800, dtype=torch.float64)
    w0 = theory.initial(small, alike, 2)
    w = theory.integrate(w0, a, tau, step=0.05)
    p, r = w0[..., 1, 1], w0[..., 0, 1]
    clock = tau.view(-1, 1, 1)
    strong, minor, weak = theory.two_concepts(clock, a[1], a[0], p, r, w0[..., 0, 0] - r**2 / p)
    away = torch.stack([strong - w[..., 1, 1], minor - w[..., 0, 1], weak - w[..., 0, 0]])
    data = xr.Dataset(
        {
            "pivot_concepts": ("case", table[:, 0]),
            "pivot_rank": ("case", table[:, 1]),
            "pivot_measured": ("case", table[:, 2]),
            "pivot_law": ("case", table[:, 3]),
            "pivot_diagonal": ("case", table[:, 4]),
            "closed_form_error": (("size", "alike"), away.abs().amax((0, 1)).numpy()),
        },
        {"size": list(CLOSED_FORM_OMEGAS), "alike": list(PIVOT_RHOS)},
    )
    return labelled(data, UNITS)


def random_starts(draws: int, s: int, generator: torch.Generator) -> Float[Tensor, "B s s"]:
    """W(0) = u u^T + epsilon I: u log-uniform in [.02, .6], epsilon in [1e-5, 1e-2]."""
    u = torch.rand(draws, s, generator=generator, dtype=torch.float64)
    e = torch.rand(draws, 1, 1, generator=generator, dtype=torch.float64)
    u = 0.02 * 30**u
    return u[:, :, None] * u[:, None, :] + 1e-5 * 1000**e * torch.eye(s, dtype=torch.float64)


@stage(reads=("draws",))
def searches(config: Config, progress: Progress) -> xr.Dataset:
    """Random W(0): how often the OOD loss descends, with and without minor entries, with the best
    draw's loss; and how late the weakest concept is."""
    tau, shape = theory.log_times(0.02, 40.0, 300), (len(config.seeds), config.draws)
    count, twin, curve = [], [], []
    for s, (mu, sigma) in SETTINGS.items():
        w0 = _starts(config, s)
        loss = _ood_loss(w0.flatten(0, 1), mu, sigma, tau).unflatten(1, shape)  # (T, seed, draw)
        found = measure.descents(loss)
        best = (found + measure.draw_up(loss).clamp(max=0.99)).argmax(-1)
        of_best = loss.gather(-1, best.expand(len(tau), -1)[..., None])[..., 0]  # (T, seed)
        twins = torch.diag_embed(torch.diagonal(w0[:, :TWINS], dim1=-2, dim2=-1))
        alone = measure.descents(_ood_loss(twins.flatten(0, 1), mu, sigma, tau))
        count.append(found.numpy())
        twin.append(alone.view(shape[0], -1).numpy())
        curve.append((of_best / of_best[0]).mT.float().numpy())
        progress("searches", s - 2, 3)
    measured, law, naive, plateau = _failures(_starts(config, 3).flatten(0, 1)).reshape(4, *shape)
    each = ("seed", "draw")
    data = xr.Dataset(
        {
            "descents": (("concepts", *each), np.stack(count).astype("int8")),
            "twin_descents": (("concepts", "seed", "twin"), np.stack(twin).astype("int8")),
            "best_loss": (("concepts", "seed", "search_tau"), np.stack(curve)),
            "failure_measured": (each, measured),
            "failure_law": (each, law),
            "failure_diagonal": (each, naive),
            "failure_plateau": (each, plateau),
        },
        {"seed": list(config.seeds), "concepts": list(SETTINGS), "search_tau": tau.numpy()},
    )
    return labelled(data, UNITS)


def _starts(config: Config, s: int) -> Float[Tensor, "M draws s s"]:
    return torch.stack(
        [random_starts(config.draws, s, seeded(seed, "search", s)) for seed in config.seeds]
    )


def _ood_loss(
    w0: Float[Tensor, "B s s"], mu: tuple[float, ...], sigma: tuple[float, ...], tau: Tensor
) -> Float[Tensor, "T B"]:
    w = theory.integrate(w0, theory.strengths(mu, sigma), tau, step=theory.COARSE)
    return theory.ood_loss(w, mu)


def _failures(w0: Float[Tensor, "B 3 3"]) -> np.ndarray:
    """Of every start: when the weakest major entry reaches .1, by the flow, by its pivot and by its
    diagonal entry (NaN if that starts above .1); and the relative change of the OOD loss from .5 to
    .8 of the waiting time. (4, B)
    """
    mu, sigma = FAILURE
    tau = theory.log_times(0.02, FAILURE_LAST, 500)
    a = theory.strengths(mu, sigma)
    weakest = int(a.argmin())
    w = theory.integrate(w0, a, tau, step=theory.COARSE)
    measured = measure.arrival(w[:, :, weakest, weakest], FAILURE_PHI, tau)
    loss, waiting = theory.ood_loss(w, mu), measured.nan_to_num(FAILURE_LAST)
    middle, late = (
        loss.gather(0, torch.searchsorted(tau, share * waiting).clamp(max=len(tau) - 1)[None])[0]
        for share in (0.5, 0.8)
    )
    first = w0[:, weakest, weakest]
    naive = theory.logistic_time(FAILURE_PHI, first, a[weakest])
    law = theory.logistic_time(FAILURE_PHI, theory.pivots(w0, a)[:, weakest], a[weakest])
    naive = torch.where(first < FAILURE_PHI, naive, torch.nan)
    found = (measured, law, naive, (late - middle).abs() / middle)
    return torch.stack(found).float().numpy()
