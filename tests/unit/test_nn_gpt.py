"""The population transformer against single models, transformers' GPT-2 and its own laws."""

import pytest
import torch

from synthcore.nn.gpt import GPT, Cache, GPTConfig
from synthcore.nn.hooks import record
from synthcore.nn.rotary import rotary_tables, rotate

SMALL = GPTConfig(vocabulary=7, context=12, width=16, depth=2, heads=2)
VARIANTS = [
    GPTConfig(7, 12, 16, 2, 2, positions="learned"),
    GPTConfig(7, 12, 16, 2, 2, positions="none", mlp_ratio=0),
    GPTConfig(7, 12, 16, 2, 2, tied=False, norm="rms", bias=False),
    SMALL,
]


def tokens_for(members: int, batch: int = 3, length: int = 12, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(7, (members, batch, length), generator=generator)


@pytest.mark.parametrize("config", VARIANTS)
def test_a_member_does_not_depend_on_its_neighbours(config: GPTConfig) -> None:
    together = GPT(config, [5, 3, 5])
    alone = GPT(config, [3])
    for both, one in zip(together.parameters(), alone.parameters(), strict=True):
        assert torch.equal(both[1], one[0])
        assert torch.equal(both[0], both[2])
    tokens = tokens_for(3)
    torch.testing.assert_close(together(tokens)[1:2], alone(tokens[1:2]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", VARIANTS)
def test_logits_at_t_do_not_see_later_tokens(config: GPTConfig) -> None:
    model, tokens = GPT(config, [0, 1]), tokens_for(2)
    changed = tokens.clone()
    changed[:, :, 6:] = (changed[:, :, 6:] + 1) % 7
    before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :, :6], after[:, :, :6], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(before[:, :, 6:], after[:, :, 6:], atol=1e-4)


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("parts", [(1,) * 12, (5, 1, 6), (12,)])
def test_cache_gives_the_logits_of_one_pass(config: GPTConfig, parts: tuple[int, ...]) -> None:
    model, tokens = GPT(config, [0, 1]), tokens_for(2)
    cache = Cache(model, 3)
    with torch.no_grad():
        pieces = [model(piece, cache=cache) for piece in tokens.split(parts, dim=2)]
        torch.testing.assert_close(torch.cat(pieces, 2), model(tokens), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("usual", [0.02, 0.1])
def test_initial_scales_are_those_of_gpt2(usual: float) -> None:
    shape = GPTConfig(vocabulary=200, context=8, width=64, depth=3, heads=4, initial_std=usual)
    model = GPT(shape, [0, 1])
    residual = usual / 6**0.5
    for weight, std in [
        (model.embed.weight, usual),
        (model.get_parameter("blocks.1.attn.qkv.weight"), usual),
        (model.get_parameter("blocks.1.attn.out.weight"), residual),
        (model.get_parameter("blocks.2.mlp.up.weight"), usual),
        (model.get_parameter("blocks.2.mlp.down.weight"), residual),
    ]:
        assert weight[0].std().item() == pytest.approx(std, rel=0.05)
        assert abs(weight[0].mean().item()) < 5 * std / weight[0].numel() ** 0.5


@pytest.mark.parametrize("tied", [True, False])
def test_parameter_count_is_the_formula(tied: bool) -> None:
    V, T, D, L = 10, 32, 48, 2
    config = GPTConfig(V, T, D, L, 4, positions="learned", tied=tied)
    block = 12 * D * D + 13 * D  # four products with biases, two norms
    expected = (V + T) * D + L * block + 2 * D + (0 if tied else V * D)
    assert GPT(config, range(5)).parameters_per_member == expected


def test_rotary_scores_depend_on_the_distance_only() -> None:
    cos, sin = rotary_tables(40, 8)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    stacked = torch.stack([q, k]).expand(1, 40, 2, 8)  # two "heads": the query and the key
    turned = rotate(stacked, cos, sin)[0]
    scores = turned[:, 0] @ turned[:, 1].T
    torch.testing.assert_close(scores[:-3, :-3], scores[3:, 3:], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(turned.norm(dim=-1), stacked[0].norm(dim=-1))
    assert scores[0].std() > 0.1


def test_rotary_is_the_rotation_of_the_paper() -> None:
    cos, sin = rotary_tables(5, 4)
    x = torch.randn(1, 5, 2, 4, generator=torch.Generator().manual_seed(1))
    pairs = torch.complex(x[..., :2], x[..., 2:])
    angles = torch.arange(5.0)[:, None] * torch.tensor([1.0, 10_000**-0.5])
    expected = pairs * torch.polar(torch.ones(5, 2), angles)[:, None]
    torch.testing.assert_close(rotate(x, cos, sin), torch.cat([expected.real, expected.imag], -1))


def test_logits_are_those_of_transformers_gpt2() -> None:
    transformers = pytest.importorskip("transformers", reason="the [bench] extra has the oracle")
    config = GPTConfig(vocabulary=11, context=16, width=24, depth=3, heads=4, positions="learned")
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=11, n_positions=16, n_embd=24, n_layer=3, n_head=4,
            activation_function="gelu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )
    ).eval()  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():  # far from initialisation, biases and gains included
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    ours = GPT(config, [0, 1])
    copy_gpt2(theirs, ours, member=1)
    tokens = torch.randint(11, (2, 5, 16), generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens)[1], theirs(tokens[1]).logits, rtol=1e-4, atol=1e-4)


def copy_gpt2(theirs: torch.nn.Module, ours: GPT, member: int) -> None:
    """GPT-2's weights into one member; its Conv1D weights are (in, out), as ours are."""
    names = {
        "embed.weight": "transformer.wte.weight",
        "pos_embed": "transformer.wpe.weight",
        "ln_final.weight": "transformer.ln_f.weight",
        "ln_final.bias": "transformer.ln_f.bias",
    }
    parts = {
        "ln1": "ln_1",
        "attn.qkv": "attn.c_attn",
        "attn.out": "attn.c_proj",
        "ln2": "ln_2",
        "mlp.up": "mlp.c_fc",
        "mlp.down": "mlp.c_proj",
    }
    for block in range(ours.config.depth):
        for mine, other in parts.items():
            for kind in ("weight", "bias"):
                names[f"blocks.{block}.{mine}.{kind}"] = f"transformer.h.{block}.{other}.{kind}"
    mine_left = dict(ours.named_parameters())
    with torch.no_grad():
        for mine, other in names.items():
            target = mine_left.pop(mine)[member]
            target.copy_(theirs.get_parameter(other).view_as(target))
    assert not mine_left


@pytest.mark.parametrize("config", VARIANTS)
def test_explicit_attention_agrees_with_the_fused_kernel(config: GPTConfig) -> None:
    model, tokens = GPT(config, [0, 1]), tokens_for(2)
    fused = model(tokens)
    with record(model, ["blocks.1.attn.hook_pattern"]):
        torch.testing.assert_close(model(tokens), fused, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", VARIANTS)
def test_resume_is_the_rest_of_forward(config: GPTConfig) -> None:
    model = GPT(config, [0, 1]).requires_grad_(False)
    tokens = tokens_for(2)
    streams = [
        "blocks.0.hook_resid_pre",
        *(f"blocks.{b}.hook_resid_post" for b in range(config.depth)),
    ]
    with record(model, streams) as seen:
        whole = model(tokens)
    for after, name in enumerate(streams, start=-1):
        torch.testing.assert_close(model.resume(seen[name], after), whole)
    with pytest.raises(ValueError, match=r"after must lie in -1\.\."):
        model.resume(seen["blocks.0.hook_resid_pre"], config.depth)


def test_too_long_input_is_refused() -> None:
    model = GPT(SMALL, [0])
    with pytest.raises(ValueError, match="13 tokens exceed the context of 12"):
        model(tokens_for(1, length=13))
    cache = Cache(model, 3)
    model(tokens_for(1), cache=cache)
    with pytest.raises(ValueError, match="13 tokens exceed the context of 12"):
        model(tokens_for(1, length=1), cache=cache)


def test_wrong_number_of_members_is_refused() -> None:
    with pytest.raises(ValueError, match="tokens have 3 members, the model has 2"):
        GPT(SMALL, [0, 1])(tokens_for(3))
    with pytest.raises(ValueError, match="at least one seed"):
        GPT(SMALL, [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": 0}, "vocabulary must be at least 1"),
        ({"heads": 3}, "width 16 must be divisible by heads 3"),
        ({"heads": 16}, "even head width"),
        ({"mlp_ratio": -1.0}, "mlp_ratio must be at least 0"),
        ({"initial_std": 0.0}, "initial_std must be positive"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, float], message: str) -> None:
    fields = {"vocabulary": 7, "context": 12, "width": 16, "depth": 2, "heads": 2}
    with pytest.raises(ValueError, match=message):
        GPTConfig(**(fields | change))  # type: ignore[arg-type]


@pytest.mark.cuda
def test_cuda_agrees_with_cpu() -> None:
    tokens = tokens_for(2)
    for config in VARIANTS:
        model = GPT(config, [0, 1])
        expected = model(tokens)
        on_gpu = model.cuda()(tokens.cuda()).cpu()
        torch.testing.assert_close(on_gpu, expected, rtol=1e-3, atol=1e-4)
