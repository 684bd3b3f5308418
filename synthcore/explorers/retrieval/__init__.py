"""Retrieve or count? Four predictors of a Markov chain, computed live in the browser."""

import string
from typing import Any

import traitlets

from synthcore.explorers.base import Explorer, bundle


class RetrievalExplorer(Explorer):
    """Four ways to predict the next symbol, on a context the reader writes.

    A library of N "training" Markov chains is drawn with Dirichlet(1) rows. The truth is one of
    them, a new chain, or rows the reader edits. On a context sampled from it, or typed:

    - Uni-Ret and Bi-Ret look the chain up: a posterior over the library, from the context's
      symbols or from its transitions, and the average of the chains under that posterior;
    - Uni-Inf and Bi-Inf count in the context, symbols or transitions out of the current state,
      and add one to every count.

    Bars compare them with the true row of the current state; the posterior shows how many chains
    are still in play; curves give KL(estimate || truth) after each symbol, with the closed-form
    expectation of Bi-Inf dashed. Nothing is precomputed: Python passes the sizes below, and the
    formulas run in `model.js`, where tests hold them against numpy.

    Args:
        states: alphabet size k, 3 to 5, written A, B, C ...
        max_chains: largest library on the slider, 1 to 4096.
        max_length: longest context, 10 to 400.
        seed: of the library, the new chain and the sampled context. The default shows chains
            that are told apart early; with other seeds it may take more context.
        chains: size of the library at the start.
        length: symbols of context at the start.
        context: letters to start from instead of sampled ones.

    `explorer.chains`, `.context` and what else the reader sets (`.source` of the truth, its rows
    `.truth` if edited, symbols `.written` by it and `.used`, `.draws`, `.averaged`) follow the
    reader when a kernel is running.

    Raises:
        ValueError: a number is out of its range, or a letter is not in the alphabet.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/letters.js",
        "shared/chart.js",
        "shared/algorithms.js",
        "shared/random.js",
        "retrieval/model.js",
        "retrieval/state.js",
        "retrieval/views.js",
        "retrieval/view.js",
    )
    _css = bundle("shared/common.css", "shared/letters.css", "retrieval/style.css")

    states = traitlets.Int().tag(sync=True)
    max_chains = traitlets.Int().tag(sync=True)
    max_length = traitlets.Int().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)
    chains = traitlets.Int().tag(sync=True)
    length = traitlets.Int().tag(sync=True)
    context = traitlets.Unicode(help="letters the reader wrote; empty: sampled").tag(sync=True)
    draws = traitlets.List(
        traitlets.Int(), [0, 0, 0], help="how often library, truth and context were drawn again"
    ).tag(sync=True)
    source = traitlets.Enum(["training", "new", "edited"], "training").tag(sync=True)
    truth = traitlets.List(traitlets.Float(), help="(k, k) rows of an edited chain").tag(sync=True)
    written = traitlets.Int(help="symbols that the true chain writes").tag(sync=True)
    used = traitlets.Int(0, help="symbols used; 0: all").tag(sync=True)
    averaged = traitlets.Enum(["rows", "current"], "rows", help="of the KL").tag(sync=True)

    def __init__(
        self,
        states: int = 3,
        max_chains: int = 512,
        *,
        max_length: int = 200,
        seed: int = 35,
        chains: int = 16,
        length: int = 60,
        context: str = "",
        **traits: Any,
    ) -> None:
        ranges = {
            "states": (states, 3, 5),
            "max_chains": (max_chains, 1, 4096),
            "max_length": (max_length, 10, 400),
            "seed": (seed, 0, 2**31 - 1),
            "chains": (chains, 1, max_chains),
            "length": (length, 1, max_length),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low} and {high} (got {value})")
        alphabet = string.ascii_uppercase[:states]
        wrong = sorted(set(context.upper()) - set(alphabet))
        if wrong:
            raise ValueError(f"context may hold only the letters {alphabet} (got {wrong})")
        if len(context) > max_length:
            raise ValueError(f"context is longer than {max_length} symbols (got {len(context)})")
        numbers = {name: value for name, (value, _, _) in ranges.items()}
        super().__init__(**numbers, written=length, context=context.upper(), **traits)
