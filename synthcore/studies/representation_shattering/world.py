"""One world: orders, hold-outs, walks, questions, and the networks trained on them.

Axis letters: M member, Q questions, R relation, N entity.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from synthcore.editing import covariances
from synthcore.nn.gpt import GPT
from synthcore.studies.representation_shattering.holdouts import HoldOuts
from synthcore.studies.representation_shattering.networks import build, train
from synthcore.studies.representation_shattering.parameters import Config
from synthcore.studies.representation_shattering.questions import (
    TASKS,
    Questions,
    context_shapes,
    one_hop,
    right,
)
from synthcore.studies.representation_shattering.task import Circles
from synthcore.studies.representation_shattering.walks import Walks

Progress = Callable[[str, int, int], None]


def seeded(seed: int, purpose: int, device: torch.device | None = None) -> torch.Generator:
    """A generator for one purpose of one seed; different purposes do not share numbers."""
    return torch.Generator(device or "cpu").manual_seed(1_000_003 * (purpose + 1) + seed)


@dataclass(frozen=True)
class World:
    """What is known about every member, and its network."""

    config: Config
    circles: Circles
    held: HoldOuts
    walks: Walks
    model: GPT

    @classmethod
    def make(cls, config: Config) -> "World":
        """Orders and hold-outs of every seed, and networks before training."""
        device, seeds = config.torch_device, config.seeds
        circles = Circles.draw(config.entities, seeds, hops=config.hops)
        held = HoldOuts.draw(circles, seeds, config.held_facts, config.held_chains)
        walks = Walks(circles, held, two_hop=config.two_hop, device=device)
        model = build(config.recipe, circles.vocabulary, seeds).to(device)
        return cls(config, circles.to(device), held, walks, model)

    def learn(
        self,
        progress: Progress | None = None,
        checkpoints: Collection[int] = (),
        on_checkpoint: Callable[[int, nn.Module], None] | None = None,
    ) -> Float[Tensor, "S M"]:
        """Train the networks in place; returns their losses."""
        told = None if progress is None else lambda done, all_: progress("training", done, all_)
        losses = train(
            self.model,
            self.walks,
            self.config.recipe,
            self.config.seed,
            checkpoints,
            on_checkpoint,
            told,
        )
        self.model.requires_grad_(False)
        return losses

    @property
    def room(self) -> int:
        """Tokens of a context before `x r` whose places training has used: the last of a walk is
        only ever foretold."""
        return self.config.length - 1 - 2

    def contexts(self, count: int, purpose: int, full: bool, hops: int = 1) -> list[list[int]]:
        """Shapes of contexts that leave room for a prompt."""
        random = seeded(self.config.seed, purpose)
        return context_shapes(count, self.room + 1 - hops, self.config.two_hop, random, full)

    def generator(self, purpose: int) -> torch.Generator:
        return seeded(self.config.seed, purpose, self.walks.device)

    @cached_property
    def questions(self) -> Questions:
        """The same number about every order, task by task; those about facts and chains that the
        training set does not hold are the last two tasks."""
        parts = []
        for number, task in enumerate(TASKS):
            random = self.generator(10 + number)
            entity, relation = self._sample(task, random)
            hops = 2 if task == "chain" else 1
            shapes = self.contexts(self.config.question_contexts, 20 + number, True, hops)
            parts.append(Questions.ask(self.walks, entity, relation, shapes, random))
        return Questions.join(parts)

    @property
    def group(self) -> Int[Tensor, "Q"]:
        """Task x order of every question: 0..2 direct, 3..5 logical, 6..8 chains."""
        return torch.arange(9).repeat_interleave(self.config.questions)

    def _sample(
        self, task: str, random: torch.Generator
    ) -> tuple[Int[Tensor, "M Q"], Int[Tensor, "M Q 2"]]:
        count, per_order = self.config.questions, []
        relations = self.circles.relations
        for order in range(relations.orders):
            own = list(relations.of(order))
            if task == "chain":
                pool = self.held.chains[:, :, own][..., own].flatten(1)
            else:
                facts = self.held.facts[:, own].transpose(1, 2)
                pool = (facts if task == "logical" else ~facts).flatten(1)
            chosen = _some(pool, count, random)
            each = len(own)
            if task == "chain":
                x, rest = chosen // each**2, chosen % each**2
                pair = torch.stack([rest // each, rest % each], -1) + order * each
            else:
                x = chosen // each
                pair = one_hop(chosen % each + order * each)
            per_order.append((x, pair))
        device = self.walks.device
        return (
            torch.cat([x for x, _ in per_order], 1).to(device),
            torch.cat([pair for _, pair in per_order], 1).to(device),
        )

    def every_fact(self) -> Questions:
        """All prompts `x r`, relation by relation."""
        M, N, R = self.circles.members, self.circles.entities, self.circles.relations.count
        device = self.walks.device
        x = torch.arange(N, device=device).repeat(R).expand(M, -1)
        r = torch.arange(R, device=device).repeat_interleave(N).expand(M, -1)
        shapes = self.contexts(self.config.question_contexts, 30, True)
        return Questions.ask(self.walks, x, one_hop(r), shapes, self.generator(31))

    def known(self) -> tuple[Bool[Tensor, "M R N"], Bool[Tensor, "M R N"]]:
        """Which facts the network answers, behind contexts (averaged) and bare."""
        every = self.every_fact()
        shape = (-1, self.circles.relations.count, self.circles.entities)
        bare = Questions.ask(self.walks, every.entity, every.relation, [[]], self.generator(32))
        return right(self.model, every).view(shape), right(self.model, bare).view(shape)

    def covariances(self, layers: Sequence[int]) -> dict[int, Tensor]:
        """Covariances of keys on walks over orders I and II: no editor sees order III."""
        seen = Walks(self.circles, self.held, (0, 1), self.config.two_hop, self.walks.device)
        rows = -(-self.config.moment_tokens // (self.config.length - 1))
        tokens = seen.draw(rows, self.config.length - 1, self.generator(40))
        return covariances(self.model, tokens, layers)

    @cached_property
    def anchors(self) -> Int[Tensor, "N"]:
        """Entities between which distances are measured: all, or a random part."""
        N = self.circles.entities
        few = min(N, self.config.anchors)
        order = torch.randperm(N, generator=seeded(self.config.seed, 50))[:few].sort().values
        return order.to(self.walks.device)


def _some(pool: Bool[Tensor, "M K"], count: int, random: torch.Generator) -> Int[Tensor, "M count"]:
    """Indices of random entries of each pool; repeated where they are fewer."""
    rows = []
    for row in pool:
        index = row.nonzero()[:, 0]
        if not len(index):
            index = torch.arange(len(row))
        order = torch.randperm(len(index), generator=random, device=random.device).cpu()
        rows.append(index[order[torch.arange(count) % len(index)]])
    return torch.stack(rows)


def as_numpy(values: Tensor) -> NDArray[np.float64]:
    """On the CPU, as float64."""
    return values.detach().cpu().double().numpy()
