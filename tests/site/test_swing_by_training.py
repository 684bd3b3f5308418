"""The network that trains in the page, in its worker, against torch; its exact flow against the
study's theory and against scipy."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Run
from scipy.integrate import solve_ivp
from training_cases import CASES, settings

from synthcore.explorers.base import Explorer
from synthcore.explorers.swing_by_training import SwingByTrainingExplorer, stream
from synthcore.studies.sim_concept_learning import measure, theory

pytestmark = pytest.mark.browser

UPDATES = 200
everywhere = pytest.mark.parametrize("name", list(CASES))


@pytest.fixture(scope="module")
def module(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(SwingByTrainingExplorer())


def weights(given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    names = ("network", "start", "omega", "rho", "width", "seed")
    return stream.initial_weights(**{name: given[name] for name in names})


# ------------------------------------------------------- the same network in torch


class Trained:
    """Weights after `UPDATES` updates, and output at x^ and training loss after every one."""

    def __init__(self, given: dict[str, Any], dtype: torch.dtype) -> None:
        first, second = (torch.tensor(w, dtype=dtype) for w in weights(given))
        tied = given["network"] == "tied"
        parameters = [torch.nn.Parameter(second)]
        if not tied:
            parameters.append(torch.nn.Parameter(first))
        optimizer = torch.optim.SGD(parameters, lr=given["rate"])
        points = stream.training_points(given["mu"], given["sigma"], given["seed"])
        x = torch.tensor(points, dtype=dtype)
        probe = torch.tensor(given["mu"], dtype=dtype)

        def network(x: torch.Tensor) -> torch.Tensor:
            w2 = parameters[0]
            hidden = x @ (w2 if tied else parameters[1].mT)
            return (hidden.relu() if given["network"] == "relu" else hidden) @ w2.mT

        def loss(x: torch.Tensor) -> torch.Tensor:
            return (network(x) - x).square().sum(-1).mean() / 2

        self.output, self.loss = [], []
        for rows in stream.batches(UPDATES, given["batch"], given["seed"]):
            optimizer.zero_grad()
            loss(x[torch.from_numpy(rows)]).backward()
            optimizer.step()
            with torch.no_grad():
                self.output.append(network(probe).numpy().copy())
                self.loss.append(float(loss(x)))
        self.second = parameters[0].detach().numpy()
        self.first = self.second.T if tied else parameters[1].detach().numpy()


def in_worker(module: Run, given: dict[str, Any], asks: list[int]) -> dict[str, Any]:
    """What a worker answers to several requests in turn."""
    found: dict[str, Any] = module(
        """new Promise((done) => {
            const seen = [];
            let left = asks.length;
            const worker = $.trainingWorker((answer) => {
                seen.push(...answer.seen);
                if (--left) return;
                worker.stop();
                done({ seen, first: Array.from(answer.first), second: Array.from(answer.second),
                       run: answer.run, inPage: worker.inPage });
            });
            asks.forEach((count, i) =>
                worker.ask({ run: 5, settings: i ? undefined : given, count }));
        })""",
        given=given,
        asks=asks,
    )
    return found


@everywhere
def test_the_worker_trains_what_torch_trains(module: Run, name: str) -> None:
    given = settings(**CASES[name])
    found = in_worker(module, given, [1, 60, UPDATES - 61])
    assert not found["inPage"]
    assert found["run"] == 5
    seen = np.reshape(found["seen"], (UPDATES, 5))
    output = np.reshape(seen[:, :4], (-1, 2, 2)) @ given["mu"]
    for dtype, within in ((torch.float32, 1e-5), (torch.float64, 1e-11)):
        expected = Trained(given, dtype)
        shape = expected.first.shape
        first = np.reshape(found["first"], shape)
        second = np.reshape(found["second"], shape[::-1])
        np.testing.assert_allclose(first, expected.first, atol=within)
        np.testing.assert_allclose(second, expected.second, atol=within)
        np.testing.assert_allclose(output, expected.output, atol=within)
        np.testing.assert_allclose(seen[:, 4], expected.loss, atol=within)
    assert np.abs(first - weights(given)[0]).max() > 0.05  # it has moved


@everywhere
def test_the_stream_is_the_pages(module: Run, name: str) -> None:
    given = settings(**CASES[name])
    first, second = weights(given)
    found = module(
        """{ const { first, second } = $.initialWeights(given);
             const uniform = $.generator(given.seed);
             return { first: Array.from(first), second: Array.from(second),
                      points: Array.from($.trainingPoints(given)),
                      uniforms: Array.from({ length: 50 }, uniform) }; }""".replace(
            "{ const", "(() => { const", 1
        )
        + ")()",
        given=given,
    )
    np.testing.assert_array_equal(found["uniforms"], stream.uniforms(given["seed"], 50))
    np.testing.assert_allclose(found["first"], first.ravel(), atol=1e-14)
    np.testing.assert_allclose(found["second"], second.ravel(), atol=1e-14)
    points = stream.training_points(given["mu"], given["sigma"], given["seed"])
    np.testing.assert_allclose(found["points"], points.ravel(), atol=1e-14)


def test_the_stream_has_the_right_law() -> None:
    drawn = stream.normals(12, 40_001)
    assert drawn.shape == (40_001,)
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(1, abs=0.02)
    assert np.mean(np.abs(drawn) < 1.96) == pytest.approx(0.95, abs=0.005)
    points = stream.training_points((1, 3), (0.1, 0.4), 5).reshape(2, 100, 2)
    np.testing.assert_allclose(points.mean(1), [[1, 0], [0, 3]], atol=0.13)
    np.testing.assert_allclose(points.std(1), [[0.1, 0.4]] * 2, rtol=0.2)
    rows = stream.batches(500, 32, 2)
    counted = np.bincount(rows.ravel(), minlength=200)
    assert counted.size == 200
    assert ((counted - 80) ** 2 / 80).sum() < 270  # chi square, 199 degrees of freedom
    assert (stream.batches(3, 0, 2) == np.arange(200)).all()


@pytest.mark.parametrize("name", [name for name in CASES if "random" not in name])
def test_starts_are_the_same_map(name: str) -> None:
    given = settings(**CASES[name])
    first, second = weights(given)
    w0 = theory.initial(given["omega"], given["rho"], 2).numpy()
    for x in np.random.default_rng(0).standard_normal((5, 2)):
        hidden = first @ x
        hidden = np.maximum(hidden, 0) if given["network"] == "relu" else hidden
        np.testing.assert_allclose(second @ hidden, w0 @ x, atol=1e-12)


# ----------------------------------------------------------------- the exact flow


def flow(module: Run, given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Times and maps."""
    found = module("$.exactFlow(given)", given=given)
    assert found["updates"] * given["rate"] == pytest.approx(found["t"][-1])
    return np.array(found["t"]), np.reshape(found["maps"], (-1, 2, 2))


