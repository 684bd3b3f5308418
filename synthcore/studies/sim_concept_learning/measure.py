"""What is read off a trajectory: draw-ups, descents, times of arrival, slopes.

Time is the first axis; all other axes are a batch. Axis letters: T times.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

TOLERANCE = 0.002  # of the first loss: a smaller wiggle is no descent


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
