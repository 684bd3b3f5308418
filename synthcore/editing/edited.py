"""Edited copies of a model that share its weights: low-rank changes of MLP output matrices.

The base model is never written to. An edit adds right^T left^T k to what an MLP writes for key k,
so that many edits run in one forward pass.

Axis letters: M member, E edit, F fact of an edit (the rank of its change), B batch, T tokens, K
hidden width of an MLP, D width of the residual stream, V vocabulary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record, replace
from synthcore.nn.llama import Llama
from synthcore.nn.passes import sequences_per_pass

Transformer = GPT | Llama


@dataclass(frozen=True)
class Update:
    """The change left right of one block's MLP output matrix, for every edit.

    Attributes:
        left: reads keys: its column f weighs what fact f adds to the output.
        right: its row f is what fact f adds to the output where its key is met in full.
    """

    left: Float[Tensor, "M E K F"]
    right: Float[Tensor, "M E F D"]

    @property
    def matrix(self) -> Float[Tensor, "M E K D"]:
        """The change in full, in the layout of `mlp.output.weight`: inputs x outputs."""
        return self.left @ self.right

    @property
    def norm(self) -> Float[Tensor, "M E"]:
        """Its Frobenius norm."""
        return torch.linalg.matrix_norm(self.matrix)

    def __call__(self, keys: Float[Tensor, "M EB T K"]) -> Float[Tensor, "M EB T D"]:
        """What is added to the MLP's output; the batch axis is edits x rows."""
        M, E, K, _ = self.left.shape
        flat = keys.reshape(M * E, -1, K)
        added = flat @ self.left.flatten(0, 1).to(keys) @ self.right.flatten(0, 1).to(keys)
        return added.view(*keys.shape[:3], -1)


@dataclass(frozen=True)
class Report:
    """How the writing went, per fact.

    Attributes:
        probability: of the target after the bare prompt, in the edited model.
        succeeded: whether the target is the most likely answer there.
        loss: of the value search when it stopped.
        clipped: whether the value search ended on the bound on the norm of delta.
        overlap: k . u of ROME (nan for other methods); a small one makes an edit explode.
    """

    probability: Float[Tensor, "M E F"]
    succeeded: Bool[Tensor, "M E F"]
    loss: Float[Tensor, "M E F"]
    clipped: Bool[Tensor, "M E F"]
    overlap: Float[Tensor, "M E F"]

    @property
    def failed(self) -> list[tuple[int, int, int]]:
        """(member, edit, fact) of every fact that was not taken in."""
        return [(m, e, f) for m, e, f in (~self.succeeded).nonzero().tolist()]

    def pick(self, edits: slice | Sequence[int]) -> "Report":
        """Some of the edits."""
        return Report(*(getattr(self, field.name)[:, edits] for field in fields(self)))


