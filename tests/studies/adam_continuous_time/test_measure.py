"""What is measured of updates and layers, against what the optimiser does."""

import numpy as np
import pytest
import torch
from torch import nn

from synthcore.nn.invariant import Norm, NormalisedMLP
from synthcore.studies.adam_continuous_time import measure
from synthcore.studies.adam_continuous_time.theory import bounds, layers
from synthcore.training.k_adam import KAdam


def gradient(step: int, shape: tuple[int, ...]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def trained(steps: int, reload_at: int = -1) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """A population of two under random gradients that end for one weight after eight steps."""
    model = nn.ParameterList([torch.zeros(2, 5, dtype=torch.float64)])
    weights = model[0]
    beta, gamma = torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.9])
    optimizer = KAdam(model.parameters(), 1.0, k=1, betas=(beta, gamma), eps=0.0, weight_decay=0.0)
    monitor = measure.UpdateMonitor(model, optimizer, beta, gamma)
    rows, moved = [], []
    for step in range(1, steps + 1):
        weights.grad = gradient(step, (2, 5))
        if step > 8:
            weights.grad[:, 2] = 0
        before = weights.detach().clone()
        optimizer.step()
        moved.append((weights.detach() - before).abs().amax(1).numpy())
        rows.append(monitor.look(step))
        if step == reload_at:
            optimizer.load_state_dict(optimizer.state_dict())
            monitor = measure.UpdateMonitor(model, optimizer, beta, gamma)
    return rows, np.stack(moved)


def test_the_monitor_sees_the_updates_that_adam_makes() -> None:
    rows, moved = trained(30)
    largest = np.stack([row["largest"][0] for row in rows])
    np.testing.assert_allclose(largest, moved, rtol=1e-6)


def test_silence_is_counted_and_predicts_the_update() -> None:
    """(0.9, 0.5) lets the silent weight run away; after 22 steps without a gradient."""
    rows, _ = trained(30)
    assert rows[-1]["silence"][0] == 22
    assert rows[-1]["elsewhere"][0] == 0
    later = np.log(rows[-1]["largest"][0, 0] / rows[-11]["largest"][0, 0])
    bias = np.log(bounds.bias_factor(0.9, 0.5, np.array([20, 30])))
    assert later - (bias[1] - bias[0]) == pytest.approx(10 * bounds.exact_rate(0.9, 0.5))


def test_silence_outlives_a_restart() -> None:
    assert trained(30, reload_at=15)[0][-1]["silence"][0] == 22


def test_a_layer_is_watched_as_it_turns() -> None:
    weight = nn.Parameter(torch.tensor([[[3.0, 4.0]]]))
    model = nn.ParameterList([weight])
    rate, decay = torch.tensor([0.1]), torch.tensor([0.5])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    monitor = measure.LayerMonitor(weight, optimizer, rate, decay)
    with torch.no_grad():  # decay and an update of -0.1 (1, 0): u = (1, 0)
        weight.mul_(0.95).sub_(torch.tensor([[[0.1, 0.0]]]))
    row = monitor.look()
    assert row["norm"][0] == pytest.approx(5)
    assert row["moved"][0] == pytest.approx(0.1, rel=1e-5)
    angle = np.arctan2(3.8, 2.75) - np.arctan2(4, 3)
    assert row["angle"][0] == pytest.approx(angle, rel=1e-5)


def test_margins_are_relative_exponents() -> None:
    for beta in (0.5, 0.9, 0.99):
        for margin in (-1.0, 0.0, 0.5):
            gamma = measure.gamma_at_margin(margin, beta)
            a = (1 - beta) / beta
            assert float(bounds.exponent(beta, gamma)) == pytest.approx(2 * a * margin, abs=1e-12)
    assert measure.gamma_at_margin(0.0, 0.9) == pytest.approx(bounds.continuous_frontier(0.9))


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_law_of_the_norm_holds_for_orthogonal_noise(beta: float) -> None:
    condition = layers.Condition(beta=beta, decay=1.0, norm=0.5)
    paths = layers.simulate([condition] * 3, [0, 1, 2], 300, 600)
    law = layers.predicted_norm2(
        paths.update2, paths.norm2[0], np.array(1e-3), np.array(1.0),
        np.array(layers.amplification(beta)),
    )  # fmt: skip
    np.testing.assert_allclose(paths.norm2[-1], law[-1], rtol=0.05)


@pytest.mark.parametrize("norm", ["layer", "batch", "weight", "none"])
def test_normalised_layers_are_scale_invariant(norm: Norm) -> None:
    model = NormalisedMLP((12, 8, 3), [0, 1], norm=norm)
    x = torch.randn(2, 16, 12, generator=torch.Generator().manual_seed(0))
    before = model(x)
    with torch.no_grad():
        model.hidden[0].weight.mul_(7.0)  # type: ignore[operator]
    changed = float((model(x) - before).detach().abs().max())
    assert (changed < 1e-5) == (norm != "none")


@pytest.mark.parametrize("norm", ["layer", "batch", "weight", "none"])
def test_a_population_of_perceptrons_is_a_loop(norm: Norm) -> None:
    x = torch.randn(3, 10, 12, generator=torch.Generator().manual_seed(0))
    together = NormalisedMLP((12, 8, 6, 3), [4, 5, 6], norm=norm)(x)
    for m, seed in enumerate((4, 5, 6)):
        alone = NormalisedMLP((12, 8, 6, 3), [seed], norm=norm)(x[m : m + 1])
        torch.testing.assert_close(together[m : m + 1], alone, rtol=1e-5, atol=1e-6)


def test_lost_members_do_not_stop_the_others() -> None:
    loss = measure.finite(torch.tensor([1.0, float("nan"), float("inf")]))
    assert loss.tolist() == [1.0, measure.LOST, measure.LOST]
