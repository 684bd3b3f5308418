"""The forking-paths study: exact segmentation, alone, against listing, Rbeast and ruptures."""

import math
import time

import numpy as np
import torch

from benchmarks.measuring import Benchmark, seconds
from synthcore.changepoints import dirichlet_multinomial, posterior
from synthcore.studies.forking_paths.experiments import released as recipe
from synthcore.studies.forking_paths.experiments.detection import (
    beast_like,
    jittered,
    least_squares,
)
from synthcore.studies.forking_paths.measure.paths import Paths
from synthcore.studies.forking_paths.task.ensemble import Ensemble
from synthcore.studies.forking_paths.task.world import Recipe

SERIES = 60


def sampled(count: int, length: int) -> Paths:
    """Base paths of worlds, 30 completions per branch."""
    ensemble = Ensemble.draw(0, 900, count, Recipe(length))
    return ensemble.paths(ensemble.sample(30, 0), 0.05)


def posterior_seconds() -> float:
    """p(m) and p(tau) of 200 texts of 120 tokens."""
    counts = sampled(200, 120).pseudo

    def solve() -> None:
        _ = posterior(dirichlet_multinomial(counts)).p_tau

    solve()
    return min(seconds(solve) for _ in range(3))


def against_listing() -> float:
    """All segmentations of 20 positions with up to six change points: listing over dynamic
    programming."""
    counts = torch.from_numpy(np.random.default_rng(0).gamma(1.0, 8.0, (1, 20, 4)))
    L = dirichlet_multinomial(counts)
    table = L[0].numpy()

    def solve() -> None:
        _ = posterior(L, 6, 2).p_tau

    solve()
    listing = seconds(lambda: listing.listed_posterior(table, 6, 2))
    return listing / min(seconds(solve) for _ in range(5))


def rbeast_agreement() -> float:
    """Share of 60 texts on which Rbeast and the exact Gaussian model agree on a Bayes factor above
    9, and in passing (printed) the mean difference of P(m >= 1)."""
    y = jittered(sampled(SERIES, 60).drift(), 0)
    ours = 1 - beast_like(y)[0][:, 0].numpy()
    theirs = np.array([1 - recipe.rbeast_p_m(row.numpy(), i)[0] for i, row in enumerate(y)])
    print(f"mean difference of P(m >= 1): {np.abs(ours - theirs).mean():.3f}")
    return float(((ours > 0.9) == (theirs > 0.9)).mean())


def rbeast_time() -> float:
    """60 series by MCMC over the same texts by the exact Dirichlet-multinomial."""
    paths = sampled(SERIES, 60)
    y = jittered(paths.drift(), 0).numpy()

    def solve() -> None:
        _ = posterior(dirichlet_multinomial(paths.pseudo)).p_tau

    solve()
    chains = seconds(lambda: [recipe.rbeast_p_m(row, i) for i, row in enumerate(y)])
    return chains / min(seconds(solve) for _ in range(3))


def pelt_agreement() -> float:
    """Share of 60 series whose penalised least squares partition has as many change points in
    ruptures' PELT, with the same cost, penalty and least length."""
    import ruptures

    y = sampled(SERIES, 60).drift()
    ours = least_squares(y).sum(1).tolist()
    s2 = (y.diff(dim=1).square().mean(1) / 2).tolist()
    same = 0
    for row, count, variance in zip(y.numpy(), ours, s2, strict=True):
        found = ruptures.Pelt(model="l2", min_size=3, jump=1).fit(row)
        same += len(found.predict(pen=2 * variance * math.log(60))) - 1 == count
    return same / SERIES


def transfers() -> float:
    """Thousand completions per second of a world analysed over HTTP on this machine."""
    from synthcore.completions.client import HTTPBackend
    from synthcore.completions.loopback import serving
    from synthcore.studies.forking_paths.measure.analysis import run_fpa
    from synthcore.studies.forking_paths.task.backend import PROMPT, ForkWorldBackend, answer_of
    from synthcore.studies.forking_paths.task.world import ForkWorld

    world = ForkWorld(3)
    with serving(ForkWorldBackend(world)) as url:
        start = time.perf_counter()
        run = run_fpa(HTTPBackend(url, "m"), PROMPT, answer_of(world), 10, max_tokens=61)
        return float(run.counts.sum()) / (time.perf_counter() - start) / 1e3


BENCHMARKS = (
    Benchmark("fork-posterior", "posterior of 200 texts, T = 120", "s", "<=", 5, posterior_seconds),
    Benchmark(
        "fork-listing",
        "20 positions: listing segmentations / ours",
        "x",
        ">=",
        100,
        against_listing,
    ),
    Benchmark(
        "fork-rbeast-time", "60 series of 60: Rbeast (MCMC) / exact", "x", ">=", 5, rbeast_time
    ),
    Benchmark(
        "fork-rbeast",
        "60 series: same verdict as Rbeast on the Gaussian model",
        "share",
        ">=",
        0.85,
        rbeast_agreement,
    ),
    Benchmark(
        "fork-pelt", "60 series: as many changes as PELT", "share", ">=", 0.95, pelt_agreement
    ),
    Benchmark(
        "fork-http", "analysis over HTTP on one machine", "k completions/s", ">=", 0.5, transfers
    ),
)
