"""Editing a `torch.nn.Linear`: constraints, the editors of populations as oracle, bad requests."""

import copy
from dataclasses import replace
from typing import Any

import jaxtyping
import pytest
import torch
from editing_cases import COVARIANCES, MODEL, E, M, T, facts, random_tokens, written
from torch import Tensor, nn

from synthcore.editing import METHODS, Update, compute_keys, covariance, edit_linear, search
from synthcore.nn.convert import from_population

K, D, N = 10, 4, 60


def memory(seed: int = 0, bias: bool = True) -> tuple[nn.Linear, Tensor, Tensor]:
    """A layer in float64, keys that it knows, and two new values."""
    random = torch.Generator().manual_seed(seed)
    layer = nn.Linear(K, D, bias=bias).double()
    root = torch.randn(K, K, generator=random, dtype=torch.float64)
    keys = torch.randn(N, K, generator=random, dtype=torch.float64) @ root
    return layer, keys, torch.randn(2, D, generator=random, dtype=torch.float64)


@pytest.mark.parametrize("bias", [True, False])
def test_rome_gives_the_value_exactly_and_others_as_little_as_can_be(bias: bool) -> None:
    layer, keys, value = memory(bias=bias)
    before = copy.deepcopy(layer.state_dict())
    edited = edit_linear(layer, keys[:1], value[:1], covariance=covariance(keys))
    torch.testing.assert_close(edited(keys[:1]), value[:1], rtol=1e-10, atol=1e-10)
    assert all(torch.equal(before[name], layer.state_dict()[name]) for name in before)
    # of all matrices that do: the sum of squares of what else changes is least
    change = edited.weight - layer.weight
    least = (keys @ change.T).square().sum()
    for seed in range(5):
        other = torch.randn(D, K, generator=torch.Generator().manual_seed(seed)).double()
        other -= (other @ keys[0])[:, None] * keys[0] / keys[0].square().sum()  # 0 at the key
        for size in (1e-3, -1e-3, 0.1):
            assert (keys @ (change + size * other).T).square().sum() > least - 1e-6 * least


def test_rome_writes_at_the_bare_key_what_the_averaged_one_steers() -> None:
    layer, keys, value = memory()
    C, mean = covariance(keys), keys[:5].mean(0, keepdim=True)
    edited = edit_linear(layer, keys[:1], value[:1], covariance=C, mean_key=mean)
    torch.testing.assert_close(edited(keys[:1]), value[:1], rtol=1e-9, atol=1e-9)
    change = edited.weight - layer.weight  # reads C^-1 mean only
    ridge = C + 1e-6 * C.diagonal().mean() * torch.eye(K)
    reads = torch.linalg.solve(ridge, mean[0])
    apart = torch.linalg.matrix_rank(torch.cat([change, reads[None]]), rtol=1e-9)
    assert int(apart) == 1


