"""What an editor is asked to write.

Every member of a population is edited E times, each time in a fresh copy, and each edit writes F
facts together; all members have as many edits, facts and prompts, and need not have the same ones.

Axis letters: M member, E edit, F fact of an edit, J prompts of a fact, T tokens of a prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Facts:
    """Facts to write, F at once in each of E edited copies of each of M members.

    Attributes:
        tokens: prompts of every fact: number 0 of J is the bare one, the others are the same behind
            sampled contexts. Shorter ones are padded at the end with any token.
        lookup: position in 0..T-1 of the token at which the fact is looked up: that of the key.
        read: position in 0..T-1 after which the answer stands; in the last block equal to `lookup`.
        target: the answer to write, one token for all prompts of the fact.
        essence: a prompt about the subject whose next token should not change, padded likewise.
        essence_at: position in 0..T-1 of its last token.
    """

    tokens: Int[Tensor, "M E F J T"]
    lookup: Int[Tensor, "M E F J"]
    read: Int[Tensor, "M E F J"]
    target: Int[Tensor, "M E F"]
    essence: Int[Tensor, "M E F T"]
    essence_at: Int[Tensor, "M E F"]

    @classmethod
    def of(
        cls,
        prompt: Int[Tensor, "M E T"],
        target: Int[Tensor, "M E"],
        *,
        lookup: int = -1,
        essence: int = 1,
    ) -> "Facts":
        """One fact per edit, of prompts of equal length without contexts (F = J = 1).

        Args:
            prompt: T tokens, after the last of which the answer stands.
            target: the answer to write.
            lookup: position of the key, from the end if negative.
            essence: so many first tokens are the prompt about the subject.

        Raises:
            ValueError: a position outside the prompt.
        """
        M, E, T = prompt.shape
        if not -T <= lookup < T or not 1 <= essence <= T:
            raise ValueError(
                f"lookup {lookup} and essence {essence} must lie in a prompt of {T} tokens"
            )
        tokens = prompt[:, :, None, None]
        return cls(
            tokens=tokens,
            lookup=torch.full((M, E, 1, 1), lookup % T, device=prompt.device),
            read=torch.full((M, E, 1, 1), T - 1, device=prompt.device),
            target=target[:, :, None],
            essence=tokens[:, :, :, 0],
            essence_at=torch.full((M, E, 1), essence - 1, device=prompt.device),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Members, edits, facts per edit."""
        M, E, F = self.target.shape
        return M, E, F

    def pick(self, edits: slice | Sequence[int]) -> "Facts":
        """Some of the edits."""
        return Facts(*(getattr(self, field.name)[:, edits] for field in fields(self)))

    def first_prompts(self, prompts: int) -> "Facts":
        """The first of the J prompts of every fact only."""
        return replace(
            self,
            tokens=self.tokens[:, :, :, :prompts],
            lookup=self.lookup[..., :prompts],
            read=self.read[..., :prompts],
        )

    def check(self, members: int, vocabulary: int) -> None:
        """Raises ValueError for what a model of so many members and tokens cannot be asked."""
        M, E, F = self.shape
        J, T = self.tokens.shape[3:]
        if members != M:
            raise ValueError(f"the model has {members} members and the facts are for {M}")
        if not bool(((self.target >= 0) & (self.target < vocabulary)).all()):
            raise ValueError(f"targets must be tokens below {vocabulary}")
        wanted = {"tokens": (M, E, F, J, T), "lookup": (M, E, F, J), "read": (M, E, F, J)}
        wanted |= {"essence": (M, E, F, T), "essence_at": (M, E, F)}
        for name, shape in wanted.items():
            values: Tensor = getattr(self, name)
            if values.shape != shape:
                raise ValueError(f"{name} must have shape {shape} (got {tuple(values.shape)})")
            below = vocabulary if name in ("tokens", "essence") else T
            if not bool(((values >= 0) & (values < below)).all()):
                raise ValueError(f"{name} must lie in 0..{below - 1}")
