"""The composer: the network in the browser against PyTorch, the true chain, words and controls."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Run, Show

from synthcore.explorers.base import Explorer
from synthcore.explorers.composer import ComposerExplorer
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.theory import construct_one_layer

pytestmark = pytest.mark.browser
L, F, A, K = 3, 3, 5, 3
SEPARATOR, BEGIN, VOCABULARY = A + L * F, A + L * F + 2, A + L * F + 3
LENGTH = 1 + L + (L + 1) * (K + 1)


def tables(positions: int = L, functions: int = F, symbols: int = A) -> np.ndarray:
    rng = np.random.default_rng(3)
    out = np.stack([[rng.permutation(symbols) for _ in range(functions)] for _ in range(positions)])
    out[:, 0] = np.arange(symbols)
    return out


def weights_of(model: GPT, member: int = 0) -> dict[str, np.ndarray]:
    return {name: value[member].numpy() for name, value in model.state_dict().items()}


@cache
def built(swapped: bool = False) -> GPT:
    """The network written by hand; `swapped`: what it knows of B1 is the table of A1."""
    known = tables()
    if swapped:
        known[1, 1] = known[0, 1]
    return construct_one_layer(Layout(L, F - 1, A, K), torch.tensor(known))


def explorer(**arguments: Any) -> ComposerExplorer:
    known = [[[0, 1], [1, 0], [2, 2]], [[0, 2], [1, 2], [2, 0]]]
    defaults = {"heads": 2, "norm": "rms", "word_length": K, "trained": known}
    weights = weights_of(built(arguments.pop("swapped", False)))
    return ComposerExplorer(weights, tables(), **{**defaults, **arguments})


@pytest.fixture(scope="module")
def composer(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


def test_chain_label_and_key(composer: Run) -> None:
    table, rng = tables(), np.random.default_rng(0)
    for _ in range(20):
        composition = np.stack([rng.integers(L, size=L), rng.integers(F, size=L)], -1)
        word = rng.integers(A, size=K)
        expected = [word]
        for d, i in composition:
            expected.append(table[d, i][expected[-1]])
        names = {"t": table.tolist(), "c": composition.tolist(), "w": word.tolist()}
        np.testing.assert_array_equal(composer("$.chain(t, c, w)", **names), expected)
        active = composition[:, 1] > 0
        displaced = active & (composition[:, 0] != np.arange(L))
        assert composer("$.label(c)", **names) == {"k": active.sum(), "m": displaced.sum()}
        whole = np.arange(A)
        for d, i in composition:
            whole = table[d, i][whole]
        assert composer("$.functionKey(t, c)", **names) == ",".join(map(str, whole))
        given = composer("$.explains(t, w, y)", **names, y=expected[1].tolist())
        assert [int(v) for v in composition[0]] in given or composition[0, 1] == 0


def test_places_of_tokens(composer: Run) -> None:
    size = {"L": L, "K": K}
    document = [composer("$.cellOf(size, p)", size=size, p=p) for p in range(LENGTH)]
    where = [(cell["row"], cell["column"]) for cell in document]
    assert len(set(where)) == LENGTH  # every token has a place of its own
    assert where[: L + 1] == [(row, -2) for row in range(L + 1)]
    for b in range(L + 1):
        for j in range(K):
            assert where[composer("$.placeOf(size, b, j)", size=size, b=b, j=j)] == (b, j)


def test_the_network_answers_as_in_pytorch(shown: Show) -> None:
    """Greedy generation in the browser equals greedy generation here, and it is right."""
    model, table = built(), tables()
    composition, word = [[0, 2], [1, 1], [2, 1]], [4, 0, 2]
    with shown(explorer(composition=composition, word=word)) as (page, wrong):
        found = page.evaluate(
            """(() => { const task = explorer.composerTask(model);
                return explorer.composerAnswer(explorer.gptOf(model), task,
                    model.get('composition'), model.get('word')); })()"""
        )
        prompt = [BEGIN, *(A + d * F + i for d, i in composition), SEPARATOR, *word, SEPARATOR]
        tokens = torch.tensor(prompt)[None, None]
        while tokens.shape[2] < LENGTH:
            tokens = torch.cat([tokens, model(tokens)[:, :, -1:].argmax(-1)], 2)
        assert found["tokens"] == tokens[0, 0].tolist()
        truth = [np.array(word)]
        for d, i in composition:
            truth.append(table[d, i][truth[-1]])
        np.testing.assert_array_equal(found["blocks"], truth[1:])
        words = page.locator(".sx-verdict").inner_text()
        assert f"A2 · B1 · C1: all {L} blocks are right, from eac to" in words
        assert "not among the 2 trained" in words
        assert page.locator(".sx-wrong, .sx-carried").count() == 0
    assert wrong == []


def test_attention_shares(composer: Run, shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        look = page.evaluate(
            """(() => { const task = explorer.composerTask(model), n = 5,
                answer = explorer.composerAnswer(explorer.gptOf(model), task,
                    model.get('composition'), model.get('word'));
                const all = explorer.attention(answer.written[n - 1].patterns, 'mean');
                return { all, ...explorer.selection(task, all, n) }; })()"""
        )
        assert (look["b"], look["j"]) == (2, 1)
        assert sum(look["all"]) == pytest.approx(1)
        assert len(look["all"]) == L + 2 + 2 * (K + 1) + 1  # everything before the symbol
        assert look["task"] == look["all"][2]
        assert look["symbol"] == look["all"][L + 2 + (K + 1) + 1]
        assert (look["task"], look["symbol"]) == pytest.approx((0.5, 0.5))
        for head, (task, source) in {"mean": (1, 1), "0.0": (1, 0), "0.1": (0, 1)}.items():
            page.get_by_label("Attention of").select_option(head)
            page.evaluate("settled()")
            arcs = [page.locator(f".sx-arc-{kind}").count() for kind in ("task", "source")]
            assert arcs == [task, source]
            assert page.locator(".sx-arc-other").count() == 0
    assert wrong == []


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_a_wrong_function_is_found_and_named(shown: Show) -> None:
    """This network takes B1 for A1; symbols after an error are right applications to wrong ones."""
    with shown(explorer(swapped=True, composition=[[0, 0], [2, 1], [2, 2]])) as (page, wrong):
        assert "all 3 blocks are right" in page.locator(".sx-verdict").inner_text()
        page.get_by_label("Function 1").select_option("1.1")
        words = page.evaluate("drawn()").split("|")[-1]
        assert page.evaluate("model.get('composition')")[0] == [1, 1]
        assert "the first error is in block 1, symbol" in words
        assert "It applied A1 instead" in words
        assert "(2 of its parts are displaced)" in words
        table, word = tables(), np.array(page.evaluate("model.get('word')"))
        expected = (table[1, 1][word] != table[0, 1][word]).sum()
        assert page.locator(".sx-cell.sx-wrong").count() == expected
        assert page.locator(".sx-cell.sx-carried").count() == 2 * expected
    assert wrong == []


def test_words_are_typed_and_checked(shown: Show) -> None:
    with shown(explorer(), "phone") as (page, wrong):
        field = page.get_by_label("Word", exact=True)
        field.fill("ab")
        assert "3 symbols" in page.locator(".sx-error").inner_text()
        field.fill("cab")
        assert page.locator(".sx-error").inner_text() == ""
        assert page.evaluate("model.get('word')") == [2, 0, 1]
        page.evaluate("settled()")
        written = page.locator("text.sx-symbol").all_text_contents()
        assert written[:K] == ["c", "a", "b"]
    assert wrong == []


def test_writing_can_be_watched_and_a_symbol_chosen(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        assert page.locator(".sx-future").count() == 0
        page.get_by_role("button", name="Write").click()
        page.evaluate("settled()")
        assert page.locator(".sx-future").count() > 0
        page.get_by_role("button", name="Write").wait_for()  # it stops by itself
        assert page.locator(".sx-future").count() == 0
        page.locator("[data-place='4']").click()
        page.evaluate("settled()")
        assert page.evaluate("model.get('shown')") == 4
        assert page.locator(".sx-future").count() == L * K - 4
        assert "Writing symbol 1 of block 2" in page.locator(".sx-verdict").inner_text()
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "divisible by heads"),
        ({"tables": tables()[:, :, ::-1]}, r"tables\[:, 0\] must be the identity"),
        ({"tables": np.zeros((3, 3))}, r"tables must have shape \(L, F, A\)"),
        ({"tables": np.stack([np.tile(np.arange(A), (F, 1))] * 2)}, "token|composition|trained"),
        ({"word": [0, 1]}, "word must be 3 symbols below 5"),
        ({"word_length": 9}, r"more than the model's context"),
        ({"composition": [[0, 1]]}, r"composition must have shape"),
        ({"composition": [[0, 1], [1, 1], [3, 1]]}, r"pairs \(d, i\) with d < 3"),
        ({"symbols": "aabcd"}, "5 distinct characters"),
        ({"separator": 99}, "below the vocabulary"),
        ({"task_tokens": [[1]]}, r"task_tokens must have shape \(3, 3\)"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments = {
        "weights": weights_of(built()),
        "tables": tables(),
        "heads": 2,
        "word_length": K,
    }
    if change.get("tables") is not None and np.shape(change["tables"]) == (2, F, A):
        arguments["trained"] = [[[0, 1], [1, 1], [2, 1]]]
    with pytest.raises(ValueError, match=message):
        ComposerExplorer(**{**arguments, **change})


def test_wrong_weights_are_named() -> None:
    weights = weights_of(built())
    with pytest.raises(ValueError, match=r"must hold 'embed.weight'"):
        ComposerExplorer({}, tables(), heads=2)
    lacking = {name: value for name, value in weights.items() if name != "blocks.0.mlp.down.weight"}
    with pytest.raises(ValueError, match=r"lack \['blocks.0.mlp.down.weight'\]"):
        ComposerExplorer(lacking, tables(), heads=2, norm="rms", word_length=K)
    turned = {**weights, "blocks.0.attn.out.weight": np.zeros((88, 87))}
    with pytest.raises(ValueError, match=r"attn.out.weight of one member must have shape"):
        ComposerExplorer(turned, tables(), heads=2, norm="rms", word_length=K)
    one = GPT(GPTConfig(VOCABULARY, LENGTH, 32, 1, 2, positions="learned"), [0])
    with pytest.raises(ValueError, match=r"hold unknown .*ln_final.bias"):
        ComposerExplorer(weights_of(one), tables(), heads=2, norm="rms", word_length=K)
    members = {name: value.numpy() for name, value in one.state_dict().items()}
    assert ComposerExplorer(members, tables(), heads=2, word_length=K).word == [1, 4, 2]
