"""Which compositions contain which, and how often their losses are in that order."""

import numpy as np
import xarray as xr

from synthcore.studies.sim_concept_learning import task


def pairs(concepts: int = 4) -> list[tuple[int, int]]:
    """(u, v) of all strictly comparable compositions, u below v."""
    bits = task.compositions(concepts).numpy()
    return [
        (u, v)
        for u in range(len(bits))
        for v in range(len(bits))
        if u != v and bool((bits[u] <= bits[v]).all())
    ]


def ordered_share(data: xr.Dataset) -> xr.DataArray:
    """Share of comparable pairs with loss(u) <= loss(v), per epoch and seed."""
    low, high = (list(side) for side in zip(*pairs(), strict=True))
    loss = data.composition_loss.transpose("epoch", "seed", "composition").values
    held = (loss[..., low] <= loss[..., high]).mean(-1)
    coordinates = {"epoch": data.epoch.values, "seed": data.seed.values}
    return xr.DataArray(held, dims=("epoch", "seed"), coords=coordinates)


def reversed_gap(data: xr.Dataset, epochs: tuple[float, ...] = (1, 3, 5)) -> float:
    """Median of 1 - loss(v) / loss(u) over pairs in the wrong order at these epochs, all seeds."""
    low, high = (list(side) for side in zip(*pairs(), strict=True))
    loss = data.composition_loss.sel(epoch=list(epochs), method="nearest")
    values = loss.transpose("epoch", "seed", "composition").values
    smaller, larger = values[..., low], values[..., high]
    wrong = smaller > larger
    return float(np.median(1 - larger[wrong] / smaller[wrong])) if wrong.any() else 0.0
