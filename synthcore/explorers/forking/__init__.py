"""Where does a text make up its mind? Swap tokens, sample completions, look for change points.

Axis letters: N texts to choose from, R regimes, T positions, W tokens at a place, K outcomes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from synthcore.explorers.base import Explorer, bundle, checked, pack


class ForkingExplorer(Explorer):
    """Texts whose outcome distributions are known exactly, and what an analysis of samples sees.

    A text starts in regime 0. At position t in regime r, token w has probability p[r, t, w] and
    leads to regime to[r, t, w]; after T tokens the answer is drawn from ends[r]. The reader clicks
    a token to put the next likely one in its place. The browser works out the outcomes of every
    prefix by a backward recursion, draws S completions after every token above a threshold, and
    computes the exact posterior of change points by dynamic programming (Dirichlet-multinomial
    segments of three tokens at least, up to six change points). Outcomes are shown exact and
    sampled, change points over the true jumps, and the distance to the outcomes after other tokens
    with the distance eps that counts as a hazard.

    Args:
        tokens: (N, R, T, W) integers, indices into `vocabulary`; anything where p is 0.
        p: (N, R, T, W), 0 where there is no token; the greedy token is w = 0.
        to: (N, R, T, W) integers, the regime after each token.
        ends: (N, R, K), distribution of the answer in each regime.
        vocabulary: at most 256 tokens, with their leading spaces.
        names: of the K outcomes, at most six.
        titles: of the N texts.
        text, position, samples, threshold, eps, alpha: what to start from.

    `explorer.world`, `.swaps` ([position, w] pairs), `.position`, `.samples`, `.threshold`, `.eps`,
    `.alpha` and `.draw` follow the reader when a kernel is running.

    Raises:
        ValueError: an array has the wrong shape or range, or a start is out of its range.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/select.js",
        "shared/chart.js",
        "shared/random.js",
        "forking/model.js",
        "forking/views.js",
        "forking/view.js",
    )
    _css = bundle("shared/common.css", "shared/select.css", "forking/style.css")

    shape = traitlets.List(traitlets.Int(), help="N, R, T, W, K").tag(sync=True)
    tokens = traitlets.Bytes(help="(N, R, T, W) uint8").tag(sync=True)
    to = traitlets.Bytes(help="(N, R, T, W) uint8").tag(sync=True)
    p = traitlets.Bytes(help="(N, R, T, W) float32").tag(sync=True)
    ends = traitlets.Bytes(help="(N, R, K) float32").tag(sync=True)
    vocabulary = traitlets.List(traitlets.Unicode()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    world = traitlets.Int().tag(sync=True)
    swaps = traitlets.List(traitlets.List(traitlets.Int()), help="[t, w]").tag(sync=True)
    position = traitlets.Int().tag(sync=True)
    samples = traitlets.Int().tag(sync=True)
    threshold = traitlets.Float().tag(sync=True)
    eps = traitlets.Float().tag(sync=True)
    alpha = traitlets.Float().tag(sync=True)
    draw = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        tokens: ArrayLike,
        p: ArrayLike,
        to: ArrayLike,
        ends: ArrayLike,
        *,
        vocabulary: Sequence[str],
        names: Sequence[str],
        titles: Sequence[str],
        text: int = 0,
        position: int = 0,
        samples: int = 30,
        threshold: float = 0.05,
        eps: float = 0.6,
        alpha: float = 1.0,
        **traits: Any,
    ) -> None:
        p = np.asarray(p, dtype=float)
        if p.ndim != 4:
            raise ValueError(f"p must have shape (N, R, T, W) (got {p.shape})")
        N, R, T, W = p.shape
        K = len(names)
        if not 2 <= K <= 6 or not 2 <= len(vocabulary) <= 256:
            raise ValueError("there must be 2 to 6 names and 2 to 256 tokens in the vocabulary")
        if not np.allclose(p.sum(-1), 1) or (p < 0).any() or (p[..., :1] == 0).any():
            raise ValueError("p must be distributions over the last axis, with a token at w = 0")
        ends = checked("ends", ends, (N, R, K))
        if not np.allclose(ends.sum(-1), 1, atol=1e-5) or (ends < 0).any():
            raise ValueError("ends must be distributions over the last axis")
        for name, array, limit in (("tokens", tokens, len(vocabulary)), ("to", to, min(R, 256))):
            values = checked(name, array, p.shape)
            if ((values < 0) | (values >= limit)).any():
                raise ValueError(f"{name} must hold integers below {limit}")
        if len(titles) != N:
            raise ValueError(f"titles must name {N} texts (got {len(titles)})")
        starts = (
            ("text", text, 0, N - 1),
            ("position", position, 0, T - 1),
            ("samples", samples, 1, 300),
            ("threshold", threshold, 0.01, 0.3),
            ("eps", eps, 0.05, 1.4),
            ("alpha", alpha, 10**-1.5, 10),
        )
        for name, value, low, high in starts:
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low:.3g} and {high:g} (got {value:g})")
        super().__init__(
            shape=[N, R, T, W, K],
            tokens=np.asarray(tokens, dtype=np.uint8).tobytes(),
            to=np.asarray(to, dtype=np.uint8).tobytes(),
            p=pack(p),
            ends=pack(ends),
            vocabulary=list(vocabulary),
            names=list(names),
            titles=list(titles),
            world=text,
            swaps=[],
            position=position,
            samples=samples,
            threshold=float(threshold),
            eps=float(eps),
            alpha=float(alpha),
            draw=0,
            **traits,
        )
