"""Scores against small and whole deletions, deletion against zeros written by hand."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from synthcore.compiled import counter
from synthcore.compiled.programs import READ
from synthcore.interp import pruning
from synthcore.nn.gpt import GPT, GPTConfig

CONFIG = GPTConfig(vocabulary=7, context=5, width=8, depth=2, heads=2, initial_std=0.35)
HIDDEN = 32
Batch = tuple[Tensor, Tensor]


def small(seeds: tuple[int, ...] = (0, 1)) -> GPT:
    return GPT(CONFIG, seeds).double()


def batch(members: int = 2, size: int = 6) -> Batch:
    draw = torch.Generator().manual_seed(3)
    tokens = torch.randint(7, (members, size, 5), generator=draw)
    return tokens, torch.randint(7, (members, size), generator=draw)


def loss(model: nn.Module, given: Batch) -> Tensor:
    tokens, answers = given
    logits = model(tokens)[:, :, -1]
    each = functional.cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none")
    return each.view(answers.shape).mean(1)


def scale_neuron(model: GPT, row: int, by: float, member: int | None = None) -> None:
    """Multiply a neuron's row and bias, of one member or of all."""
    part = model.blocks[row // HIDDEN].mlp
    assert part is not None
    assert part.up.bias is not None
    which = slice(None) if member is None else slice(member, member + 1)
    with torch.no_grad():
        part.up.weight[which, :, row % HIDDEN] *= by
        part.up.bias[which, :, row % HIDDEN] *= by


def neuron_scores(model: GPT, batches: list[Batch]) -> Tensor:
    scores = pruning.first_order_scores(model, loss, batches)
    return pruning.row_scores(scores, pruning.neuron_layers(model))


@pytest.mark.parametrize("row", [0, 5, HIDDEN + 3])
def test_scores_are_first_order_changes_of_the_loss(row: int) -> None:
    """Scaling one neuron's row by 1 - eps changes the loss by -eps times its score."""
    model, eps = small(), 1e-4
    before, score = loss(model, batch()), neuron_scores(model, [batch()])[:, row]
    scale_neuron(model, row, 1 - eps)
    torch.testing.assert_close(
        loss(model, batch()) - before, -eps * score, rtol=5e-3, atol=1e-10, check_dtype=False
    )


def test_scores_are_means_over_batches_and_leave_no_trace() -> None:
    model = small().requires_grad_(False)
    one, two = batch(), (batch()[0].flip(1), batch()[1])
    both = pruning.first_order_scores(model, loss, [one, two])
    each = [pruning.first_order_scores(model, loss, [b]) for b in (one, two)]
    for name, score in both.items():
        torch.testing.assert_close(score, (each[0][name] + each[1][name]) / 2)
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())


def test_first_order_and_exact_scores_agree_for_small_weights() -> None:
    """What they differ by falls as the square of the weights."""
    row, ratios = HIDDEN + 9, []
    for size in (1.0, 1e-1, 1e-2, 1e-3):
        model = small((0,))
        scale_neuron(model, row, size)
        first = float(neuron_scores(model, [batch(1)])[0, row])
        names = ["blocks.1.mlp.hook_post"]
        exact = float(pruning.exact_unit_scores(model, loss, [batch(1)], names)[0, row - HIDDEN])
        ratios.append(abs(first / exact - 1))
    assert ratios[1] > 5 * ratios[2] > 25 * ratios[3]
    assert ratios[3] < 1e-2


def test_exact_scores_are_the_change_of_the_loss() -> None:
    model = small()
    names = [f"blocks.{i}.mlp.hook_post" for i in range(2)]
    scores = pruning.exact_unit_scores(model, loss, [batch()], names)
    assert scores.shape == (2, 2 * HIDDEN)
    before = loss(model, batch())
    for row in (3, HIDDEN + 4):
        less = small()
        scale_neuron(less, row, 0)
        torch.testing.assert_close(before - loss(less, batch()), scores[:, row])
    with pytest.raises(ValueError, match=r"Did you mean 'blocks\.0\.mlp\.hook_post'"):
        pruning.exact_unit_scores(model, loss, [batch()], ["blocks.0.mlp.hook_pos"])


def test_deleting_a_neuron_is_zeroing_its_row_by_hand() -> None:
    model, (tokens, _) = small(), batch()
    order = torch.stack([torch.randperm(2 * HIDDEN), torch.randperm(2 * HIDDEN)])
    with pruning.delete_neurons(model, order, 9):
        silent = model(tokens)
    by_hand = small()
    for member in range(2):
        for row in order[member, :9].tolist():
            scale_neuron(by_hand, row, 0, member)
    torch.testing.assert_close(silent, by_hand(tokens))
    copied = pruning.delete_rows(model, pruning.neuron_layers(model), order, 9)
    torch.testing.assert_close(silent, copied(tokens))
    assert not torch.equal(silent, model(tokens))  # and the network is whole again


