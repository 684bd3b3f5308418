"""Training on samples against loops, closed forms and the exact flow."""

import numpy as np
import pytest
import torch

from synthcore.studies.sim_concept_learning import deep, descent, maps, networks, task, theory
from synthcore.training.seeding import seeded

TRAINING = networks.Training(
    dimension=6,
    hidden=8,
    points=32,
    batch=16,
    learning_rate=0.05,
    epochs=6,
    stride=4,
    device=torch.device("cpu"),
)
CONDITIONS = [((1.0, 2.0), (0.05, 0.05)), ((3.0, 2.0), (0.05, 0.05))]


# --- data ---------------------------------------------------------------------------------------


def test_rotations_are_orthogonal_and_belong_to_their_seed() -> None:
    found = task.rotations([0, 1, 0], 5)
    torch.testing.assert_close(found @ found.mT, torch.eye(5).double().expand(3, 5, 5))
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])


def test_an_epoch_shows_every_point_once() -> None:
    points = torch.arange(24.0).view(2, 12, 1)
    batches = task.Epochs(points, 4, seeded(0))
    for epoch in range(2):
        seen = torch.cat([batches(3 * epoch + step) for step in range(3)], dim=1)
        assert torch.equal(seen.sort(1).values, points)


def test_rejected_points_are_drawn_again() -> None:
    mixture = task.Mixture(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 0.5]]))
    free, none = mixture.draw(500, [0])
    kept, share = mixture.draw(500, [0], reject=0.5)
    distance = (free - torch.tensor([1.0, 2.0])).norm(dim=-1)
    assert float(none) == 0
    assert float(share) >= float((distance < 0.5).double().mean()) > 0
    assert bool(((kept - torch.tensor([1.0, 2.0])).norm(dim=-1) >= 0.5).all())
    far = distance >= 0.5
    assert torch.equal(kept[far], free[far])


def test_a_ball_that_swallows_a_cluster_is_refused() -> None:
    mixture = task.Mixture(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.01, 0.01]]))
    with pytest.raises(ValueError, match="smaller radius"):
        mixture.draw(2, [0], reject=3.0)


# --- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", list(networks.ARCHITECTURES))
def test_a_member_starts_the_same_in_any_population(architecture: str) -> None:
    together = networks.train(architecture, CONDITIONS, [3], TRAINING)
    alone = networks.train(architecture, CONDITIONS[:1], [3], TRAINING)
    torch.testing.assert_close(together.points[:1], alone.points)
    torch.testing.assert_close(together.output[0, :1], alone.output[0])


def test_training_approaches_the_identity_in_distribution() -> None:
    run = networks.train("2-layer linear", CONDITIONS, [0, 1], TRAINING)
    assert bool((run.loss[-1] < 0.3 * run.loss[0]).all())


def test_outputs_are_un_rotated() -> None:
    run = networks.train("1-layer linear", CONDITIONS[:1], [0], TRAINING)
    mixture = task.Mixture.of(CONDITIONS[:1], 1)
    probes = task.embed(mixture.probes().float(), run.rotation)
    direct = run.model(probes).detach() @ run.rotation[:, :, :2]
    torch.testing.assert_close(run.output[-1], direct)


# --- descent on samples -----------------------------------------------------------------------


def members() -> tuple[torch.Tensor, torch.Tensor]:
    mixture = task.Mixture.of([((1.0, 2.0), (0.05, 0.05)), ((1.0, 2.0), (0.5, 0.5))], 2)
    return mixture.draw(40, [0, 1, 0, 1])[0], theory.initial(0.1, [0.9, 0.5, 0.0, -0.5], 2)


def test_loss_over_samples_needs_the_second_moment_only() -> None:
    points, w0 = members()
    direct = descent.sample_loss(w0, points)
    brute = torch.stack(
        [
            sum(((w @ x - x).square().sum() for x in part), torch.zeros(())) / (2 * len(part))
            for w, part in zip(w0, points, strict=True)
        ]
    )
    torch.testing.assert_close(direct, brute)
    torch.testing.assert_close(direct, descent.reduced_loss(w0, task.second_moment(points)))


