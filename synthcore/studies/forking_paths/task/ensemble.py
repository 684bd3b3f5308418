"""Many ForkWorlds as arrays: exact outcomes of every branch, and samples of them in one tensor.

A completion of ForkWorld ends in an outcome drawn from the exact distribution after its prefix, so
the outcomes of all completions of all branches are one categorical draw. `backend` draws the texts
themselves, token by token; a test compares the two.

Axis letters: N worlds, R regimes, T positions, W tokens, K outcomes, S samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from synthcore.studies.forking_paths.measure.paths import Paths
from synthcore.studies.forking_paths.task.world import SYNONYMS, ForkWorld, Recipe, token_class
from synthcore.training.seeding import seeded


@dataclass(frozen=True)
class Ensemble:
    """Worlds of one length. `after[n, t, w]` is the exact outcome distribution after token w at t
    of the base path, `o[n, t]` before token t; tokens as in `Paths`. float64."""

    p: Float[Tensor, "N T W"]
    after: Float[Tensor, "N T W K"]
    o: Float[Tensor, "N T_and_end K"]
    worlds: tuple[ForkWorld, ...]

    @classmethod
    def draw(
        cls, seed: int, stream: int, count: int, recipe: Recipe, device: torch.device | str = "cpu"
    ) -> "Ensemble":
        """`count` worlds; every pair of seed and stream has its own."""
        numbers = np.random.SeedSequence([seed, stream]).generate_state(count)
        return cls.of([ForkWorld(int(number), recipe) for number in numbers], device)

    @classmethod
    def of(cls, worlds: Sequence[ForkWorld], device: torch.device | str = "cpu") -> "Ensemble":
        """Arrays of the base paths of these worlds."""
        first = worlds[0]
        wide = max(len(place.tokens) for world in worlds for place in world.base_places)
        p = np.zeros((len(worlds), first.length, wide))
        after = np.zeros((*p.shape, first.outcomes))
        for n, world in enumerate(worlds):
            for t, place in enumerate(world.base_places):
                p[n, t, : len(place.p)] = place.p
                values = [world.regimes[to].value[t + 1] for to in place.to]
                after[n, t, : len(place.p)] = values
        o = np.stack([world.regimes[0].value for world in worlds])
        on_device = [torch.from_numpy(x).to(device) for x in (p, after, o)]
        return cls(on_device[0], on_device[1], on_device[2], tuple(worlds))

    @property
    def jumps(self) -> Float[Tensor, "N T"]:
        """J_t, total variation of the outcomes before and after the base token t."""
        return 0.5 * self.o.diff(dim=1).abs().sum(-1)

    @property
    def surface(self) -> Int[Tensor, "N T"]:
        """Token classes of the base paths."""
        rows = [[token_class(token) for token in world.base_path()] for world in self.worlds]
        return torch.tensor(rows)

    def observed(self, truncated: float, misread: float) -> Float[Tensor, "N T W K_and_other"]:
        """What is seen of `after` if a share of completions never ends ("Other", last) and a share
        of the others is read as another outcome, all others alike."""
        k = self.after.shape[-1]
        read = (1 - misread) * self.after + misread * (1 - self.after) / (k - 1)
        other = torch.full_like(read[..., :1], truncated)
        return torch.cat([(1 - truncated) * read, other], -1)

    def sample(
        self, samples: int, seed: int, distribution: Float[Tensor, "N T W K2"] | None = None
    ) -> Int[Tensor, "N T W S"]:
        """Outcome numbers of `samples` completions of every branch, of `after` if nothing else is
        given. A larger number of samples extends the smaller one."""
        share = self.after if distribution is None else distribution
        bounds = share.cumsum(-1)[..., :-1]
        generator = seeded(seed, "completions", device=share.device)
        drawn = []
        for _ in range(samples):
            u = torch.rand(*bounds.shape[:-1], 1, generator=generator, device=share.device)
            drawn.append((u >= bounds).sum(-1, dtype=torch.int8))
        return torch.stack(drawn, -1)

    def sample_start(self, samples: int, seed: int) -> Float[Tensor, "N K"]:
        """Counts of outcomes of `samples` completions of the prompt alone."""
        generator = seeded(seed, "start", device=self.o.device)
        bounds = self.o[:, 0].cumsum(-1)[:, None, :-1]
        u = torch.rand(len(self.o), samples, 1, generator=generator, device=self.o.device)
        drawn = (u >= bounds).sum(-1)
        return torch.nn.functional.one_hot(drawn, self.o.shape[-1]).sum(1).to(self.o)

    def paths(self, outcomes: Int[Tensor, "N T W S"], threshold: float) -> Paths:
        """Counts of sampled outcomes at tokens above the threshold."""
        kinds = int(max(int(outcomes.max()) + 1, self.after.shape[-1]))
        counts = torch.stack([(outcomes == k).sum(-1) for k in range(kinds)], -1)
        counts = counts * (self.p > 0)[..., None]
        return Paths(self.p, counts.double()).above(threshold)


@dataclass(frozen=True)
class Tables:
    """Token numbers, probabilities and regimes after, of every place; outcomes of every regime.

    Places that no text reaches hold token 0 with probability 1.
    """

    token: Int[ndarray, "N R T W"]
    p: Float[ndarray, "N R T W"]
    to: Int[ndarray, "N R T W"]
    end: Float[ndarray, "N R K"]

    @classmethod
    def of(cls, worlds: Sequence[ForkWorld], tokens: Sequence[str]) -> "Tables":
        """All worlds have one length and number of outcomes; `tokens` names every token."""
        number = {token: i for i, token in enumerate(tokens)}
        most = max(len(world.regimes) for world in worlds)
        shape = (len(worlds), most, worlds[0].length, SYNONYMS)
        token, to, p = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape)
        p[..., 0] = 1
        end = np.full((len(worlds), most, worlds[0].outcomes), 1 / worlds[0].outcomes)
        for n, world in enumerate(worlds):
            for r, regime in enumerate(world.regimes):
                end[n, r] = regime.end
                for t in range(regime.start, world.length):
                    place = world.place(r, t)
                    w = len(place.tokens)
                    token[n, r, t, :w] = [number[x] for x in place.tokens]
                    p[n, r, t, :w], to[n, r, t, :w] = place.p, place.to
        return cls(token, p, to, end)
