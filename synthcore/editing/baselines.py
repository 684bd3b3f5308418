"""What closed-form editors are compared with: random changes of equal size, and fine-tuning.

Axis letters: M member, E edit, F fact of an edit, J prompts of a fact, K hidden width of an MLP, D
width of the residual stream.
"""

import torch

from synthcore.editing.edited import (
    EditedModel,
    Transformer,
    Update,
    take_position,
)
from synthcore.editing.facts import Facts
from synthcore.editing.keys import check_layers
from synthcore.editing.methods import make_report
from synthcore.nn.hooks import record


def random_directions(edited: EditedModel, generator: torch.Generator) -> EditedModel:
    """Rank-one changes in random directions, of the same norm as each edit's in each block."""

    def drawn(update: Update) -> Update:
        M, E, K, _ = update.left.shape
        D, device = update.right.shape[-1], update.right.device
        left = torch.randn(M, E, K, 1, generator=generator, device=generator.device)
        right = torch.randn(M, E, 1, D, generator=generator, device=generator.device)
        raw = Update(left.to(device).double(), right.to(device).double())
        return Update(raw.left, raw.right * (update.norm / raw.norm)[..., None, None])

    return EditedModel(edited.model, {n: drawn(u) for n, u in edited.updates.items()})


def fine_tune(
    model: Transformer,
    facts: Facts,
    layer: int,
    *,
    rate: float = 0.02,
    steps: int = 100,
    stop: float = 0.05,
) -> EditedModel:
    """Adam on the output matrix of one block's MLP, on the facts' own prompts, until the loss of
    an edit falls below `stop`.

    Args:
        layer: the block.
        rate: Adam's learning rate.
        steps: updates at most.
        stop: in nats, the mean over the prompts of all facts of an edit.

    Raises:
        ValueError: a block that the model lacks, or facts that do not fit the model.
    """
    check_layers(model, [layer])
    facts.check(model.members, model.config.vocabulary)
    M, E, F, J, _ = facts.tokens.shape
    names = [f"blocks.{layer}.{name}" for name in ("mlp.hook_post", "hook_resid_post")]
    with torch.no_grad(), record(model, names) as seen:
        model(facts.tokens.flatten(1, 3))
    keys, stream = (seen[name] for name in names)
    read, device = facts.read.flatten(1), stream.device
    if layer == len(model.blocks) - 1:  # behind it positions no longer mix
        stream, keys = take_position(stream, read), take_position(keys, read)
        read = torch.zeros_like(read)
    K, D = keys.shape[-1], stream.shape[-1]
    change = torch.zeros(M, E, K, D, device=device, requires_grad=True)
    whole = torch.eye(K, device=device).expand(M, E, K, K)
    adam = torch.optim.Adam([change], lr=rate)
    active = torch.ones(M, E, dtype=torch.bool, device=device)
    shown = torch.zeros(M, E, device=device)
    target = facts.target[..., None].expand(M, E, F, J).flatten(1)
    for _ in range(steps):
        logits = model.resume(stream + Update(whole, change)(keys), after=layer)
        answers = take_position(logits, read)[:, :, 0]
        each = -answers.log_softmax(-1).gather(-1, target[..., None])[..., 0]
        loss = each.view(M, E, F * J).mean(-1)
        shown = torch.where(active, loss.detach(), shown)
        active = active & (loss.detach() >= stop)
        if not bool(active.any()):
            break
        (change.grad,) = torch.autograd.grad(loss.sum(), change)
        kept = change.detach().clone()
        adam.step()
        with torch.no_grad():
            change.copy_(torch.where(active[..., None, None], change, kept))
    update = Update(whole.double(), change.detach().double())
    tuned = EditedModel(model, {layer: update})
    clipped = torch.zeros(M, E, F, dtype=torch.bool, device=device)
    report = make_report(tuned, facts, shown[..., None].expand(M, E, F), clipped)
    return EditedModel(model, tuned.updates, report)
