"""The editors: constraints, optimality by brute force, limits, what is left alone, bad requests."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from synthcore.editing import (
    METHODS,
    EditedModel,
    Facts,
    Search,
    edit,
    fine_tune,
    random_directions,
    second_moments,
)
from synthcore.editing.keys import keys_of
from synthcore.editing.methods import current_answers
from synthcore.editing.values import search
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record
from synthcore.nn.llama import Llama, LlamaConfig

V, T, M, E, J = 12, 6, 2, 3, 4
MODEL = GPT(
    GPTConfig(V, T, 8, 2, 2, positions="learned", tied=False, initial_std=0.6), [0, 1]
).requires_grad_(False)


def random_tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


def facts(edits: int = E, at_once: int = 1, contexts: int = J - 1, seed: int = 0) -> Facts:
    """Random prompts of two tokens, behind 0 to 3 more, with targets that are news."""
    F = at_once
    prompt = random_tokens(M, edits, F, 2, seed=seed)
    tokens = random_tokens(M, edits, F, 1 + contexts, T, seed=seed + 1)
    end = torch.empty(M, edits, F, 1 + contexts, dtype=torch.long)
    for j in range(1 + contexts):
        before = min(j, T - 2)
        tokens[..., j, before : before + 2] = prompt
        end[..., j] = before + 1
    essence = tokens[..., 0, :]
    one = torch.zeros(M, edits, F, dtype=torch.long)
    asked = Facts(tokens, end, end, one, essence, one)
    worst = current_answers(MODEL, asked).argsort(-1)[..., V // 2]
    return replace(asked, target=worst)


MOMENTS = second_moments(MODEL, random_tokens(M, 400, T, seed=5), [0, 1])


def written(method: str, layers: list[int], asked: Facts, **options: Any) -> EditedModel:
    return edit(MODEL, asked, method, layers, moments=MOMENTS, **options)


def dense(edited: EditedModel, member: int, number: int) -> GPT:
    """An ordinary model with the edited matrices, as the reference."""
    copy = GPT(MODEL.config, [0])
    copy.load_state_dict({n: v[member : member + 1] for n, v in MODEL.state_dict().items()})
    for layer in edited.updates:
        weight = edited.weight(layer)[member, number]
        copy.blocks[layer].mlp.down.weight.data = weight[None].float()
    return copy.requires_grad_(False)


# --- the edited model ----------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [[0], [1], [0, 1]])
def test_one_pass_over_all_edits_is_that_of_models_edited_one_by_one(layers: list[int]) -> None:
    edited = written("memit", layers, facts())
    own, shared = random_tokens(M, E, 5, T, seed=7), random_tokens(M, 5, T, seed=8)
    at = torch.randint(T, (M, 5), generator=torch.Generator().manual_seed(9))
    logits, answers = edited(own), edited.answers(shared, at)
    last = max(layers)
    states = edited.states(shared, at, last)
    for m in range(M):
        for e in range(E):
            one = dense(edited, m, e)
            torch.testing.assert_close(logits[m, e], one(own[m, e][None])[0], rtol=1e-4, atol=1e-4)
            with record(one, [f"blocks.{last}.hook_resid_post"]) as seen:
                whole = one(shared[m][None])[0]
            for b in range(5):
                place = int(at[m, b])
                torch.testing.assert_close(answers[m, e, b], whole[b, place], rtol=1e-4, atol=1e-4)
                stream = seen[f"blocks.{last}.hook_resid_post"][0, b, place]
                torch.testing.assert_close(states[m, e, b], stream, rtol=1e-4, atol=1e-4)


def test_the_model_itself_is_left_bit_for_bit() -> None:
    before = {name: value.clone() for name, value in MODEL.state_dict().items()}
    tokens = random_tokens(M, 4, T)
    logits = MODEL(tokens)
    asked = facts()
    for method in METHODS:
        edited = written(method, [1], asked)
        edited(random_tokens(M, E, 2, T))
        edited.answers(tokens, torch.zeros(M, 4, dtype=torch.long))
    fine_tune(MODEL, asked, 1, steps=3)
    assert all(torch.equal(before[name], value) for name, value in MODEL.state_dict().items())
    assert torch.equal(MODEL(tokens), logits)
    assert not any(module._forward_hooks for module in MODEL.modules())


def test_edits_can_be_picked_scaled_and_taken_in_parts() -> None:
    edited = written("rome", [1], facts())
    tokens, at = random_tokens(M, 4, T), torch.full((M, 4), T - 1)
    whole = edited.answers(tokens, at)
    parts = torch.cat([part.answers(tokens, at) for part in edited.chunks(2)], 1)
    torch.testing.assert_close(parts, whole)
    nothing = edited.scaled(0.0).answers(tokens, at)
    torch.testing.assert_close(nothing, MODEL(tokens)[:, None, :, -1].expand_as(nothing))
    twice = edited.scaled(torch.full((M, E), 2.0))
    torch.testing.assert_close(twice.norm, 2 * edited.norm)
    assert edited.pick([0, 2]).report is not None
    with pytest.raises(ValueError, match="before the first written block"):
        edited.states(tokens, at, 0)


# --- edit ----------------------------------------------------------------------------------------


def test_keys_have_on_average_as_much_whitened_power_as_dimensions() -> None:
    tokens = random_tokens(M, 400, T, seed=5)
    with record(MODEL, ["blocks.1.mlp.hook_post"]) as seen:
        MODEL(tokens)
    keys = seen["blocks.1.mlp.hook_post"].flatten(1, 2).double()
    expected = keys.transpose(1, 2) @ keys / keys.shape[1]
    torch.testing.assert_close(MOMENTS[1], expected, rtol=1e-6, atol=1e-8)
    q = (keys * torch.linalg.solve(expected, keys.transpose(1, 2)).transpose(1, 2)).sum(-1)
    torch.testing.assert_close(q.mean(1), torch.full((M,), 32.0, dtype=torch.float64))


def test_alphaedit_leaves_what_the_model_writes_for_preserved_keys() -> None:
    """Keys in the directions of most power give the same outputs before and after."""
    edited = written("alphaedit", [1], facts())
    _, vectors = torch.linalg.eigh(MOMENTS[1])
    loud = vectors[..., 16:].transpose(1, 2)  # (M, 16, 32)
    spread = loud[:, None].expand(M, E, 16, 32).reshape(M, E, 16, 32)
    added = edited.updates[1](spread.reshape(M, E * 16, 1, 32))
    assert added.abs().max() < 1e-9


def test_a_singular_second_moment_is_refused() -> None:
    few = second_moments(MODEL, random_tokens(M, 2, T), [1])
    options = replace(METHODS["rome"], ridge=0.0)
    with pytest.raises(ValueError, match=r"member 0 is singular: .* or a ridge above 0"):
        edit(MODEL, facts(), "rome", [1], moments=few, settings=options)
    edit(MODEL, facts(), "rome", [1], moments=few)


def test_rome_writes_its_value_at_the_bare_key() -> None:
    asked = facts()
    values = search(MODEL, asked, 1, METHODS["rome"].search)
    edited = written("rome", [1], asked)
    key = keys_of(MODEL, asked, 1)[..., 0, :]  # (M, E, 1, K)
    bias = MODEL.blocks[1].mlp.down.bias
    assert bias is not None
    now = (key @ edited.weight(1)).squeeze(2) + bias.double()
    wanted = (values.start + values.delta).squeeze(2).double()
    torch.testing.assert_close(now, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layers", [[0], [1]])
def test_the_search_lowers_its_loss_as_a_plain_loop_does(layers: list[int]) -> None:
    """All facts at once against one fact at a time, with the sum written out."""
    (layer,) = layers
    how, asked = METHODS["rome"].search, facts(edits=2)
    found = search(MODEL, asked, layer, how)
    for m, e in ((0, 0), (1, 1)):
        model = GPT(MODEL.config, [0])
        model.load_state_dict({n: v[m : m + 1] for n, v in MODEL.state_dict().items()})
        model.requires_grad_(False)
        delta, loss = by_hand(model, asked, m, e, layer, how)
        torch.testing.assert_close(found.delta[m, e, 0], delta, rtol=1e-3, atol=1e-3)
        assert float(found.loss[m, e, 0]) == pytest.approx(loss, rel=1e-3, abs=1e-4)


def by_hand(
    model: GPT, asked: Facts, m: int, e: int, layer: int, how: Search
) -> tuple[Tensor, float]:
    from synthcore.nn.hooks import replace as patch

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
        likelihood = torch.stack([run(x[None, None], p)[target] for x, p in zip(lines, at)])  # noqa: B905
        now = run(essence, 0)
        kl = (now.exp() * (now - original)).sum()
        size = delta.norm() if step else torch.zeros(())
        loss = -likelihood.mean() + how.kl * kl + how.decay * size / start.norm() ** 2
        if loss < how.stop or step == how.steps - 1:
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


def test_pmet_changes_attention_in_the_search_and_writes_the_mlp_only() -> None:
    asked = facts()
    how = replace(METHODS["pmet"].search, clip=1e9, relaxed=False, kl=0.0, decay=0.0)
    values = search(MODEL, asked, 1, how)
    only = search(MODEL, asked, 1, replace(how, site="mlp_out"))
    assert not torch.allclose(values.delta, only.delta, atol=1e-3)
    assert set(written("pmet", [1], asked).updates) == {1}


@pytest.mark.parametrize("method", ["memit", "pmet", "alphaedit"])
def test_several_facts_and_blocks_at_once(method: str) -> None:
    """With almost no ridge the last block gets every fact's value exactly, whatever came before."""
    asked = facts(edits=2, at_once=2, contexts=0)
    options = replace(METHODS[method], weight=1e-9, keep=1.0)
    edited = written(method, [0, 1], asked, settings=options)
    values = search(MODEL, asked, 1, options.search)
    name = f"blocks.1.hook_{'resid_post' if options.search.site == 'residual' else 'mlp_out'}"
    tokens = asked.tokens.flatten(2, 3)  # (M, E, F, T)
    from synthcore.editing.edited import written as inside

    with inside(MODEL, edited.updates), record(MODEL, [name]) as seen:
        MODEL(tokens.flatten(1, 2))
    now = seen[name].view(M, 2, 2, T, -1)[:, :, :, 1]  # bare prompts end at 1
    torch.testing.assert_close(now, values.start + values.delta, rtol=1e-3, atol=1e-3)


