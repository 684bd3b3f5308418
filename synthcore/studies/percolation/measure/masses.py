"""Where the probability of properties goes: to edges, to other pairs of the class, to other
classes, and to pairs that never stood in one sentence.

"e1 and e2 is d" shows an edge of e2 only, yet names e1 and d together: of the pairs that are no
edges many have co-occurred. `CoOccurrence` counts which.

Axis letters: M member, E entities, K properties, B lines, T tokens of a line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.studies.percolation.task.grammar import Group
from synthcore.studies.percolation.task.vocabulary import ConstraintGraph, Vocabulary
from synthcore.studies.percolation.theory import components

Lines = Sequence[Int[Tensor, "M _ _"]]


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
    that are no edges, 1 if the class were uniform. `odds` is the log of mean probability of such a
    pair over that of a pair across classes, `odds_joined` and `odds_apart` the same for those that
    a path of edges joins, or none does; nan if there are none. `lift` is the share of such pairs in
    all that is not on edges, over the share that a uniform predictor gives them.
    """
    total = p.sum(-1)
    held, other = kinds.same & ~kinds.edge, ~kinds.same & ~kinds.edge

    def share(which: Bool[Tensor, "M E K"]) -> Float[Tensor, "M"]:
        return ((p * which).sum(-1) / total).mean(1)

    uniform = (held.sum(-1) / kinds.same.sum(-1)).mean(1)
    return {
        "class_mass": share(kinds.same),
        "edge_mass": share(kinds.edge),
        "held_mass": share(held) / uniform,
        "odds": log_odds(p, held, other),
        "odds_joined": log_odds(p, held & kinds.joined, other),
        "odds_apart": log_odds(p, held & ~kinds.joined, other),
        "lift": lift(p, held, other),
    }


def log_odds(
    p: Float[Tensor, "M E K"], these: Bool[Tensor, "M E K"], others: Bool[Tensor, "M E K"]
) -> Float[Tensor, "M"]:
    """log of the mean probability of these pairs over that of the others; nan where there are none.

    >>> p = torch.tensor([[[0.6, 0.2, 0.1, 0.1]]])
    >>> these, others = (torch.tensor([[row]]) for row in ([0, 1, 0, 0], [0, 0, 1, 1]))
    >>> round(log_odds(p, these.bool(), others.bool()).item(), 4)                # log 2
    0.6931
    """
    means = [(p * which).sum((1, 2)) / which.sum((1, 2)) for which in (these, others)]
    return (means[0] / means[1]).log()


def lift(
    p: Float[Tensor, "M E K"], these: Bool[Tensor, "M E K"], others: Bool[Tensor, "M E K"]
) -> Float[Tensor, "M"]:
    """How many times the share of a uniform predictor these pairs have of what is on both kinds."""
    both = these | others
    share = (p * these).sum((1, 2)) / (p * both).sum((1, 2))
    return share * both.sum((1, 2)) / these.sum((1, 2))


class CoOccurrence:
    """Which entities and properties have stood in one line of training, whatever their roles.

    Wraps what draws the lines: a step that training draws is counted as it passes, and one that it
    did not draw here, since it went on from a checkpoint, is drawn again when it is asked for.
    """

    def __init__(self, sample: Callable[[int], Lines], words: Vocabulary, members: int) -> None:
        self.sample, self.words, self.counted = sample, words, 0
        self.table: Bool[Tensor, "M E K"] = torch.zeros(
            members, words.classes.entities, words.classes.properties, dtype=torch.bool
        )
        self.groups = words.groups

    def __call__(self, step: int) -> Lines:
        """The batch of a step."""
        lines = self.sample(step)
        if step == self.counted:
            self._count(lines)
        return lines

    def until(self, step: int) -> Bool[Tensor, "M E K"]:
        """The pairs of all batches before this step."""
        while self.counted < step:
            self._count(self.sample(self.counted))
        return self.table

    def _count(self, lines: Lines) -> None:
        for group in lines:
            tokens = group.cpu()
            kind = self.groups[tokens]
            both = (kind == Group.ENTITY)[..., :, None] & (kind == Group.DESCRIPTOR)[..., None, :]
            member, line, first, second = both.nonzero(as_tuple=True)
            entity = tokens[member, line, first] - self.words.entity
            descriptor = tokens[member, line, second] - self.words.descriptor
            self.table[member, entity, descriptor] = True
        self.counted += 1
