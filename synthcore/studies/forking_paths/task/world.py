"""ForkWorld: text with planted forks, in which every outcome distribution is known exactly.

A text has T tokens and an answer. Its state is a position and a regime; the regime decides how the
answer is distributed. At most places three synonyms follow and none matters. At a fork each token
leads to a regime of its own. The state is a function of the prefix, so what any prefix will end in
follows from a backward recursion. Source: this project; the paper has language models only.

Axis letters: T positions, K outcomes, W tokens that may stand at a place.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

Kind = Literal["filler", "fork", "rare", "hidden", "drift"]
EDGE, APART, SYNONYMS, DEPTH = 5, 6, 3, 3
TIE = 1e-3
LETTERS = "ABCDEFGH"
CLASSES = ("white space", "punctuation", "number", "word")
VOCABULARY = """
river stone light winter garden letter market bridge window silver morning paper road song
table house water field cloud bread horse island lamp mirror needle orange pencil rain
sail tower uncle valley wheel yellow acorn basket candle door engine feather glass hill
iron jacket key ladder moon night ocean path quiet rope salt train
"""
WORDS = tuple(f" {word}" for word in VOCABULARY.split())
NUMBERS = tuple(f" {n}" for n in range(2, 60))
PUNCTUATION = (" (", ",", ".")
# What a fork may look like; each with equal frequency.
SURFACES = (WORDS, NUMBERS, *((mark,) for mark in PUNCTUATION))


@dataclass(frozen=True)
class Recipe:
    """How worlds are drawn. `forks`, `rare` and `hidden` list the numbers that are equally likely.

    A fork has 2 or 3 tokens, and its greedy one a probability uniform in `greedy`. A rare fork
    leaves with probability .06 to .15 into a very different regime (TV of .6 at least). A hidden
    one does so with .01 to .04, which an analysis that looks at tokens above .05 cannot see. The
    other tokens at a drift move the logits of the outcome by N(0, 0.05^2).
    """

    length: int = 60
    outcomes: int = 4
    forks: tuple[int, ...] = (0, 1, 2, 3)
    rare: tuple[int, ...] = (0, 1)
    hidden: tuple[int, ...] = (0, 1)
    drift: int = 3
    greedy: tuple[float, float] = (0.4, 0.7)
    alternatives: tuple[int, ...] = (2, 3)

    def __post_init__(self) -> None:
        most = max(self.forks) + max(self.rare) + max(self.hidden) + self.drift
        room = self.length - 2 * EDGE - (most - 1) * (APART - 1)
        if room < most:
            raise ValueError(f"{most} special places do not fit a text of {self.length} tokens")
        if not 2 <= self.outcomes <= len(LETTERS):
            raise ValueError(f"outcomes must be 2 to {len(LETTERS)} (got {self.outcomes})")


class Place(NamedTuple):
    """What may be written: tokens (base token first), their probabilities, the regimes after."""

    kind: Kind
    tokens: tuple[str, ...]
    p: Float[ndarray, "W"]
    to: tuple[int, ...]


@dataclass
class Regime:
    """A tail of the text: where it starts, how it ends if nothing forks, its special places."""

    start: int
    end: Float[ndarray, "K"]
    places: dict[int, Place] = field(default_factory=dict)
    value: Float[ndarray, "T K"] = field(default_factory=lambda: np.zeros((0, 0)))


class ForkWorld:
    """One language: a prompt-free text of `recipe.length` tokens, then one answer token.

    >>> world = ForkWorld(0)
    >>> path = world.base_path()
    >>> tokens, p = world.next(path[:3])
    >>> tokens[0] == path[3] and bool(p[0] == p.max())       # the base path is greedy
    True
    >>> after = [world.exact_o([*path[:3], token]) for token in tokens]
    >>> bool(np.allclose(p @ after, world.exact_o(path[:3])))   # outcomes are a martingale
    True
    """

    def __init__(self, seed: int, recipe: Recipe | None = None) -> None:
        self.seed, self.recipe = seed, recipe or Recipe()
        self.length, self.outcomes = self.recipe.length, self.recipe.outcomes
        self.regimes: list[Regime] = []
        self._synonyms: dict[int, tuple[Float[ndarray, "T W"], list[tuple[str, ...]]]] = {}
        rng = np.random.default_rng([seed, 0])
        self._grow(rng, 0, self._dirichlet(rng), 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outcomes."""
        return tuple(LETTERS[: self.outcomes])

    # --- growing -------------------------------------------------------------------------------

    def _dirichlet(self, rng: np.random.Generator) -> Float[ndarray, "K"]:
        return rng.dirichlet(np.full(self.outcomes, 0.3))

    def _grow(
        self, rng: np.random.Generator, start: int, end: Float[ndarray, "K"], depth: int
    ) -> int:
        """Append a regime and what it leads to; its number. Backwards, so that values are known."""
        number = len(self.regimes)
        regime = Regime(start, end)
        self.regimes.append(regime)
        value = np.empty((self.length + 1, self.outcomes))
        value[:] = end
        for t, kind in sorted(self._special(rng, start, depth).items(), reverse=True):
            after = value[t + 1]
            place = self._place(rng, number, t, kind, after, depth)
            regime.places[t] = place
            ends = [after, *(self.regimes[to].value[t + 1] for to in place.to[1:])]
            value[: t + 1] = place.p @ np.array(ends)
        regime.value = value
        return number

    def _special(self, rng: np.random.Generator, start: int, depth: int) -> dict[int, Kind]:
        """Where a regime forks. Off the base path: at one place, in every second regime."""
        if depth > 1:
            room = self.length - EDGE - (start + APART)
            if depth > DEPTH or room <= 0 or rng.random() < 0.5:
                return {}
            return {start + APART + int(rng.integers(room)): "fork"}
        counts: list[tuple[Kind, int]] = [
            ("fork", int(rng.choice(self.recipe.forks))),
            ("rare", int(rng.choice(self.recipe.rare))),
            ("hidden", int(rng.choice(self.recipe.hidden))),
            ("drift", self.recipe.drift),
        ]
        kinds = [kind for kind, count in counts for _ in range(count)]
        free = self.length - 2 * EDGE - max(len(kinds) - 1, 0) * (APART - 1)
        # uniform over all sets of places with this spacing
        chosen = np.sort(rng.choice(free, len(kinds), replace=False))
        places = EDGE + chosen + (APART - 1) * np.arange(len(kinds))
        order = rng.permutation(len(kinds))
        return {int(t): kinds[i] for t, i in zip(places, order, strict=True)}

    def _place(
        self,
        rng: np.random.Generator,
        number: int,
        t: int,
        kind: Kind,
        after: Float[ndarray, "K"],
        depth: int,
    ) -> Place:
        p = self._probabilities(rng, kind)
        tokens = spell(rng, len(p), fork=kind != "drift")
        to = [number]
        for _ in range(len(p) - 1):
            if kind == "drift":
                logits = np.log(np.maximum(after, 1e-300)) + rng.normal(0, 0.05, len(after))
                end = np.exp(logits - logits.max())
                to.append(self._leaf(t + 1, end / end.sum()))
            elif kind == "fork":
                to.append(self._grow(rng, t + 1, self._dirichlet(rng), depth + 1))
            else:
                end = self._dirichlet(rng)
                while 0.5 * np.abs(end - after).sum() < 0.6:
                    end = self._dirichlet(rng)
                to.append(self._leaf(t + 1, end))
        return Place(kind, tokens, p, tuple(to))

    def _leaf(self, start: int, end: Float[ndarray, "K"]) -> int:
        """A regime that never forks."""
        value = np.broadcast_to(end, (self.length + 1, len(end)))
        self.regimes.append(Regime(start, end, value=value))
        return len(self.regimes) - 1

    def _probabilities(self, rng: np.random.Generator, kind: Kind) -> Float[ndarray, "W"]:
        if kind in ("rare", "hidden"):
            other = rng.uniform(0.06, 0.15) if kind == "rare" else rng.uniform(0.01, 0.04)
            return np.array([1 - other, other])
        if kind == "drift":
            return _untied(rng, 1)[0]
        width = int(rng.choice(self.recipe.alternatives))
        while True:
            greedy = rng.uniform(*self.recipe.greedy)
            cut = rng.uniform(0.3, 0.7)
            rest = (1 - greedy) * (np.array([cut, 1 - cut]) if width == 3 else np.ones(1))
            if greedy - rest.max() > TIE:
                return np.concatenate([[greedy], rest])

    # --- reading -------------------------------------------------------------------------------

    def place(self, regime: int, t: int) -> Place:
        """What may be written at position t < T in a regime."""
        special = self.regimes[regime].places.get(t)
        if special is not None:
            return special
        if regime not in self._synonyms:
            rng = np.random.default_rng([self.seed, 1, regime])
            p = _untied(rng, self.length)
            self._synonyms[regime] = p, [spell(rng, SYNONYMS, fork=False) for _ in p]
        p, tokens = self._synonyms[regime]
        return Place("filler", tokens[t], p[t], (regime,) * SYNONYMS)

    def state(self, prefix: Sequence[str]) -> tuple[int, int]:
        """Regime and position after a prefix. Raises ValueError for a text with no probability."""
        regime = 0
        for t, token in enumerate(prefix):
            tokens = self.place(regime, t).tokens if t < self.length else self.answers
            if t > self.length or token not in tokens:
                raise ValueError(f"token {t}, {token!r}, cannot follow here")
            if t < self.length:
                regime = self.place(regime, t).to[tokens.index(token)]
        return regime, len(prefix)

    @property
    def answers(self) -> tuple[str, ...]:
        """The last token, by outcome."""
        return tuple(f"\nAnswer: {name}" for name in self.names)

    def next(self, prefix: Sequence[str]) -> tuple[tuple[str, ...], Float[ndarray, "W"]]:
        """Tokens that may follow and their probabilities; nothing after the answer."""
        regime, t = self.state(prefix)
        if t > self.length:
            return (), np.zeros(0)
        if t == self.length:
            return self.answers, self.regimes[regime].end
        place = self.place(regime, t)
        return place.tokens, place.p

    def exact_o(self, prefix: Sequence[str]) -> Float[ndarray, "K"]:
        """P(outcome | prefix)."""
        regime, t = self.state(prefix)
        if t > self.length:
            return np.eye(self.outcomes)[self.answers.index(prefix[-1])]
        return np.array(self.regimes[regime].value[t])

    def base_path(self) -> tuple[str, ...]:
        """The greedy text without its answer, (T,) tokens."""
        return tuple(place.tokens[0] for place in self.base_places)

    @cached_property
    def base_places(self) -> tuple[Place, ...]:
        """The places along the greedy text."""
        return tuple(self.place(0, t) for t in range(self.length))

    def truth(self) -> dict[int, float]:
        """t -> J_t, total variation between the outcomes before and after token t."""
        value = self.regimes[0].value
        jumps = 0.5 * np.abs(np.diff(value, axis=0)).sum(1)
        return {t: float(jump) for t, jump in enumerate(jumps)}

    def forks(self, *kinds: Kind) -> Int[ndarray, "_"]:
        """Positions of special places of these kinds on the base path, sorted."""
        return np.array(
            sorted(t for t, place in self.regimes[0].places.items() if place.kind in kinds), int
        )


