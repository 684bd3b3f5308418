"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from itertools import pairwise

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.sim_concept_learning import theory

FIRST = ("seed", "n_seeds", "rho", "omega", "sigma", "dimension")
"""What a reader turns first."""

# Which parameters the stages read.
TRAINING = ("dimension", "hidden", "points", "batch", "learning_rate", "epochs", "stride")
FLOW = ("mu", "sigma", "omega", "rho", "tied_hidden")
TIED = (*FLOW, "points", "tied_learning_rate", "tied_time", "tied_looks")


class Config(StudyConfig):
    """Every parameter with its type, range and meaning; the values stand in the notebook."""

    dimension: int = Field(ge=4, le=512, description="d, coordinates of the trained networks")
    hidden: int = Field(ge=2, le=1024, description="hidden units of the trained networks")
    points: int = Field(ge=16, le=100_000, description="n, samples of every cluster")
    batch: int = Field(ge=1, description="samples per update and member")
    learning_rate: float = Field(
        gt=0,
        le=0.1,
        description="step size of SGD on half the squared error, summed over coordinates; 0.1 on "
        "its mean over 64 coordinates is 0.1 x 2/64 = 0.003125 here",
    )
    epochs: int = Field(ge=6, le=1000, description="passes over the samples")
    stride: int = Field(ge=1, description="updates between two measurements")
    diversities: tuple[float, ...] = Field(
        min_length=3, description="sigma_1, rising; the first is the sigma of all other coordinates"
    )

    one_layer_learning_rate: float = Field(
        gt=0, le=0.1, description="step size of gradient descent on the one-layer network"
    )

    mu: tuple[float, float] = Field(description="signals of the tied network, weak then strong")
    sigma: float = Field(gt=0, le=1, description="diversity of the tied network's clusters")
    omega: float = Field(gt=0, lt=1, description="size of W(0): the mean of its diagonal")
    rho: float = Field(
        gt=0, lt=1, description="how alike the random rows of U(0) are: their correlation"
    )
    tied_hidden: int = Field(ge=2, le=1024, description="columns of U")
    spreads: tuple[float, ...] = Field(
        min_length=1, description="larger sigmas at which the draw-up is compared, rising"
    )
    tied_learning_rate: float = Field(gt=0, description="step size of SGD on U")
    tied_time: float = Field(gt=0, le=200, description="how long the tied network trains, clock t")
    tied_looks: int = Field(ge=20, le=2000, description="measurements of the tied network")

    initialisations: int = Field(
        ge=2, le=1000, description="random initial weights per seed, depth and dimension"
    )
    deep_dimensions: tuple[int, ...] = Field(
        min_length=2, description="d of deep linear networks, rising"
    )
    deep_depths: tuple[int, ...] = Field(min_length=2, description="their layers, from 1, rising")
    deep_learning_rate: float = Field(gt=0, le=0.1, description="step size for them")
    deep_time: float = Field(gt=0, le=1000, description="how long they train, clock t")

    grid: int = Field(ge=4, le=100, description="cells along each side of the maps")
    draws: int = Field(
        ge=2, le=10_000, description="random W(0) per seed that are searched for many descents"
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
            (self.deep_depths[0] == 1, "deep_depths must begin with one layer"),
            (_rising(self.deep_dimensions), "deep_dimensions must be positive and rise"),
            (min(self.deep_dimensions) >= 2, "deep_dimensions must hold the two concepts"),
            (self.batch <= 2 * self.points, "batch must not exceed the samples of two clusters"),
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


def _rising(values: tuple[float, ...] | tuple[int, ...]) -> bool:
    return values[0] > 0 and all(a < b for a, b in pairwise(values))
