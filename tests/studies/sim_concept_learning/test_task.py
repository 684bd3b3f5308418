"""Data: rotations, rejection, batches that depend on the step alone."""

import pytest
import torch

from synthcore.studies.sim_concept_learning import task


def test_rotations_are_orthogonal_and_belong_to_their_seed() -> None:
    found = task.rotations([0, 1, 0], 5)
    torch.testing.assert_close(found @ found.mT, torch.eye(5).double().expand(3, 5, 5))
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])


def test_an_epoch_shows_every_point_once_and_a_batch_depends_on_its_step_alone() -> None:
    points = torch.arange(24.0).view(2, 12, 1)
    batches = task.Epochs(points, 4, [0, 1])
    seen = [batches(step) for step in range(6)]
    for epoch in range(2):
        together = torch.cat(seen[3 * epoch : 3 * epoch + 3], dim=1)
        assert torch.equal(together.sort(1).values, points)
    assert torch.equal(task.Epochs(points, 4, [0, 1])(4), seen[4])
    alone = task.Epochs(points[1:], 4, [1])
    assert torch.equal(alone(4)[0], seen[4][1])
    assert not torch.equal(seen[0], seen[3])


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


def test_at_the_papers_spread_nothing_is_rejected() -> None:
    """Which is why the control of the first edition was empty."""
    for sigma, least, most in ((0.05, 0.0, 0.0), (0.5, 0.03, 0.06)):
        mixture = task.Mixture.of([((1.0, 2.0), (sigma, sigma))], 1)
        share = float(mixture.draw(5000, [0], reject=0.5)[1])
        assert least <= share <= most


def test_a_ball_that_swallows_a_cluster_is_refused() -> None:
    mixture = task.Mixture(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.01, 0.01]]))
    with pytest.raises(ValueError, match="smaller radius"):
        mixture.draw(2, [0], reject=3.0)


def test_points_in_place_of_data_have_its_second_moment() -> None:
    points = task.points_with_moment(torch.tensor([[0.5, 2.0]]), 4)
    assert torch.allclose(task.second_moment(points)[0], torch.diag(torch.tensor([0.5, 2.0, 0, 0])))