@pytest.mark.parametrize(
    ("mu", "sigma", "omega", "rho"),
    [
        ((1, 2), (0.05, 0.05), 0.1, 0.95),
        ((2, 1), (0.05, 0.3), 0.001, 0.5),
        ((1, 2), (0, 1.2), 0.3, -0.6),
        ((1.5, 1.5), (0.1, 0.1), 0.5, 0.99),  # x^ is where it belongs from the start, W is not
        ((0.7, 2.5), (0, 0.5), 0.01, 0.99),
    ],
)
def test_the_tied_flow_is_the_theorys(
    module: Run, mu: tuple[float, float], sigma: tuple[float, float], omega: float, rho: float
) -> None:
    given = settings(mu=mu, sigma=sigma, omega=omega, rho=rho, network="tied", width=5)
    t, maps = flow(module, given)
    shown = np.unique(np.linspace(0, len(t) - 1, 100).astype(int))
    maps = maps[shown]
    a, w0 = theory.strengths(mu, sigma), theory.initial(omega, rho, 2)
    tau = torch.tensor(2 * t[shown], dtype=torch.float64)  # the paper's clock
    w = theory.integrate(w0, a, tau, step=0.04)  # in t this is the page's own step
    np.testing.assert_allclose(maps, w, atol=2e-7)
    np.testing.assert_allclose(maps, theory.integrate(w0, a, tau, step=0.02), atol=3e-6)
    seen = module("$.atSum(maps, mu)", maps=maps.reshape(-1, 4).tolist(), mu=list(mu))
    np.testing.assert_allclose(seen["f"], theory.ood_output(w, mu), atol=2e-6)
    np.testing.assert_allclose(seen["ood"], theory.ood_loss(w, mu), atol=4e-6)
    losses = module("$.mixtureLoss(maps, a)", maps=maps.reshape(-1, 4).tolist(), a=a.tolist())
    np.testing.assert_allclose(losses, theory.train_loss(w, a), atol=4e-6)
    rise = module("$.largestRise(ood)", ood=seen["ood"])
    ood = torch.tensor(seen["ood"], dtype=torch.float64)
    assert rise["size"] == pytest.approx(float(measure.draw_up(ood)), rel=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if "tied" not in name])
def test_the_free_flow_solves_its_equation(module: Run, name: str) -> None:
    given = settings(**CASES[name])
    t, maps = flow(module, given)
    start = {**given, "network": "linear"}  # that of a ReLU network too
    first, second = weights(start)
    a = theory.strengths(given["mu"], given["sigma"]).numpy()
    k = given["width"]

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        w1, w2 = state[: 2 * k].reshape(k, 2), state[2 * k :].reshape(2, k)
        error = (w2 @ w1 - np.eye(2)) * a
        return -np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

    state = np.concatenate([first.ravel(), second.ravel()])
    solved = solve_ivp(velocity, (0, t[-1]), state, "DOP853", t, rtol=1e-12, atol=1e-14)
    w1 = solved.y[: 2 * k].T.reshape(-1, k, 2)
    w2 = solved.y[2 * k :].T.reshape(-1, 2, k)
    np.testing.assert_allclose(maps, w2 @ w1, atol=1e-7)


@pytest.mark.parametrize("network", ["tied", "linear"])
def test_small_steps_on_all_points_become_the_flow(module: Run, network: str) -> None:
    """Without spread the points are the clusters, and what is left is the size of the step."""
    apart = []
    for rate in (0.008, 0.004, 0.002):
        given = settings(network=network, sigma=(0, 0), batch=0, rate=rate)
        steps = round(6 / rate)
        seen = module("Array.from($.trainer(given).advance(steps))", given=given, steps=steps)
        times = (rate * np.arange(1, steps + 1)).tolist()
        exact = module("$.exactFlow(given, 0.02, times).maps", given=given, times=times)
        apart.append(np.abs(np.reshape(seen, (-1, 5))[:, :4] - np.array(exact)[1:]).max())
    assert apart[0] < 0.03
    for coarse, fine in pairwise(apart):
        assert coarse / fine == pytest.approx(2, rel=0.1)
