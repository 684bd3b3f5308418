"""ForkWorld behind the black-box protocol: texts are drawn token by token.

The worlds can be made as unreliable as a real pipeline: completions that never reach an answer, and
answers that are misread.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from synthcore.completions.protocol import Completion, Request, ServerError
from synthcore.studies.forking_paths.measure.analysis import OutcomeOf, regex_outcome
from synthcore.studies.forking_paths.task.world import ForkWorld, tokens_of

PROMPT = "Tell me a story and end it with an answer."
PATTERN = r"Answer: (\w)"


class Choice(NamedTuple):
    """What is drawn from at one place: a uniform number below bounds[i] and not below the bound
    before chooses words[i]."""

    words: tuple[str, ...]
    bounds: list[float]
    to: tuple[int, ...]
    likely: dict[str, float]


class ForkWorldBackend:
    """One world as a language model. A share `unfinished` of sampled texts stops before the answer.

    >>> world = ForkWorld(0)
    >>> greedy = Request((PROMPT,), max_tokens=100, temperature=0.0)
    >>> [(_, [completion])] = ForkWorldBackend(world).complete([greedy])
    >>> completion.text.startswith("".join(world.base_path()))
    True
    """

    def __init__(self, world: ForkWorld, unfinished: float = 0.0) -> None:
        self.world, self.unfinished = world, unfinished
        self._places: dict[tuple[int, int, float], Choice] = {}

    @property
    def name(self) -> str:
        return f"forkworld-{self.world.seed}-{self.world.length}"

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        """In order. Raises ServerError for a text that this language does not have."""
        for index, request in enumerate(requests):
            yield index, self._continue(request)

    def _continue(self, request: Request) -> list[Completion]:
        prefix = tokens_of(request.text.removeprefix(PROMPT))
        try:
            regime, start = self.world.state(prefix)
        except ValueError as error:
            raise ServerError(f"This text has no probability in {self.name}: {error}.") from None
        rng = np.random.default_rng([request.seed, self.world.seed])
        steps = self.world.length + 1
        chance = rng.random((request.n, steps + 1))
        return [self._walk(request, regime, start, row) for row in chance]

    def _walk(self, request: Request, regime: int, start: int, chance: np.ndarray) -> Completion:
        tokens: list[str] = []
        top: list[dict[str, float]] = []
        cut = request.temperature > 0 and chance[-1] < self.unfinished
        for t in range(start, self.world.length + 1):
            if len(tokens) == request.max_tokens or (cut and t == self.world.length):
                return Completion("".join(tokens), "length", tuple(tokens), tuple(top))
            place = self._place(regime, t, request.temperature)
            chosen = bisect_right(place.bounds, chance[t])
            tokens.append(place.words[chosen])
            if request.logprobs:
                top.append(dict(islice(place.likely.items(), request.logprobs)))
            regime = place.to[chosen]
        if not request.logprobs:
            return Completion("".join(tokens))
        return Completion("".join(tokens), "stop", tuple(tokens), tuple(top))

    def _place(self, regime: int, t: int, temperature: float) -> "Choice":
        known = self._places.get((regime, t, temperature))
        if known is not None:
            return known
        world = self.world
        words, p, to = world.answers, world.regimes[regime].end, (regime,) * world.outcomes
        if t < world.length:
            _, words, p, to = world.place(regime, t)
        weight = (p == p.max()) * 1.0 if temperature == 0 else (p / p.max()) ** (1 / temperature)
        bounds = (weight.cumsum() / weight.sum())[:-1].tolist()
        likely = {words[i]: float(p[i]) for i in np.argsort(-p)}
        self._places[regime, t, temperature] = found = Choice(words, bounds, to, likely)
        return found


def answer_of(world: ForkWorld, misread: float = 0.0, seed: int = 0) -> OutcomeOf:
    """Reads the outcome of a text; a share `misread` is taken for another outcome."""
    read = regex_outcome(PATTERN)
    rng = np.random.default_rng(seed)

    def outcome(text: str) -> str | None:
        found = read(text)
        if found is None:
            return None
        name = found.upper()
        if misread and rng.random() < misread:
            name = str(rng.choice([other for other in world.names if other != name]))
        return name

    return outcome
