"""What figures and explorers show of one network: maps of its clouds, and the network itself.

Axis letters: C order, N entity, R relation, K hidden width.
"""

from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from synthcore.editing import EditedModel
from synthcore.nn.population import named_weights
from synthcore.studies.representation_shattering import geometry
from synthcore.studies.representation_shattering.networks import build
from synthcore.studies.representation_shattering.parameters import Config
from synthcore.studies.representation_shattering.single_edits import Plan
from synthcore.studies.representation_shattering.task import Circles
from synthcore.studies.representation_shattering.world import World, as_numpy

SHOWN = 0  # the first edit of every condition of the first seed: not chosen by its effect
MAPPED = 512  # entities at most on a map


def kept(world: World, chosen: Plan, copies: EditedModel) -> xr.Dataset:
    """Isomaps of the first relation of every order before and after the first edits, of every
    relation before, and the first network with what its explorers need."""
    block, circles = world.config.block, world.circles
    relations = circles.relations
    entities = torch.arange(min(circles.entities, MAPPED), device=circles.entity.device)
    before = geometry.clouds(world.model, circles, block, entities)[0]
    gallery = [geometry.flat_map(cloud) for cloud in before]
    index = [k * chosen.each + SHOWN for k in range(len(chosen.conditions))]
    after = geometry.edited_clouds(copies.pick(index), circles, block, entities)[0]
    first = [relations.of(c)[0] for c in range(relations.orders)]
    frames, joined = [], []
    for r in first:
        reference, torn = gallery[r]
        row, tears = [reference], [torn]
        for cloud in after:
            found, torn = geometry.flat_map(cloud[r])
            row.append(geometry.aligned(found, reference))
            tears.append(torn)
        frames.append(row)
        joined.append(tears)
    moment = world.covariances([block])[block][0]
    state = world.model.state_dict()
    weights = torch.cat([value[0].flatten().cpu() for value in state.values()])
    return xr.Dataset(
        {
            "gallery": (("relation", "entity", "axis"), np.stack([found for found, _ in gallery])),
            "maps": (("order", "frame", "entity", "axis"), np.array(frames)),
            "maps_joined": (("order", "frame"), np.array(joined)),
            "shown_weights": (("weight",), weights.numpy()),
            "shown_circles": (("order", "entity_place"), circles.entity[0].cpu().numpy()),
            "shown_moment": (("key", "key_"), as_numpy(moment)),
            "shown_held": (
                ("relation", "entity_all"),
                world.held.facts[0].cpu().numpy().astype("int8"),
            ),
        },
        coords={
            "relation": relations.names,
            "frame": ["unedited", *_names(chosen.conditions)],
            "entity": entities.cpu().numpy(),
        },
    )


def _names(conditions: tuple[int, ...]) -> list[str]:
    return ["corrective" if d == 0 else f"d = {d}" for d in conditions]


def weights(config: Config, data: xr.Dataset) -> dict[str, NDArray[np.float32]]:
    """The kept network's weights by name: one member, no member axis."""
    empty = build(config.recipe, config.entities + config.relations.count, [0])
    return named_weights(empty, data.shown_weights.values)


def explorer_data(config: Config, data: xr.Dataset) -> dict[str, Any]:
    """Arguments that both explorers share."""
    circles = Circles(torch.tensor(data.shown_circles.values.astype(int))[None], config.hops)
    return {
        "weights": weights(config, data),
        "heads": config.heads,
        "circles": circles.entity[0].numpy(),
        "table": circles.table[0].numpy(),
        "names": circles.relations.names,
        "held": data.shown_held.values.astype(bool),
        "moment": data.shown_moment.values,
        "block": config.block,
    }
