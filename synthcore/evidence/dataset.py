"""What a run leaves behind: the measurements of all its stages in one dataset, with units."""

from collections.abc import Mapping, Sequence

import xarray as xr


def merged(parts: Sequence[xr.Dataset], units: Mapping[str, str]) -> xr.Dataset:
    """One dataset of all parts, without their attributes; measurements are float32.

    Every variable gets `units` ("1" if it is not named there) and its name in words as `long_name`.
    Where coordinates differ, the missing values are nan; ValueError if two parts contradict each
    other.

    >>> a = xr.Dataset({"loss": ("step", [3.0, 2.0])}, coords={"step": [1, 10]})
    >>> data = merged([a, xr.Dataset({"floor": 1.5})], {"loss": "nats", "floor": "nats"})
    >>> data.loss.units, data.step.units, data.loss.dtype.name
    ('nats', '1', 'float32')
    """
    data = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="drop")
    for name, variable in data.data_vars.items():
        if variable.dtype == "float64":
            data[name] = variable.astype("float32")
    for name in data.variables:
        data[name].attrs["units"] = units.get(str(name), "1")
        data[name].attrs["long_name"] = str(name).replace("_", " ")
    return data
