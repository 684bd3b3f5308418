"""Edit a trained network in the browser: its rings, and all of its answers.

Axis letters: C circles, N entities, R relations, K hidden width, D width, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack
from synthcore.explorers.shared.gpt_weights import layout, packed

RIDGE = 1e-6
SHARED = (
    "shared/common.js",
    "shared/address.js",
    "shared/select.js",
    "shared/chart.js",
    "shared/half.js",
    "shared/gpt.js",
    "editing/model.js",
)


class EditingExplorer(Explorer):
    """What both explorers share: the network, its world, and a fact to edit.

    The network runs in the page. ROME is computed there for whatever fact the reader picks: the
    value search (Adam, 20 steps, on the bare prompt and up to six more behind one other fact), the
    key, the rank-one change u delta^T of the last block's MLP, and every prompt's answer after it.

    Args:
        weights: one member of a `synthcore.nn.gpt.GPT` with layer norm and an untied head, by the
            names of its state dict.
        heads: number of attention heads.
        circles: (C, N) integers, the entity at every place of every circle.
        table: (R, N) integers, the answer of every fact x.r; relations come circle by circle.
        names: (R,) of the relations, such as `I_C1`; the way back of `_Ck` is `_Ak`.
        held: (R, N), nonzero where training never shows a fact.
        moment: (K, K), second moment of the keys of the last block's MLP.
        block: the edited block; it must be the last.
        fact: (relation, entity) to start from; None for the first relation and an entity whose
            answers under it are known.

    Raises:
        ValueError: an array has the wrong shape, the head is tied, or the block is not the last.
    """

    weights = traitlets.Bytes(help="all weights, as `weight_shapes` says").tag(sync=True)
    weight_shapes = traitlets.List(traitlets.Any(), help="[name, shape]").tag(sync=True)
    half = traitlets.Bool(help="weights are float16, not float32").tag(sync=True)
    heads = traitlets.Int().tag(sync=True)
    norm = traitlets.Unicode("layer").tag(sync=True)
    rotary = traitlets.Bool(False).tag(sync=True)
    circles = traitlets.List(traitlets.Any(), help="(C, N)").tag(sync=True)
    table = traitlets.List(traitlets.Any(), help="(R, N)").tag(sync=True)
    names = traitlets.List(traitlets.Unicode(), help="(R,)").tag(sync=True)
    held = traitlets.List(traitlets.Any(), help="(R, N), 0 or 1").tag(sync=True)
    inverse = traitlets.Bytes(help="C^-1 (K, K) float32").tag(sync=True)
    relation = traitlets.Int().tag(sync=True)
    entity = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        weights: Mapping[str, ArrayLike],
        *,
        heads: int,
        circles: ArrayLike,
        table: ArrayLike,
        names: Sequence[str],
        held: ArrayLike,
        moment: ArrayLike,
        block: int,
        fact: tuple[int, int] | None = None,
        **traits: Any,
    ) -> None:
        model = layout(weights, heads, "layer")
        if "unembed.weight" not in model:
            raise ValueError("the network must have an output table of its own (tied=False)")
        depth = sum(name.endswith("attn.qkv.weight") for name in model)
        if block != depth - 1:
            raise ValueError(f"block must be the last, {depth - 1} (got {block})")
        rings = np.asarray(circles)
        if rings.ndim != 2 or not all(sorted(r) == list(range(rings.shape[1])) for r in rings):
            raise ValueError("circles must be orders of the same entities, (C, N)")
        count, entities = len(names), rings.shape[1]
        if count % len(rings):
            raise ValueError(f"{count} relations cannot be shared by {len(rings)} circles")
        answers = np.asarray(table)
        if answers.shape != (count, entities) or not ((answers >= 0) & (answers < entities)).all():
            raise ValueError(f"table must hold entities, {(count, entities)} (got {answers.shape})")
        vocabulary, hidden = len(model["embed.weight"]), _hidden(model, block)
        if vocabulary != entities + count:
            raise ValueError(f"the network has {vocabulary} tokens, the world {entities} + {count}")
        C = checked("moment", moment, (hidden, hidden)).astype(np.float64)
        inverse = pack(np.linalg.inv(C + RIDGE * np.trace(C) / hidden * np.eye(hidden)))
        relation, entity = (0, int(rings[0, 0])) if fact is None else fact
        if not (0 <= relation < count and 0 <= entity < entities):
            raise ValueError(
                f"fact must be a relation below {count} and an entity below {entities}"
            )
        super().__init__(
            **packed(model, beside=len(inverse)),
            heads=heads,
            circles=rings.tolist(),
            table=answers.tolist(),
            names=list(names),
            held=checked("held", np.asarray(held) != 0, (count, entities)).astype(int).tolist(),
            inverse=inverse,
            relation=relation,
            entity=entity,
            **traits,
        )


def _hidden(model: Mapping[str, NDArray[np.float32]], block: int) -> int:
    return int(model[f"blocks.{block}.mlp.down.weight"].shape[0])


class ShatterExplorer(EditingExplorer):
    """How far does the new answer lie, how strong is the edit, and what becomes of the rings?

    A slider moves the new answer along the circle of the edited relation, another scales the edit
    (W + t dW, t from 0 to 2). Three clouds h(x; r), one per circle, are drawn in the plane of their
    own first harmonic before the edit; R, inflation and shape come from the exact formula
    |h_i - h_j + t (alpha_i - alpha_j) delta|, and the facts that are still right are counted.

    `explorer.distance`, `.strength`, `.relation` and `.entity` follow the reader when a kernel is
    running.
    """

    _esm = bundle(*SHARED, "editing/shatter.js")
    _css = bundle("shared/common.css", "shared/select.css", "editing/style.css")

    distance = traitlets.Int(help="steps of the new answer from the old one, signed").tag(sync=True)
    strength = traitlets.Float(help="t, 0 to 2").tag(sync=True)

    def __init__(
        self,
        weights: Mapping[str, ArrayLike],
        *,
        distance: int = 4,
        strength: float = 1.0,
        **arguments: Any,
    ) -> None:
        half = np.asarray(arguments["circles"]).shape[-1] // 2
        if not -half <= distance <= half:
            raise ValueError(f"distance must lie in -{half}..{half} (got {distance})")
        if not 0 <= strength <= 2:
            raise ValueError(f"strength must lie in 0..2 (got {strength:g})")
        super().__init__(weights, distance=distance, strength=strength, **arguments)


class LiveEditExplorer(EditingExplorer):
    """Pick a fact and a new answer: the network is edited in the page, and all its answers shown.

    A map has one cell per fact, relation by relation along the circle of each: what the edit broke,
    mended or left. A click on a cell asks that fact; bars show the likeliest answers before and
    after.

    `explorer.target`, `.relation` and `.entity` follow the reader when a kernel is running.
    """

    _esm = bundle(*SHARED, "editing/live_edit.js")
    _css = bundle("shared/common.css", "shared/select.css", "editing/style.css")

    target = traitlets.Int(help="the answer to write, an entity").tag(sync=True)

    def __init__(
        self, weights: Mapping[str, ArrayLike], *, target: int | None = None, **arguments: Any
    ) -> None:
        rings = np.asarray(arguments["circles"])
        if target is None:  # two steps beyond the true answer of the fact it starts from
            relation, entity = arguments.get("fact") or (0, int(rings[0, 0]))
            own = rings[relation * len(rings) // len(arguments["names"])]
            answer = np.asarray(arguments["table"])[relation, entity]
            target = int(own[(int(np.flatnonzero(own == answer)[0]) + 2) % len(own)])
        if not 0 <= target < rings.shape[-1]:
            raise ValueError(f"target must be an entity below {rings.shape[-1]} (got {target})")
        super().__init__(weights, target=target, **arguments)
