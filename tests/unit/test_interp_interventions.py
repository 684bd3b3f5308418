"""Ablation, patching and the logit lens, where the answer is known; the room's examples."""

from typing import Literal

import pytest
import torch
from package_examples import run_example
from torch import Tensor

import synthcore.interp
from synthcore.interp.ablation import ablate, ablate_each, batch_mean
from synthcore.interp.lens import logit_lens, sublayers
from synthcore.interp.patching import patch, patch_each
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record

SUBLAYERS = [f"blocks.{i}.{hook}" for i in range(2) for hook in ("hook_attn_out", "hook_mlp_out")]


def gpt(tied: bool = True, norm: Literal["layer", "rms"] = "layer", mlp: float = 4.0) -> GPT:
    shape = GPTConfig(
        *(6, 7, 8, 2, 2), mlp_ratio=mlp, tied=tied, norm=norm, positions="learned", initial_std=0.3
    )
    return GPT(shape, [0, 1])


def tokens(seed: int) -> Tensor:
    return torch.randint(6, (2, 5, 7), generator=torch.Generator().manual_seed(seed))


# --- ablation -----------------------------------------------------------------------------------


def test_ablating_by_zero_is_zeroing_the_weights_by_hand() -> None:
    model, by_hand = gpt(), gpt()
    for name, change in zip(
        SUBLAYERS,
        ablate_each(model, SUBLAYERS, lambda: model(tokens(0)), torch.zeros_like),
        strict=True,
    ):
        block = by_hand.blocks[int(name.split(".")[1])]
        assert block.mlp is not None
        last = block.attn.out if "attn" in name else block.mlp.down
        kept = last.weight.data.clone()
        last.weight.data.zero_()
        torch.testing.assert_close(change, by_hand(tokens(0)))
        last.weight.data.copy_(kept)


def test_the_mean_says_the_same_to_every_example() -> None:
    model, same = gpt(), tokens(0)[:, :1].expand(-1, 5, -1)
    with ablate(model, ["hook_embed"]):
        out = model(tokens(0))
    torch.testing.assert_close(out, out[:, :1].expand_as(out))  # nothing of the prompt is left
    with ablate(model, SUBLAYERS):  # equal examples lose nothing by a mean
        torch.testing.assert_close(model(same), gpt()(same))
    x = torch.arange(6.0).view(1, 3, 2)
    assert batch_mean(x).tolist() == [[[2, 3]] * 3]


def test_each_is_ablated_alone_and_the_network_is_whole_again() -> None:
    model = gpt()
    whole = model(tokens(0))
    each = ablate_each(model, SUBLAYERS, lambda: model(tokens(0)))
    for name, found in zip(SUBLAYERS, each, strict=True):
        with ablate(model, [name]):
            assert torch.equal(model(tokens(0)), found)
        assert not torch.allclose(found, whole)
    assert torch.equal(model(tokens(0)), whole)


# --- patching -----------------------------------------------------------------------------------


def test_patching_everything_reproduces_the_source() -> None:
    model = gpt()
    wanted = model(tokens(1))
    names = ["blocks.0.hook_resid_pre", *SUBLAYERS]
    with record(model, names) as seen:
        model(tokens(1))
    with patch(model, seen):
        torch.testing.assert_close(model(tokens(2)), wanted)
    stream = [f"blocks.{i}.hook_resid_post" for i in range(2)]
    for found in patch_each(model, tokens(1), stream, lambda: model(tokens(2))):
        torch.testing.assert_close(found, wanted)


def test_patching_one_position_changes_what_comes_after_it_only() -> None:
    model, name = gpt(), "blocks.0.hook_resid_post"
    plain = model(tokens(2))
    [found] = patch_each(model, tokens(1), [name], lambda: model(tokens(2)), position=3)
    torch.testing.assert_close(found[:, :, :3], plain[:, :, :3])
    assert bool((found[:, :, 3:] != plain[:, :, 3:]).any(-1).all())
    [itself] = patch_each(model, tokens(2), [name], lambda: model(tokens(2)), position=3)
    torch.testing.assert_close(itself, plain)


def test_what_cannot_be_patched_is_named() -> None:
    model = gpt()
    with pytest.raises(ValueError, match="Did you mean 'hook_embed'"):
        patch_each(model, tokens(0), ["hook_embd"], lambda: model(tokens(0)))
    with (
        patch(model, {"hook_embed": torch.zeros(2, 1, 7, 8)}, position=0),
        pytest.raises(ValueError, match=r"shape \(2, 5, 7, 8\) cannot be patched with one of"),
    ):
        model(tokens(0))


# --- logit lens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("mlp", [0.0, 4.0])
def test_the_lens_at_the_last_layer_is_the_network(
    tied: bool, norm: Literal["layer", "rms"], mlp: float
) -> None:
    model = gpt(tied, norm, mlp)
    found = logit_lens(model, tokens(0))
    assert len(found) == len(sublayers(model)) == (5 if mlp else 3)
    torch.testing.assert_close(found[-1], model(tokens(0)))
    some = logit_lens(model, tokens(0), torch.tensor([1, 4]))
    torch.testing.assert_close(some, found[..., [1, 4], :])


def test_the_lens_at_the_embedding_is_a_network_whose_parts_say_nothing() -> None:
    model = gpt(tied=False)
    with ablate(model, SUBLAYERS, torch.zeros_like):
        silent = model(tokens(0))
    torch.testing.assert_close(logit_lens(model, tokens(0))[0], silent)
    with ablate(model, SUBLAYERS[2:], torch.zeros_like):
        half = model(tokens(0))
    torch.testing.assert_close(logit_lens(model, tokens(0))[2], half)


# --- the room -----------------------------------------------------------------------------------


def test_the_example_of_the_package_runs() -> None:
    """The counter's selector is block 2's: before it, the answer's position knows no count."""
    found = run_example(synthcore.interp)
    count, said = found["count"], found["said"]
    accuracy, carried = found["found"].accuracy[:, 0], (said == count.flip(0)).double().mean((1, 2))
    assert accuracy[1:].tolist() == [1, 1]
    assert carried[1:].tolist() == [1, 1]
    assert float(torch.maximum(accuracy[0], carried[0])) < 0.6
    assert float(found["found"].shuffled.max()) < 0.6
