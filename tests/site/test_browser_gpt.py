"""The network in the browser against PyTorch: logits, attention, and how long a document takes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Run, Show

from synthcore.explorers.base import Explorer
from synthcore.explorers.composer import ComposerExplorer
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record

pytestmark = pytest.mark.browser
L, F, A, K = 3, 3, 5, 3
VOCABULARY, LENGTH = A + L * F + 3, 1 + L + (L + 1) * (K + 1)


def tables(positions: int = L, functions: int = F, symbols: int = A) -> np.ndarray:
    rng = np.random.default_rng(3)
    out = np.stack([[rng.permutation(symbols) for _ in range(functions)] for _ in range(positions)])
    out[:, 0] = np.arange(symbols)
    return out


def weights_of(model: GPT, member: int = 0) -> dict[str, np.ndarray]:
    return {name: value[member].numpy() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    "shape",
    [
        {"positions": "learned", "depth": 2, "heads": 2},
        {
            "positions": "learned",
            "depth": 1,
            "heads": 1,
            "norm": "rms",
            "bias": False,
            "tied": False,
        },
        {"positions": "rotary", "depth": 2, "heads": 4, "bias": False},
        {"positions": "none", "depth": 2, "heads": 1, "mlp_ratio": 0},
    ],
    ids=lambda s: f"{s['positions']}-{s['depth']}",
)
def test_logits_and_attention_are_those_of_pytorch(
    shape: dict[str, Any], half: bool, shown: Show
) -> None:
    config = GPTConfig(VOCABULARY, LENGTH, 32, initial_std=0.15, **shape)
    model = GPT(config, [5, 6]).requires_grad_(False)
    for name, value in model.named_parameters():
        if ".ln" in f".{name}" or "bias" in name:  # not only ones and zeros
            value += 0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
    if half:  # the parameters only: the tables of rotary positions stay as they are
        for value in model.parameters():
            value.copy_(value.half().float())
    view = ComposerExplorer(
        weights_of(model, 1),
        tables(),
        heads=config.heads,
        norm=config.norm,
        rotary=config.positions == "rotary",
        word_length=K,
    )
    assert len(view.weights) == 4 * model.parameters_per_member
    if half:
        view.weights = np.frombuffer(view.weights, "<f4").astype("<f2").tobytes()
        view.half = True
    tokens = torch.randint(VOCABULARY, (LENGTH,), generator=torch.Generator().manual_seed(9))
    names = [f"blocks.{b}.attn.hook_pattern" for b in range(config.depth)]
    with record(model, names) as seen:
        expected = model(tokens.expand(2, 1, -1))[1, 0].numpy()
    with shown(view) as (page, wrong):
        found = page.evaluate(
            """(tokens) => { const sequence = explorer.gptOf(model).sequence();
                return tokens.map((t) => { const { logits, patterns } = sequence.next(t);
                    return { logits: [...logits], patterns }; }); }""",
            tokens.tolist(),
        )
    assert wrong == []
    np.testing.assert_allclose([step["logits"] for step in found], expected, atol=1e-4)
    for b, name in enumerate(names):
        for t, step in enumerate(found):
            rows = np.array(step["patterns"][b])
            np.testing.assert_allclose(rows, seen[name][1, 0, :, t, : t + 1].numpy(), atol=1e-5)


def test_erf(module_of: Callable[[Explorer], Run]) -> None:
    model = GPT(GPTConfig(VOCABULARY, LENGTH, 16, 1, 1), [0])
    view = ComposerExplorer(weights_of(model), tables(), heads=1, rotary=True, word_length=K)
    x = np.linspace(-5, 5, 201)
    found = module_of(view)("x.map($.erf)", x=x.tolist())
    np.testing.assert_allclose(found, torch.erf(torch.tensor(x)).numpy(), atol=2e-7)


def test_large_networks_travel_as_half_precision(shown: Show) -> None:
    """48 tokens, two layers of width 64: 100 thousand weights."""
    vocabulary = 10 + 5 * 5 + 3
    model = GPT(GPTConfig(vocabulary, 48, 64, 2, 2, positions="learned"), [0]).requires_grad_(False)
    view = ComposerExplorer(weights_of(model), tables(5, 5, 10), heads=2)
    assert view.half
    assert view.data_bytes < 220_000
    small = ComposerExplorer(
        weights_of(GPT(GPTConfig(vocabulary, 48, 32, 2, 2, positions="learned"), [0])),
        tables(5, 5, 10),
        heads=2,
    )
    assert not small.half
    for each in (view, small):
        with shown(each) as (page, wrong):
            assert "NaN" not in page.evaluate("drawn()")
        assert wrong == []
