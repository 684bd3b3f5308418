"""Keys, their covariance, and the value search against a loop over one fact at a time."""

from dataclasses import fields, replace

import pytest
import torch
from editing_cases import COVARIANCES, MODEL, M, T, facts, random_tokens, single, written
from torch import Tensor

from synthcore.editing import (
    METHODS,
    EditedModel,
    Facts,
    Search,
    Settings,
    Values,
    activation,
    covariance,
    search,
)
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.nn.hooks import replace as patch


def test_keys_have_on_average_as_much_whitened_power_as_dimensions() -> None:
    tokens = random_tokens(M, 400, T, seed=5)
    with record(MODEL, ["blocks.1.mlp.hook_post"]) as seen:
        MODEL(tokens)
    keys = seen["blocks.1.mlp.hook_post"].flatten(1, 2).double()
    expected = keys.transpose(1, 2) @ keys / keys.shape[1]
    torch.testing.assert_close(COVARIANCES[1], expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(covariance(keys), expected, rtol=1e-12, atol=1e-12)
    q = (keys * torch.linalg.solve(expected, keys.transpose(1, 2)).transpose(1, 2)).sum(-1)
    torch.testing.assert_close(q.mean(1), torch.full((M,), 32.0, dtype=torch.float64))


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("relaxed", [False, True])
def test_the_search_lowers_its_loss_as_a_plain_loop_does(layer: int, relaxed: bool) -> None:
    """All facts at once against one fact at a time, with the sum written out."""
    how = replace(METHODS["rome"].search, relaxed=relaxed, kl=1.0 if relaxed else 0.0625)
    asked = facts(edits=2)
    found = search(MODEL, asked, layer, how)
    for m, e in ((0, 0), (1, 1)):
        delta, loss = by_hand(single(m), asked, m, e, layer, how)
        torch.testing.assert_close(found.delta[m, e, 0], delta, rtol=1e-3, atol=1e-3)
        assert float(found.loss[m, e, 0]) == pytest.approx(loss, rel=1e-3, abs=1e-4)


def by_hand(
    model: GPT, asked: Facts, m: int, e: int, layer: int, how: Search
) -> tuple[Tensor, float]:
    lines, at = asked.tokens[m, e, 0], asked.lookup[m, e, 0].tolist()
    essence = asked.essence[m, e, 0][None, None]
    delta = torch.zeros(8, requires_grad=True)
    adam = torch.optim.Adam([delta], lr=how.rate)

    def run(line: Tensor, place: int) -> Tensor:
        def add(x: Tensor) -> Tensor:
            mask = torch.zeros_like(x)
            mask[0, 0, place] = 1
            return x + mask * delta

        with patch(model, {f"blocks.{layer}.hook_mlp_out": add}):
            return model(line)[0, 0, place].log_softmax(-1)

    with record(model, [f"blocks.{layer}.hook_mlp_out"]) as seen:
        model(lines[0][None, None])
    start = seen[f"blocks.{layer}.hook_mlp_out"][0, 0, at[0]]
    original = run(essence, 0).detach()
    for step in range(how.steps):
        target = int(asked.target[m, e, 0])
        rows = torch.stack([run(x[None, None], p) for x, p in zip(lines, at, strict=True)])
        first = how.relaxed and bool((rows.argmax(-1) == target).all())
        now = run(essence, 0)
        kl = (now.exp() * (now - original)).sum()
        size = delta.norm() if step else torch.zeros(())
        likelihood = (0.1 if first else 1.0) * rows[:, target].mean()
        loss = -likelihood + how.kl * kl + how.decay * size / start.norm() ** 2
        settled = first and step > 0 and float(how.kl * kl.detach()) <= 0.01
        if loss < how.stop or settled or step == how.steps - 1:
            break
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            delta *= (how.clip * start.norm() / delta.norm()).clamp(max=1)
    return delta.detach(), loss.item()


def test_behind_the_block_or_at_the_mlp_the_search_is_the_same_but_for_the_bound() -> None:
    asked = facts()
    free = Search(decay=0.0, clip=1e9)
    at_mlp = search(MODEL, asked, 1, free)
    behind = search(MODEL, asked, 1, replace(free, site="residual"))
    torch.testing.assert_close(at_mlp.delta, behind.delta)
    tight = search(MODEL, asked, 1, replace(free, clip=0.1))
    assert tight.clipped.any()
    assert (tight.delta.norm(dim=-1) <= 0.1001 * tight.start.norm(dim=-1)).all()


def test_what_a_model_cannot_be_asked_is_refused_before_the_search() -> None:
    asked = facts()
    with pytest.raises(ValueError, match=r"layers must be blocks 0\.\.1"):
        search(MODEL, asked, 2, Search())
    with pytest.raises(ValueError, match="targets must be tokens below 12"):
        search(MODEL, replace(asked, target=asked.target - 12), 1, Search())
    with pytest.raises(ValueError, match="at least one key"):
        covariance(torch.zeros(0, 4))


def test_pmet_changes_attention_in_the_search_and_writes_the_mlp_only() -> None:
    asked = facts()
    how = replace(METHODS["pmet"].search, clip=1e9, relaxed=False, kl=0.0, decay=0.0)
    values = search(MODEL, asked, 1, how)
    only = search(MODEL, asked, 1, replace(how, site="mlp_out"))
    assert not torch.allclose(values.delta, only.delta, atol=1e-3)
    bare = facts(contexts=0)
    values = search(MODEL, bare, 1, how)
    edited = written("pmet", [1], bare, settings=Settings(search=how, weight=1e-9))

    def mlp_out(edited: EditedModel | None) -> Tensor:
        updates = None if edited is None else edited.updates
        return activation(MODEL, bare, "blocks.1.hook_mlp_out", updates)[..., 0, :]

    torch.testing.assert_close(values.start, mlp_out(None))  # of the two sites the MLP's
    torch.testing.assert_close(mlp_out(edited), values.start + values.delta, rtol=1e-3, atol=1e-3)
    assert float(values.delta.norm(dim=-1).min()) > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_values_found_in_parts_are_those_found_at_once(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = METHODS[method].search
    whole = search(MODEL, facts(5), 1, how)
    monkeypatch.setattr("synthcore.editing.values.AT_ONCE", 2 * facts(1).tokens.numel())
    parts = search(MODEL, facts(5), 1, how)
    for field in fields(Values):
        torch.testing.assert_close(getattr(parts, field.name), getattr(whole, field.name))
