"""One text to look at: what is true of it, what samples say, what the analysis makes of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from synthcore.changepoints import Posterior, dirichlet_multinomial, posterior
from synthcore.studies.forking_paths import survival
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.lexicon import NUMBERS, PUNCTUATION, WORDS
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.paths import Paths, distance
from synthcore.studies.forking_paths.tables import Tables
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
        return posterior(dirichlet_multinomial(self.paths.pseudo))

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


TEXTS = {2: "two forks", 1: "one fork", 3: "three forks", 0: "no fork"}


def explorer_worlds(config: Config) -> dict[str, Any]:
    """Arguments of the explorer: texts with two, one, three and no planted forks."""
    worlds = [
        Ensemble.draw(config.seed, 801 + forks, 1, Recipe(config.length, forks=(forks,))).worlds[0]
        for forks in TEXTS
    ]
    tokens = (*WORDS, *NUMBERS, *PUNCTUATION)
    tables = Tables.of(worlds, tokens)
    return {
        "tokens": tables.token,
        "p": tables.p,
        "to": tables.to,
        "ends": tables.end,
        "vocabulary": tokens,
        "names": worlds[0].names,
        "titles": tuple(TEXTS.values()),
        "position": int(worlds[0].forks("fork")[0]),
        "samples": config.headline,
        "threshold": config.p_thresh,
    }
