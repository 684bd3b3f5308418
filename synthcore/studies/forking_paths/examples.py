"""One text to look at: what is true of it, what samples say, and what the analysis makes of them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.studies.forking_paths import segments, survival
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.paths import Paths, distance
from synthcore.studies.forking_paths.segments import Posterior
from synthcore.studies.forking_paths.task import ForkWorld, Recipe


@dataclass(frozen=True)
class Example:
    """The base path of one world, sampled. Everything has N = 1."""

    ensemble: Ensemble
    paths: Paths

    @property
    def world(self) -> ForkWorld:
        return self.ensemble.worlds[0]

    @property
    def exact(self) -> Float[Tensor, "T K"]:
        """True outcome distribution before every token."""
        return self.ensemble.o[0, :-1]

    @cached_property
    def found(self) -> Posterior:
        """Posterior of change points from the samples."""
        return segments.posterior(segments.dm(self.paths.pseudo))

    @property
    def smoothed(self) -> Float[Tensor, "T K"]:
        """Posterior mean of the outcome distribution."""
        return self.found.smoothed(self.paths.pseudo)[0]

    @property
    def drift(self) -> dict[str, Float[Tensor, "T"]]:
        """y_t = |o_0 - o_t|: sampled, smoothed over segments, and exact."""
        first = {"sampled": self.paths.o_t[0], "segments": self.smoothed, "exact": self.exact}
        return {name: distance(o[:1].expand_as(o), o, "l2") for name, o in first.items()}

    @property
    def hazard(self) -> Float[Tensor, "T"]:
        """Probability of a token after which outcomes are at least .6 away (L2)."""
        return survival.hazard(self.paths)[0]


def example(config: Config, forks: int = 2) -> Example:
    """The first world of the first seed with that many forks and a rare one; `headline` samples."""
    recipe = Recipe(config.length, forks=(forks,), rare=(1,))
    ensemble = Ensemble.draw(config.seed, 800, 1, recipe)
    return Example(ensemble, ensemble.paths(ensemble.sample(config.headline, 0), config.p_thresh))


def shown_worlds(config: Config, count: int = 4) -> list[ForkWorld]:
    """Worlds for the explorer: a quiet one, and one each with one, two and three forks."""
    return [
        Ensemble.draw(config.seed, 801 + forks, 1, Recipe(config.length, forks=(forks,))).worlds[0]
        for forks in (2, 1, 3, 0)[:count]
    ]