def test_tied_descent_is_the_loop_of_single_descents() -> None:
    points, w0 = members()
    together = descent.tied(w0, points, 0.01, 50, [0, 20, 49])
    for m in range(4):
        alone = descent.tied(w0[m : m + 1], points[m : m + 1], 0.01, 50, [0, 20, 49])
        torch.testing.assert_close(together.weights[:, m], alone.weights[:, 0])
        torch.testing.assert_close(together.following[:, m], alone.following[:, 0])


def test_small_steps_follow_the_exact_flow_at_twice_the_clock() -> None:
    a = theory.strengths([1.0, 2.0], [0.05, 0.05])
    w0, rate = theory.initial(0.1, 0.9, 2), 0.001
    at = [500, 1500, 3500]
    path = descent.tied(w0[None], descent.points_with_moment(a[None]), rate, 3600, at)
    tau = 2 * rate * torch.tensor(at, dtype=torch.float64)
    torch.testing.assert_close(path.weights[:, 0], theory.integrate(w0, a, tau), atol=3e-3, rtol=0)


def test_one_layer_descent_follows_its_closed_form() -> None:
    points, _ = members()
    start = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0)).double()
    path = descent.one_layer(start, points, 0.001, 2000, [1999])
    decay = torch.matrix_exp(-1.999 * task.second_moment(points))
    exact = torch.eye(3, 2) + (start - torch.eye(3, 2)) @ decay
    torch.testing.assert_close(path.weights[0], exact, atol=2e-3, rtol=0)


def test_a_step_beyond_stability_is_refused() -> None:
    points, w0 = members()
    with pytest.raises(ValueError, match="stable below"):
        descent.tied(w0, points, 0.3, 10, [0])


def test_deep_descent_is_what_autograd_says() -> None:
    mu, sigma, rate = (1.0, 2.0), (0.05, 0.05), 0.02
    layers = deep.initial_weights([0, 1], 3, 4, 2)
    a = theory.strengths(mu, sigma).float()
    copies = [layer.clone().requires_grad_(True) for layer in layers]
    losses = []
    for _ in range(31):
        error = deep.multiply(copies) - torch.eye(4, 2)
        losses.append((error @ torch.tensor(mu)).square().sum(-1).detach() / 2)
        loss = (error.square() * a).sum() / 2
        gradients = torch.autograd.grad(loss, copies)
        copies = [
            (c - rate * g).detach().requires_grad_(True)
            for c, g in zip(copies, gradients, strict=True)
        ]
    found = deep.descend(layers, mu, sigma, rate, 30)
    torch.testing.assert_close(found.remaining, losses[-1] / losses[0])
    rise = torch.stack(losses) - torch.stack(losses).cummin(0).values
    torch.testing.assert_close(found.draw_up, rise.amax(0) / losses[0])


# --- maps -----------------------------------------------------------------------------------------


def test_searches_find_descents_that_need_minor_entries() -> None:
    found = maps.search((1.0, 1.5, 2.2), (0.05,) * 3, 300, seed=0)
    assert int(found.descents.max()) >= 3
    assert int(found.without_minor.max()) == 1
    assert float(torch.linalg.eigvalsh(found.best_start).min()) > 0


def test_late_concepts_arrive_when_their_pivot_says() -> None:
    late = maps.failures((0.7, 1.7, 3.0), (0.05,) * 3, 100, seed=0)
    slow = (late.measured > 5 * late.naive).numpy()
    assert slow.sum() >= 3
    error = np.abs((late.law / late.measured - 1).numpy()[slow])
    assert np.median(error) < 0.1


def test_map_of_the_closed_form_is_near_the_integrated_one_for_small_starts() -> None:
    found = maps.draw_up_map([1e-3, 1e-2], [-0.5, 0.0, 0.9, 0.99], (1.0, 2.0), 0.05, 0.1, "omega")
    torch.testing.assert_close(found.simulated, found.closed_form, atol=0.02, rtol=0)
    assert float(found.simulated[:, :2].max()) == 0
    assert float(found.simulated[:, 3].min()) > 0
    with pytest.raises(ValueError, match="omega or ratio"):
        maps.draw_up_map([0.1], [0.5], (1.0, 2.0), 0.05, 0.1, "depth")
