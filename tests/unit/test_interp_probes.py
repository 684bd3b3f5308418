"""Probes on codes that were planted, on shuffled labels, and on networks that never learned."""

import pytest
import torch
from torch import Tensor

from synthcore.interp import probes
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record


def planted(strength: float, members: int = 2, size: int = 1200) -> tuple[Tensor, Tensor]:
    """Noise of width 6, and four classes along one direction each."""
    draw = torch.Generator().manual_seed(1)
    labels = torch.randint(4, (size,), generator=draw)
    code = torch.randn(members, 4, 6, generator=draw)
    noise = torch.randn(members, size, 6, generator=draw)
    return noise + strength * code[:, labels], labels


def test_a_planted_linear_code_is_recovered_and_shuffled_labels_are_at_chance() -> None:
    x, labels = planted(8.0)
    found = probes.probe(x[None], labels, 4, [0, 1], untrained=planted(0.0)[0][None])
    assert float(found.accuracy.min()) > 0.99
    error = (0.25 * 0.75 / 300) ** 0.5
    assert found.untrained is not None
    for control in (found.shuffled, found.untrained):
        assert float((control - 0.25).abs().max()) < 4 * error
    torch.testing.assert_close(found.selectivity, found.accuracy - found.shuffled)
    assert probes.probe(x[None], labels, 4, [0, 1]).untrained is None


def test_the_probe_is_the_best_linear_one_for_gaussians() -> None:
    """Two classes a distance d apart: the share of right answers is Phi(d / 2)."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (1, 40_000), generator=draw)
    x = torch.randn(1, 40_000, 3, generator=draw)
    x[..., 1] += 2.0 * labels
    fitted = probes.fit_probe(x[:, :20_000], labels[:, :20_000], 2)
    exact = float(torch.special.ndtr(torch.tensor(1.0)))
    found = float(fitted.accuracy(x[:, 20_000:], labels[:, 20_000:]))
    assert found == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 20_000) ** 0.5)


def test_discriminants_find_middle_classes_of_a_line() -> None:
    """Where regression on one-hot codes hides them."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(6, (1, 900), generator=draw)
    x = torch.randn(1, 900, 5, generator=draw) * 0.1
    x[..., 2] += labels
    fitted = probes.fit_probe(x[:, :600], labels[:, :600], 7)  # class 6 never occurs
    assert float(fitted.accuracy(x[:, 600:], labels[:, 600:])) > 0.97
    code = torch.nn.functional.one_hot(labels[0, :600], 6).double()
    ones = torch.cat([x[0, :600].double(), torch.ones(600, 1)], 1)
    beta = torch.linalg.lstsq(ones, code).solution
    guess = (torch.cat([x[0, 600:].double(), torch.ones(300, 1)], 1) @ beta).argmax(1)
    assert float((guess == labels[0, 600:]).double().mean()) < 0.7


def test_a_member_is_probed_by_itself() -> None:
    x, labels = planted(2.0)
    both = probes.fit_probe(x, labels.expand(2, -1), 4)
    alone = probes.fit_probe(x[1:], labels[None], 4)
    torch.testing.assert_close(both.weight[1:], alone.weight)
    torch.testing.assert_close(both.bias[1:], alone.bias)


def test_activations_are_those_of_one_pass_and_untrained_copies_begin_alike() -> None:
    config = GPTConfig(vocabulary=5, context=6, width=8, depth=2, heads=2)
    model = GPT(config, [0, 1])
    tokens = torch.randint(5, (2, 7, 6), generator=torch.Generator().manual_seed(0))
    sites = probes.stream_sites(model)
    assert sites == [f"blocks.{s}" for s in ("0.hook_resid_pre", "0.hook_resid_post")] + [
        "blocks.1.hook_resid_post"
    ]
    x = probes.read_activations(model, tokens, sites, position=2, chunk=3)
    with record(model, sites) as seen:
        model(tokens)
    torch.testing.assert_close(x, torch.stack([seen[s][:, :, 2] for s in sites]))
    fresh = probes.untrained_copy(model)
    for mine, theirs in zip(fresh.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine is not theirs
    assert probes.untrained_copy(model.double(), [7]).embed.weight.dtype == torch.float64
    with pytest.raises(ValueError, match="Unknown activation"):
        probes.read_activations(model, tokens, ["nowhere"])
