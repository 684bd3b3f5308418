"""Sampling with a cache draws what sampling without one would."""

import pytest
import torch

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training.generate import generate

PROMPT = torch.randint(6, (2, 5, 3), generator=torch.Generator().manual_seed(0))


def model_with(positions: str) -> GPT:
    model = GPT(GPTConfig(6, 12, 16, 2, 2, positions=positions), [0, 1])  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():  # predictions far from uniform
            parameter.mul_(8.0)
    return model


@pytest.mark.parametrize("positions", ["rotary", "learned", "none"])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_cache_changes_nothing(positions: str, temperature: float) -> None:
    model = model_with(positions)
    out = generate(
        model, PROMPT, 9, temperature=temperature, generator=torch.Generator().manual_seed(1)
    )
    generator, slow = torch.Generator().manual_seed(1), PROMPT
    for _ in range(9):
        logits = model(slow)[:, :, -1]
        if temperature == 0:
            token = logits.argmax(-1)
        else:
            p = (logits / temperature).softmax(-1).flatten(0, 1)
            token = torch.multinomial(p, 1, generator=generator).view(2, 5)
        slow = torch.cat([slow, token[:, :, None]], 2)
    assert torch.equal(out, slow)


def test_frequencies_follow_the_models_probabilities() -> None:
    model = model_with("rotary")
    prompt = PROMPT[:, :1].expand(2, 20_000, 3)
    drawn = generate(model, prompt, 1, generator=torch.Generator().manual_seed(2))[:, :, -1]
    expected = model(PROMPT[:, :1])[:, 0, -1].softmax(-1)
    observed = torch.stack([(drawn == token).double().mean(1) for token in range(6)], 1)
    error = (expected * (1 - expected) / 20_000).sqrt()
    assert ((observed - expected).abs() < 5 * error + 1e-9).all()


def test_bad_requests_are_refused() -> None:
    model = model_with("none")
    with pytest.raises(ValueError, match=r"prompt 3 \+ new 10 tokens exceed the context of 12"):
        generate(model, PROMPT, 10)
    with pytest.raises(ValueError, match="at least one token"):
        generate(model, PROMPT[:, :, :0], 2)
    with pytest.raises(ValueError, match="temperature must be at least 0"):
        generate(model, PROMPT, 2, temperature=-1.0)
