"""The plain GPT against populations, the GPT-2 of transformers and its own promises."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from synthcore.nn import gpt, gpt_reference
from synthcore.nn.convert import from_population

SHAPE = {"vocabulary": 11, "context": 16, "width": 24, "depth": 3, "heads": 4}
OPTIONS = [
    {"positions": positions, "tied": tied, "bias": bias}
    for positions in ("rotary", "learned")
    for tied in (True, False)
    for bias in (True, False)
]


def some_tokens(*shape: int) -> torch.Tensor:
    return torch.randint(11, shape, generator=torch.Generator().manual_seed(0))


def far_from_start(model: torch.nn.Module) -> None:
    """Random gains and biases too, so that no part of a network is at a value that hides it."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))


@pytest.mark.parametrize("options", OPTIONS)
def test_a_population_of_one_is_the_plain_network(options: dict[str, object]) -> None:
    model = gpt.GPT(gpt.GPTConfig(**SHAPE, **options), [7])
    far_from_start(model)
    single = from_population(model)
    assert sum(p.numel() for p in single.parameters()) == model.parameters_per_member
    tokens = some_tokens(5, 16)
    logits, expected = single(tokens), model(tokens[None])[0]
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS[::3])
def test_it_learns_what_a_member_of_two_learns(options: dict[str, object]) -> None:
    """Forward, backward and update: losses of ten steps of Adam on the same batches."""
    model = gpt.GPT(gpt.GPTConfig(**SHAPE, **options), [0, 7])
    single = from_population(model, 1)
    each = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (model, single)]
    batches = some_tokens(10, 2, 5, 16)
    for tokens in batches:
        logits = model(tokens[..., :-1])
        losses = [
            functional.cross_entropy(logits[m].flatten(0, 1), tokens[m, :, 1:].flatten())
            for m in range(2)
        ]
        alone = functional.cross_entropy(
            single(tokens[1, :, :-1]).flatten(0, 1), tokens[1, :, 1:].flatten()
        )
        torch.testing.assert_close(alone, losses[1], rtol=1e-5, atol=1e-5)
        sum(losses).backward()
        alone.backward()
        for optimizer in each:
            optimizer.step()
            optimizer.zero_grad()


def test_the_copy_is_a_copy_of_that_member() -> None:
    model = gpt.GPT(gpt.GPTConfig(**SHAPE), [0, 1])
    single, tokens = from_population(model, 1), some_tokens(2, 16)
    before = single(tokens)
    assert not torch.allclose(before, model(tokens.expand(2, -1, -1))[0], atol=1e-3)
    far_from_start(model)
    assert torch.equal(single(tokens), before)


@pytest.mark.parametrize(
    "options", [{"positions": "none"}, {"norm": "rms"}, {"mlp_ratio": 0}, {"mlp_ratio": 2}]
)
def test_what_the_plain_network_lacks_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="the plain GPT has"):
        from_population(gpt.GPT(gpt.GPTConfig(**SHAPE, **options), [0]))


def test_logits_are_those_of_transformers_gpt2() -> None:
    transformers = pytest.importorskip("transformers", reason="the [bench] extra has the oracle")
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=11, n_positions=16, n_embd=24, n_layer=3, n_head=4,
            activation_function="gelu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )
    ).eval()  # fmt: skip
    far_from_start(theirs)
    ours = gpt_reference.GPT(**SHAPE, rotary=False)
    parts = {
        "ln1": "ln_1",
        "qkv": "attn.c_attn",
        "out": "attn.c_proj",
        "ln2": "ln_2",
        "up": "mlp.c_fc",
        "down": "mlp.c_proj",
    }
    with torch.no_grad():
        ours.embed.weight.copy_(theirs.transformer.wte.weight)
        ours.pos_embed.copy_(theirs.transformer.wpe.weight)
        ours.ln_final.load_state_dict(theirs.transformer.ln_f.state_dict())
        for block, other in zip(ours.blocks, theirs.transformer.h, strict=True):
            for mine, name in parts.items():
                weights = other.get_submodule(name).state_dict()
                if mine[:2] != "ln":  # their Conv1D keeps (inputs, outputs)
                    weights["weight"] = weights["weight"].T
                block.get_submodule(mine).load_state_dict(weights)
        tokens = some_tokens(5, 16)
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits, rtol=1e-5, atol=1e-5)


def test_initial_weights_are_those_of_gpt2() -> None:
    torch.manual_seed(0)
    model = gpt_reference.GPT(200, context=64, width=64, depth=3, heads=4, rotary=False)
    for name, weight in model.named_parameters():
        if weight.ndim == 1:
            assert torch.equal(weight, torch.full_like(weight, float("ln" in name and "w" in name)))
        else:
            std = 0.02 / 6**0.5 if name.endswith(("out.weight", "down.weight")) else 0.02
            assert weight.std().item() == pytest.approx(std, rel=0.05)


def test_it_stays_short_enough_to_be_read() -> None:
    lines = Path(gpt_reference.__file__).read_text().splitlines()
    assert len(lines) <= 90
    assert not any("synthcore" in line and "import" in line for line in lines)
