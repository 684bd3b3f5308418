"""What an editor is asked to write.

Axis letters: M member, E edit, F fact of an edit, J prompts of a fact, T tokens.
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
        tokens: prompts of every fact: first the bare one, then the same behind sampled contexts.
            Shorter ones are padded at the end with any token.
        lookup: position of the token at which the fact is looked up.
        read: position after which the answer stands.
        target: the answer to write, one token.
        essence: a prompt about the subject whose next token should not change, padded likewise.
        essence_at: position of its last token.
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
        """One fact per edit, of prompts of equal length without contexts. `lookup` counts from the
        end if negative; the first `essence` tokens are the prompt about the subject."""
        M, E, T = prompt.shape
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

    def behind(self, prompts: int) -> "Facts":
        """The first prompts of every fact only."""
        return replace(
            self,
            tokens=self.tokens[:, :, :, :prompts],
            lookup=self.lookup[..., :prompts],
            read=self.read[..., :prompts],
        )
