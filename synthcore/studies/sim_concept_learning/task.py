"""Structured identity mapping: regress the identity on clusters that lie on coordinate axes, and
test where no cluster is.

There are s concepts in d coordinates. Cluster p is centred at mu_p e_p and has the standard
deviation sigma_k along coordinate k; sigma belongs to the coordinate and is shared by all clusters.
The target of a point is the point itself. The test is the sum of all centres, x^ = sum_p mu_p e_p:
the strong and the weak concept at once, far from everything seen. A random rotation, common to all
points of a member, hides the axes from the network.

Axis letters: M member, N points, B batch, s concepts, d coordinates, V compositions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.training.seeding import seeded


def compositions(concepts: int) -> Float[Tensor, "V s"]:
    """All v in {0, 1}^s; row i has bit p of i at concept p, so the last row is x^ itself.

    >>> compositions(2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    index = torch.arange(2**concepts)
    return (index[:, None] >> torch.arange(concepts) & 1).double()


def rotations(seeds: Sequence[int], d: int) -> Float[Tensor, "M d d"]:
    """One uniformly random rotation (or reflection) of R^d per seed, float64."""
    gaussian = torch.stack(
        [
            torch.randn(d, d, generator=seeded(seed, "rotation"), dtype=torch.float64)
            for seed in seeds
        ]
    )
    q, r = torch.linalg.qr(gaussian)
    return q * torch.diagonal(r, dim1=-2, dim2=-1).sign()[..., None, :]


@dataclass(frozen=True)
class Mixture:
    """Clusters of every member: signal strengths mu and diversities sigma."""

    mu: Float[Tensor, "M s"]
    sigma: Float[Tensor, "M s"]

    def __post_init__(self) -> None:
        for name, values in (("mu", self.mu), ("sigma", self.sigma)):
            if bool((values < 0).any()):
                raise ValueError(f"{name} must not be negative (got {values.tolist()})")

    @classmethod
    def of(
        cls, conditions: Sequence[tuple[Sequence[float], Sequence[float]]], repeats: int
    ) -> "Mixture":
        """Every (mu, sigma) `repeats` times in a row, float64."""
        mu, sigma = (
            torch.tensor([condition[i] for condition in conditions], dtype=torch.float64)
            for i in (0, 1)
        )
        return cls(mu.repeat_interleave(repeats, 0), sigma.repeat_interleave(repeats, 0))

    @property
    def concepts(self) -> int:
        return self.mu.shape[-1]

    def probes(self) -> Float[Tensor, "M V s"]:
        """x^(v) = sum_p v_p mu_p e_p for every composition v."""
        return compositions(self.concepts) * self.mu[:, None, :]

    def draw(
        self, n: int, seeds: Sequence[int], reject: float | Sequence[float] = 0.0
    ) -> tuple[Float[Tensor, "M N s"], Float[Tensor, "M"]]:
        """n points of every cluster, and the share of points that were rejected; float64.

        Points nearer to x^ than `reject` (a radius, or one per member) are drawn again. Members of
        equal seed share their noise. Noise-free clusters are their centres:

        >>> mixture = Mixture(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2))
        >>> mixture.draw(1, [0])[0].tolist()
        [[[1.0, 0.0], [0.0, 2.0]]]
        """
        if n < 1:
            raise ValueError(f"there must be at least 1 point per cluster (got {n})")
        s = self.concepts
        radius = torch.as_tensor(reject, dtype=torch.float64).expand(len(seeds))
        centres = torch.diag_embed(self.mu.double()).repeat_interleave(n, 1)  # (M, N, s)
        spread, target = self.sigma.double()[:, None, :], self.mu.double()[:, None, :]
        generators = [seeded(seed, "points") for seed in seeds]

        def noise() -> Tensor:
            drawn = [torch.randn(s * n, s, generator=g, dtype=torch.float64) for g in generators]
            return torch.stack(drawn) * spread

        points = centres + noise()
        rejected = torch.zeros(len(seeds), dtype=torch.float64)
        for _ in range(1000):
            inside = (points - target).norm(dim=-1) < radius[:, None]
            if not bool(inside.any()):
                return points, rejected / (s * n)
            rejected += inside.sum(-1)
            points = torch.where(inside[..., None], centres + noise(), points)
        raise ValueError("the rejected ball leaves no room for a cluster: take a smaller radius")


def embed(
    points: Float[Tensor, "M N s"], rotation: Float[Tensor, "M d d"]
) -> Float[Tensor, "M N d"]:
    """Points of the first s coordinates in R^d, rotated. ValueError if s > d."""
    s, d = points.shape[-1], rotation.shape[-1]
    if s > d:
        raise ValueError(f"{s} concepts do not fit into {d} coordinates")
    return points @ rotation[:, :, :s].mT


def points_with_moment(a: Float[Tensor, "M s"], d: int) -> Float[Tensor, "M s d"]:
    """s points of R^d whose second moment is exactly diag(a): data replaced by A, no noise."""
    s = a.shape[-1]
    return torch.diag_embed((a * s).sqrt()) @ torch.eye(s, d, dtype=a.dtype)


def second_moment(points: Float[Tensor, "M N s"]) -> Float[Tensor, "M s s"]:
    """A_n = mean of x x^T over the points: all that the loss of a linear network sees."""
    return points.mT @ points / points.shape[1]


def moment_errors(
    mu: Float[Tensor, "M s"], sigma: Float[Tensor, "M s"], n: int
) -> Float[Tensor, "M s s"]:
    """Standard error of every entry of A_n with n points per cluster, exactly.

    In cluster p the coordinates are independent normals with means m_k = mu_k 1[k = p]; var(x_k^2)
    = 2 sigma_k^4 + 4 m_k^2 sigma_k^2, and var(x_k x_l) = sigma_k^2 sigma_l^2 + m_k^2 sigma_l^2 +
    m_l^2 sigma_k^2.
    """
    s = mu.shape[-1]
    means = torch.diag_embed(mu.double()).square()  # (M, cluster, coordinate)
    spread = sigma.double().square()[:, None, :]
    cross = means[..., :, None] * spread[..., None, :]
    pair = spread[..., :, None] * spread[..., None, :] + cross + cross.mT
    own = 2 * spread**2 + 4 * means * spread
    same = torch.eye(s, dtype=torch.float64)
    variance = pair * (1 - same) + torch.diag_embed(own)
    return (variance.mean(1) / (s * n)).sqrt()


class Epochs:
    """Batches of stored points, every point once per epoch, in an order of each seed's own.

    The batch of a step depends on seeds and step alone, so that a training can go on anywhere.
    """

    def __init__(self, points: Float[Tensor, "M N d"], batch: int, seeds: Sequence[int]) -> None:
        if not 1 <= batch <= points.shape[1]:
            raise ValueError(f"batch must lie in 1..{points.shape[1]} (got {batch})")
        self.points, self.batch, self.seeds = points, batch, seeds
        self.per_epoch = points.shape[1] // batch
        self._epoch, self._order = -1, torch.empty(0)

    def __call__(self, step: int) -> Float[Tensor, "M B d"]:
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            count = self.points.shape[1]
            orders = {
                seed: torch.randperm(count, generator=seeded(seed, "order", epoch))
                for seed in set(self.seeds)
            }
            self._order = torch.stack([orders[seed] for seed in self.seeds]).to(self.points.device)
            self._epoch = epoch
        rows = self._order[:, place * self.batch : (place + 1) * self.batch]
        return self.points.gather(1, rows[..., None].expand(-1, -1, self.points.shape[-1]))
