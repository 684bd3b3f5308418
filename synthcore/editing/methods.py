"""`edit`: ROME, MEMIT, PMET and AlphaEdit behind one call.

Axis letters: M member, E edit, F fact, J prompts, K hidden width, D width.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from synthcore.editing import updates as closed
from synthcore.editing.edited import (
    EditedModel,
    Report,
    Transformer,
    Update,
)
from synthcore.editing.facts import Facts
from synthcore.editing.keys import (
    Averaging,
    Moments,
    activation,
    averaged,
    keys_of,
)
from synthcore.editing.values import Search, Values, search
from synthcore.training import rehearsal


@dataclass(frozen=True)
class Settings:
    """Constants of a method, relative to the scale of keys so that they fit any model.

    Attributes:
        search: of the value.
        averaging: how a fact's key is averaged over its prompts.
        ridge: added to C, in units of its mean eigenvalue.
        weight: MEMIT and PMET: lambda / K, since E k^T C^-1 k = K. AlphaEdit: lambda in units of
            the median of k^T P k.
        keep: AlphaEdit: share of directions counted as the null space.
        root: PMET: what is missing is divided by the root of the number of blocks that are left.
        consistent_keys: ROME: the averaged key in the denominator too, instead of the bare one.
    """

    search: Search = field(default_factory=Search)
    averaging: Averaging = "groups"
    ridge: float = 1e-6
    weight: float = 0.05
    keep: float = 0.5
    root: bool = False
    consistent_keys: bool = False


BEHIND = Search(site="residual", clip=0.75)
METHODS: Mapping[str, Settings] = {
    "rome": Settings(averaging="all"),
    "memit": Settings(search=BEHIND),
    "pmet": Settings(
        search=Search("attention_and_mlp", rate=0.2, steps=30, kl=1.0, clip=0.75, relaxed=True),
        root=True,
    ),
    "alphaedit": Settings(search=BEHIND),
}


def edit(
    model: Transformer,
    facts: Facts,
    method: str,
    layers: Sequence[int],
    *,
    moments: Moments,
    settings: Settings | None = None,
    earlier: Mapping[int, Float[Tensor, "M E L K"]] | None = None,
    unchanged: bool = False,
) -> EditedModel:
    """Write facts into the MLPs of some blocks; the model itself is left as it was.

    Args:
        method: a name in `METHODS`.
        layers: blocks to write to, one for ROME; the values are searched for at the last.
        moments: second moment of keys of every such block, from `second_moments`.
        settings: None for `METHODS[method]`.
        earlier: AlphaEdit: keys of edits made before, by block, which this one leaves alone.
        unchanged: allow targets that the model answers already (a control that should do nothing);
            a rehearsal always does.

    Returns:
        The edited copies with a `report`. A fact that is not taken in is reported, not raised.

    Raises:
        ValueError: an unknown method or block, a target that is the current answer or no token,
            several facts at once for ROME, a missing or singular second moment.
    """
    constants = settings or _named(method)
    order = sorted(set(layers))
    depth = len(model.blocks)
    if not order or order[0] < 0 or order[-1] >= depth:
        raise ValueError(f"layers must be blocks 0..{depth - 1} (got {list(layers)})")
    if method == "rome" and (len(order) > 1 or facts.shape[2] > 1):
        raise ValueError("rome writes one fact to one block per edit; memit takes several")
    if missing := [layer for layer in order if layer not in moments]:
        raise ValueError(f"moments lack block {missing[0]}: see second_moments")
    vocabulary = model.config.vocabulary
    if not bool(((facts.target >= 0) & (facts.target < vocabulary)).all()):
        raise ValueError(f"targets must be tokens below {vocabulary}")
    if not unchanged and rehearsal.asked() is None:
        _require_news(model, facts)
    last = order[-1]
    values = search(model, facts, last, constants.search)
    written: dict[int, Update] = {}
    overlap = torch.full(facts.shape, math.nan, dtype=torch.float64)
    for done, layer in enumerate(order):
        keys = keys_of(model, facts, layer, written)
        key = averaged(keys, constants.averaging)
        left_over = _missing(model, facts, last, constants.search, values, written)
        share = len(order) - done
        left_over = left_over / (math.sqrt(share) if constants.root else share)
        C = closed.with_ridge(moments[layer].double(), constants.ridge)
        if method == "rome":
            own = key if constants.consistent_keys else keys[..., 0, :]
            left, right, overlap = closed.rome(C, key, own, left_over)
        elif method == "alphaedit":
            P = closed.null_projector(C, constants.keep)
            before = None if earlier is None else earlier.get(layer)
            left, right = closed.null_space(P, key, left_over, constants.weight, before)
        else:
            left, right = closed.ridge_solution(C, key, left_over, constants.weight * key.shape[-1])
        written[layer] = Update(left, right)
    return EditedModel(
        model, written, reported(EditedModel(model, written), facts, values, overlap)
    )


def _named(method: str) -> Settings:
    if method in METHODS:
        return METHODS[method]
    near = get_close_matches(method, METHODS, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"They are {', '.join(METHODS)}."
    raise ValueError(f"Unknown method '{method}'. {hint}")


def _missing(
    model: Transformer,
    facts: Facts,
    layer: int,
    how: Search,
    values: Values,
    written: Mapping[int, Update],
) -> Float[Tensor, "M E F D"]:
    """The value less what the bare prompt gives at present. float64."""
    hook = "hook_resid_post" if how.site == "residual" else "hook_mlp_out"
    now = activation(model, facts, f"blocks.{layer}.{hook}", written)[..., 0, :]
    return (values.start + values.delta).double() - now.double()


def bare(facts: Facts) -> tuple[Tensor, Tensor]:
    """Tokens (M, E, F, T) of the bare prompts and where they are read (M, E, F)."""
    return facts.tokens[..., 0, :], facts.read[..., 0]


@torch.no_grad()
def current_answers(model: Transformer, facts: Facts) -> Float[Tensor, "M E F V"]:
    """Logits of the unedited model after the bare prompts."""
    tokens, read = bare(facts)
    M, E, F, _ = tokens.shape
    logits = model(tokens.flatten(1, 2))
    index = read.flatten(1)[..., None, None].expand(-1, -1, 1, logits.shape[-1])
    return logits.gather(2, index).view(M, E, F, -1)


def _require_news(model: Transformer, facts: Facts) -> None:
    same = current_answers(model, facts).argmax(-1) == facts.target
    if bool(same.any()):
        member, number, fact = same.nonzero()[0].tolist()
        raise ValueError(
            f"the target of member {member}, edit {number}, fact {fact} "
            f"(token {int(facts.target[member, number, fact])}) is what the model answers already"
        )


def reported(
    edited: EditedModel, facts: Facts, values: Values, overlap: Float[Tensor, "M E F"]
) -> Report:
    """Whether the edited copies answer the bare prompts as they were told."""
    tokens, read = bare(facts)
    logits = edited(tokens)  # (M, E, F, T, V)
    index = read[..., None, None].expand(*read.shape, 1, logits.shape[-1])
    answer = logits.gather(3, index)[..., 0, :]
    right: Bool[Tensor, "M E F"] = answer.argmax(-1) == facts.target
    probability = answer.softmax(-1).gather(-1, facts.target[..., None])[..., 0]
    return Report(probability, right, values.loss, values.clipped, overlap)
