"""One dataset from what the stages of a study measured, and how it is written."""

from collections.abc import Hashable, Mapping, Sequence

import xarray as xr

COMPRESSED_ABOVE = 4096  # bytes; for less, the index of compressed data takes more than it saves


def joined(parts: Sequence[xr.Dataset], units: Mapping[str, str]) -> xr.Dataset:
    """All variables of all parts, NaN where a part has no value; measurements become float32. Every
    variable and coordinate gets a unit ("1" if `units` has none for it) and a long name.

    >>> parts = [xr.Dataset({"loss": ("seed", [0.5])}), xr.Dataset({"steps": 9})]
    >>> joined(parts, {"loss": "nats"}).loss.attrs
    {'units': 'nats', 'long_name': 'loss'}
    """
    data = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="drop")
    for name, variable in data.data_vars.items():
        if variable.dtype == "float64":
            data[name] = variable.astype("float32")
    return labelled(data, units)


def labelled(data: xr.Dataset, units: Mapping[str, str]) -> xr.Dataset:
    """Give every variable and coordinate without one a unit ("1" if `units` has none for it) and a
    long name.

    >>> labelled(xr.Dataset({"loss": ("seed", [0.5])}, {"seed": [3]}), {"loss": "nats"}).seed.attrs
    {'units': '1', 'long_name': 'seed'}
    """
    for name in data.variables:
        data[name].attrs.setdefault("units", units.get(str(name), "1"))
        data[name].attrs.setdefault("long_name", str(name).replace("_", " "))
    return data


def packed(data: xr.Dataset) -> dict[Hashable, dict[str, bool]]:
    """The encoding that compresses large variables of numbers."""
    return {
        name: {"zlib": True}
        for name, variable in data.variables.items()
        if variable.dtype.kind in "iufb" and variable.nbytes > COMPRESSED_ABOVE
    }
