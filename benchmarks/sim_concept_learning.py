"""The identity-mapping study: exact dynamics by the thousand, and populations of small networks."""

import numpy as np
import torch
from scipy.integrate import solve_ivp

from benchmarks.measuring import Benchmark, ratio, seconds
from synthcore.nn.mlp import MLP, MLPConfig
from synthcore.studies.sim_concept_learning import theory
from synthcore.studies.sim_concept_learning.model import identity_loss

CONCEPTS, SOME, LAST = 4, 20, 40.0
MEMBERS, WIDTH, BATCH, STEPS = 96, 64, 128, 10


def starts() -> torch.Tensor:
    """1200 W(0) of four concepts over size and alikeness."""
    omega = torch.logspace(-4, -1, 40, dtype=torch.float64)
    rho = torch.linspace(-0.3, 0.99, 30, dtype=torch.float64)
    return theory.initial(omega[:, None], rho[None], CONCEPTS).flatten(0, 1)


A = theory.strengths([1.0, 2.0, 3.0, 4.0], [0.5] * CONCEPTS)
TAU = theory.log_times(0.01, LAST, 100)


def batched() -> float:
    """Seconds for all 1200 trajectories in one batched integration."""
    return seconds(lambda: theory.integrate(starts(), A, TAU))


def against_scipy() -> float:
    """The same number of trajectories by scipy, one at a time (measured on 20), to 1e-6."""
    w0 = starts()
    some = w0[:: len(w0) // SOME]
    matrix = np.diag(A.numpy())

    def slope(_: float, flat: np.ndarray) -> np.ndarray:
        w = flat.reshape(CONCEPTS, CONCEPTS)
        c = matrix @ w + w @ matrix
        found: np.ndarray = (c - (c @ w + w @ c) / 2).ravel()
        return found

    def one_at_a_time() -> None:
        for w in some:
            solve_ivp(slope, (0, LAST), w.ravel().numpy(), rtol=1e-7, atol=1e-8)

    return seconds(one_at_a_time) * len(w0) / len(some) / batched()


def population_against_loop() -> float:
    """SGD steps of 96 two-layer ReLU networks: loop of singles / population."""
    shape = MLPConfig(inputs=WIDTH, hidden=WIDTH, outputs=WIDTH, depth=2)
    x = torch.randn(MEMBERS, BATCH, WIDTH, generator=torch.Generator().manual_seed(0))
    together = MLP(shape, range(MEMBERS))
    alone = [MLP(shape, [seed]) for seed in range(MEMBERS)]

    def train(model: MLP, points: torch.Tensor) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(STEPS):
            optimizer.zero_grad()
            identity_loss(model, points).sum().backward()
            optimizer.step()

    def loop() -> None:
        for m, model in enumerate(alone):
            train(model, x[m : m + 1])

    return ratio(loop, lambda: train(together, x))


BENCHMARKS = (
    Benchmark("sim-ode", "1200 trajectories of 4 concepts, float64", "s", "<=", 10, batched),
    Benchmark("sim-scipy", "the same: scipy / ours", "x", ">=", 5, against_scipy),
    Benchmark(
        "sim-loop",
        f"{MEMBERS} ReLU networks ({2 * WIDTH**2 // 1000}k parameters), {BATCH} points: "
        "loop of singles / population",
        "x",
        ">=",
        1,
        population_against_loop,
    ),
)
