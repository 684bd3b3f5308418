"""Views of the study's results that claims and figures share."""

import numpy as np
import xarray as xr


def error_slope(error: xr.DataArray) -> xr.DataArray:
    """Slope of ln error in ln eta by least squares."""
    x = np.log(error.eta)
    centred = x - x.mean("eta")
    slope: xr.DataArray = (centred * np.log(error)).sum("eta") / (centred**2).sum("eta")
    return slope.assign_attrs(long_name="order of the error in eta", units="1")


def tuned(test: xr.DataArray, validation: xr.DataArray, rates: str) -> xr.DataArray:
    """`test` at the learning rate whose mean validation loss over seeds is lowest."""
    best = validation.mean("seed").argmin(rates)
    chosen: xr.DataArray = test.isel({rates: best}).drop_vars(rates, errors="ignore")
    return chosen


def in_unstable_region(data: xr.Dataset) -> xr.DataArray:
    """Points of the curve with C < 0."""
    unstable: xr.DataArray = data.curve_exponent < -1e-6
    return unstable
