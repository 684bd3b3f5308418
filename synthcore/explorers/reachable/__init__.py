"""How many compositions can a training set of n identify, and how many does the network reach?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from synthcore.explorers.base import Explorer, bundle, checked, pack

MAX_SERIES = 4


class ReachableExplorer(Explorer):
    """A slider for the number n of training compositions, from 1 to all, on a log axis.

    Two charts over n. The share of the in-order compositions that n random ones identify (all
    functions of a composition occur among them) with what networks reached on unseen ones; and the
    number of compositions on a log axis against the sizes of the sets: in order (N + 1)^L, distinct
    ones if all positions share their functions, sum_k N^k, and out of order (L N + 1)^L. The
    ceiling is computed in the browser, exactly, for n distinct compositions drawn uniformly:

        sum_j (-1)^j binom(L, j) binom(q^(L-j) (q-1)^j, n) / binom(q^L, n),   q = N + 1,

    and the line of a memoriser, which knows what it saw, beside it. Training sets that are not
    random draws (such as all base functions) may identify more.

    Args:
        functions: N, functions of a position without the identity, 1 to 50.
        positions: L, 2 to 8.
        accuracy: name of a series -> (Q, 4) rows n, mean, low and high end of the 95 % interval:
            accuracy on unseen compositions. Up to four series, such as "step by step, random".
        reached: name of a series -> (Q, 4) rows n, number, low and high end: compositions done
            right (for example with sharp accuracy of .95 or more), trained ones included.
        n_train: n to start from; None for the smallest of the first series with a
            ceiling of .95 or more.

    NaN stands for an interval that was not measured. `explorer.n_train` follows the reader when a
    kernel is running.

    Raises:
        ValueError: an array has the wrong shape, its n lies outside the set or is not ascending, an
            accuracy is no share, or an interval does not contain its value.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "reachable/model.js",
        "reachable/view.js",
    )
    _css = bundle("shared/common.css", "reachable/style.css")

    functions = traitlets.Int().tag(sync=True)
    positions = traitlets.Int().tag(sync=True)
    series = traitlets.List(traitlets.Unicode()).tag(sync=True)
    accuracy_sizes = traitlets.List(traitlets.Int(), help="Q per series").tag(sync=True)
    accuracy = traitlets.Bytes(help="rows of all series (Q, 4) float32").tag(sync=True)
    reached_sizes = traitlets.List(traitlets.Int(), help="Q per series").tag(sync=True)
    reached = traitlets.Bytes(help="rows of all series (Q, 4) float32").tag(sync=True)
    n_train = traitlets.Int(help="-1: the smallest measured with a ceiling of .95").tag(sync=True)

    def __init__(
        self,
        functions: int,
        positions: int,
        accuracy: Mapping[str, ArrayLike],
        reached: Mapping[str, ArrayLike] | None = None,
        *,
        n_train: int | None = None,
        **traits: Any,
    ) -> None:
        for name, value, low, high in (
            ("functions", functions, 1, 50),
            ("positions", positions, 2, 8),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low} and {high} (got {value})")
        whole = (functions + 1) ** positions
        counted = {} if reached is None else dict(reached)
        names = list(dict.fromkeys([*accuracy, *counted]))
        if not 1 <= len(names) <= MAX_SERIES:
            raise ValueError(f"there must be one to {MAX_SERIES} series (got {names})")
        if n_train is not None and not 1 <= n_train <= whole:
            raise ValueError(f"n_train must be between 1 and {whole} (got {n_train})")
        shares = [_rows("accuracy", n, accuracy.get(n), whole, 1.0) for n in names]
        counts = [_rows("reached", n, counted.get(n), whole, np.inf) for n in names]
        super().__init__(
            functions=functions,
            positions=positions,
            series=names,
            accuracy_sizes=[len(rows) for rows in shares],
            accuracy=pack(np.concatenate(shares)),
            reached_sizes=[len(rows) for rows in counts],
            reached=pack(np.concatenate(counts)),
            n_train=-1 if n_train is None else n_train,
            **traits,
        )


def _rows(
    name: str, series: str, values: ArrayLike | None, whole: int, highest: float
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(Q, 4) rows n, value, low, high of one series; none if it was not given."""
    if values is None:
        return np.empty((0, 4), dtype=np.float32)
    said = f"{name}[{series!r}]"
    rows = checked(said, values, (len(np.asarray(values)), 4))
    n, value, low, high = rows.T
    if not ((n >= 1) & (n <= whole)).all() or (np.diff(n) <= 0).any():
        raise ValueError(f"{said} must have ascending n from 1 to {whole}")
    if not ((value >= 0) & (value <= highest)).all():
        raise ValueError(f"{said} must be recorded everywhere, from 0 to {highest:g}")
    slack = 1e-5 * np.maximum(value, 1)
    if (low > value + slack).any() or (high < value - slack).any():
        raise ValueError(f"{said} must have its value between low and high")
    return rows