class EditedModel:
    """E edited copies of each member of a model.

    Attributes:
        model: what was edited; its own weights are as they were.
        updates: the change of each written block, by block.
        report: how the writing went; None for changes that nobody checked.
    """

    def __init__(
        self, model: Transformer, updates: Mapping[int, Update], report: Report | None = None
    ) -> None:
        if not updates:
            raise ValueError("an edited model needs at least one update")
        self.model, self.updates, self.report = model, dict(sorted(updates.items())), report

    @property
    def edits(self) -> int:
        """How many copies there are of each member."""
        return next(iter(self.updates.values())).left.shape[1]

    @property
    def norm(self) -> Float[Tensor, "M E"]:
        """Frobenius norm of the change over all written blocks."""
        return torch.stack([u.norm for u in self.updates.values()]).square().sum(0).sqrt()

    def weight(self, layer: int) -> Float[Tensor, "M E K D"]:
        """The edited output matrix of a block's MLP, inputs x outputs: transposed if it is to go
        into a `torch.nn.Linear`."""
        mlp = self.model.blocks[layer].mlp
        assert mlp is not None
        return mlp.down.weight[:, None] + self.updates[layer].matrix

    @torch.no_grad()
    def __call__(self, tokens: Int[Tensor, "M E B T"]) -> Float[Tensor, "M E B T V"]:
        """Logits; every edit reads sequences of its own."""
        with apply_updates(self.model, self.updates):
            logits = self.model(tokens.flatten(1, 2))
        return logits.unflatten(1, tokens.shape[1:3])

    def answers(
        self, tokens: Int[Tensor, "M B T"], at: Int[Tensor, "M B"]
    ) -> Float[Tensor, "M E B V"]:
        """Logits after position `at` of sequences that all edits share.

        The blocks before the first written one run once for all edits. If that is the model's last
        block, only the places that are read are computed behind it. Sequences are taken in parts,
        so that B may be large; what is returned has M E B V numbers.
        """
        return self._shared(tokens, at, None)

    def states(
        self, tokens: Int[Tensor, "M B T"], at: Int[Tensor, "M B"], block: int
    ) -> Float[Tensor, "M E B D"]:
        """The residual stream behind `block` at position `at` of shared sequences."""
        if block < min(self.updates):
            raise ValueError(f"block {block} lies before the first written block")
        return self._shared(tokens, at, block)

    def _shared(
        self, tokens: Int[Tensor, "M B T"], at: Int[Tensor, "M B"], block: int | None
    ) -> Tensor:
        """`answers`, or with a block `states`, as many sequences at once as a pass may hold."""
        last = min(self.updates) == len(self.model.blocks) - 1
        size = max(1, sequences_per_pass(self.model, 1 if last else tokens.shape[2]) // self.edits)
        parts = zip(tokens.split(size, 1), at.split(size, 1), strict=True)
        return torch.cat([self._shared_part(*part, block) for part in parts], 2)

    @torch.no_grad()
    def _shared_part(
        self, tokens: Int[Tensor, "M B T"], at: Int[Tensor, "M B"], block: int | None
    ) -> Tensor:
        first, E = min(self.updates), self.edits
        names = [f"blocks.{first}.{name}" for name in ("mlp.hook_post", "hook_resid_post")]
        with record(self.model, names) as seen:
            self.model(tokens)
        keys, before = (seen[name] for name in names)
        if first == len(self.model.blocks) - 1:  # behind it positions no longer mix
            before, keys = take_position(before, at), take_position(keys, at)
            at = torch.zeros_like(at)
        M, B, T, _ = before.shape
        spread = keys[:, None].expand(M, E, B, T, -1).reshape(M, E * B, T, -1)
        stream = before[:, None].expand(M, E, B, T, -1).reshape(M, E * B, T, -1)
        stream = stream + self.updates[first](spread)
        places = at[:, None].expand(M, E, B).reshape(M, E * B)
        if block == first:
            return take_position(stream, places).view(M, E, B, -1)
        later = {layer: update for layer, update in self.updates.items() if layer > first}
        names = [] if block is None else [f"blocks.{block}.hook_resid_post"]
        with apply_updates(self.model, later), record(self.model, names) as seen:
            found = self.model.resume(stream, after=first)
        return take_position(seen[names[0]] if names else found, places).view(M, E, B, -1)

    def scaled(self, strength: float | Float[Tensor, "M E"]) -> "EditedModel":
        """The same edits with their changes multiplied; the report no longer holds and is left
        out."""
        factor = strength[..., None, None] if isinstance(strength, Tensor) else strength
        updates = {n: Update(u.left, u.right * factor) for n, u in self.updates.items()}
        return EditedModel(self.model, updates)

    def pick(self, edits: slice | Sequence[int]) -> "EditedModel":
        """Some of the edits."""
        updates = {n: Update(u.left[:, edits], u.right[:, edits]) for n, u in self.updates.items()}
        report = None if self.report is None else self.report.pick(edits)
        return EditedModel(self.model, updates, report)

    def chunks(self, size: int) -> Iterator["EditedModel"]:
        """The edits in parts, where all at once would not fit into memory."""
        for start in range(0, self.edits, size):
            yield self.pick(slice(start, start + size))


def take_position(x: Float[Tensor, "M B T D"], at: Int[Tensor, "M B"]) -> Float[Tensor, "M B 1 D"]:
    """One position of every sequence."""
    return x.gather(2, at[..., None, None].expand(-1, -1, 1, x.shape[-1]))


@contextmanager
def apply_updates(model: Transformer, updates: Mapping[int, Update]) -> Iterator[None]:
    """Within the block the model's forward passes are those of edited copies.

    `updates` are by block. The batch axis of what the model is given is edits x rows, edit by edit;
    `EditedModel` sees to that.
    """
    keys: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[Tensor], Tensor]:
        def read(hidden: Tensor) -> Tensor:
            keys[layer] = hidden
            return hidden

        return read

    def add(layer: int) -> Callable[[Tensor], Tensor]:
        return lambda out: out + updates[layer](keys[layer])

    changes: dict[str, Callable[[Tensor], Tensor]] = {}
    for layer in updates:
        changes[f"blocks.{layer}.mlp.hook_post"] = keep(layer)
        changes[f"blocks.{layer}.hook_mlp_out"] = add(layer)
    with replace(model, changes):
        yield
