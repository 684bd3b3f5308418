"""Task, subsets and counts of the composition study, against brute force and enumeration."""

import itertools
import math

import numpy as np
import pytest
import torch

from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.task.documents import (
    Functions,
    Layout,
    compose,
    count_distinct,
    documents,
    function_keys,
    in_order_compositions,
    same_function,
)
from synthcore.studies.compositional_capabilities.task.subsets import (
    Condition,
    base_compositions,
    draw_cell,
    draw_displaced,
    draw_in_order,
)

SMALL = Layout(positions=3, functions=2, alphabet=5, word=4)
PAPER = Layout(positions=5, functions=4, alphabet=10, word=6)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def everything(layout: Layout) -> torch.Tensor:
    """All of C: the identity once, every other function of every position, at every slot."""
    own = [(d, i) for d in range(layout.positions) for i in range(1, layout.choices)]
    rows = []
    for choice in itertools.product([None, *own], repeat=layout.positions):
        rows.append([(s, 0) if pair is None else pair for s, pair in enumerate(choice)])
    return torch.tensor(rows)


def brute_force(functions: Functions, word: list[int], comp: list[list[int]]) -> list[list[int]]:
    chain = []
    for d, i in comp:
        sigma, pi = functions.tables[d, i].tolist(), functions.places[d, i].tolist()
        word = [sigma[word[pi[k]]] for k in range(len(word))]
        chain.append(word)
    return chain


@pytest.mark.parametrize("kinds", [None, ("permutation", "bijection", "permutation")])
def test_chains_equal_brute_force(kinds: tuple[str, ...] | None) -> None:
    functions = Functions.draw(SMALL, generator(), kinds)  # type: ignore[arg-type]
    comps = everything(SMALL)[::3]
    words = torch.randint(5, (len(comps), 4), generator=generator(1))
    found = compose(functions, words, comps)
    for word, comp, chain in zip(words.tolist(), comps.tolist(), found.tolist(), strict=True):
        assert chain == brute_force(functions, word, comp)


def test_keys_say_what_a_composition_does() -> None:
    """One word with all symbols at every place determines (sigma, pi): y = sigma[x[pi]]."""
    functions = Functions.draw(SMALL, generator(), ("permutation", "bijection", "bijection"))
    comps = everything(SMALL)
    key = function_keys(functions, comps)
    words = torch.randint(5, (len(comps), 4), generator=generator(1))
    answer = key[:, :5].gather(-1, words.gather(-1, key[:, 5:]))
    torch.testing.assert_close(answer, compose(functions, words, comps)[:, -1])


def test_members_have_functions_of_their_own() -> None:
    sets = [Functions.draw(SMALL, generator(seed)) for seed in (0, 1)]
    both = Functions.stack(sets)
    comps = in_order_compositions(SMALL).expand(2, -1, -1, -1)
    words = torch.randint(5, (2, comps.shape[1], 4), generator=generator(2))
    found = documents(SMALL, both, words, comps, "step")
    for m, one in enumerate(sets):
        torch.testing.assert_close(found[m], documents(SMALL, one, words[m], comps[m], "step"))
        torch.testing.assert_close(both.member(m).tables, one.tables)


def test_documents_have_everything_in_its_place() -> None:
    functions = Functions.draw(PAPER, generator())
    comps, words = in_order_compositions(PAPER)[-3:-2], torch.tensor([[1, 2, 3, 4, 5, 6]])
    line = documents(PAPER, functions, words, comps, "step")[0]
    assert len(line) == PAPER.document_length("step") == 48
    assert PAPER.document_length("direct") == 20
    assert PAPER.vocabulary == 38
    assert PAPER.prompt_length == 14
    assert line[0] == PAPER.begin
    gaps = torch.nonzero(line == PAPER.separator)[:, 0].tolist()
    assert gaps == [6, 13, 20, 27, 34, 41]
    chain = compose(functions, words, comps)[0]
    assert line[PAPER.answer_places("step")].tolist() == chain.tolist()
    assert line[PAPER.slot(2)] == PAPER.task_tokens(comps)[0, 1]
    for block in range(2, 6):
        place = PAPER.start(block)
        assert line[PAPER.source(place)] == chain[block - 2, 0]
    direct = documents(PAPER, functions, words, comps, "direct")[0]
    assert direct[:14].tolist() == line[:14].tolist()
    assert direct[PAPER.answer_places("direct")].tolist() == [chain[-1].tolist()]


