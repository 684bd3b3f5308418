"""Worlds as arrays over regimes and positions: for drawing texts in bulk, and for the explorer.

Axis letters: N worlds, R regimes, T positions, W tokens at a place, K outcomes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from synthcore.studies.forking_paths.task import SYNONYMS, ForkWorld


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