def test_alphaedit_keeps_earlier_edits() -> None:
    first, second = facts(seed=0, contexts=0), facts(seed=20, contexts=0)
    options = replace(METHODS["alphaedit"], keep=1.0, weight=1e-6)
    old = written("alphaedit", [1], first, settings=options)
    keys = keys_of(MODEL, first, 1)[:, :, :, 0]  # (M, E, 1, K)
    kept = written("alphaedit", [1], second, settings=options, earlier={1: keys})
    free = written("alphaedit", [1], second, settings=options)

    def harm(new: EditedModel) -> Tensor:
        return (keys @ new.updates[1].matrix).norm(dim=-1).mean()

    assert harm(kept) < 0.01 * harm(free)
    assert old.edits == E


def test_a_failed_edit_is_reported_not_raised() -> None:
    asked = facts()
    timid = replace(METHODS["rome"], search=Search(steps=1))
    edited = written("rome", [1], asked, settings=timid)
    assert edited.report is not None
    assert len(edited.report.failed) == M * E
    bold = written("rome", [1], asked).report
    assert bold is not None
    assert bold.failed == []
    assert (bold.probability > 0.25).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "rom"}, "Unknown method 'rom'. Did you mean 'rome'"),
        ({"layers": [2]}, r"layers must be blocks 0\.\.1"),
        ({"layers": []}, r"layers must be blocks 0\.\.1"),
        ({"layers": [0, 1]}, "rome writes one fact to one block"),
        ({"moments": {0: MOMENTS[0]}}, "moments lack block 1"),
        ({"facts": facts(at_once=2)}, "rome writes one fact to one block"),
        ({"facts": replace(facts(), target=facts().target + V)}, "targets must be tokens below 12"),
    ],
)
def test_bad_requests_are_one_sentence(change: dict[str, Any], message: str) -> None:
    request = {"facts": facts(), "method": "rome", "layers": [1], "moments": MOMENTS} | change
    with pytest.raises(ValueError, match=message):
        edit(MODEL, **request)


