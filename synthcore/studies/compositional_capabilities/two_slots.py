"""Two functions at once: a permutation of places, then a bijection of symbols; and the control, a
bijection after a bijection.

y_k = sigma[x[pi[k]]] is the same in either order: attention can fetch by pi while an MLP applies
sigma, without one waiting for the other. Two bijections must be applied one after the other.
"""

from collections.abc import Mapping

import torch
import xarray as xr

from synthcore.studies.compositional_capabilities import counts, measure
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import Progress, Task, learn, named
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import Kind, Layout

FAMILIES: Mapping[str, tuple[Kind, Kind]] = {
    "permutation, bijection": ("permutation", "bijection"),
    "bijection, bijection": ("bijection", "bijection"),
}


def two_slots(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Exact match on seen and unseen pairs: dimensions family, pairs (trained) and seed."""
    layout = Layout(2, config.slot_functions, config.alphabet, config.word)
    parts = []
    for (family, kinds), sizes in zip(
        FAMILIES.items(), (config.slot_n, config.slot_control), strict=True
    ):
        conditions = [Condition("random", (n,)) for n in sizes]
        task = Task.draw(layout, "direct", conditions, config.seeds, config.torch_device, kinds)
        model = learn(task, config.slots, named(progress, family))
        right = task.exact(model, task.every, config.words)
        named_all = torch.stack([counts.identifiable(task.every, own) for own in task.subsets])
        found = {
            "slot_seen": measure.average(right, task.seen),
            "slot_unseen": measure.average(right, ~task.seen),
            "slot_ceiling": measure.average(named_all.double(), ~task.seen),
        }
        parts.append(
            xr.Dataset(
                {
                    name: (("pairs", "seed"), task.by_seed(values).numpy())
                    for name, values in found.items()
                },
                {"pairs": list(sizes), "seed": list(config.seeds)},
            ).expand_dims(family=[family])
        )
    return xr.concat(parts, "family", join="outer")
