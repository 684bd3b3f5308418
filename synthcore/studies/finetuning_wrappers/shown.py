"""What the explorers read from the dataset."""

from typing import Any

import xarray as xr

from synthcore.nn.population import named_weights
from synthcore.studies.finetuning_wrappers.compiled_stage import EXAMPLE, counter_program
from synthcore.studies.finetuning_wrappers.grammar import LETTERS
from synthcore.studies.finetuning_wrappers.opened import DECIDING, SHOWN_TEXTS
from synthcore.studies.finetuning_wrappers.parameters import Config


def networks(config: Config, data: xr.Dataset) -> dict[str, Any]:
    """Arguments of the compiled counter's explorer: the compiled network and two tuned ones."""
    program = counter_program(config)
    names = ("compiled", "tuned with the shortcut", "tuned without it")
    counted = ("a", "b", "b")
    rows = data.shown_networks.values.astype("float32")
    return {
        "networks": {
            name: named_weights(program, row) for name, row in zip(names, rows, strict=True)
        },
        "out": program.shape.spaces["out"],
        "counted": dict(zip(names, counted, strict=True)),
        "string": EXAMPLE[: config.counter_slots],
    }


def pruned(config: Config, data: xr.Dataset, rate: str = "S") -> dict[str, Any]:
    """Arguments of the pruning explorer: first seed, weak prior."""
    first = data.isel(seed=0).sel(rate=rate)
    text = data.test_text.values.astype(int)
    windows = ["".join(LETTERS[k] for k in row[-config.window :]) for row in text[:SHOWN_TEXTS]]
    share_k = ("share", "deleted")
    return {
        "conditions": [f"C_Tr = {share:g}" for share in data.share.values],
        "deleted": [int(k) for k in data.deleted.values],
        "old": first.pruned_a.transpose(*share_k).values,
        "new": first.pruned_b.transpose(*share_k).values,
        "counts": first.shown_counts.transpose(*share_k, "count").values.clip(0, 1),
        "truth": data.shown_truth.values,
        "windows": windows,
        "said": first.shown_said.transpose(*share_k, "shown").values.astype(int),
        "control": first.pruned_controls.sel(order="random").transpose("share", "deciding").values,
        "control_at": list(DECIDING),
        "condition": data.sizes["share"] - 1,
    }
