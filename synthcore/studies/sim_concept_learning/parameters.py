"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from itertools import pairwise

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.sim_concept_learning import theory


class Config(StudyConfig):
    """The notebook's parameters."""

    dimension: int = Field(ge=4, le=512, description="d, coordinates of the trained networks")
    hidden: int = Field(ge=2, le=1024, description="hidden units of the trained networks")
    points: int = Field(ge=16, le=100_000, description="n, samples of every cluster")
    batch: int = Field(ge=1, description="samples per update and member")
    learning_rate: float = Field(gt=0, le=0.1, description="step size of SGD on the networks")
    epochs: int = Field(ge=6, le=1000, description="passes over the samples")
    stride: int = Field(ge=1, description="updates between two looks at the probes")
    diversities: tuple[float, ...] = Field(
        min_length=3, description="sigma_1, rising; the first is the sigma of all other coordinates"
    )
    balanced_seeds: int = Field(
        ge=1, le=512, description="members of the condition with equal signals, whose order is open"
    )
    one_layer_learning_rate: float = Field(
        gt=0, le=0.02, description="step size of gradient descent on the one-layer network"
    )
    mu: tuple[float, float] = Field(description="signals of the tied network, weak then strong")
    sigma: float = Field(gt=0, le=1, description="diversity of the tied network's clusters")
    omega: float = Field(gt=0, lt=1, description="size of W(0)")
    rho: float = Field(gt=0, lt=1, description="alikeness of the rows of W(0)")
    spreads: tuple[float, ...] = Field(
        min_length=1, description="larger sigmas at which the draw-up is compared, rising"
    )
    tied_learning_rate: float = Field(gt=0, description="step size of gradient descent on U")
    tied_time: float = Field(gt=0, le=200, description="how long the tied network trains, clock t")
    tied_looks: int = Field(ge=20, le=2000, description="measurements of the tied network")
    initialisations: int = Field(
        ge=3, le=100_000, description="random initial weights per depth and dimension"
    )
    deep_dimensions: tuple[int, ...] = Field(min_length=1, description="d of deep linear networks")
    deep_depths: tuple[int, ...] = Field(min_length=2, description="layers of them, rising")
    deep_learning_rate: float = Field(gt=0, le=0.1, description="step size for them")
    deep_time: float = Field(gt=0, le=1000, description="how long they train, clock t")
    grid: int = Field(ge=4, le=100, description="cells along each side of the maps")
    draws: tuple[int, int] = Field(
        description="random W(0) searched for three, and for four, descents"
    )

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        a_max = float(theory.strengths(self.mu, (self.spreads[-1],) * 2).max())
        limit = theory.largest_step(a_max)
        rules = [
            (all(m > 0 for m in self.mu), "mu must be positive"),
            (self.mu[0] < self.mu[1], "mu must name the weak concept first"),
            (_rising(self.diversities), "diversities must be positive and rise"),
            (_rising((self.sigma, *self.spreads)), "spreads must exceed sigma and rise"),
            (_rising(self.deep_depths), "deep_depths must be positive and rise"),
            (min(self.deep_dimensions) >= 2, "deep_dimensions must hold the two concepts"),
            (self.batch <= 2 * self.points, "batch must not exceed the samples of two clusters"),
            (min(self.draws) >= 1, "draws must be at least 1"),
            (
                self.tied_learning_rate < limit,
                f"tied_learning_rate must be below 1 / (2 a_max) = {limit:.3g} to be stable",
            ),
            (
                self.tied_time / self.tied_learning_rate >= self.tied_looks,
                "tied_looks must not exceed the updates of the tied network",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self

    @property
    def conditions(self) -> tuple[tuple[tuple[float, float], tuple[float, float]], ...]:
        """(mu, sigma) of the trained networks: the sweep of sigma_1, then the other two signals."""
        base = self.diversities[0]
        sweep = tuple(((1.0, 2.0), (sigma, base)) for sigma in self.diversities)
        return (*sweep, ((2.0, 2.0), (base, base)), ((3.0, 2.0), (base, base)))


def _rising(values: tuple[float, ...] | tuple[int, ...]) -> bool:
    return values[0] > 0 and all(a < b for a, b in pairwise(values))
