"""Cross-entropies with one value per member.

Axis letters: M member, B batch, T time, V vocabulary.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

IGNORE_INDEX = -100  # target of a position that has none, as in torch's cross_entropy


def masked_cross_entropy(
    logits: Float[Tensor, "M *rest V"], targets: Int[Tensor, "M *rest"]
) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) per member, over its targets that are not `IGNORE_INDEX`.

    A member without any target has the loss NaN.

    >>> import torch
    >>> logits = torch.tensor([[0.0, 0.0], [0.0, 9.0]]).expand(1, 2, 2)
    >>> masked_cross_entropy(logits, torch.tensor([[1, IGNORE_INDEX]]))       # log 2
    tensor([0.6931])
    """
    members = targets.shape[0]
    each = functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
    )
    return each.view(members, -1).sum(1) / (targets != IGNORE_INDEX).flatten(1).sum(1)


def next_token_loss(
    model: nn.Module, tokens: Int[Tensor, "M B T"], inputs: Int[Tensor, "M B T"] | None = None
) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of tokens 1..T-1 given those before, per member.

    `inputs` are what the model reads instead of the tokens, for one that reads them in another
    code.
    """
    # The last logits have no target, but whole sequences suit the attention kernels better.
    logits = model(tokens if inputs is None else inputs)
    last = tokens.new_tensor([tokens.shape[2] - 1])
    return masked_cross_entropy(logits, tokens.roll(-1, 2).index_fill(2, last, IGNORE_INDEX))
