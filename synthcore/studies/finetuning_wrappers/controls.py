"""Controls on which no claim may come out as reproduced: a run's dataset with its finding taken
out.
"""

import xarray as xr


def _flat(values: xr.DataArray, *dims: str) -> xr.DataArray:
    """The mean over some dimensions, in their place."""
    return values.mean(dims).broadcast_like(values).transpose(*values.dims)


def no_shortcut(data: xr.Dataset) -> xr.Dataset:
    """Networks are as right where the shortcut fails as where it holds, and never off by one."""
    return data.assign(
        accuracy=_flat(data.accuracy, "test"), wrapper_index=xr.zeros_like(data.wrapper_index)
    )


def priors_alike(data: xr.Dataset) -> xr.Dataset:
    """Pretraining's prior and the share of spurious texts change nothing."""
    control = data.assign(accuracy=_flat(data.accuracy, "prior", "share"))
    if "index_accuracy" in data:
        control["index_accuracy"] = _flat(data.index_accuracy, "prior")
    return control


def rates_alike(data: xr.Dataset) -> xr.Dataset:
    """Both rates lead to the same network."""
    return data.assign(accuracy=_flat(data.accuracy, "rate"))


def nothing_localized(data: xr.Dataset) -> xr.Dataset:
    """Deleting neurons does what deleting random ones does: nothing."""
    control = data.copy()
    for name in ("pruned_a", "pruned_b"):
        start = data[name].sel(deleted=0, drop=True)
        control[name] = start.broadcast_like(data[name]).transpose(*data[name].dims)
    start = data.pruned_a.sel(deleted=0, drop=True)
    same = start.broadcast_like(data.pruned_controls)
    control["pruned_controls"] = same.transpose(*data.pruned_controls.dims)
    return control


def labels_shuffled(data: xr.Dataset) -> xr.Dataset:
    """Probes that were fitted to shuffled labels."""
    control = data.copy()
    for name in ("probe_tuned", "probe_pretrained", "probe_untrained"):
        shuffled = data[name].sel(labels="shuffled", drop=True)
        control[name] = shuffled.broadcast_like(data[name]).transpose(*data[name].dims)
    return control


def nothing_left(data: xr.Dataset) -> xr.Dataset:
    """Fine-tuning left nothing: every network learns as one that never counted a."""
    control = data.copy()
    slow = data.revival_baseline.sel(baseline="untrained", drop=True)
    control["revival"] = slow.broadcast_like(data.revival).transpose(*data.revival.dims)
    if "misled_revival" in data:
        control["misled_revival"] = slow.broadcast_like(data.misled_revival).transpose(
            *data.misled_revival.dims
        )
        control["misled_probe"] = xr.zeros_like(data.misled_probe) + 0.2
    return control


def names_alike(data: xr.Dataset) -> xr.Dataset:
    """Neither pretraining rows nor the name of the task make a difference."""
    mean = data.mixed.mean("mixture") - 1e-3 * data.mixture
    same = data.named.sel(name="count", drop=True)
    return data.assign(
        mixed=mean.transpose(*data.mixed.dims),
        named=same.broadcast_like(data.named).transpose(*data.named.dims),
        named_probe=xr.zeros_like(data.named_probe) + 0.2,
    )


def letters_alike(data: xr.Dataset) -> xr.Dataset:
    """Attention that knows no letters: a and b get the same, one ninth each."""
    return data.assign(counter_attention=xr.zeros_like(data.counter_attention) + 1 / 9)


def no_weight(data: xr.Dataset) -> xr.Dataset:
    """Deleting weights changes nothing, and nobody revives."""
    start = data.weights_pruned.sel(weights=0, drop=True)
    first = data.counter_revival.isel(counter_revival_step=0, drop=True)
    return data.assign(
        weights_pruned=start.broadcast_like(data.weights_pruned).transpose(
            *data.weights_pruned.dims
        ),
        counter_revival=first.broadcast_like(data.counter_revival).transpose(
            *data.counter_revival.dims
        ),
    )


def order_rates_reversed(data: xr.Dataset) -> xr.Dataset:
    """The smallest rate is called the largest."""
    control = data.copy()
    for name in ("order_accuracy", "order_distance"):
        turned = data[name].isel(order_rate=slice(None, None, -1))
        control[name] = data[name].copy(data=turned.values)
    return control


def story_control_alike(data: xr.Dataset) -> xr.Dataset:
    """The network that never saw a twist does as the others do, and tuning raises no loss."""
    before = data.story_loss_before.sel(kind="with twist", drop=True)
    least = data.story_score.min(["protocol", "story_rate"])
    probe = data.story_probe_before.copy(deep=True)
    probe.loc[{"kind": "never saw one"}] = probe.sel(kind="with twist", drop=True)
    return data.assign(
        story_loss=(before - 0.01).broadcast_like(data.story_loss).transpose(*data.story_loss.dims),
        story_score_control=least.transpose(*data.story_score_control.dims) + 0.01,
        story_probe_before=probe + 0.1,
    )
