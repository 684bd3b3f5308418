"""Pushes inside the network, patched encoders and embeddings, against arithmetic written out."""

import pytest
import torch
from torch import Tensor

from synthcore.diffusion import Diffusion
from synthcore.nn.conditioned import ConditionedMLP, ConditionedMLPConfig
from synthcore.studies.concept_space import elicitation, embeddings
from synthcore.studies.concept_space.model import denoiser
from synthcore.studies.concept_space.task import RADIUS, RGB, TARGET, World

WORLD = World.of([0.2, 0.6], [0.4, 0.4])


def network() -> Diffusion:
    return denoiser(ConditionedMLP(ConditionedMLPConfig(48, 11, 16, 2), [0, 1]), 2, "image")


def answer(model: Diffusion) -> Tensor:
    z = torch.randn(2, 3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    out: Tensor = model.net(z, torch.full((2, 1), 0.5), WORLD.prompts([TARGET]))
    return out


def test_encoders_are_found_in_every_block() -> None:
    found = elicitation.embedders(network())
    assert list(found) == ["net.blocks.0", "net.blocks.1"]


@torch.no_grad()
def test_a_push_moves_along_blue_and_away_from_large() -> None:
    model = network()
    plain = answer(model)
    with elicitation.pushed(model, 0.0, 0.0):
        torch.testing.assert_close(answer(model), plain)
    # the same, with the embeddings of every member and block written out
    expected = {}
    for name, encode in elicitation.embedders(model).items():
        blue, large = torch.zeros(2, 1, 11), torch.zeros(2, 1, 11)
        blue[..., RGB] = torch.tensor([0.05, 0.05, 0.95])
        large[..., RADIUS] = 0.6
        rows = []
        for m in range(2):
            v, b, w = (encode(p)[m, 0] for p in (WORLD.prompts([TARGET]), blue, large))
            b, w = b / b.norm(), w / w.norm()
            v = v + 2.0 * torch.dot(v, b) * b
            rows.append(v - 0.1 * torch.dot(v, w) * w)
        expected[f"{name}.hook_condition"] = torch.stack(rows)[:, None]
    with elicitation.pushed(model, 2.0):
        found = answer(model)
    changes = {name: lambda _, value=value: value for name, value in expected.items()}
    with elicitation.replace(model, changes):
        torch.testing.assert_close(found, answer(model))
    assert not torch.allclose(found, plain)
    torch.testing.assert_close(answer(model), plain)  # nothing stays behind


@torch.no_grad()
def test_patching_moves_encoders_and_nothing_else() -> None:
    early, late = network(), network()
    for weight in late.parameters():
        weight += 1
    mixed = elicitation.patched(early.state_dict(), late.state_dict())
    moved = {n for n, w in mixed.items() if not torch.equal(w, early.state_dict()[n])}
    assert moved == {n for n in mixed if ".conditioning." in n}
    assert all(torch.equal(mixed[n], late.state_dict()[n]) for n in moved)
    assert list(mixed) == list(early.state_dict())


@torch.no_grad()
def test_a_linear_encoder_adds_concepts() -> None:
    model = network()
    entangled = embeddings.similarities(model, WORLD)["additivity"]
    assert entangled.shape == (2, 2)
    assert float(entangled.min()) > 1e-3
    for encode in elicitation.embedders(model).values():
        # far on the linear side of both activations
        encode.first.bias += 100
        encode.second.bias += 10_000
    added = embeddings.similarities(model, WORLD)["additivity"]
    assert float(added.max()) < 1e-4


@torch.no_grad()
def test_cosines_are_those_of_single_prompts() -> None:
    model = network()
    found = embeddings.similarities(model, WORLD)["cosine"]
    assert found.shape == (2, 2, len(embeddings.PAIRS))
    target, other = WORLD.prompts([TARGET, (0, 0)]).unbind(1)
    blue, red, large = (torch.zeros(2, 1, 11) for _ in range(3))
    blue[:, 0, RGB], red[:, 0, RGB] = target[:, RGB], other[:, RGB]
    large[:, 0, RADIUS] = other[:, RADIUS]
    for block, encode in enumerate(elicitation.embedders(model).values()):
        for column, second in ((0, red), (2, large)):
            one, two = encode(blue)[1, 0], encode(second)[1, 0]
            cosine = float(torch.dot(one, two) / (one.norm() * two.norm()))
            assert float(found[1, block, column]) == pytest.approx(cosine, abs=1e-5)
    assert embeddings.target_embedding(model, WORLD).shape == (2, 32)


@torch.no_grad()
def test_change_is_relative_and_told_apart() -> None:
    before = {name: value.clone() for name, value in network().state_dict().items()}
    after = {
        name: value * (1.5 if elicitation.is_encoder(name) else 1.0)
        for name, value in before.items()
    }
    moved = embeddings.change(before, after)
    torch.testing.assert_close(moved, torch.tensor([[0.5, 0.0], [0.5, 0.0]]))
