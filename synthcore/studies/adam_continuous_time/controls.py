"""Controls on which no claim may come out as reproduced."""

import xarray as xr


def equations_swapped(data: xr.Dataset) -> xr.Dataset:
    """The second-order equation is judged by the errors of the first-order one, and the reverse."""
    order = ["second order", "first order", "second order, decay rate"]
    swapped = data.toy_error.sel(equation=order)
    return data.assign(toy_error=swapped.assign_coords(equation=data.equation))


def smaller_bound(data: xr.Dataset) -> xr.Dataset:
    """Updates are held against a bound one per cent smaller."""
    names = ["stream_ratio", "stream_ratio_least", "language_ratio", "growth_bound_ratio"]
    return data.assign({name: data[name] / 0.99 for name in names})


def points_permuted(data: xr.Dataset) -> xr.Dataset:
    """Every point carries its neighbour's (beta, gamma)."""
    names = ["point_beta", "point_gamma"]
    return data.assign_coords({name: data[name].roll(point=1, roll_coords=False) for name in names})


def regimes_permuted(data: xr.Dataset) -> xr.Dataset:
    """Dense gradients are called sparse, and the reverse."""
    names = data.regime.values.copy()
    names[:4] = names[3::-1]
    return data.assign_coords(regime=names)


def curve_reversed(data: xr.Dataset) -> xr.Dataset:
    """The losses of the curve's points in reverse order."""
    names = ["test_loss", "validation_loss"]
    return data.assign({name: (data[name].dims, data[name].values[::-1]) for name in names})


def momentum_mislabelled(data: xr.Dataset) -> xr.Dataset:
    """The layers without momentum carry the label of those with most of it."""
    return data.assign_coords(layer_beta=data.layer_beta.values[::-1])


def not_settled(data: xr.Dataset) -> xr.Dataset:
    """Angular steps are those of the first update."""
    return data.assign(
        layer_angle=data.layer_angle_path.isel(layer_step=0, drop=True),
        net_angle=data.net_angle_path.isel(net_step=0, drop=True),
    )


def without_correction(data: xr.Dataset) -> xr.Dataset:
    """The second normalisation without the momentum term, and two stages for one."""
    plain = data.equivalence.sel(correction=["none", "none"])
    return data.assign(
        equivalence=plain.assign_coords(correction=data.correction),
        agreement=data.agreement.assign_coords(compared_k=[2, 1]),
    )


def one_stage_for_all(data: xr.Dataset) -> xr.Dataset:
    """Every k has the losses of k = 1, dealt to other seeds: no difference but chance."""
    changed = {}
    for name in ("k_test_loss", "k_validation_loss"):
        one = data[name].sel(k=1, drop=True)
        dealt = [one.roll(seed=i, roll_coords=False) for i in range(data.sizes["k"])]
        changed[name] = xr.concat(dealt, dim=data.k).transpose(*data[name].dims)
    return data.assign(changed)
