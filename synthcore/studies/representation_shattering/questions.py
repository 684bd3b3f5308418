"""Questions to a network: a prompt behind contexts, and which answers count.

Axis letters: M member, Q questions, J contexts, T tokens, E edit, V vocabulary, L relations of a
prompt (one, or two for a chain).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.editing import EditedModel
from synthcore.nn.gpt import GPT
from synthcore.nn.passes import sequences_per_pass
from synthcore.studies.representation_shattering.task import Circles
from synthcore.studies.representation_shattering.walks import Walks

TASKS = ("direct", "logical", "chain")


@dataclass(frozen=True)
class Questions:
    """Prompts `x r` or `x r r'` behind J contexts, padded at the end.

    `relation[..., 1]` is -1 where there is only one.
    """

    entity: Int[Tensor, "M Q"]
    relation: Int[Tensor, "M Q 2"]
    answer: Int[Tensor, "M Q"]
    tokens: Int[Tensor, "M Q J T"]
    at: Int[Tensor, "M Q J"]

    @classmethod
    def ask(
        cls,
        walks: Walks,
        entity: Int[Tensor, "M Q"],
        relation: Int[Tensor, "M Q 2"],
        contexts: Sequence[Sequence[int]],
        generator: torch.Generator,
    ) -> "Questions":
        """Behind every context, given as the relations of its facts (`[]`: the bare prompt).

        A context ends at x, as a training walk that goes on from there; one that states the fact
        asked about is drawn again. All relations must be one, or all two.
        """
        circles = walks.circles
        hops = 1 + int((relation[..., 1] >= 0).any())
        prompt = torch.cat([entity[..., None], circles.token(relation[..., :hops])], -1)
        longest = max(sum(c) + len(c) for c in contexts)
        M, Q = entity.shape
        tokens = entity.new_zeros(M, Q, len(contexts), longest + 1 + hops)
        at = entity.new_zeros(M, Q, len(contexts))
        for j, steps in enumerate(contexts):
            before = walks.before(entity, steps, generator)
            for _ in range(20):
                stated = _states(torch.cat([before, prompt[..., :1]], -1), prompt)
                if not bool(stated.any()):
                    break
                again = walks.before(entity, steps, generator)
                before = torch.where(stated[..., None], again, before)
            line = torch.cat([before, prompt], -1)
            tokens[:, :, j, : line.shape[-1]] = line
            at[:, :, j] = line.shape[-1] - 1
        return cls(entity, relation, follow(circles, entity, relation), tokens, at)

    @property
    def rows(self) -> tuple[Int[Tensor, "M QJ T"], Int[Tensor, "M QJ"]]:
        """All prompts, and where each ends."""
        return self.tokens.flatten(1, 2), self.at.flatten(1)

    def first(self, count: int) -> "Questions":
        """The first questions."""
        return Questions(*(getattr(self, field.name)[:, :count] for field in fields(self)))

    @staticmethod
    def join(parts: Sequence["Questions"]) -> "Questions":
        """One after the other; all must have equally many contexts."""
        longest = max(part.tokens.shape[-1] for part in parts)
        padded = [
            torch.nn.functional.pad(p.tokens, (0, longest - p.tokens.shape[-1])) for p in parts
        ]
        return Questions(
            torch.cat([p.entity for p in parts], 1),
            torch.cat([p.relation for p in parts], 1),
            torch.cat([p.answer for p in parts], 1),
            torch.cat(padded, 1),
            torch.cat([p.at for p in parts], 1),
        )

    def touches(
        self, circles: Circles, entity: Int[Tensor, "M E"], relation: Int[Tensor, "M E"]
    ) -> Bool[Tensor, "M E Q"]:
        """Which questions contain a fact or its way back, stated or passed through."""
        table = circles.table
        M = len(table)
        member = torch.arange(M, device=table.device)[:, None]
        back = torch.tensor(circles.relations.inverse, device=table.device)[relation]
        end = table[member, relation, entity]
        first, second = self.relation.unbind(-1)
        middle = table[member, first, self.entity]

        def same(x: Tensor, r: Tensor) -> Tensor:
            forth = (x[:, None] == entity[..., None]) & (r[:, None] == relation[..., None])
            return forth | (x[:, None] == end[..., None]) & (r[:, None] == back[..., None])

        return same(self.entity, first) | same(middle, second)


def _states(line: Int[Tensor, "M Q T"], prompt: Int[Tensor, "M Q P"]) -> Bool[Tensor, "M Q"]:
    """Whether a line contains the prompt's tokens in a row."""
    P = prompt.shape[-1]
    if line.shape[-1] < P:
        return torch.zeros_like(prompt[..., 0], dtype=torch.bool)
    windows = line.unfold(-1, P, 1)
    return (windows == prompt[:, :, None]).all(-1).any(-1)


