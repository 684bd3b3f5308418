"""Pair learners: over |K|, and in worlds whose constraint graph has been changed by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.percolation.config import PAIRS, Config
from synthcore.studies.percolation.measure.masses import Kinds, masses
from synthcore.studies.percolation.model import BETAS, RATE, PairLearner, pair_loss
from synthcore.studies.percolation.task.vocabulary import (
    CIRCULANT_VALUES,
    Classes,
    ConstraintGraph,
    Edges,
    circulant_edges,
    random_edges,
)
from synthcore.studies.percolation.theory import threshold
from synthcore.training.fit import fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced
from synthcore.training.seeding import seeded

CHECKPOINTS, FIRST = 40, 10
STEPS_AT_ONCE = 64  # batches drawn together: a generator costs more than a batch
UNITS = {
    "step": "updates",
    "entities": "entities",
    "properties": "properties",
    "odds": "nats",
    "odds_joined": "nats",
    "odds_apart": "nats",
    "memory_odds": "nats",
    "degree": "edges/entity",
    "batch": "pairs/update",
}


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

    def graph(self, seed: int, condition: str = "") -> ConstraintGraph:
        """This seed's graph."""
        classes = Classes(self.classes, self.entities, self.properties)
        random = seeded(seed, "graph of pairs", condition)
        if self.circulant:
            return circulant_edges(classes, self.density, CIRCULANT_VALUES, random)
        return random_edges(classes, self.density, random, self.fragments, self.noise)


class PairSampler:
    """Pairs as sentences show them: an entity at random, one of its edges at random. They depend on
    seed, condition and step alone."""

    def __init__(
        self,
        graphs: Sequence[ConstraintGraph],
        batch: int,
        seeds: Sequence[int],
        condition: str = "",
    ) -> None:
        self.edges, self.batch = Edges.of(graphs), batch
        self.seeds, self.condition, self.block = tuple(seeds), condition, -1
        self.drawn = torch.empty(0)

    def __call__(self, step: int) -> Int[Tensor, "M B 2"]:
        block, place = divmod(step, STEPS_AT_ONCE)
        if block != self.block:
            shape = (STEPS_AT_ONCE, self.batch, 2)
            generators = [seeded(seed, "pairs", self.condition, block) for seed in self.seeds]
            self.drawn = torch.stack([torch.rand(shape, generator=g) for g in generators])
            self.block = block
        members, entities, _ = self.edges.shown.shape
        u, v = self.drawn[:, place].unbind(-1)  # (M, B)
        entity = (u * entities).long()
        member = torch.arange(members)[:, None]
        edge = (v * self.edges.degree[member, entity]).long()
        return torch.stack([entity, self.edges.shown[member, entity, edge]], -1)


def task_of(config: Config, properties: int) -> PairTask:
    """What the pair learner is shown."""
    return PairTask(
        config.pair_entities,
        properties,
        config.pair_classes,
        config.density,
        config.pair_batch,
    )


@stage(reads=(*PAIRS, "pair_steps"), seeds="pair_seeds")
def sweep(config: Config, progress: Progress) -> xr.Dataset:
    """The pair learner for every |K|, and what a table of counts, which only memorises, makes of
    the same pairs."""
    parts = [
        learn(task_of(config, k), config.seeds, config.pair_steps, f"|K| = {k}", progress)
        for k in config.pair_properties
    ]
    whole = xr.concat(parts, "properties", data_vars="all", coords="minimal", compat="equals")
    whole = whole.assign_coords(properties=list(config.pair_properties))
    whole.attrs = {
        "classes": config.pair_classes,
        "entities": config.pair_entities,
        "density": config.density,
        "batch": config.pair_batch,
    }
    return labelled(whole, UNITS)


@stage(reads=(*PAIRS, "worlds", "world_steps"), seeds="pair_seeds")
def worlds(config: Config, progress: Progress) -> xr.Dataset:
    """The pair learner in every world; what each is like stands along `world`."""
    tasks = worlds_of(config)
    parts = [
        learn(task, config.seeds, config.world_steps, f"world: {name}", progress)
        for name, task in tasks.items()
    ]
    whole = xr.concat(parts, "world", data_vars="all", coords="minimal", compat="equals")
    whole = whole.assign_coords(world=list(tasks))
    for field in ("entities", "properties", "classes", "density", "batch", "fragments", "noise"):
        whole[field] = ("world", [float(getattr(task, field)) for task in tasks.values()])
    return labelled(whole, UNITS)


