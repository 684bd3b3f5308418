"""The value search: which vector, added where a fact is looked up, makes the model give the answer?

ROME adds delta to the MLP's output, MEMIT and AlphaEdit to the residual stream behind the block
(which changes the same sum, but bounds delta by another norm), PMET to the outputs of attention and
MLP at once, of which only the second is written later.

Axis letters: M member, E edit, F fact of an edit, J prompts of a fact, N = E F, S sites, T tokens,
D width, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from synthcore.editing.edited import Transformer, take_position
from synthcore.editing.facts import Facts
from synthcore.editing.keys import activation, check_layers
from synthcore.nn.hooks import record, replace

Site = Literal["mlp_out", "residual", "attention_and_mlp"]
HOOKS: dict[Site, tuple[str, ...]] = {
    "mlp_out": ("hook_mlp_out",),
    "residual": ("hook_resid_post",),
    "attention_and_mlp": ("hook_attn_out", "hook_mlp_out"),
}

AT_ONCE = 2**15  # tokens of all members whose activations are kept at once


@dataclass(frozen=True)
class Search:
    """How a value is searched for. The defaults are those of ROME's reference code.

    Attributes:
        site: where delta is added: at `mlp_out` (ROME), to the `residual` stream behind the block
            (MEMIT, AlphaEdit), or one each at `attention_and_mlp` (PMET).
        rate: Adam's learning rate.
        steps: updates at most.
        kl: weight of KL(p_delta || p_0) on the essence prompt.
        decay: weight of |delta| / |v0|^2.
        clip: bound on |delta| / |v0| after every step.
        stop: a fact is left alone once its loss is below this.
        relaxed: PMET's rule: where the target is already the most likely answer, the likelihood
            counts a tenth, and the fact is left alone once the KL term is at most 0.01 (in the
            authors' code the tenth counts from the next step on, and the first step may end it).
    """

    site: Site = "mlp_out"
    rate: float = 0.5
    steps: int = 20
    kl: float = 0.0625
    decay: float = 0.5
    clip: float = 4.0
    stop: float = 0.05
    relaxed: bool = False


@dataclass(frozen=True)
class Values:
    """What a search found: the value is v = start + delta.

    Attributes:
        start: what the bare prompt gives at the site where delta is added.
        delta: the vector found.
        loss: when the search stopped, in nats.
        clipped: whether delta ended on the bound on its norm.
    """

    start: Float[Tensor, "M E F D"]
    delta: Float[Tensor, "M E F D"]
    loss: Float[Tensor, "M E F"]
    clipped: Bool[Tensor, "M E F"]


def search(model: Transformer, facts: Facts, layer: int, how: Search) -> Values:
    """Gradient descent on delta, for every fact on its own (Adam works element by element).

    Edits are taken in parts, since all activations are kept for the gradients.

    Args:
        model: left as it is; its parameters need no gradients.
        layer: the block at whose site delta is added, at the lookup position of every prompt.

    Raises:
        ValueError: a block that the model lacks, facts that do not fit the model, or facts of the
            last block that are looked up elsewhere than they are read.

    Source: Meng et al. 2022 (arXiv:2202.05262), Eq. 4; in the reference code the divergence is
    taken from the edited to the original distribution, and the decay is linear in |delta|. MEMIT's
    Eq. 16 (Meng et al. 2023, arXiv:2210.07229) is the same at its own site; PMET: Li et al. 2024
    (arXiv:2308.08742).
    """
    check_layers(model, [layer])
    facts.check(model.members, model.config.vocabulary)
    size = max(AT_ONCE * facts.target.shape[1] // max(facts.tokens.numel(), 1), 1)
    parts = [
        _search(model, facts.pick(slice(first, first + size)), layer, how)
        for first in range(0, max(facts.shape[1], 1), size)
    ]
    return Values(*(torch.cat([getattr(p, f.name) for p in parts], 1) for f in fields(Values)))


def _search(model: Transformer, facts: Facts, layer: int, how: Search) -> Values:
    """`search` for all edits at once."""
    M, E, F = facts.shape
    start = torch.stack(
        [activation(model, facts, f"blocks.{layer}.{hook}")[..., 0, :] for hook in HOOKS[how.site]],
        -2,
    ).flatten(1, 2)  # (M, N, S, D) for S sites
    bound = how.clip * start.norm(dim=-1, keepdim=True)
    delta = torch.zeros_like(start, requires_grad=True)
    evaluate = _answers(model, facts, layer, how)
    with torch.no_grad():
        original = evaluate(delta)[:, :, -1].log_softmax(-1)
    adam = torch.optim.Adam([delta], lr=how.rate)
    target = facts.target.flatten(1)[..., None, None]
    active = torch.ones(M, E * F, dtype=torch.bool, device=delta.device)
    shown = torch.zeros(M, E * F, device=delta.device)
    for step in range(how.steps):
        logits = evaluate(delta)
        prompts, essence = logits[:, :, :-1].log_softmax(-1), logits[:, :, -1].log_softmax(-1)
        likelihood = prompts.gather(-1, target.expand(-1, -1, prompts.shape[2], 1))[..., 0]
        divergence = how.kl * (essence.exp() * (essence - original)).sum(-1)
        weight, settled = torch.ones_like(shown), torch.zeros_like(active)
        if how.relaxed:
            first = (prompts.argmax(-1) == target[..., 0]).all(-1)
            weight = torch.where(first, 0.1, weight)
            settled = first & (divergence <= 0.01) & (step > 0)
        # autograd gives 0 / 0 for the norm of a zero vector
        length = (delta.square().sum(-1) + 1e-24).sqrt()
        decay = (length / start.norm(dim=-1).square().clamp_min(1e-24)).sum(-1)
        loss = -weight * likelihood.mean(-1) + divergence + how.decay * decay
        shown = torch.where(active, loss.detach(), shown)
        active = active & (loss.detach() >= how.stop) & ~settled
        if step == how.steps - 1 or not bool(active.any()):
            break
        (delta.grad,) = torch.autograd.grad(loss.sum(), delta)
        kept = delta.detach().clone()
        adam.step()
        with torch.no_grad():
            new = delta * (bound / delta.norm(dim=-1, keepdim=True).clamp_min(1e-24)).clamp(max=1)
            delta.copy_(torch.where(active[..., None, None], new, kept))
    found, written = delta.detach(), -1  # of PMET's two only the MLP's is written
    return Values(
        start[:, :, written].unflatten(1, (E, F)),
        found[:, :, written].unflatten(1, (E, F)),
        shown.unflatten(1, (E, F)),
        (found.norm(dim=-1)[:, :, written] >= 0.999 * bound[:, :, written, 0]).unflatten(1, (E, F)),
    )


def _answers(
    model: Transformer, facts: Facts, layer: int, how: Search
) -> Callable[[Tensor], Float[Tensor, "M N J V"]]:
    """A function from delta (M, N, S, D) to the logits where the prompts of each fact are read,
    and last where its essence prompt is."""
    M, E, F, J, _ = facts.tokens.shape
    tokens = torch.cat([facts.tokens, facts.essence[:, :, :, None]], 3).flatten(1, 3)
    end = facts.essence_at[..., None]
    lookup = torch.cat([facts.lookup, end], 3).flatten(1)
    read = torch.cat([facts.read, end], 3).flatten(1)
    both = how.site == "attention_and_mlp"
    after = layer - 1 if both else layer
    name = f"blocks.{after}.hook_resid_post" if after >= 0 else "blocks.0.hook_resid_pre"
    with torch.no_grad(), record(model, [name]) as seen:
        model(tokens)
    stream = seen[name]
    if after == len(model.blocks) - 1:  # behind the last block positions no longer mix
        if not torch.equal(lookup, read):
            raise ValueError(
                f"a fact written to the last block ({layer}) must be looked up where it is read"
            )
        stream, lookup = take_position(stream, read), torch.zeros_like(lookup)
        read = lookup
    place = torch.nn.functional.one_hot(lookup, stream.shape[2]).to(stream.dtype)[..., None]

    def evaluate(delta: Tensor) -> Tensor:
        spread = delta.repeat_interleave(J + 1, 1)  # (M, rows, S, D)

        def add(site: int) -> Callable[[Tensor], Tensor]:
            return lambda x: x + place * spread[:, :, site, None]

        if both:
            changes = {
                f"blocks.{layer}.hook_attn_out": add(0),
                f"blocks.{layer}.hook_mlp_out": add(1),
            }
            with replace(model, changes):
                logits = model.resume(stream, after=after)
        else:
            logits = model.resume(add(0)(stream), after=after)
        return take_position(logits, read).view(M, E * F, J + 1, -1)

    return evaluate
