"""What is read off a trajectory: draw-ups, descents, times of arrival, slopes; and, of a dataset,
orders of learning.

Time is the first axis; all other axes are a batch. Axis letters: T times, M member, N points, d
coordinates, V compositions.
"""

from itertools import product

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.sim_concept_learning import task, theory

TOLERANCE = 0.002  # of the first loss: a smaller wiggle is no descent
LARGE = 0.02  # a draw-up that counts: ten times that
PHI = 0.5  # a concept counts as learned from this fraction of its signal on
WEAK, STRONG, EQUAL = (1.0, 2.0), (3.0, 2.0), (2.0, 2.0)  # mu of trained networks, by concept 1
EVENTS = ("minor peak", "loss minimum", "loss maximum", "weak half")


def draw_up(loss: Float[Tensor, "T *batch"]) -> Float[Tensor, "*batch"]:
    """DU: the largest later rise of the loss, as a share of its first value.

    >>> draw_up(torch.tensor([4.0, 1.0, 3.0, 0.0]))
    tensor(0.5000)
    """
    lowest = loss.cummin(0).values
    return (loss - lowest).amax(0) / loss[0]


def descents(
    loss: Float[Tensor, "T *batch"], tolerance: float = TOLERANCE
) -> Int[Tensor, "*batch"]:
    """How often the loss goes down by more than `tolerance` of its first value before it turns up
    by as much.

    >>> descents(torch.tensor([4.0, 1.0, 3.0, 0.0]))
    tensor(2)
    """
    size = tolerance * loss[0]
    falling = torch.zeros(loss.shape[1:], dtype=torch.bool, device=loss.device)
    extreme, count = loss[0], torch.zeros(loss.shape[1:], dtype=torch.long, device=loss.device)
    for now in loss:
        extreme = torch.where(falling, torch.minimum(extreme, now), torch.maximum(extreme, now))
        starts = ~falling & (now < extreme - size)
        stops = falling & (now > extreme + size)
        count = count + starts
        falling = torch.where(stops, False, falling | starts)
        extreme = torch.where(starts | stops, now, extreme)
    return count


def turning_points(
    loss: Float[Tensor, "T"], tolerance: float = TOLERANCE
) -> tuple[int | None, int | None]:
    """Indices of the first local minimum and of the local maximum after it; None where absent.

    A minimum counts if the loss then rises by more than `tolerance` of its first value, a maximum
    if it then falls by as much.
    """
    size = tolerance * abs(float(loss[0]))
    low, high = 0, None
    values = loss.tolist()
    for i, now in enumerate(values):
        if high is None:
            if now < values[low]:
                low = i
            elif now > values[low] + size:
                high = i
        elif now > values[high]:
            high = i
        elif now < values[high] - size:
            return low, high
    return (low, None) if high is not None else (None, None)


def arrival(
    values: Float[Tensor, "T *batch"], level: float, times: Float[Tensor, "T"]
) -> Float[Tensor, "*batch"]:
    """When `values` reaches `level` and stays, interpolated; NaN if it is not there at the end.

    A value that is there from the start arrives at the first time.

    >>> arrival(torch.tensor([0.0, 0.6, 0.4, 0.6, 1.0]), 0.5, torch.arange(5.0))
    tensor(2.5000)
    """
    last = values.shape[0] - 1
    here = values >= level
    index = torch.arange(last + 1).view(-1, *[1] * (values.ndim - 1))
    before = torch.where(here, -1, index).amax(0)  # the last time below the level
    at = before.clamp(0, max(last - 1, 0))[None]
    low, high = values.gather(0, at)[0], values.gather(0, (at + 1).clamp(max=last))[0]
    start, end = times[at[0]], times[(at[0] + 1).clamp(max=last)]
    found = start + (end - start) * (level - low) / torch.where(high == low, 1.0, high - low)
    found = torch.where(before < 0, times[0], found)
    return torch.where(before == last, torch.nan, found)


def slope(x: Float[Tensor, "T"], y: Float[Tensor, "T *batch"]) -> Float[Tensor, "*batch"]:
    """Least-squares slope of y against x."""
    centred = (x - x.mean()).view(-1, *[1] * (y.ndim - 1))
    return (centred * (y - y.mean(0))).sum(0) / centred.square().sum()


def speed(output: Float[Tensor, "T *batch s"], times: Float[Tensor, "T"]) -> Tensor:
    """Length of the output's velocity between neighbouring times, shape `(T - 1, *batch)`."""
    gaps = torch.diff(times).view(-1, *[1] * (output.ndim - 2))
    return torch.diff(output, dim=0).norm(dim=-1) / gaps


# --- the swing-by ---------------------------------------------------------------------------------