def test_functions_differ_and_families_commute() -> None:
    layout = Layout(2, 23, 8, 4)  # all 24 orders of four places
    functions = Functions.draw(layout, generator(), ("permutation", "bijection"))
    assert len(functions.places[0].unique(dim=0)) == 24
    assert len(functions.tables[1].unique(dim=0)) == 24
    assert functions.places[0, 0].tolist() == [0, 1, 2, 3]
    words = torch.randint(8, (50, 4), generator=generator(1))
    first = torch.tensor([[0, 7], [1, 9]]).expand(50, 2, 2)
    torch.testing.assert_close(
        compose(functions, words, first)[:, -1], compose(functions, words, first.flip(1))[:, -1]
    )
    inside = Functions.draw(layout, generator())
    forwards, backwards = (compose(inside, words, c)[:, -1] for c in (first, first.flip(1)))
    assert bool((forwards != backwards).any())  # within a family the order matters


def test_repeated_functions_collapse() -> None:
    layout = Layout(4, 3, 12, 4)
    functions = Functions.draw(layout, generator(), repeat=True)
    assert (functions.tables == functions.tables[:1]).all()
    assert (
        count_distinct(functions, in_order_compositions(layout))
        <= theory.repeat_size(layout)
        == 121
    )
    assert (
        count_distinct(functions, in_order_compositions(layout)) >= 119
    )  # products seldom coincide


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((1, 2, 5, 4), "depth must be at least 2"),
        ((3, 2, 1, 4), "alphabet must have at least 2 symbols"),
        ((3, 0, 5, 4), "functions must be at least 1"),
    ],
)
def test_impossible_layouts_are_refused(sizes: tuple[int, int, int, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Layout(*sizes)


def test_impossible_functions_are_refused() -> None:
    with pytest.raises(ValueError, match="more than the 2 that 2 elements have"):
        Functions.draw(Layout(2, 2, 2, 4), generator())
    with pytest.raises(ValueError, match="must name 3 positions"):
        Functions.draw(SMALL, generator(), ("bijection",))
    mixed = ("permutation", "bijection", "bijection")
    with pytest.raises(ValueError, match="cannot repeat"):
        Functions.draw(SMALL, generator(), mixed, repeat=True)


# --- sets and subsets ---------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [SMALL, Layout(2, 3, 4, 2), Layout(4, 1, 3, 2)])
def test_cells_are_counted_as_enumeration_finds_them(layout: Layout) -> None:
    every = everything(layout)
    assert len(every) == theory.out_of_order_size(layout)
    k, m = theory.count_functions(every)
    for cell in theory.cells(layout):
        assert int(((k == cell[0]) & (m == cell[1])).sum()) == theory.cell_size(layout, *cell)
    assert int((m == 0).sum()) == theory.in_order_size(layout) == len(in_order_compositions(layout))


def test_sizes_of_the_paper() -> None:
    assert theory.in_order_size(PAPER) == 3125
    assert theory.out_of_order_size(PAPER) == 4_084_101
    assert theory.repeat_size(PAPER) == 1365
    assert len(base_compositions(PAPER)) == 21
    five = sum(theory.cell_size(PAPER, 5, m) for m in range(6))
    assert five / theory.out_of_order_size(PAPER) == pytest.approx(0.78, abs=0.01)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("random 7", 7),
        ("base", 7),
        ("base 4", 11),
        ("random_biased 5 1", 5),
        ("random_combo 6", 7),
        ("base_combo 6", 13),
        ("randombase_combo 3 6", 16),
        ("base_combo 6, code", 13),
    ],
)
def test_subsets_hold_what_they_say(text: str, size: int) -> None:
    condition = Condition.parse(text)
    found = condition.draw(SMALL, generator())
    assert len(found) == len(found.unique(dim=0)) == condition.size(SMALL) == size
    k, m = theory.count_functions(found)
    if condition.kind in ("random", "base", "random_biased"):
        assert (m == 0).all()
    if condition.kind == "random_biased":
        assert (k == 2).all()
    far = found[(found[..., 0] != torch.arange(3)).any(-1)]
    assert (far[..., 0] != torch.arange(3)).all()  # displaced throughout or not at all
    assert (far[..., 1] > 0).all() or condition.as_released


