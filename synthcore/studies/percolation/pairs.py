"""The pair learner: a factorised model of P(property | entity), and nothing else.

It is not the paper's model. It sees the pairs that sentences would reveal, without any syntax, and
so isolates what the constraint graph alone does to the time at which classes are learned.

Axis letters: M member, B batch, E entities, K properties, W width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.population import normal_
from synthcore.studies.percolation.constraints import (
    Classes,
    ConstraintGraph,
    Edges,
    circulant_edges,
    random_edges,
    seeded,
)
from synthcore.studies.percolation.graphs import components
from synthcore.training.first_edition import fit
from synthcore.training.optimizers import population_adamw

WIDTH, RATE, INITIAL = 32, 3e-3, 0.02
CIRCULANT_VALUES = 40


@dataclass(frozen=True)
class PairTask:
    """A constraint graph and how fast it is shown: `batch` pairs per step. `spare` properties are
    never shown."""

    entities: int
    properties: int
    classes: int
    density: float
    batch: int
    fragments: int = 1
    noise: float = 0.0
    spare: int = 0
    circulant: bool = False

    def graph(self, seed: int) -> ConstraintGraph:
        """This seed's graph."""
        classes = Classes(self.classes, self.entities, self.properties)
        random = seeded(seed, 1)
        if self.circulant:
            return circulant_edges(classes, self.density, CIRCULANT_VALUES, random)
        return random_edges(classes, self.density, random, self.fragments, self.noise)


class PairLearner(nn.Module):
    """Logits u_e . v_k of every property k given entity e."""

    def __init__(self, entities: int, properties: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.entity = nn.Parameter(torch.zeros(len(seeds), entities, WIDTH))
        self.property = nn.Parameter(torch.zeros(len(seeds), WIDTH, properties))
        generators = [seeded(seed, 2) for seed in seeds]
        for table in (self.entity, self.property):
            normal_(table, INITIAL, generators)

    def forward(self, entities: Int[Tensor, "M B"]) -> Float[Tensor, "M B K"]:
        chosen = self.entity.gather(1, entities[..., None].expand(-1, -1, WIDTH))
        logits: Tensor = torch.bmm(chosen, self.property)
        return logits


def pair_loss(model: nn.Module, pairs: Int[Tensor, "M B 2"]) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the properties."""
    logits = model(pairs[..., 0])
    loss = functional.cross_entropy(logits.flatten(0, 1), pairs[..., 1].flatten(), reduction="none")
    return loss.view(len(pairs), -1).mean(1)


class PairStream:
    """Pairs as sentences show them: an entity at random, one of its edges at random."""

    def __init__(self, graphs: Sequence[ConstraintGraph], batch: int, seed: int) -> None:
        self.edges, self.batch = Edges.of(graphs), batch
        self.generator = seeded(seed, 3)

    def __call__(self, step: int) -> Int[Tensor, "M B 2"]:
        members, entities, _ = self.edges.shown.shape
        entity = torch.randint(entities, (members, self.batch), generator=self.generator)
        u = torch.rand(entity.shape, generator=self.generator)
        member = torch.arange(members)[:, None]
        place = (u * self.edges.degree[member, entity]).long()
        return torch.stack([entity, self.edges.shown[member, entity, place]], -1)


@dataclass(frozen=True)
class Kinds:
    """Which pairs are of one class, edges, and joined by a path of edges."""

    same: Bool[Tensor, "M E K"]
    edge: Bool[Tensor, "M E K"]
    joined: Bool[Tensor, "M E K"]

    @classmethod
    def of(cls, graphs: Sequence[ConstraintGraph]) -> "Kinds":
        """Of one graph per member."""
        return cls(
            torch.stack([graph.classes.same for graph in graphs]),
            torch.stack([graph.edges for graph in graphs]),
            torch.stack([_joined(graph) for graph in graphs]),
        )


def _joined(graph: ConstraintGraph) -> Bool[Tensor, "E K"]:
    entities, properties = graph.edges.shape
    label = torch.from_numpy(components(entities, properties, graph.edges.nonzero().numpy()))
    return label[:entities, None] == label[None, entities:]


def masses(p: Float[Tensor, "M E K"], kinds: Kinds) -> dict[str, Float[Tensor, "M"]]:
    """Where the probability of properties goes, averaged over entities.

    `class_mass` on the entity's class, `edge_mass` on its edges, `held_mass` on pairs of its class
    that are never shown, 1 if the class were uniform; `held_share` of what is not on edges.
    `odds` is the log of mean probability of such a pair over that of a pair across classes, `odds
    joined` and `odds apart` the same for those that a path of edges joins, or none does; nan if
    there are none.
    """
    total = p.sum(-1)
    held, other = kinds.same & ~kinds.edge, ~kinds.same & ~kinds.edge

    def mean(which: Bool[Tensor, "M E K"]) -> Float[Tensor, "M"]:
        return (p * which).sum((1, 2)) / which.sum((1, 2))

    def share(which: Bool[Tensor, "M E K"]) -> Float[Tensor, "M"]:
        return ((p * which).sum(-1) / total).mean(1)

    uniform = (held.sum(-1) / kinds.same.sum(-1)).mean(1)
    return {
        "class_mass": share(kinds.same),
        "edge_mass": share(kinds.edge),
        "held_mass": share(held) / uniform,
        "held_share": (p * held).sum((1, 2)) / (p * ~kinds.edge).sum((1, 2)),
        "odds": (mean(held) / mean(other)).log(),
        "odds_joined": (mean(held & kinds.joined) / mean(other)).log(),
        "odds_apart": (mean(held & ~kinds.joined) / mean(other)).log(),
    }


def learn(
    task: PairTask,
    seeds: Sequence[int],
    steps: int,
    checkpoints: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Train one pair learner per seed; `masses` at every checkpoint, dimensions pair_seed, step.

    `joined_share` is the share of same-class pairs that edges join, `degree` edges per entity.
    """
    graphs = [task.graph(seed) for seed in seeds]
    kinds = Kinds.of(graphs)
    model = PairLearner(task.entities, task.properties + task.spare, seeds)
    everyone = torch.arange(task.entities).expand(len(seeds), -1)
    rows: list[dict[str, Tensor]] = []

    def measure(step: int, model: nn.Module) -> None:
        with torch.no_grad():
            p = model(everyone).softmax(-1)[..., : task.properties]
        rows.append(masses(p, kinds))

    fit(
        model,
        PairStream(graphs, task.batch, seeds[0]),
        steps=steps,
        optimizer=population_adamw(model, RATE, betas=(0.9, 0.95), weight_decay=0.0),
        checkpoints=checkpoints,
        on_checkpoint=measure,
        loss=pair_loss,
        progress=progress,
    )
    data = xr.Dataset(
        {
            name: (("pair_seed", "step"), np.stack([row[name].numpy() for row in rows], 1))
            for name in rows[0]
        },
        coords={"pair_seed": list(seeds), "step": list(checkpoints)},
    )
    same = kinds.same.sum((1, 2))
    data["joined_share"] = ("pair_seed", ((kinds.joined & kinds.same).sum((1, 2)) / same).numpy())
    data["degree"] = ("pair_seed", kinds.edge.double().sum(-1).mean(1).numpy())
    return data
