"""Putting what a control measured where a claim looks for the network.

A control is really run, beside the network, by the same experiment: an untrained network, permuted
labels, a shortcut, the exact algorithm. These make the functions that `Claim(control=...,
ideal=...)` takes.
"""

from collections.abc import Callable

import xarray as xr

Control = Callable[[xr.Dataset], xr.Dataset | None]


def instead(**measured: str) -> Control:
    """The run with each named variable replaced by another one of the same dimensions.

    `instead(distance="distance_untrained")`. A run that has none of the others has no such control,
    and the function returns None; one that has only some raises KeyError.

    >>> run = xr.Dataset({"loss": ("seed", [0.1, 0.2]), "loss_untrained": ("seed", [2.0, 2.1])})
    >>> instead(loss="loss_untrained")(run).loss.values.tolist()
    [2.0, 2.1]
    """

    def control(data: xr.Dataset) -> xr.Dataset | None:
        if not any(name in data for name in measured.values()):
            return None
        found = {name: data[other] for name, other in measured.items()}
        for name, values in found.items():
            if set(values.dims) != set(data[name].dims):
                raise ValueError(f"{values.name} has other dimensions than {name}.")
        return data.assign({name: values.rename(name) for name, values in found.items()})

    return control


def subject(name: str, along: str = "subject", network: str = "network") -> Control:
    """The run with subject `name` in the place of the network, where subjects are a dimension.

    For experiments that put everything that maps tokens to logits through one measurement: the
    network, shortcuts and exact algorithms are then coordinates of `along`. None if the run has no
    such subject.

    >>> loss = xr.DataArray([[0.1, 2.0]], {"subject": ["network", "shortcut"]}, ("seed", "subject"))
    >>> subject("shortcut")(loss.to_dataset(name="loss")).loss.sel(subject="network").item()
    2.0
    """

    def control(data: xr.Dataset) -> xr.Dataset | None:
        if along not in data.coords or name not in data[along].values:
            return None
        return data.sel({along: [name]}).assign_coords({along: [network]})

    return control
