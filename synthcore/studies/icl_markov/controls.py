"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import xarray as xr

from synthcore.studies.icl_markov import theory


def untrained(data: xr.Dataset) -> xr.Dataset:
    """Every checkpoint shows the network before training."""
    control = data.copy()
    for name, values in data.data_vars.items():
        if "step" in values.dims:
            control[name] = (
                values.isel(step=0)
                .drop_vars("step")
                .broadcast_like(values)
                .where(values.notnull())
                .transpose(*values.dims)
            )
    return control


def another_size(data: xr.Dataset) -> xr.Dataset:
    """Closed forms of chains with one state more."""
    k = int(data.attrs["states"])
    shift = theory.row_entropy(k + 1) - theory.row_entropy(k)
    return data.assign(theory_exact=data.theory_exact + shift)


def roles_swapped(data: xr.Dataset) -> xr.Dataset:
    """The Bayes predictor is judged against the network and the other algorithms."""
    return data.assign(
        excess_loss=-data.excess_loss, excess_loss_algorithm=-data.excess_loss_algorithm
    )
