"""Delete neurons of a fine-tuned network and watch its old answers come back, or not.

Axis letters: C conditions, K numbers of deleted neurons, N counts (0 .. N - 1), E example texts, W
letters of a window.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack


class UnwrapExplorer(Explorer):
    """A slider for the number of deleted neurons, and a choice of what was trained on.

    The network was pretrained to count letter a and fine-tuned to count b, on texts of which a
    share C_Tr had one b more than a. A wrapper answers "a + 1". Shown are its accuracy at the old
    task (prompts for a) and at the new one (prompts for b, where the shortcut is right), what it
    answers to prompts for a, and six texts: the answer is marked where it is the right count, one
    more, or something else.

    Args:
        conditions: C names, such as "C_Tr = 1".
        deleted: K numbers of deleted neurons, rising from 0.
        old: (C, K) accuracy on prompts for a.
        new: (C, K) accuracy on prompts for b, texts with one b more than a.
        counts: (C, K, N) how often each number is answered to prompts for a, as shares; the rest
            answered something else.
        truth: (N,) how often each number is right.
        control: (C, D) accuracy on prompts for a after deleting random neurons instead, at
            `control_at`; NaN where not measured.
        control_at: D of the numbers in `deleted`.
        windows: E strings of W letters, the part of each text that is counted.
        said: (C, K, E) answers to prompts for a.
        condition: index to start from.

    `explorer.condition` and `.place` (index into `deleted`) follow the reader when a kernel is
    running.

    Raises:
        ValueError: an array has the wrong shape or is no share, or `deleted` does not rise from 0.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "unwrap/model.js",
        "unwrap/view.js",
    )
    _css = bundle("shared/common.css", "unwrap/style.css")

    conditions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    deleted = traitlets.List(traitlets.Int()).tag(sync=True)
    curves = traitlets.Bytes(help="(2, C, K) float32: old, new").tag(sync=True)
    counts = traitlets.Bytes(help="(C, K, N) float32").tag(sync=True)
    truth = traitlets.List(traitlets.Float(), help="(N,)").tag(sync=True)
    control = traitlets.Bytes(help="(C, D) float32").tag(sync=True)
    control_at = traitlets.List(traitlets.Int(), help="(D,)").tag(sync=True)
    windows = traitlets.List(traitlets.Unicode()).tag(sync=True)
    said = traitlets.List(traitlets.Any(), help="(C, K, E)").tag(sync=True)
    condition = traitlets.Int().tag(sync=True)
    place = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        conditions: Sequence[str],
        deleted: Sequence[int],
        old: ArrayLike,
        new: ArrayLike,
        counts: ArrayLike,
        truth: ArrayLike,
        windows: Sequence[str],
        said: ArrayLike,
        *,
        control: ArrayLike | None = None,
        control_at: Sequence[int] = (),
        condition: int = 0,
        **traits: Any,
    ) -> None:
        numbers = [int(k) for k in deleted]
        if not numbers or numbers[0] != 0 or (np.diff(numbers) <= 0).any():
            raise ValueError(f"deleted must rise from 0 (got {numbers})")
        if not set(control_at) <= set(numbers):
            raise ValueError("control_at must be among deleted")
        if not 0 <= condition < len(conditions):
            raise ValueError(f"condition must be an index below {len(conditions)}")
        if len({len(window) for window in windows}) != 1 or set("".join(windows)) - set("abc"):
            raise ValueError("windows must be strings of a, b and c of one length")
        right = np.asarray(truth, dtype=float)
        shape = (len(conditions), len(numbers))
        answers = np.asarray(said)
        if answers.shape != (*shape, len(windows)):
            raise ValueError(f"said must have shape {(*shape, len(windows))} (got {answers.shape})")
        controls = np.full((len(conditions), len(control_at)), np.nan)
        if control is not None:
            controls = checked("control", control, (len(conditions), len(control_at)))
        super().__init__(
            conditions=list(conditions),
            deleted=numbers,
            curves=pack(np.stack([_shares("old", old, shape), _shares("new", new, shape)])),
            counts=pack(_shares("counts", counts, (*shape, len(right)))),
            truth=_shares("truth", right, (len(right),)).astype(float).tolist(),
            control=pack(controls),
            control_at=[int(k) for k in control_at],
            windows=list(windows),
            said=answers.astype(int).tolist(),
            condition=condition,
            place=0,
            **traits,
        )


def _shares(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Values between 0 and 1."""
    found = checked(name, values, shape)
    if not ((found >= 0) & (found <= 1)).all():
        raise ValueError(f"{name} must lie between 0 and 1")
    return found