def follow(
    circles: Circles, entity: Int[Tensor, "M Q"], relation: Int[Tensor, "M Q 2"]
) -> Int[Tensor, "M Q"]:
    """Where one or two relations lead; -1 stands for no second one."""
    table, member = circles.table, torch.arange(len(entity), device=entity.device)[:, None]
    first = table[member, relation[..., 0], entity]
    second = relation[..., 1]
    return torch.where(second < 0, first, table[member, second.clamp(min=0), first])


def context_shapes(
    count: int, room: int, two_hop: float, generator: torch.Generator, full: bool = True
) -> list[list[int]]:
    """`count` contexts of at most `room` tokens, as the numbers of relations of their facts.

    `full` contexts have as many facts as fit; others are cut at a random length, as ROME's are.
    """
    found = []
    for _ in range(count):
        limit = room if full else int(torch.randint(room + 1, (1,), generator=generator))
        steps: list[int] = []
        while True:
            hops = 1 + int(torch.rand(1, generator=generator) < two_hop)
            if sum(steps) + len(steps) + hops + 1 > limit:
                break
            steps.append(hops)
        found.append(steps)
    return found


def one_hop(relation: Int[Tensor, "M Q"]) -> Int[Tensor, "M Q 2"]:
    """Relations of prompts `x r`."""
    return torch.stack([relation, torch.full_like(relation, -1)], -1)


@torch.no_grad()
def answered(model: GPT, questions: Questions) -> Int[Tensor, "M Q"]:
    """The answer most likely on average over the contexts. All tokens compete."""
    tokens, at = questions.rows
    M, Q, J = questions.at.shape
    found = []
    size = sequences_per_pass(model, tokens.shape[2])
    for part, end in zip(tokens.split(size, 1), at.split(size, 1), strict=True):
        logits = model(part)
        index = end[..., None, None].expand(-1, -1, 1, logits.shape[-1])
        found.append(logits.gather(2, index)[:, :, 0].softmax(-1))
    likely = torch.cat(found, 1).view(M, Q, J, -1).mean(2)
    return likely.argmax(-1)


def right(model: GPT, questions: Questions) -> Bool[Tensor, "M Q"]:
    """Whether that answer is true."""
    return answered(model, questions) == questions.answer


@torch.no_grad()
def right_after(edited: EditedModel, questions: Questions) -> Bool[Tensor, "M E Q"]:
    """The same for every edit, a few questions at a time."""
    J, E = questions.at.shape[2], edited.edits
    size = max(1, sequences_per_pass(edited.model, 1) // (J * E))
    parts = zip(
        *(x.split(size, 1) for x in (questions.tokens, questions.at, questions.answer)), strict=True
    )
    found = []
    for tokens, at, answer in parts:
        logits = edited.answers(tokens.flatten(1, 2), at.flatten(1))  # (M, E, QJ, V)
        likely = logits.softmax(-1).unflatten(2, (-1, J)).mean(3)
        found.append(likely.argmax(-1) == answer[:, None])
    return torch.cat(found, 2)


@torch.no_grad()
def probability_of(
    edited: EditedModel,
    tokens: Int[Tensor, "M E J T"],
    at: Int[Tensor, "M E J"],
    target: Int[Tensor, "M E"],
) -> tuple[Float[Tensor, "M E"], Bool[Tensor, "M E"]]:
    """Of a target in each edited copy, averaged over its own prompts; does it come first?"""
    size = max(1, sequences_per_pass(edited.model, tokens.shape[3]) // tokens.shape[2])
    found = []
    for start in range(0, edited.edits, size):
        few = slice(start, start + size)
        logits = edited.pick(few)(tokens[:, few])
        index = at[:, few, :, None, None].expand(*logits.shape[:3], 1, logits.shape[-1])
        found.append(logits.gather(3, index)[..., 0, :].softmax(-1).mean(2))
    likely = torch.cat(found, 1)
    return likely.gather(-1, target[..., None])[..., 0], likely.argmax(-1) == target
