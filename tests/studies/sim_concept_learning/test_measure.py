"""What is read off a trajectory, against brute force."""

from itertools import product

import numpy as np
import pytest
import torch
import xarray as xr

from synthcore.studies.sim_concept_learning import measure, task, theory


def test_draw_up_is_the_largest_later_rise() -> None:
    loss = torch.rand(30, 20, generator=torch.Generator().manual_seed(0))
    brute = [
        max(float(loss[j, m] - loss[i, m]) for i in range(30) for j in range(i, 30))
        / float(loss[0, m])
        for m in range(20)
    ]
    torch.testing.assert_close(measure.draw_up(loss), torch.tensor(brute))


@pytest.mark.parametrize("bumps", [0, 1, 2, 3])
def test_descents_count_bumps_and_overlook_wiggles(bumps: int) -> None:
    values = [10.0]
    for _ in range(bumps):
        values += [5.0, 7.0]
    values += [4.0, 4.001, 3.99]
    loss = torch.tensor(values)
    assert int(measure.descents(loss[:, None])[0]) == bumps + 1
    low, high = measure.turning_points(loss)
    assert (low, high) == ((1, 2) if bumps else (None, None))


def test_arrival_ignores_visits() -> None:
    path = torch.tensor([[0.0, 0.0], [0.6, 0.6], [0.2, 0.8], [0.8, 0.9], [0.9, 0.4]])
    found = measure.arrival(path, 0.5, torch.arange(5.0))
    assert float(found[0]) == pytest.approx(2.5)
    assert bool(found[1].isnan())


def test_losses_over_samples_need_the_second_moment_only() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(2, 30, 3, generator=generator, dtype=torch.float64)
    matrix = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    brute = torch.stack(
        [
            sum(((x @ m - x).square().sum() for x in part), torch.zeros(())) / 60
            for m, part in zip(matrix, points, strict=True)
        ]
    )
    over = measure.loss_over_samples(matrix, points)
    torch.testing.assert_close(over, brute)
    moment = task.second_moment(points)
    torch.testing.assert_close(measure.loss_from_moment(matrix, moment), over)


def test_the_swing_is_read_off_the_flow() -> None:
    """From alike rows the weak coordinate turns back; without minor entries it never does."""
    a, tau = theory.strengths([1.0, 2.0], [0.05] * 2), torch.linspace(0, 16, 400).double()
    starts = torch.stack([theory.initial(0.1, 0.95, 2), theory.initial(0.1, 0.0, 2)])
    found = measure.swing(theory.integrate(starts, a, tau), (1.0, 2.0), tau)
    assert float(found["draw_up"][0]) == pytest.approx(0.09, abs=0.005)
    assert float(found["draw_up"][1]) == 0
    events = [float(found[event][0]) for event in measure.EVENTS]
    assert events == sorted(events)
    assert bool(found["loss minimum"].isnan()[1])
    assert float(found["fall"][1]) == 0
    torch.testing.assert_close(found["end"], torch.ones(2).double(), atol=1e-3, rtol=0)


def test_there_are_50_pairs_of_compositions_that_are_not_empty() -> None:
    """3^4 - 2^4 comparable pairs, 15 of them with the empty composition."""
    assert len(measure.pairs(4)) == 3**4 - 2**4 - 15
    sets = [frozenset(p for p in range(4) if v >> p & 1) for v in range(16)]
    strictly = {(u, v) for u, v in product(range(1, 16), repeat=2) if sets[u] < sets[v]}
    assert set(measure.pairs(4)) == strictly


def test_orders_of_learning() -> None:
    size = task.compositions(4).sum(1)
    rows = np.stack([size.numpy(), -size.numpy(), np.where(size == 4, np.nan, size)])
    values = xr.DataArray(rows, dims=("seed", "composition"), coords={"composition": range(16)})
    assert measure.in_order(values).values.tolist() == [1.0, 0.0, 1.0]
    assert float(measure.in_order(values[0] * np.nan)) == 0  # nothing was learned in order


def test_what_never_arrives_is_infinitely_late() -> None:
    times = xr.DataArray([[2.0, 1.0], [np.nan, 1.0], [np.nan, np.nan]], dims=("seed", "concept"))
    found = measure.log_ratio(times).values
    assert found[0] == pytest.approx(-np.log(2))
    assert found[1] == -np.inf
    assert np.isnan(found[2])


def test_a_composition_is_correct_if_every_concept_is_on_its_side() -> None:
    mu = torch.tensor([[1.0, 2.0]])
    output = torch.tensor([[[[0.4, 0.9], [0.6, 0.9], [0.4, 1.2], [0.8, 1.8]]]])  # V = 4, by bits
    found = measure.correct(output, mu)[0, 0]
    torch.testing.assert_close(found, torch.tensor([0.05, 0.05, 0.1, 0.3]))
    torch.testing.assert_close(measure.correct(0 * output, mu)[0, 0, 1:], -0.5 * torch.ones(3))
