"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import xarray as xr


def memoriser(data: xr.Dataset) -> xr.Dataset:
    """Networks that know what they were trained on and nothing else."""
    nothing = xr.zeros_like(data.unseen)
    return data.assign(unseen=nothing, reached=data.n_train)


def displacement_ignored(data: xr.Dataset) -> xr.Dataset:
    """Every cell of k functions is what its in-order cell is."""
    flat = data.cell_accuracy.isel(m=0, drop=True).where(data.cell_accuracy.notnull())
    return data.assign(cell_accuracy=flat.transpose(*data.cell_accuracy.dims))


def formats_alike(data: xr.Dataset) -> xr.Dataset:
    """Direct networks answer as the stepwise ones do."""
    control = data.copy(deep=True)
    for name in ("format_seen", "format_unseen"):
        control[name].loc[{"format": "direct"}] = data[name].sel(format="step", drop=True)
    return control


def families_alike(data: xr.Dataset) -> xr.Dataset:
    """Pairs with a permutation are no easier than pairs of bijections."""
    control = data.copy(deep=True)
    for name in ("slot_seen", "slot_unseen"):
        both = data[name].sel(family="bijection, bijection", drop=True)
        level = both.mean("pairs")
        control[name].loc[{"family": "permutation, bijection"}] = level
        control[name].loc[{"family": "bijection, bijection"}] = level
    return control


def subsets_alike(data: xr.Dataset) -> xr.Dataset:
    """Every training subset gives what the mean of all gives, at every k."""
    mean = data.by_k.mean(["subset", "k"])
    return data.assign(by_k=mean.broadcast_like(data.by_k).transpose(*data.by_k.dims))


def orders_alike(data: xr.Dataset) -> xr.Dataset:
    """All compositions are learned at one pace."""
    mean = data.k_accuracy.mean("k")
    same = mean.broadcast_like(data.k_accuracy).transpose(*data.k_accuracy.dims)
    return data.assign(k_accuracy=same)


def untrained_loss(data: xr.Dataset) -> xr.Dataset:
    """Networks that know nothing about the prompt's composition."""
    return data.assign(loss=2 * data.floor + 0.1)


def tasks_shuffled(data: xr.Dataset) -> xr.Dataset:
    """A head that looks at any task token alike: one in L is right, and patches do nothing."""
    nothing = xr.zeros_like(data.selected)
    return data.assign(
        selected=nothing + 1 / data.sizes["slot"],
        selected_mass=nothing + 0.1,
        patched=nothing,
    )


def layers_alike(data: xr.Dataset) -> xr.Dataset:
    """Every sub-layer adds the same to what can be read, and is needed as much as any other."""
    whole = data.lens.isel(sublayer=-1, drop=True)
    share = xr.DataArray(
        [i / (data.sizes["sublayer"] - 1) for i in range(data.sizes["sublayer"])],
        dims="sublayer",
        coords={"sublayer": data.sublayer},
    )
    same = data.ablated_symbols.mean("layer").broadcast_like(data.ablated_symbols)
    return data.assign(
        lens=(whole * share).transpose(*data.lens.dims),
        ablated_symbols=same.transpose(*data.ablated_symbols.dims),
    )


def models_alike(data: xr.Dataset) -> xr.Dataset:
    """The LSTM answers as the transformer does."""
    same = data.recurrent_unseen.sel(model="Transformer", drop=True)
    both = same.broadcast_like(data.recurrent_unseen).transpose(*data.recurrent_unseen.dims)
    return data.assign(recurrent_unseen=both)


def depths_reversed(data: xr.Dataset) -> xr.Dataset:
    """The deepest network is called the shallowest."""
    reversed_depths = data.depth_seen.isel(depth=slice(None, None, -1)).values
    nothing = xr.zeros_like(data.depth_unseen)
    return data.assign(depth_seen=data.depth_seen.copy(data=reversed_depths), depth_unseen=nothing)
