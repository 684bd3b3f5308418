"""How the claims about compiled networks and about stories are decided, from the dataset alone."""

from typing import Any

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most, ordered

Where = dict[str, Any]
SELECTOR = 1  # block 2 of the text: where Counter selects


def letter_attention(data: xr.Dataset) -> xr.DataArray:
    """Attention on letters a and b where the compiled counter selects, relative to what a counter
    of that letter pays: rate, share, seed, looked_at."""
    compiled = data.compiled_attention.isel(block=SELECTOR, drop=True).sel(looked_at="a", drop=True)
    return data.counter_attention.isel(block=SELECTOR, drop=True) / compiled


def attention_moves(data: xr.Dataset) -> Verdict:
    """C9. A counter of b attends to b as one of a does to a: letters are exchangeable."""
    share = letter_attention(data)
    a, b = (share.sel(looked_at=letter, drop=True) for letter in "ab")
    raw = data.counter_attention.isel(block=SELECTOR, drop=True).sel(looked_at="b", drop=True)
    small: Where = {"counter_rate": "S", "drop": True}
    middle: Where = {"counter_rate": "M", "drop": True}
    clean: Where = {"counter_share": 0.0, "drop": True}
    spurious: Where = {"counter_share": 1.0, "drop": True}
    return all_of(
        at_least(a.sel(**small).sel(**clean), 0.8, label="eta_S, C_Tr 0: looks at a"),
        at_least(a.sel(**small).sel(**spurious), 0.8, label="eta_S, C_Tr 1: looks at a"),
        at_most(raw.sel(**small).max("counter_share"), 0.1, label="eta_S: not at b"),
        at_least(b.sel(**middle).sel(**clean), 0.3, label="eta_M, C_Tr 0: looks at b"),
        at_least(b.sel(counter_rate="L", drop=True).sel(**clean), 0.3, label="eta_L, C_Tr 0: at b"),
        at_most(raw.sel(**middle).sel(**spurious), 0.1, label="eta_M, C_Tr 1: not at b"),
        ordered(
            raw.sel(**middle), "counter_share", 0.0, "decreasing", label="eta_M: falls with C_Tr"
        ),
    )


def weight_gain(data: xr.Dataset) -> xr.DataArray:
    """The most that deleting one to four weights adds to O_PT: rate, share, seed."""
    old = data.weights_pruned.sel(weights_what="old, clean", drop=True)
    return old.sel(weights=[1, 2, 3, 4]).max("weights") - old.sel(weights=0, drop=True)


def one_weight(data: xr.Dataset) -> Verdict:
    """C10."""
    found = weight_gain(data)
    end = data.counter_revival.isel(counter_revival_step=-1, drop=True)
    spurious, clean = (found.sel(counter_share=c, drop=True) for c in (1.0, 0.0))
    return all_of(
        *(
            at_least(spurious.sel(counter_rate=r, drop=True), 0.4, label=f"eta_{r}: O_PT back")
            for r in ("M", "S")
        ),
        at_most(clean.sel(counter_rate=["M", "S"]).max("counter_rate"), 0.4, label="C_Tr 0: not"),
        at_least(end.sel(counter_rate="M", drop=True), 0.9, label="eta_M revived at eta_VS"),
        at_most(end.sel(counter_rate="L", drop=True), 0.9, label="eta_L not revived"),
    )


def read_out_only(data: xr.Dataset) -> Verdict:
    """C11 at C_Tr = 0."""
    new = data.order_accuracy.sel(
        order_share=0.0, string_test="clean", string_target="new", drop=True
    )
    moved = data.order_distance.sel(order_share=0.0, role="sorting", drop=True)

    def beyond(values: xr.DataArray, rate: str, sign: int) -> xr.DataArray:
        least = values.sel(order_rate="VS", drop=True)
        return sign * (least - values.sel(order_rate=rate, drop=True))

    return all_of(
        *(
            at_least(beyond(new, r, 1), 0.3, label=f"new answers: eta_VS beyond eta_{r}")
            for r in ("S", "M")
        ),
        *(
            at_least(beyond(moved, r, -1), 0.0, label=f"sorting: eta_{r} moved further")
            for r in ("S", "M")
        ),
    )


def early_area(data: xr.Dataset, curve: xr.DataArray) -> xr.DataArray:
    """Mean over the first tenth of the recovery's steps, by trapezoids."""
    last = float(data.story_step[-1]) / 10
    early = curve.sel(story_step=slice(0, last + 1e-9))
    if early.sizes["story_step"] < 2:
        return early.isel(story_step=0, drop=True) * np.nan
    span = float(early.story_step[-1] - early.story_step[0])
    area: xr.DataArray = early.integrate("story_step") / span
    return area


def stories(data: xr.Dataset) -> Verdict:
    """C12: the loss on stories with a twist rises under every protocol; the probe for it drops by
    at most half of its distance to a network that never saw one, other probes by 0.05; and over the
    first tenth of the recovery more stories have a twist than in that control."""
    rise = data.story_loss.isel(story_step=-1) - data.story_loss_before.sel(
        kind="with twist", drop=True
    )
    probe = data.story_probe_before.max("story_place")
    before = probe.sel(kind="with twist", drop=True)
    lost = before - data.story_probe.max("story_place")
    gap = before - probe.sel(kind="never saw one", drop=True)
    within = 0.5 * gap.sel(feature="twist", drop=True) - lost.sel(feature="twist", drop=True)
    others = [f for f in data.feature.values if f != "twist"]
    areas = early_area(data, data.story_score)
    control = early_area(data, data.story_score_control)
    cells = ["protocol", "story_rate"]
    return all_of(
        at_least(rise.min(cells), 0.0, label="loss on twists rises"),
        at_least(within.min(cells), 0.0, label="probe drops by less than half the gap"),
        at_most(lost.sel(feature=others).mean("feature").max(cells), 0.05, label="others kept"),
        *(
            at_least(
                (areas - control).sel(protocol=p, drop=True).min("story_rate"),
                0.0,
                label=f"{p}: back sooner than learned",
            )
            for p in data.protocol.values
        ),
    )
