"""The experiments: parameters, units, independence of neighbours, and oracles of the training."""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import same_beside_others, smoke
from frames import frames_to_product

from synthcore.config import ParameterError
from synthcore.studies.sim_concept_learning import measure, task, theory
from synthcore.studies.sim_concept_learning.config import Config
from synthcore.studies.sim_concept_learning.experiments import depth, flow, networks, tied
from synthcore.studies.sim_concept_learning.model import Tied, build, identity_loss, linear_or_relu
from synthcore.training.fit import fit
from synthcore.training.progress import Progress


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("sim_concept_learning", **changed))


def test_every_variable_has_a_unit(results: xr.DataTree) -> None:
    experiments = [node.to_dataset() for node in results.children.values()]
    for data in (*experiments, flow.maps(config()), depth.widths(config())):
        assert [n for n, v in data.variables.items() if "units" not in v.attrs] == []


@pytest.mark.parametrize("stage", [networks.order, networks.compositions, tied.run, depth.run])
def test_a_member_is_the_same_beside_others(stage: Any) -> None:
    both, alone = stage(config(n_seeds=2)), stage(config(seed=1, n_seeds=1))
    same_beside_others(both, alone, 2e-4)


def test_the_same_parameters_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    first = tied.full_batch(config())
    monkeypatch.setenv("SYNTHCORE_FRESH", "1")
    xr.testing.assert_identical(first, tied.full_batch(config()))


def test_the_network_is_eight_frames_from_the_experiment() -> None:
    for stage in (networks.order, networks.compositions, depth.run):
        run = stage.function
        frames = frames_to_product(lambda run=run: run(config(), Progress()), learning=True)
        assert len(frames) <= 8, frames


def test_a_population_is_the_loop_of_single_networks() -> None:
    """Plain torch, one network at a time, on the same batches."""
    model = build("2-layer ReLU", 4, 6, [3, 5])
    x = torch.randn(2, 16, 4, generator=torch.Generator().manual_seed(0))
    singles = [[p[m].detach().clone().requires_grad_() for p in model.parameters()] for m in (0, 1)]
    for _ in range(20):
        for m, (first, second) in enumerate(singles):
            loss = ((torch.relu(x[m] @ first) @ second - x[m]) ** 2).sum(-1).mean() / 2
            gradients = torch.autograd.grad(loss, [first, second])
            with torch.no_grad():
                for weight, gradient in zip((first, second), gradients, strict=True):
                    weight -= 0.05 * gradient
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(model, lambda _: x, steps=20, optimizer=optimizer, loss=identity_loss)
    for m, weights in enumerate(singles):
        for own, together in zip(weights, model.parameters(), strict=True):
            torch.testing.assert_close(own, together[m])


def test_dimension_and_width_are_told_apart() -> None:
    """A network of one layer has no width; deeper ones are others at another width."""
    data = depth.run(config(n_seeds=2))
    assert data.draw_up.dims[:3] == ("dimension", "width", "depth")
    assert data.width.values.tolist() == data.dimension.values[[0, -1]].tolist()
    narrow, wide = (data.remaining.isel(width=i, drop=True) for i in (0, 1))
    xr.testing.assert_identical(narrow.sel(depth=1), wide.sel(depth=1))
    assert bool((narrow.sel(depth=3) != wide.sel(depth=3)).all())


def test_small_steps_follow_the_exact_flow_at_twice_the_clock() -> None:
    a = theory.strengths([1.0, 2.0], [0.05, 0.05])
    w0, rate, steps = theory.initial(0.1, 0.9, 2)[None], 0.001, 3500
    model = Tied(theory.square_root(w0))
    points = task.points_with_moment(a[None], 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    fit(model, lambda _: points, steps=steps, optimizer=optimizer, loss=identity_loss)
    tau = torch.tensor([2 * rate * steps], dtype=torch.float64)
    torch.testing.assert_close(model.matrix(), theory.integrate(w0, a, tau)[0], atol=3e-3, rtol=0)


def test_deep_networks_on_two_points_descend_the_population_loss() -> None:
    """|(W - I) A^(1/2)|^2 / 2 over the coordinates that the data reach."""
    model = linear_or_relu(3, 4, 4, [0, 1])
    a = theory.strengths([1.0, 2.0], [0.05, 0.05]).float()
    points = task.points_with_moment(a[None], 4).expand(2, -1, -1)
    error = (model.product() - torch.eye(4))[:, :2]
    expected = (error.square() * a[:, None]).sum((-2, -1)) / 2
    torch.testing.assert_close(identity_loss(model, points), expected)


def test_ordinary_wide_starts_do_not_swing() -> None:
    """The panel that the unstable flow got wrong: with 64 columns no start draws up by 2 %."""
    data = depth.widths(config(n_seeds=4, initialisations=50))
    assert bool(np.isfinite(data.draw_up).all())
    share = (data.draw_up > measure.LARGE).mean(["seed", "initialisation"])
    assert float(share.sel(hidden=64).max()) == 0
    assert float(share.sel(hidden=2, size=0.1)) > 0.05


def test_searches_find_descents_that_need_minor_entries(results: xr.DataTree) -> None:
    data = results["searches"].to_dataset()
    assert int(data.descents.sel(concepts=3).max()) >= 3
    assert int(data.twin_descents.max()) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mu": [2.0, 1.0]}, "mu must name the weak concept first"),
        ({"sigma": -0.1}, "sigma must be a number, more than 0"),
        ({"rho": 1.0}, "rho must be a number"),
        ({"spreads": [0.01]}, "spreads must exceed sigma and rise"),
        ({"tied_learning_rate": 0.2}, "must be below 1 / \\(2 a_max\\)"),
        ({"batch": 1000}, "batch must not exceed"),
        ({"deep_dimensions": [1, 2]}, "deep_dimensions must hold the two concepts"),
        ({"deep_depths": [2, 3]}, "deep_depths must begin with one layer"),
        ({"diversities": [1.0, 0.5, 2.0]}, "diversities must be positive and rise"),
        ({"mu": [0.0, 1.0]}, "mu must be positive"),
        ({"tied_looks": 2000}, "tied_looks must not exceed the updates"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**change)
    assert "\n" not in str(caught.value)
