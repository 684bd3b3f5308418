"""`edit`: ROME, MEMIT, PMET and AlphaEdit behind one call.

Axis letters: M member, E edit, F fact of an edit, L facts of earlier edits, J prompts of a fact, K
hidden width of an MLP, D width of the residual stream, V vocabulary.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from synthcore.editing import updates as closed
from synthcore.editing.edited import EditedModel, Report, Transformer, Update, take_position
from synthcore.editing.facts import Facts
from synthcore.editing.keys import (
    Averaging,
    Covariances,
    activation,
    average_keys,
    check_layers,
    compute_keys,
)
from synthcore.editing.values import Search, Values, search


@dataclass(frozen=True)
class Settings:
    """Constants of a method, relative to the scale of keys so that they fit any model.

    Attributes:
        search: of the value.
        averaging: how a fact's key is averaged over its prompts.
        ridge: added to the covariance, in units of its mean eigenvalue.
        weight: MEMIT and PMET: lambda / K, since E k^T C^-1 k = K. AlphaEdit: lambda in units of
            the median of k^T P k.
        null_share: AlphaEdit: share of directions counted as the null space.
        square_root: PMET: each block writes the residual divided by the root of the number of
            blocks that are left, instead of by that number.
    """

    search: Search = field(default_factory=Search)
    averaging: Averaging = "groups"
    ridge: float = 1e-6
    weight: float = 0.05
    null_share: float = 0.5
    square_root: bool = False


BEHIND = Search(site="residual", clip=0.75)
METHODS: Mapping[str, Settings] = {
    "rome": Settings(averaging="all"),
    "memit": Settings(search=BEHIND),
    "pmet": Settings(
        search=Search("attention_and_mlp", rate=0.2, steps=30, kl=1.0, clip=0.75, relaxed=True),
        square_root=True,
    ),
    "alphaedit": Settings(search=BEHIND),
}


def edit(
    model: Transformer,
    facts: Facts,
    method: str,
    layers: Sequence[int],
    *,
    covariances: Covariances,
    settings: Settings | None = None,
    earlier: Mapping[int, Float[Tensor, "M E L K"]] | None = None,
    unchanged: bool = False,
) -> EditedModel:
    """Write facts into the MLPs of some blocks; the model itself is left as it was.

    The value of each fact is searched for at the last block; then, from the first block to the
    last, the closed form of `updates` writes its share of what is missing at the keys there.

    Args:
        model: a `GPT` population, or a `Llama`.
        facts: what to write.
        method: a name in `METHODS`.
        layers: blocks to write to, one for ROME.
        covariances: of the keys (M, K, K) of every such block, from `covariances`.
        settings: None for `METHODS[method]`.
        earlier: AlphaEdit: keys of edits made before, by block, which this one leaves alone.
        unchanged: allow targets that the model answers already: a control that should do nothing.

    Returns:
        The edited copies with a `report`. A fact that is not taken in is reported, not raised.

    Raises:
        ValueError: an unknown method or block, facts that do not fit the model, a target that is
            the current answer, several facts at once for ROME, a missing or singular covariance.
    """
    constants = settings_of(method, settings)
    check_layers(model, layers)
    order = sorted(set(layers))
    if method == "rome" and (len(order) > 1 or facts.shape[2] > 1):
        raise ValueError("rome writes one fact to one block per edit; memit takes several")
    if missing := [layer for layer in order if layer not in covariances]:
        raise ValueError(f"covariances lack block {missing[0]}: see synthcore.editing.covariances")
    facts.check(model.members, model.config.vocabulary)
    if not unchanged:
        _require_news(model, facts)
    last = order[-1]
    values = search(model, facts, last, constants.search)
    written: dict[int, Update] = {}
    for done, layer in enumerate(order):
        keys = compute_keys(model, facts, layer, written)
        residual = closed.spread_residual(
            _residual(model, facts, last, constants.search, values, written),
            len(order) - done,
            constants.square_root,
        )
        written[layer], overlap = solve_update(
            method,
            constants,
            covariances[layer],
            average_keys(keys, constants.averaging),
            keys[..., 0, :],
            residual,
            None if earlier is None else earlier.get(layer),
        )
    edited = EditedModel(model, written)
    report = make_report(edited, facts, values.loss, values.clipped, overlap)
    return EditedModel(model, written, report)


def solve_update(
    method: str,
    settings: Settings,
    covariance: Float[Tensor, "M K K2"],
    mean_key: Float[Tensor, "M E F K"],
    key: Float[Tensor, "M E F K"],
    residual: Float[Tensor, "M E F D"],
    earlier: Float[Tensor, "M E L K"] | None = None,
) -> tuple[Update, Float[Tensor, "M E F"]]:
    """The closed form of a method for one matrix, and ROME's k . u (nan for other methods).

    Args:
        covariance: of keys, without a ridge.
        mean_key: the key averaged over prompts, which the change answers to.
        key: that of the bare prompt, which ROME writes at.
        residual: what this matrix is to add there.
        earlier: AlphaEdit: keys that the change leaves alone.

    Raises:
        ValueError: a singular covariance.
    """
    C = closed.add_ridge(covariance.double(), settings.ridge)
    overlap = torch.full(key.shape[:3], math.nan, dtype=torch.float64, device=key.device)
    if method == "rome":
        left, right, overlap = closed.rome(C, mean_key, key, residual)
    elif method == "alphaedit":
        P = closed.null_space_projector(C, settings.null_share)
        left, right = closed.alphaedit(P, mean_key, residual, settings.weight, earlier)
    else:
        weight = settings.weight * mean_key.shape[-1]
        left, right = closed.memit(C, mean_key, residual, weight)
    return Update(left, right), overlap


def settings_of(method: str, settings: Settings | None = None) -> Settings:
    """`settings`, or if None those of a method; ValueError if there is no such method."""
    if method in METHODS:
        return METHODS[method] if settings is None else settings
    near = get_close_matches(method, METHODS, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"They are {', '.join(METHODS)}."
    raise ValueError(f"Unknown method '{method}'. {hint}")


def _residual(
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


def _bare(facts: Facts) -> tuple[Tensor, Tensor]:
    """Tokens (M, E, F, T) of the bare prompts and where they are read (M, E, F)."""
    return facts.tokens[..., 0, :], facts.read[..., 0]


@torch.no_grad()
def current_answers(model: Transformer, facts: Facts) -> Float[Tensor, "M E F V"]:
    """Logits of the unedited model after the bare prompts."""
    tokens, read = _bare(facts)
    M, E, F, _ = tokens.shape
    return take_position(model(tokens.flatten(1, 2)), read.flatten(1)).view(M, E, F, -1)


def _require_news(model: Transformer, facts: Facts) -> None:
    same = current_answers(model, facts).argmax(-1) == facts.target
    if bool(same.any()):
        member, number, fact = same.nonzero()[0].tolist()
        raise ValueError(
            f"the target of member {member}, edit {number}, fact {fact} "
            f"(token {int(facts.target[member, number, fact])}) is what the model answers already"
        )


def make_report(
    edited: EditedModel,
    facts: Facts,
    loss: Float[Tensor, "M E F"],
    clipped: Bool[Tensor, "M E F"],
    overlap: Float[Tensor, "M E F"] | None = None,
) -> Report:
    """Whether the edited copies answer the bare prompts as they were told; the rest as in `Report`,
    an overlap of None as nan."""
    tokens, read = _bare(facts)
    logits = edited(tokens)  # (M, E, F, T, V)
    answer = take_position(logits.flatten(1, 2), read.flatten(1)).view(*read.shape, -1)
    right: Bool[Tensor, "M E F"] = answer.argmax(-1) == facts.target
    probability = answer.softmax(-1).gather(-1, facts.target[..., None])[..., 0]
    overlap = torch.full_like(loss, math.nan, dtype=torch.float64) if overlap is None else overlap
    return Report(probability, right, loss, clipped, overlap)
