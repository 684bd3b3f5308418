"""Compose functions by hand and watch a trained network apply them, in the browser.

Axis letters: L positions, F functions of a position with the identity, A symbols, K word length, C
context, D width, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle
from synthcore.explorers.shared.compositions import checked_compositions, checked_tables
from synthcore.explorers.shared.gpt_weights import layout, packed


class ComposerExplorer(Explorer):
    """One function per position, a word, and the network's own step-by-step answer.

    The document is `begin t1 .. tL sep x1 .. xK sep f1(x) sep f2(f1(x)) ... fL(..)`. The reader
    picks a function for each position, its own or (displaced) one of another position, and types
    or shuffles a word. The network of `weights` runs in the browser (plain JavaScript, a cache of
    keys and values, greedy) and writes the blocks; wrong symbols are marked against the true chain.
    A slider moves through the answer: arcs show where the newest symbol's position looks, and a
    line says how much attention falls on its task token and on the symbol that it must transform.

    Args:
        weights: one member of a `synthcore.nn.gpt.GPT`, by the names of its state dict, with or
            without the leading member axis of one: `{name: value[m] for name, value in
            model.state_dict().items()}` as arrays. Learned positions are used if "pos_embed" is
            there, an untied head if "unembed.weight" is, an MLP if the blocks have one.
        tables: (L, F, A) integers, row 0 of each position the identity: what the functions do.
        heads: number of attention heads.
        norm: "layer" or "rms", as in the model's config.
        rotary: whether the model has rotary positions.
        word_length: K.
        task_tokens: (L, F) vocabulary ids of the functions; default A + d F + i.
        separator: vocabulary id; default A + L F.
        begin: vocabulary id; default A + L F + 2, after separator and padding. Symbol a is id a.
        trained: (n, L, 2) the compositions (d, i) in the training set, to say whether the reader's
            is among them (decided on the function, not on the tokens).
        composition: (L, 2) to start from; None for one that was not trained, without identities.
        word: K symbols to start from; None for a fixed one.
        symbols: A characters to write the symbols with, distinct.

    Weights cross as float32, or as float16 if they would not fit. `explorer.composition`, `.word`,
    `.shown` (symbols of the answer shown; -1 for all) and `.attention` (of "mean" of all heads, or
    of block and head, counted from 0) follow the reader when a kernel is running.

    Raises:
        ValueError: a weight is missing, unknown or of the wrong shape, the document exceeds the
            context, or an argument is out of range.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/select.js",
        "shared/letters.js",
        "shared/chart.js",
        "shared/half.js",
        "shared/compositions.js",
        "shared/gpt.js",
        "composer/model.js",
        "composer/views.js",
        "composer/view.js",
    )
    _css = bundle(
        "shared/common.css", "shared/select.css", "shared/letters.css", "composer/style.css"
    )

    weights = traitlets.Bytes(help="all weights, float32 or float16, as `weight_shapes` says").tag(
        sync=True
    )
    weight_shapes = traitlets.List(
        traitlets.Any(), help="[name, shape] in the order of `weights`"
    ).tag(sync=True)
    half = traitlets.Bool(help="weights are float16").tag(sync=True)
    heads = traitlets.Int().tag(sync=True)
    norm = traitlets.Enum(["layer", "rms"]).tag(sync=True)
    rotary = traitlets.Bool().tag(sync=True)
    tables = traitlets.List(traitlets.Any(), help="(L, F, A)").tag(sync=True)
    task_tokens = traitlets.List(traitlets.Any(), help="(L, F)").tag(sync=True)
    separator = traitlets.Int().tag(sync=True)
    begin = traitlets.Int().tag(sync=True)
    trained = traitlets.List(traitlets.Any(), help="(n, L, 2)").tag(sync=True)
    symbols = traitlets.Unicode().tag(sync=True)
    composition = traitlets.List(traitlets.Any(), help="(L, 2)").tag(sync=True)
    word = traitlets.List(traitlets.Int(), help="(K,)").tag(sync=True)
    shown = traitlets.Int(help="symbols of the answer shown; -1: all").tag(sync=True)
    attention = traitlets.Unicode("mean", help="or block.head, from 0").tag(sync=True)

    def __init__(
        self,
        weights: Mapping[str, ArrayLike],
        tables: ArrayLike,
        *,
        heads: int,
        norm: Literal["layer", "rms"] = "layer",
        rotary: bool = False,
        word_length: int = 6,
        task_tokens: ArrayLike | None = None,
        separator: int | None = None,
        begin: int | None = None,
        trained: ArrayLike | None = None,
        composition: ArrayLike | None = None,
        word: Sequence[int] | None = None,
        symbols: str | None = None,
        **traits: Any,
    ) -> None:
        table = checked_tables(tables)
        positions, functions, alphabet = table.shape
        after = alphabet + positions * functions
        tokens = np.arange(alphabet, after).reshape(positions, functions)
        if task_tokens is not None:
            tokens = np.asarray(task_tokens)
            if tokens.shape != (positions, functions):
                raise ValueError(
                    f"task_tokens must have shape {(positions, functions)} (got {tokens.shape})"
                )
        special = {
            "separator": after if separator is None else separator,
            "begin": after + 2 if begin is None else begin,
        }
        length = 1 + positions + (positions + 1) * (word_length + 1)
        model = layout(weights, heads, norm)
        vocabulary = model["embed.weight"].shape[0]
        if "pos_embed" in model and model["pos_embed"].shape[0] < length - 1:
            raise ValueError(
                f"the document has {length} tokens, more than the model's context of "
                f"{model['pos_embed'].shape[0]}"
            )
        largest = max(int(tokens.max()), *special.values())
        if largest >= vocabulary or min(int(tokens.min()), *special.values()) < 0:
            raise ValueError(f"token ids must be below the vocabulary of {vocabulary}")
        known = np.empty((0, positions, 2), dtype=np.int64)
        if trained is not None:
            known = checked_compositions("trained", trained, table)
        if composition is None:
            chosen = _untrained(known, table)
        else:
            chosen = checked_compositions("composition", composition, table)
        letters = "abcdefghijklmnopqrstuvwxyz"[:alphabet] if symbols is None else symbols
        if len(letters) != alphabet or len(set(letters)) != alphabet:
            raise ValueError(f"symbols must be {alphabet} distinct characters (got {letters!r})")
        start = [(3 * j + 1) % alphabet for j in range(word_length)] if word is None else list(word)
        if len(start) != word_length or not all(0 <= a < alphabet for a in start):
            raise ValueError(f"word must be {word_length} symbols below {alphabet} (got {start})")
        super().__init__(
            **packed(model),
            heads=heads,
            norm=norm,
            rotary=rotary,
            tables=table.tolist(),
            task_tokens=tokens.tolist(),
            **special,
            trained=known.tolist(),
            symbols=letters,
            composition=chosen.tolist(),
            word=[int(a) for a in start],
            shown=-1,
            **traits,
        )


def _untrained(trained: NDArray[np.int64], tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """An in-order composition without identities whose function no trained one has."""
    positions, functions, alphabet = tables.shape

    def whole(composition: NDArray[np.int64]) -> bytes:
        word = np.arange(alphabet)
        for d, i in composition:
            word = tables[d, i][word]
        return word.tobytes()

    known = {whole(composition) for composition in trained}
    chosen = np.stack([np.arange(positions), np.ones(positions, dtype=np.int64)], -1)
    for number in range((functions - 1) ** positions):
        digits = number // (functions - 1) ** np.arange(positions) % (functions - 1)
        chosen[:, 1] = 1 + (digits + np.arange(positions)) % (functions - 1)
        if whole(chosen) not in known:
            break
    return chosen