def swing(
    weights: Float[Tensor, "T M 2 2"], mu: theory.Numbers, tau: Float[Tensor, "T"]
) -> dict[str, Float[Tensor, "M"]]:
    """What happens along each path of W (weak concept first), NaN for what does not happen.

    `draw_up`: of the OOD loss. `approach`: how far the weak coordinate gets before it turns back
    (to the end, if it never does), and `fall`: how much of that peak it then loses, all in units of
    its target. `end`: where it ends. Then the clock of the `EVENTS`.
    """
    output = theory.ood_output(weights, mu)
    loss = theory.ood_loss(weights, mu)
    weak = output[..., 0] / theory.as_double(mu)[0]
    members = weak.shape[1]
    peak, trough, low, high = (torch.full((members,), torch.nan).double() for _ in range(4))
    for m in range(members):
        up, down = turning_points(1 - weak[:, m])
        peak[m] = weak[-1 if up is None else up, m]
        trough[m] = peak[m] if up is None or down is None else weak[down, m]
        minimum, maximum = turning_points(loss[:, m])
        if minimum is not None and maximum is not None:
            low[m], high[m] = tau[minimum], tau[maximum]
    return {
        "draw_up": draw_up(loss),
        "approach": peak - weak[0],
        "fall": 1 - trough / peak,
        "end": weak[-1],
        "minor peak": tau[weights[..., 0, 1].argmax(0)],
        "loss minimum": low,
        "loss maximum": high,
        "weak half": arrival(weights[..., 0, 0], PHI, tau),
    }


# --- losses of linear networks --------------------------------------------------------------------


def loss_over_samples(
    matrix: Float[Tensor, "M d d"], points: Float[Tensor, "M N d"]
) -> Float[Tensor, "M"]:
    """|x P - x|^2 / 2, summed over coordinates, averaged over points."""
    error = points @ matrix - points
    return error.square().sum((-2, -1)) / (2 * points.shape[1])


def loss_from_moment(
    matrix: Float[Tensor, "M d d"], moment: Float[Tensor, "M d d"]
) -> Float[Tensor, "M"]:
    """The same number from the second moment alone."""
    error = matrix - torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    return (error * (moment @ error)).sum((-2, -1)) / 2


# --- orders of learning ---------------------------------------------------------------------------


def condition(data: xr.Dataset, mu: tuple[float, float]) -> int:
    """Index of the condition with these signals and the smallest sigma."""
    found = (data.mu_1 == mu[0]) & (data.mu_2 == mu[1]) & (data.sigma_1 == data.sigma_2)
    return int(np.flatnonzero(found.values)[0])


def sweep(data: xr.Dataset) -> np.ndarray:
    """Indices of the conditions that differ in sigma_1 only."""
    return np.flatnonzero(((data.mu_1 == 1) & (data.mu_2 == 2)).values)


def log_ratio(times: xr.DataArray) -> xr.DataArray:
    """ln(t_2 / t_1) of arrivals along `concept`. A concept that has not arrived by the end is
    infinitely late; NaN if neither has.
    """
    logs = xr.apply_ufunc(np.log, times.fillna(np.inf).clip(min=1e-3))
    second, first = logs.isel(concept=1, drop=True), logs.isel(concept=0, drop=True)
    known = (second < np.inf) | (first < np.inf)
    ratio: xr.DataArray = second - first.where(known)
    return ratio


def correct(output: Float[Tensor, "*T M V s"], mu: Float[Tensor, "M s"]) -> Float[Tensor, "*T M V"]:
    """The smallest margin by which a concept of a composition is on its side of half the signal:
    above it if the composition holds the concept, below it if not. Positive: all are right.
    """
    held = task.compositions(mu.shape[-1]).to(output)  # (V, s)
    share = output / mu[:, None, :]
    return torch.where(held > 0, share - PHI, PHI - share).amin(-1)


def pairs(concepts: int = 4) -> list[tuple[int, int]]:
    """(u, v) of non-empty compositions, u strictly inside v: 50 of four concepts."""
    bits = task.compositions(concepts).numpy()
    return [
        (u, v)
        for u, v in product(range(1, len(bits)), repeat=2)
        if u != v and bool((bits[u] <= bits[v]).all())
    ]


def in_order(values: xr.DataArray, slack: float = 0.0) -> xr.DataArray:
    """Share of pairs in which the larger composition has the larger value, or one short of it by
    at most the share `slack`; over `composition`, which has the place of all 16. What is missing is
    infinitely large, but a pair whose smaller composition is missing is in no order."""
    low, high = (list(side) for side in zip(*pairs(), strict=True))
    table = values.fillna(np.inf)
    smaller, larger = (
        table.isel(composition=side).drop_vars("composition") for side in (low, high)
    )
    held = (larger >= (1 - slack) * smaller) & (smaller < np.inf)
    share: xr.DataArray = held.mean("composition")
    return share
