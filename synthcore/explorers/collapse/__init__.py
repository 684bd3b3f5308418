"""Rescale time by a power of size until learning curves lie on one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack

MAX_SIZES = 6


@dataclass(frozen=True)
class Curves:
    """One metric: curves of several sizes over time.

    Attributes:
        name: of the metric, such as "descriptive check".
        sizes: ascending and positive, two to six; |K| for example.
        times: (K, T) positive and ascending, or (T,) for all curves.
        values: (K, T).
        floor: value before growth sets in.
        size: what the sizes are, in a few letters.
        time: what the times are.
        interval: of the exponent over seeds, or None.
    """

    name: str
    sizes: Sequence[float]
    times: NDArray[Any]
    values: NDArray[Any]
    floor: float = 0.0
    size: str = "|K|"
    time: str = "step"
    interval: tuple[float, float] | None = None


class CollapseExplorer(Explorer):
    """A list of metrics and a slider for the exponent nu.

    Curves are drawn over time / size^nu (rescaled to the smallest size), clipped to their growth
    part: from a tenth to nine tenths of the rise that all of them share. The residual, computed in
    the browser, is the variance between curves integrated over log time; it is drawn for every nu,
    with its minimum, where the curves collapse.

    Args:
        metrics: one or more `Curves`.
        metric: index to start from.
        exponent: nu to start from, -1 to 3.

    Raises:
        ValueError: there is no metric, or sizes, times or values do not fit.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/select.js",
        "collapse/model.js",
        "collapse/view.js",
    )
    _css = bundle("shared/common.css", "shared/select.css", "collapse/style.css")

    metrics = traitlets.List(traitlets.Dict(), help="name, sizes, T, floor ... of each").tag(
        sync=True
    )
    times = traitlets.Bytes(help="(K, T) float32 of every metric, in turn").tag(sync=True)
    values = traitlets.Bytes(help="(K, T) float32 of every metric, in turn").tag(sync=True)
    metric = traitlets.Int().tag(sync=True)
    exponent = traitlets.Float().tag(sync=True)

    def __init__(
        self, metrics: Sequence[Curves], *, metric: int = 0, exponent: float = 0.0, **traits: Any
    ) -> None:
        if not metrics:
            raise ValueError("there must be at least one metric")
        if not 0 <= metric < len(metrics):
            raise ValueError(f"metric must be an index below {len(metrics)} (got {metric})")
        if not -1 <= exponent <= 3:
            raise ValueError(f"exponent must be between -1 and 3 (got {exponent})")
        tables = [_checked(m) for m in metrics]
        about = [
            {
                "name": m.name,
                "sizes": [float(s) for s in m.sizes],
                "points": times.shape[1],
                "floor": float(m.floor),
                "size": m.size,
                "time": m.time,
                "interval": [float(x) for x in m.interval or ()],
            }
            for m, (times, _) in zip(metrics, tables, strict=True)
        ]
        super().__init__(
            metrics=about,
            times=b"".join(pack(times) for times, _ in tables),
            values=b"".join(pack(values) for _, values in tables),
            metric=metric,
            exponent=float(exponent),
            **traits,
        )


def _checked(metric: Curves) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Times and values of a metric, as (K, T) each."""
    sizes = np.asarray(metric.sizes, float)
    if not 2 <= len(sizes) <= MAX_SIZES or (np.diff(sizes) <= 0).any() or sizes[0] <= 0:
        raise ValueError(f"sizes of {metric.name!r} must be 2 to {MAX_SIZES} rising numbers")
    shape = (len(sizes), np.asarray(metric.values).shape[-1])
    values = checked(f"values of {metric.name!r}", metric.values, shape)
    times = checked(f"times of {metric.name!r}", np.broadcast_to(metric.times, shape), shape)
    if shape[1] < 3 or (times <= 0).any() or (np.diff(times, axis=1) <= 0).any():
        raise ValueError(f"times of {metric.name!r} must be three or more rising positive numbers")
    return times, values