def test_a_target_that_is_the_answer_already_is_refused() -> None:
    asked = facts()
    same = replace(asked, target=current_answers(MODEL, asked).argmax(-1))
    with pytest.raises(ValueError, match="is what the model answers already"):
        written("rome", [1], same)
    nothing = written("rome", [1], same, unchanged=True)
    assert (nothing.norm < written("rome", [1], asked).norm).all()


def test_the_last_block_is_edited_where_it_is_read() -> None:
    asked = facts()
    earlier = replace(asked, lookup=torch.zeros_like(asked.lookup))
    with pytest.raises(ValueError, match="must be looked up where it is read"):
        written("rome", [1], earlier)
    assert written("rome", [0], earlier).report is not None


def test_controls() -> None:
    asked = facts()
    edited = written("rome", [1], asked)
    other = random_directions(edited, torch.Generator().manual_seed(0))
    torch.testing.assert_close(other.norm, edited.norm)
    tuned = fine_tune(MODEL, asked, 1, rate=0.05)
    assert tuned.report is not None
    assert tuned.report.failed == []
    before = current_answers(MODEL, asked).softmax(-1).gather(-1, asked.target[..., None])[..., 0]
    assert (tuned.report.probability > before + 0.3).all()


def test_a_llama_is_edited_by_the_same_call() -> None:
    model = Llama(LlamaConfig(V, T, 16, 3, 4, 2, 24)).requires_grad_(False)
    random = torch.Generator().manual_seed(0)
    for name, value in model.named_parameters():
        if ".ln" not in f".{name}":
            value.copy_(0.6 * torch.randn(value.shape, generator=random))
    prompt = random_tokens(1, 2, 4)
    asked = Facts.of(prompt, torch.zeros(1, 2, dtype=torch.long), essence=2)
    target = current_answers(model, asked).argsort(-1)[..., 3]
    asked = replace(asked, target=target)
    moments = second_moments(model, random_tokens(1, 100, T, seed=2), [1])
    edited = edit(model, asked, "rome", [1], moments=moments)
    assert edited.report is not None
    assert edited.report.failed == []
    answer = edited(prompt[:, :, None])[:, :, 0, -1].argmax(-1)
    assert torch.equal(answer, target[..., 0])