def worlds_of(config: Config) -> dict[str, PairTask]:
    """What is changed, on the second smallest |K|: the density across the threshold and beyond,
    classes in fragments, edges across classes, the number of classes, and what sets the clock."""
    base = task_of(config, config.pair_properties[1])
    critical = base.classes * threshold(base.entities, base.properties)
    of_class = base.properties // base.classes
    counts = [n for n in (2, 4, 8) if base.entities % n == base.properties % n == 0]
    kinds = {
        "density": {
            **{
                f"density {ratio:g} p_c": replace(base, density=min(ratio * critical, 1))
                for ratio in (0.3, 0.6, 1.0, 1.5, 2.5, 5.0)
            },
            "density 0.5": replace(base, density=0.5),
        },
        "fragments": {f"fragments {n}": replace(base, fragments=n) for n in (2, 4)},
        "noise": {f"noise {share:g}": replace(base, noise=share) for share in (0.2, 0.4, 0.6, 0.8)},
        "classes": {f"classes {n}": replace(base, classes=n) for n in counts if n != base.classes},
        "clock": {
            "double batch": replace(base, batch=2 * base.batch),
            "spare tokens": replace(base, spare=3 * base.properties),
            **({} if of_class % CIRCULANT_VALUES else {"circulant": replace(base, circulant=True)}),
            "double entities": replace(base, entities=2 * base.entities),
            "double properties": replace(base, properties=2 * base.properties),
        },
    }
    chosen = {name: task for kind in config.worlds for name, task in kinds[kind].items()}
    return {"base": base, **chosen}


def learn(
    task: PairTask, seeds: Sequence[int], steps: int, condition: str, progress: Progress
) -> xr.Dataset:
    """Train one pair learner per seed; `masses` at every checkpoint, dimensions seed and step.

    `memory_odds` and `memory_lift` are of a table of counts of the same pairs after the last step.
    `joined_share` is the share of same-class pairs that edges join, `degree` edges per entity.
    """
    graphs = [task.graph(seed, condition) for seed in seeds]
    kinds = Kinds.of(graphs)
    model = PairLearner(task.entities, task.properties + task.spare, seeds, condition)
    sample = PairSampler(graphs, task.batch, seeds, condition)
    everyone = torch.arange(task.entities).expand(len(seeds), -1)
    at = log_spaced(steps, CHECKPOINTS, first=min(FIRST, steps // 2))

    def look(_: int, network: nn.Module) -> dict[str, np.ndarray]:
        with torch.no_grad():
            p = network(everyone).softmax(-1)[..., : task.properties]
        return {name: value.numpy() for name, value in masses(p, kinds).items()}

    history = fit(
        model,
        sample,
        steps=steps,
        optimizer=population_adamw(model, RATE, betas=BETAS, weight_decay=0.0),
        checkpoints=at,
        on_checkpoint=look,
        loss=pair_loss,
        progress=progress,
        name=condition,
    )
    rows = [history.measured[step] for step in at]
    memory = masses(count_table(sample, steps, kinds), kinds)
    same = kinds.same.sum((1, 2))
    joined = (kinds.joined & kinds.same).sum((1, 2)) / same
    return xr.Dataset(
        {
            **{
                name: (("seed", "step"), np.stack([row[name] for row in rows], 1))
                for name in rows[0]
            },
            "memory_odds": ("seed", memory["odds"].numpy()),
            "memory_lift": ("seed", memory["lift"].numpy()),
            "joined_share": ("seed", joined.numpy()),
            "degree": ("seed", kinds.edge.double().sum(-1).mean(1).numpy()),
        },
        coords={"seed": list(seeds), "step": at},
    )


def count_table(sample: PairSampler, steps: int, kinds: Kinds) -> Tensor:
    """P(property | entity) of a learner that counts pairs and adds one to each: pure memory."""
    counts = torch.ones(kinds.edge.shape)
    for step in range(steps):
        entity, chosen = sample(step).unbind(-1)
        member = torch.arange(len(counts))[:, None].expand_as(entity)
        one = torch.ones(entity.shape)
        counts.index_put_((member, entity, chosen), one, accumulate=True)
    table: Tensor = counts / counts.sum(-1, keepdim=True)
    return table
