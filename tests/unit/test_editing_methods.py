"""`edit`: copies against models edited one by one, what is left alone, several facts and blocks,
bad requests, controls."""

from dataclasses import fields, replace
from typing import Any

import jaxtyping
import pytest
import torch
from editing_cases import (
    COVARIANCES,
    MODEL,
    E,
    M,
    T,
    V,
    dense,
    facts,
    random_tokens,
    single,
    written,
)
from torch import Tensor

from synthcore.editing import (
    METHODS,
    EditedModel,
    Facts,
    Search,
    apply_updates,
    compute_keys,
    covariances,
    current_answers,
    edit,
    fine_tune,
    random_directions,
    search,
)
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record
from synthcore.nn.llama import Llama, LlamaConfig

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


def test_alphaedit_leaves_what_the_model_writes_for_preserved_keys() -> None:
    """Keys in the directions of most power give the same outputs before and after."""
    edited = written("alphaedit", [1], facts())
    _, vectors = torch.linalg.eigh(COVARIANCES[1])
    loud = vectors[..., 16:].transpose(1, 2)  # (M, 16, 32)
    spread = loud[:, None].expand(M, E, 16, 32).reshape(M, E, 16, 32)
    added = edited.updates[1](spread.reshape(M, E * 16, 1, 32))
    assert added.abs().max() < 1e-9


def test_a_singular_covariance_is_refused() -> None:
    few = covariances(MODEL, random_tokens(M, 2, T), [1])
    options = replace(METHODS["rome"], ridge=0.0)
    with pytest.raises(ValueError, match=r"member 0 is singular: .* or a ridge above 0"):
        edit(MODEL, facts(), "rome", [1], covariances=few, settings=options)
    edit(MODEL, facts(), "rome", [1], covariances=few)


def test_rome_writes_its_value_at_the_bare_key() -> None:
    asked = facts()
    values = search(MODEL, asked, 1, METHODS["rome"].search)
    edited = written("rome", [1], asked)
    key = compute_keys(MODEL, asked, 1)[..., 0, :]  # (M, E, 1, K)
    bias = MODEL.blocks[1].mlp.down.bias
    assert bias is not None
    now = (key @ edited.weight(1)).squeeze(2) + bias.double()
    wanted = (values.start + values.delta).squeeze(2).double()
    torch.testing.assert_close(now, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["memit", "pmet", "alphaedit"])
def test_several_facts_and_blocks_at_once(method: str) -> None:
    """With almost no ridge the last block gets every fact's value exactly, whatever came before."""
    asked = facts(edits=2, at_once=2, contexts=0)
    options = replace(METHODS[method], weight=1e-9, null_share=1.0)
    edited = written(method, [0, 1], asked, settings=options)
    values = search(MODEL, asked, 1, options.search)
    name = f"blocks.1.hook_{'resid_post' if options.search.site == 'residual' else 'mlp_out'}"
    tokens = asked.tokens.flatten(2, 3)  # (M, E, F, T)
    with apply_updates(MODEL, edited.updates), record(MODEL, [name]) as seen:
        MODEL(tokens.flatten(1, 2))
    now = seen[name].view(M, 2, 2, T, -1)[:, :, :, 1]  # bare prompts end at 1
    torch.testing.assert_close(now, values.start + values.delta, rtol=1e-3, atol=1e-3)


def test_alphaedit_keeps_earlier_edits() -> None:
    first, second = facts(seed=0, contexts=0), facts(seed=20, contexts=0)
    options = replace(METHODS["alphaedit"], null_share=1.0, weight=1e-6)
    keys = compute_keys(MODEL, first, 1)[:, :, :, 0]  # (M, E, 1, K)
    kept = written("alphaedit", [1], second, settings=options, earlier={1: keys})
    free = written("alphaedit", [1], second, settings=options)

    def harm(new: EditedModel) -> Tensor:
        return (keys @ new.updates[1].matrix).norm(dim=-1).mean()

    assert harm(kept) < 0.01 * harm(free)


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
        ({"covariances": {0: COVARIANCES[0]}}, "covariances lack block 1"),
        ({"facts": facts(at_once=2)}, "rome writes one fact to one block"),
        ({"facts": replace(facts(), target=facts().target + V)}, "targets must be tokens below 12"),
        ({"facts": replace(facts(), tokens=facts().tokens - 1)}, r"tokens must lie in 0\.\.11"),
        ({"facts": replace(facts(), lookup=facts().lookup + T)}, r"lookup must lie in 0\.\.5"),
    ],
)
def test_bad_requests_are_one_sentence(change: dict[str, Any], message: str) -> None:
    request = {"facts": facts(), "method": "rome", "layers": [1]}
    request = request | {"covariances": COVARIANCES} | change
    with pytest.raises(ValueError, match=message):
        edit(MODEL, **request)


def test_facts_are_for_as_many_members_as_the_model_has() -> None:
    asked = facts()
    with pytest.raises(ValueError, match="the model has 1 members and the facts are for 2"):
        edit(single(0), asked, "rome", [1], covariances=COVARIANCES)
    with pytest.raises(ValueError, match="lookup 4 and essence 1 must lie in a prompt of 2"):
        Facts.of(random_tokens(M, E, 2), asked.target[..., 0], lookup=4)


def test_facts_have_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside tests
    asked = replace(facts(), read=facts().read[..., :2])
    with pytest.raises(ValueError, match=r"read must have shape \(2, 3, 1, 4\) \(got \(2, 3, 1, 2"):
        written("rome", [1], asked)


def test_a_network_of_attention_only_has_nothing_to_edit() -> None:
    bare = GPT(GPTConfig(V, T, 8, 2, 2, mlp_ratio=0.0), [0, 1])
    with pytest.raises(ValueError, match="have no MLP to edit"):
        covariances(bare, random_tokens(M, 5, T), [0])
    with pytest.raises(ValueError, match=r"layers must be blocks 0\.\.1 \(got \[2\]\)"):
        covariances(bare, random_tokens(M, 5, T), [2])
    with pytest.raises(ValueError, match="at least one token"):
        covariances(MODEL, random_tokens(M, 0, T), [0])


@pytest.mark.parametrize("method", METHODS)
def test_members_and_edits_are_independent(method: str) -> None:
    """An edit of one member alone changes it as among all others (AlphaEdit with a lambda of almost
    nothing: it is in units of the median over the edits of a member)."""
    how = METHODS[method]
    how = replace(how, weight=1e-12) if method == "alphaedit" else how
    asked = facts()
    among = written(method, [0] if method == "rome" else [0, 1], asked, settings=how)
    m, e = 1, 2
    alone = Facts(*(getattr(asked, f.name)[m : m + 1, e : e + 1] for f in fields(asked)))
    own = {layer: C[m : m + 1] for layer, C in COVARIANCES.items()}
    found = edit(single(m), alone, method, list(among.updates), covariances=own, settings=how)
    for layer, update in found.updates.items():
        expected = among.updates[layer].matrix[m, e]
        torch.testing.assert_close(update.matrix[0, 0], expected, rtol=1e-3, atol=1e-4)


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
    C = covariances(model, random_tokens(1, 100, T, seed=2), [1])
    edited = edit(model, asked, "rome", [1], covariances=C)
    assert edited.report is not None
    assert edited.report.failed == []
    answer = edited(prompt[:, :, None])[:, :, 0, -1].argmax(-1)
    assert torch.equal(answer, target[..., 0])