def _softmax(logits: Float[ndarray, "N W"]) -> Float[ndarray, "N W"]:
    weight = np.exp(logits - logits.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)


def _untied(rng: np.random.Generator, rows: int) -> Float[ndarray, "T W"]:
    """Probabilities of synonyms, largest first; rows whose first two tie are drawn again."""
    p = np.zeros((rows, SYNONYMS))
    while (tied := p[:, 0] - p[:, 1] < TIE).any():
        p[tied] = np.sort(_softmax(rng.normal(0, 1.5, (int(tied.sum()), SYNONYMS))))[:, ::-1]
    return p


def token_class(token: str) -> int:
    """Index into `CLASSES`; anything with a letter is a word.

    >>> [CLASSES[token_class(token)] for token in (" Mia", ",", " 42", "\\n")]
    ['word', 'punctuation', 'number', 'white space']
    """
    text = token.strip()
    if not text:
        return 0
    if re.search(r"[^\W\d_]", text):
        return 3
    return 2 if re.search(r"\d", text) else 1


def tokens_of(text: str) -> list[str]:
    """A text of these tokens, taken apart again; what is left of a broken one is one token.

    >>> tokens_of(" river (, 42.\\nAnswer: A")
    [' river', ' (', ',', ' 42', '.', '\\nAnswer: A']
    """
    return re.findall(r" \(|[,.]| \w+|\nAnswer: \w|.+", text)


def spell(rng: np.random.Generator, count: int, fork: bool) -> tuple[str, ...]:
    """Different tokens for one place; the first is the one on the base path.

    A fork's first token is a word, a number, "(", "," or "." with equal frequency. Elsewhere words
    are more frequent, and every class occurs.
    """
    share = [0.2] * 5 if fork else [0.7, 0.12, 0.04, 0.08, 0.06]
    first = SURFACES[rng.choice(5, p=share)]
    found = [first[rng.integers(len(first))]]
    while len(found) < count:
        token = WORDS[rng.integers(len(WORDS))]
        if token not in found:
            found.append(token)
    return tuple(found)