def test_an_implanted_neuron_is_found() -> None:
    """A neuron that only hurts: its deletion helps, so its score is the largest."""
    model, (tokens, _) = small((0,)), batch(1, 64)
    right = model(tokens)[:, :, -1].argmax(-1)
    part = model.blocks[1].mlp
    assert part is not None
    assert part.up.bias is not None
    with torch.no_grad():
        part.up.weight[0, :, 17] = 0
        part.up.bias[0, 0, 17] = 3.0
        part.down.weight[0, 17] = 2 * torch.randn(8, generator=torch.Generator().manual_seed(0))
    scores = neuron_scores(model, [(tokens, right)])
    exact = pruning.exact_unit_scores(
        model, loss, [(tokens, right)], [f"blocks.{i}.mlp.hook_post" for i in range(2)]
    )
    assert int(scores.argmax()) == int(exact.argmax()) == HIDDEN + 17
    with pruning.delete_neurons(model, scores.argsort(1, descending=True), 1):
        helped = (model(tokens)[:, :, -1].argmax(-1) == right).double().mean()
    hurt = (model(tokens)[:, :, -1].argmax(-1) == right).double().mean()
    assert helped > hurt + 0.2


def test_rows_of_every_matrix_and_single_weights() -> None:
    model = small()
    layers = pruning.linear_layers(model)
    parts = ("attn.qkv", "attn.out", "mlp.up", "mlp.down")
    assert layers == [f"blocks.{i}.{part}" for i in range(2) for part in parts]
    scores = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    scores["blocks.1.attn.qkv.weight"][:, 3, 7] = 2.0
    order = pruning.row_scores(scores, layers).argsort(1, descending=True)
    less = pruning.delete_rows(model, layers, order, 1)
    changed = [
        name
        for (name, a), b in zip(less.named_parameters(), model.parameters(), strict=True)
        if not torch.equal(a, b)
    ]
    assert changed == ["blocks.1.attn.qkv.weight"]  # biases start at zero
    assert bool((less.blocks[1].attn.qkv.weight[:, :, 7] == 0).all())
    norms = pruning.row_norms(model, layers)
    torch.testing.assert_close(norms[1, 7], model.blocks[0].attn.qkv.weight[1, :, 7].norm())
    chosen = torch.tensor([[5, 900], [31, 0]])  # two weights of each member, the first is deleted
    before = pruning.flatten_weights(dict(model.named_parameters()))
    less = pruning.delete_weights(model, chosen, 1)
    after = pruning.flatten_weights(dict(less.named_parameters()))
    assert (before != after).nonzero().tolist() == [[0, 5], [1, 31]]
    assert after[0, 5] == 0
    assert after[1, 31] == 0


def test_a_layer_without_bias_has_rows_too() -> None:
    model = GPT(GPTConfig(5, 4, 8, 1, 2, bias=False, tied=False), [0])
    layers = pruning.linear_layers(model)
    assert layers[-1] == "unembed"
    order = pruning.row_norms(model, layers).argsort(1, descending=True)
    less = pruning.delete_rows(model, layers, order, order.shape[1])
    assert bool((less(torch.zeros(1, 1, 4, dtype=torch.long)) == 0).all())


def test_random_orders_are_orders() -> None:
    orders = pruning.random_orders(2, 9, 3, torch.Generator().manual_seed(0))
    assert orders.shape == (3, 2, 9)
    assert torch.equal(orders.sort(-1).values, torch.arange(9).expand(3, 2, 9))


def test_units_of_a_compiled_network_are_scored_exactly() -> None:
    """Without the unit that marks the letter the counter answers nothing but zero."""
    model = counter(4, letters=3)
    strings = torch.tensor([[0, 0, 1, 2], [0, 1, 0, 0], [2, 0, 0, 0]])
    answers = (strings == 0).sum(-1)[None]

    def at_read(network: nn.Module, given: Batch) -> Tensor:
        logits = network(given[0])[:, :, READ]
        return functional.cross_entropy(logits.flatten(0, 1), given[1].flatten())[None]

    inputs = (model.shape.encode(strings)[None], answers)
    scores = pruning.exact_unit_scores(model, at_read, [inputs], ["blocks.0.hook_post"])[0]
    assert int(scores.argmin()) == 0  # the unit of letter 0
    assert float(scores[0]) == pytest.approx(-1, abs=1e-3)  # one logit of 1 is lost
    assert float(scores[3:].abs().max()) == 0  # units that no letter has
