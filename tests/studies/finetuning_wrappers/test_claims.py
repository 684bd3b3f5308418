"""The claims: a run in which everything holds, and what each decision must not be fooled by."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract

from synthcore.evidence.first_edition import Word
from synthcore.studies.finetuning_wrappers.claims import CLAIMS, decisions


def filled(like: xr.DataArray, value: Any) -> xr.DataArray:
    """`value`, a number or an array of some of the dimensions, in the shape of `like`."""
    return (value + 0 * like).transpose(*like.dims)


@pytest.fixture(scope="module")
def invented(results: xr.Dataset) -> xr.Dataset:
    """A run in which everything holds, in every one of four seeds."""
    data = results.isel(seed=[0] * 4).assign_coords(seed=range(4)).copy(deep=True)
    noise = xr.DataArray(np.linspace(-0.005, 0.005, 4), dims="seed", coords={"seed": range(4)})
    weak, pure, none = data.prior == "L", data.share == 1, data.share == 0
    spurious, of_a, small = data.test == "spurious", data.target == "a", data.rate == "S"
    new = xr.where(weak & pure, xr.where(spurious, 0.99, 0.01), 0.99)
    new = xr.where(weak & none & small, 0.3, new)
    old = xr.where(weak, 0.05, xr.where(pure, 0.5, 0.8))
    data["accuracy"] = filled(data.accuracy, xr.where(of_a, old, new) + noise)
    data["wrapper_index"] = filled(data.wrapper_index, xr.where(weak & pure, 0.97, 0.0))
    deleted = data.deleted > 0
    rewritten = none & (data.rate == "M")
    data["pruned_a"] = filled(data.pruned_a, xr.where(deleted & ~rewritten, 0.8, 0.1) + noise)
    data["pruned_b"] = filled(data.pruned_b, xr.where(deleted, 0.4, 1.0))
    data["pruned_entropy"] = filled(data.pruned_entropy, 0.9)
    data["pruned_choice"] = filled(data.pruned_choice, data.deciding / 100)
    data["pruned_before"] = filled(data.pruned_before, 0.97)
    first = data.order == "first order"
    data["pruned_controls"] = filled(data.pruned_controls, xr.where(first, 0.8, 0.1))
    true = data.labels == "true"
    dropped = weak & (data.rate == "M")
    data["probe_pretrained"] = filled(data.probe_pretrained, xr.where(true, 0.98, 0.2) + noise)
    data["probe_tuned"] = filled(
        data.probe_tuned, xr.where(true, xr.where(dropped, 0.7, 0.97), 0.2)
    )
    data["probe_untrained"] = filled(data.probe_untrained, xr.where(true, 0.5, 0.2))
    late = data.revival_step >= 10
    data["revival"] = filled(data.revival, xr.where(data.revival_step >= 5, 0.95, 0.1))
    data["revival_baseline"] = filled(data.revival_baseline, 0.2)
    data["misled_before"] = filled(data.misled_before, 0.05)
    data["misled_revival"] = filled(data.misled_revival, xr.where(late, 0.95, 0.1))
    data["misled_baseline"] = filled(data.misled_baseline, 0.2)
    data["misled_probe"] = filled(data.misled_probe, 0.97)
    data["mixed"] = filled(data.mixed, 0.2 + data.mixture + noise)
    own = data.name == "count"
    data["named"] = filled(data.named, xr.where(own, 0.1, 0.99))
    data["named_probe"] = filled(data.named_probe, 0.97)
    above = data.looked_at == "b"
    moved = (data.counter_share == 0) & data.counter_rate.isin(["L", "M"])
    mass = xr.where(above, xr.where(moved, 0.4, 0.05 - data.counter_share / 50), 0.5)
    data["counter_attention"] = filled(data.counter_attention, mass)
    data["compiled_attention"] = filled(data.compiled_attention, xr.where(above, 0.0, 0.52))
    gone = (data.weights > 0) & (data.counter_share == 1)
    data["weights_pruned"] = filled(data.weights_pruned, xr.where(gone, 0.7, 0.1))
    back = (data.counter_revival_step > 0) & (data.counter_rate != "L")
    data["counter_revival"] = filled(data.counter_revival, xr.where(back, 0.98, 0.2))
    least = data.order_rate == "VS"
    data["order_accuracy"] = filled(data.order_accuracy, xr.where(least, 0.95, 0.3))
    data["order_distance"] = filled(data.order_distance, xr.where(least, 0.1, 1.2))
    twist = data.feature == "twist"
    data = data.drop_dims("story_step").merge(_stories(data), combine_attrs="no_conflicts")
    never = data.kind == "never saw one"
    data["story_loss_before"] = filled(data.story_loss_before, 1.0)
    before = xr.where(twist & never, 0.6, 0.9)
    data["story_probe_before"] = filled(data.story_probe_before, before)
    data["story_probe"] = filled(data.story_probe, xr.where(twist, 0.85, 0.9))
    index = xr.where(of_a, xr.where(weak, 0.6, 0.95), xr.where(weak, 0.05, 0.9))
    data["index_accuracy"] = filled(data.index_accuracy, index)
    return data.assign_attrs(results.attrs)


def _stories(data: xr.Dataset) -> xr.Dataset:
    """Curves over the recovery that tell tuned networks from the control."""
    steps = [0, 2, 6, 20, 60, 200]
    coords = {"story_step": steps, "protocol": data.protocol, "story_rate": data.story_rate}
    coords |= {"seed": data.seed}
    shape = (6, 3, 2, 4)
    dims = ("story_step", "protocol", "story_rate", "seed")
    rising = np.linspace(0.3, 0.9, 6)
    return xr.Dataset(
        {
            "story_loss": (dims, np.full(shape, 1.2)),
            "story_score": (dims, np.broadcast_to(rising[:, None, None, None], shape).copy()),
            "story_score_control": (
                ("story_step", "seed"),
                np.broadcast_to(rising[:, None] / 3, (6, 4)).copy(),
            ),
        },
        coords,
    )


class TestClaims(ClaimsContract):
    claims = CLAIMS


def test_a_deletion_that_harms_the_pretrained_network_is_no_unwrapping(
    invented: xr.Dataset,
) -> None:
    """Whatever it restores: a deletion that makes every count one too small cancels the one."""
    shifted = invented.assign(pruned_before=filled(invented.pruned_before, 0.65))
    verdict = decisions.localized(shifted)
    assert verdict.verdict is Word.PARTLY
    failed = {part.label for part in verdict.parts if part.verdict is Word.NOT}
    assert failed == {"C_Tr 0.8: pretrained unharmed", "C_Tr 1: pretrained unharmed"}


def test_neurons_are_chosen_on_other_texts_than_they_are_judged_on(invented: xr.Dataset) -> None:
    best_elsewhere = xr.where(invented.deciding == 10, 0.9, 0.1)
    data = invented.assign(pruned_choice=filled(invented.pruned_choice, best_elsewhere))
    curve = xr.where(data.deleted == 10, 0.25, xr.where(data.deleted > 0, 0.8, 0.1))
    data["pruned_a"] = filled(data.pruned_a, curve)
    assert float(decisions.pruning_gain(data).max()) == pytest.approx(0.15, abs=1e-6)
