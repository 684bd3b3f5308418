"""Stages without data: deep linear networks on the population loss, and maps of exact dynamics."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from synthcore.studies.sim_concept_learning import deep, maps, measure, theory
from synthcore.studies.sim_concept_learning.parameters import Config
from synthcore.studies.sim_concept_learning.sampled import Progress, report

# mu and sigma of the paper's Figs. 8, 9 and 10
SETTINGS = {
    3: ((1.0, 1.5, 2.2), (0.05, 0.05, 0.05)),
    4: ((1.0, 1.5, 2.2, 2.7), (0.05, 0.05, 0.05, 0.5)),
}
FAILURE = ((0.7, 1.7, 3.0), (0.05, 0.05, 0.05))
HIDDEN, SIZES = (2, 4, 16, 64), (0.01, 0.1)
PIVOT_OMEGAS, PIVOT_RHOS, PIVOT_PHI = (1e-4, 1e-3, 1e-2), (0.5, 0.8, 0.95, 0.99), 0.8
MOST = 8  # descents told apart


def depth(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Draw-ups of deep linear networks over random initial weights, by depth and dimension."""
    mu, sigma = config.mu, (config.sigma,) * 2
    seeds = range(config.seed, config.seed + config.initialisations)
    steps = round(config.deep_time / config.deep_learning_rate)
    shape = (len(config.deep_dimensions), len(config.deep_depths), config.initialisations)
    rise, remaining = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for i, d in enumerate(config.deep_dimensions):
        for j, layers in enumerate(config.deep_depths):
            outcome = deep.descend(
                deep.initial_weights(seeds, layers, d, 2),
                mu,
                sigma,
                config.deep_learning_rate,
                steps,
                report(progress, f"{layers} layers, d = {d}"),
            )
            rise[i, j], remaining[i, j] = outcome.draw_up.numpy(), outcome.remaining.numpy()
    cell = ("dimension", "depth", "init")
    return xr.Dataset(
        {"deep_draw_up": (cell, rise), "deep_remaining": (cell, remaining)},
        {"dimension": list(config.deep_dimensions), "depth": list(config.deep_depths)},
    )


def draw_up_maps(config: Config) -> xr.Dataset:
    """DU over (omega, rho) and (a_weak / a_strong, rho), integrated and by T4."""
    omegas = np.geomspace(1e-4, 0.5, config.grid)
    ratios = np.linspace(0.02, 0.95, config.grid)
    rhos = np.linspace(-0.5, 0.99, config.grid)
    found: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name, x, kind in (("map_omega", omegas, "omega"), ("map_ratio", ratios, "ratio")):
        result = maps.draw_up_map(
            x.tolist(), rhos.tolist(), config.mu, config.sigma, config.omega, kind
        )
        found[f"{name}_simulated"] = ((name, "map_rho"), result.simulated.numpy())
        found[f"{name}_closed_form"] = ((name, "map_rho"), result.closed_form.numpy())
    return xr.Dataset(found, {"map_omega": omegas, "map_ratio": ratios, "map_rho": rhos})


def pivot_law(config: Config) -> xr.Dataset:
    """Arrival of every concept at .8 for 2, 3 and 4 concepts over (omega, rho), by both laws."""
    size, alike = torch.meshgrid(
        theory.as_double(PIVOT_OMEGAS), theory.as_double(PIVOT_RHOS), indexing="ij"
    )
    rows = []
    for s in (2, 3, 4):
        a = theory.strengths(range(1, s + 1), [config.sigma] * s)
        w0 = theory.initial(size.flatten(), alike.flatten(), s)
        law = maps.pivot_law(w0, a, PIVOT_PHI, last=80.0)
        for concept in range(s):
            cells = zip(
                size.flatten(), alike.flatten(), *(part[:, concept] for part in law), strict=True
            )
            rows += [(s, s - concept, *(float(x) for x in cell)) for cell in cells]
    table = np.array(rows)
    names = ("concepts", "rank", "omega", "rho", "measured", "law", "naive")
    return xr.Dataset(
        {f"pivot_{name}": (("pivot_case",), table[:, i]) for i, name in enumerate(names)}
    )


def searches(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Random W(0): multiple descents, a concept that seems lost, Gaussian U of any width."""
    call = report(progress, "searches")
    counts, controls, curves = [], [], []
    found: dict[str, tuple[tuple[str, ...], Any]] = {}
    for i, ((s, (mu, sigma)), draws) in enumerate(zip(SETTINGS.items(), config.draws, strict=True)):
        result = maps.search(mu, sigma, draws, config.seed)
        counts.append(torch.bincount(result.descents, minlength=MOST)[:MOST].numpy())
        controls.append(torch.bincount(result.without_minor, minlength=MOST)[:MOST].numpy())
        curves.append((result.best_loss / result.best_loss[0]).numpy())
        found[f"search_start_{s}"] = ((f"row_{s}", f"column_{s}"), result.best_start.numpy())
        if call is not None:
            call(i + 1, len(SETTINGS))
    late = maps.failures(*FAILURE, config.draws[0], config.seed)
    for name in ("measured", "law", "naive", "plateau"):
        found[f"failure_{name}"] = (("failure_draw",), getattr(late, name).float().numpy())
    rises = np.empty((len(HIDDEN), len(SIZES), config.draws[0] // 2), np.float32)
    centres, a = (
        theory.as_double(config.mu),
        theory.strengths(config.mu, (config.sigma,) * 2),
    )
    for i, hidden in enumerate(HIDDEN):
        for j, omega in enumerate(SIZES):
            u0 = maps.gaussian_starts(rises.shape[-1], 2, hidden, omega, config.seed)
            loss = maps.ood_losses(u0, centres, a, maps.log_times(0.02, 60.0, 300))
            rises[i, j] = measure.draw_up(loss).numpy()
    found["search_count"] = (("setting", "descents"), np.stack(counts))
    found["search_control"] = (("setting", "descents"), np.stack(controls))
    found["search_loss"] = (("setting", "search_tau"), np.stack(curves))
    found["failure_start"] = (("row_3", "column_3"), late.start.numpy())
    found["gaussian_draw_up"] = (("hidden", "size", "gaussian_draw"), rises)
    return xr.Dataset(
        found,
        {
            "setting": list(SETTINGS),
            "descents": range(MOST),
            "search_tau": result.tau.numpy(),
            "hidden": list(HIDDEN),
            "size": list(SIZES),
        },
    )