def test_one_fact_of_memit_is_the_closed_form() -> None:
    layer, keys, value = memory()
    C, weight = covariance(keys), 0.3
    settings = replace(METHODS["memit"], weight=weight / K, ridge=0.0)
    edited = edit_linear(layer, keys[:1], value[:1], "memit", covariance=C, settings=settings)
    k, r = keys[0], value[0] - layer(keys[0])
    expected = torch.outer(r, k) @ torch.linalg.inv(weight * C + torch.outer(k, k))
    torch.testing.assert_close(edited.weight - layer.weight, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("method", ["memit", "pmet", "alphaedit"])
def test_several_facts_are_written_as_nearly_as_wanted(method: str) -> None:
    layer, keys, value = memory()
    settings = replace(METHODS[method], weight=1e-10, null_share=1.0)
    edited = edit_linear(
        layer, keys[:2], value, method, covariance=covariance(keys), settings=settings
    )
    torch.testing.assert_close(edited(keys[:2]), value, rtol=1e-6, atol=1e-6)


def test_alphaedit_leaves_the_preserved_keys_untouched() -> None:
    """Old keys span 6 of 10 dimensions; nothing that they give changes, the new key does."""
    layer, keys, value = memory()
    old = keys @ torch.linalg.qr(keys[:6].T).Q @ torch.linalg.qr(keys[:6].T).Q.T
    settings = replace(METHODS["alphaedit"], null_share=0.4, weight=1e-12)
    C = covariance(old)
    new = keys[10:12]
    edited = edit_linear(layer, new, value, "alphaedit", covariance=C, settings=settings)
    torch.testing.assert_close(edited(old), layer(old), rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(edited(new), value, rtol=1e-6, atol=1e-6)
    third = keys[12:13]
    again = edit_linear(
        edited, third, value[:1], "alphaedit", covariance=C, settings=settings, earlier=new
    )
    torch.testing.assert_close(again(torch.cat([old, new])), edited(torch.cat([old, new])))
    torch.testing.assert_close(again(third), value[:1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_of_a_plain_network_is_edited_as_a_population_is(method: str) -> None:
    """The population's MLP matrix as a `torch.nn.Linear`: the same keys and values, one change."""
    asked, block = facts(), 1
    together = written(method, [block], asked)
    how = METHODS[method].search
    found = search(MODEL, asked, block, how)
    keys = compute_keys(MODEL, asked, block)[:, :, 0]  # (M, E, J, K)
    shown = keys.mean(2) if method == "rome" else (keys[:, :, 0] + keys[:, :, 1:].mean(2)) / 2
    settings = METHODS[method]
    if method == "alphaedit":  # lambda is relative to the median over the edits of a member
        settings = replace(settings, weight=1e-12)
        together = written(method, [block], asked, settings=settings)
    for m in range(M):
        layer = from_population(MODEL, m).blocks[block].down
        for e in range(E):
            own = keys[m, e, :1].float()
            value = layer(own) + found.delta[m, e]
            edited = edit_linear(
                layer,
                own,
                value,
                method,
                covariance=COVARIANCES[block][m],
                mean_key=shown[m, e][None],
                settings=settings,
            )
            expected = together.weight(block)[m, e].T.float()
            torch.testing.assert_close(edited.weight, expected, rtol=1e-3, atol=1e-4)


def test_an_edited_plain_network_answers_as_the_edited_copy_does() -> None:
    asked, block, m, e = facts(), 0, 1, 2
    network, tokens = from_population(MODEL, m), random_tokens(M, E, 5, T, seed=7)
    together = written("rome", [block], asked)
    layer = network.blocks[block].down
    key = compute_keys(MODEL, asked, block)[m, e, 0]  # (J, K)
    delta = search(MODEL, asked, block, METHODS["rome"].search).delta[m, e]
    network.blocks[block].down = edit_linear(
        layer,
        key[:1].float(),
        layer(key[:1].float()) + delta,
        covariance=COVARIANCES[block][m],
        mean_key=key.mean(0, keepdim=True),
    )
    torch.testing.assert_close(network(tokens[m, e]), together(tokens)[m, e], rtol=1e-3, atol=1e-3)
    assert int(network(asked.tokens[m, e, 0, :1])[0, 1].argmax()) == int(asked.target[m, e, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "memet"}, "Unknown method 'memet'. Did you mean 'memit'"),
        ({"key": torch.zeros(1, 3)}, r"key must have shape \(1, 10\) for a layer of 10 inputs"),
        ({"value": torch.zeros(1, 3)}, r"value must have shape \(1, 4\) .* \(got \(1, 3\)\)"),
        ({"covariance": torch.eye(4)}, r"covariance must have shape \(10, 10\)"),
        ({"key": torch.ones(2, K), "value": torch.ones(2, D)}, r"one fact at a time \(got 2\)"),
        ({"covariance": torch.zeros(K, K)}, "the covariance of keys of member 0 is singular"),
        ({"earlier": torch.ones(2, 3)}, r"earlier must have shape \(2, 10\)"),
    ],
)
def test_bad_requests_are_one_sentence(
    change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside tests
    layer, keys, value = memory()
    request = {"key": keys[:1], "value": value[:1], "covariance": covariance(keys)} | change
    with pytest.raises(ValueError, match=message):
        edit_linear(layer, **request)


def test_a_copy_has_the_layers_type_and_an_update_its_size() -> None:
    layer, keys, value = memory()
    half = copy.deepcopy(layer).float()
    edited = edit_linear(half, keys[:1].float(), value[:1].float(), covariance=covariance(keys))
    assert edited.weight.dtype == torch.float32
    assert edited.weight.requires_grad
    left, right = torch.randn(1, 1, K, 2), torch.randn(1, 1, 2, D)
    update = Update(left, right)
    torch.testing.assert_close(update.norm[0, 0], (left[0, 0] @ right[0, 0]).norm())