def test_the_codes_index_range() -> None:
    """It includes the identity and never shows the last function elsewhere."""
    ours, codes = (
        draw_displaced(PAPER, 300, generator(), as_released) for as_released in (False, True)
    )
    assert sorted(ours[..., 1].unique().tolist()) == [1, 2, 3, 4]
    assert sorted(codes[..., 1].unique().tolist()) == [0, 1, 2, 3]


def test_cell_samples_and_the_codes_labels() -> None:
    for k, m in theory.cells(SMALL):
        found = draw_cell(SMALL, k, m, 10_000, generator())
        assert len(found) == len(found.unique(dim=0)) == theory.cell_size(SMALL, k, m)
        assert [set(v.tolist()) for v in theory.count_functions(found)] == [{k}, {m}]
    two = Layout(2, 3, 5, 4)
    k, m = theory.count_functions(draw_cell(two, 1, 1, 500, generator(), as_released=True))
    assert set(k.tolist()) == {1, 2}  # "one identity, one displaced" holds some without identity
    assert (k == 2).double().mean() == pytest.approx(0.5, abs=0.08)
    assert (m == 1).all()


def test_impossible_subsets_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot draw 28 of the 27 in-order"):
        draw_in_order(SMALL, 28, generator())
    with pytest.raises(ValueError, match="cannot draw 65 of the 64 all-displaced"):
        draw_displaced(SMALL, 65, generator())
    with pytest.raises(ValueError, match="needs 0 <= m <= k"):
        draw_cell(SMALL, 1, 2, 1, generator())
    for text in ("rendom 5", "random", "base 1 2", "random five", "random 5, all"):
        with pytest.raises(ValueError, match=text.split(",")[0]):
            Condition.parse(text)


def test_unseen_is_decided_on_the_function() -> None:
    layout = Layout(3, 2, 6, 3)
    functions = Functions.draw(layout, generator(), repeat=True)
    every = in_order_compositions(layout)
    trained = torch.tensor([[[0, 1], [1, 0], [2, 0]]])
    seen = same_function(functions, every, trained)
    once = torch.tensor([[[0, 1], [1, 0], [2, 0]], [[0, 0], [1, 1], [2, 0]]])
    for comp in once:
        assert bool(seen[(every == comp).all((-1, -2))])
    assert int(seen.sum()) == 3  # at any of three positions


# --- theory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 9])
def test_ceiling_against_sampling(n: int) -> None:
    every = in_order_compositions(SMALL)
    shares, unseen, all_there = [], [], []
    for seed in range(1500):
        trained = draw_in_order(SMALL, n, generator(seed))
        known = theory.is_identifiable(every, trained)
        shares.append(float(known.double().mean()))
        unseen.append((float(known.sum()) - n) / (len(every) - n))
        all_there.append(bool(known.all()))
    assert np.mean(shares) == pytest.approx(theory.identifiable_share(SMALL, n), abs=0.015)
    assert np.mean(unseen) == pytest.approx(theory.identifiable_share(SMALL, n, True), abs=0.015)
    assert np.mean(all_there) == pytest.approx(theory.all_seen(SMALL, n), abs=0.04)


def test_ceiling_of_the_paper() -> None:
    known = {5: 0.1376, 10: 0.5678, 15: 0.8373, 20: 0.9445, 25: 0.9817, 31: 0.9952, 50: 0.9999}
    for n, share in known.items():
        assert theory.identifiable_share(PAPER, n) == pytest.approx(share, abs=6e-5)
    assert theory.all_seen(PAPER, 10) == pytest.approx(0.039, abs=5e-4)
    assert theory.all_seen(PAPER, 50) == pytest.approx(0.9997, abs=5e-5)
    with pytest.raises(ValueError, match="between 1 and 3125"):
        theory.identifiable_share(PAPER, 3126)


def test_memoriser_line_by_sampling() -> None:
    rows = torch.stack([torch.randperm(10, generator=generator(s)) for s in range(4000)])
    agree = float((rows[::2] == rows[1::2]).double().mean())
    assert agree == pytest.approx(theory.memoriser_accuracy(PAPER), abs=0.005)


def test_loss_floors() -> None:
    nats = math.log(50) + 6 * math.log(10)
    assert theory.loss_floor(PAPER, 50, "step") == pytest.approx(nats / 47)
    assert theory.loss_floor(PAPER, 50, "step", prompt=False) == 0
