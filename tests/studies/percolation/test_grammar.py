"""The formal language: grammar against a parser, skeletons, constraint graphs."""

import re
from itertools import product

import nltk
import numpy as np
import pytest
import torch

from synthcore.studies.percolation.task.grammar import (
    ACCEPT,
    ARROWS,
    GRAMMARS,
    GROUP_OF,
    STATES,
    Grammar,
    Group,
    Slot,
    accepts,
    length_probabilities,
    probability,
    rules,
    transitions,
    with_roles,
)
from synthcore.studies.percolation.task.skeletons import draw_skeletons
from synthcore.studies.percolation.task.vocabulary import (
    Classes,
    ConstraintGraph,
    Edges,
    Vocabulary,
    circulant_edges,
    random_edges,
)
from synthcore.training.seeding import seeded

LETTERS = {
    Group.CONJUNCTION: "c",
    Group.LINK: "l",
    Group.PREPOSITION: "p",
    Group.VERB: "v",
    Group.ENTITY: "e",
    Group.DESCRIPTOR: "d",
    Group.EOS: ".",
}
SENTENCE = re.compile(r"e(ce)*(ld|vpe(ce)*)(c(ld|vpe(ce)*))*\.")
SMALL = Classes(4, 16, 80)
WORDS = Vocabulary(SMALL, verbs=4, adjectives=3)

# --- grammar ------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6])
def test_the_automaton_is_the_regular_expression(length: int) -> None:
    strings = torch.tensor(list(product(LETTERS, repeat=length)))
    accepted = accepts(strings).tolist()
    spelled = ["".join(LETTERS[Group(g)] for g in row) for row in strings.tolist()]
    # what follows an accepted sentence does not count
    expected = [SENTENCE.match(text) is not None for text in spelled]
    assert accepted == expected


def test_no_two_states_of_the_automaton_are_the_same() -> None:
    """Partition refinement: a minimal automaton has as many blocks as states."""
    table, block = transitions(), torch.tensor([state == ACCEPT for state in STATES]).long()
    for _ in STATES:
        rows = torch.cat([block[:, None], block[table]], 1)
        block = torch.unique(rows, dim=0, return_inverse=True)[1]
    assert len(set(block.tolist())) == len(STATES) == len(ARROWS)


CASES = [
    "subject link descriptor eos",
    "subject conjunction subject conjunction subject link descriptor conjunction link descriptor "
    "conjunction verb preposition object conjunction object conjunction object eos",
    "subject verb preposition object conjunction verb preposition object conjunction link "
    "descriptor conjunction link descriptor eos",
    "subject conjunction link descriptor eos",
    "subject link descriptor conjunction object eos",
]


@pytest.mark.parametrize("name", list(GRAMMARS))
@pytest.mark.parametrize("case", CASES)
def test_probabilities_are_sums_over_all_parses(name: str, case: str) -> None:
    grammar = GRAMMARS[name]
    symbols = case.split()
    if name == "code":  # some optional words, one at each place
        symbols.insert(symbols.index("subject"), "entity_adjective")
        if "verb" in symbols:
            symbols.insert(symbols.index("verb"), "adverb")
    parser = nltk.InsideChartParser(nltk.PCFG.fromstring(rules(grammar)))
    expected = sum(tree.prob() for tree in parser.parse_all(symbols))
    slots = [Slot[symbol.upper()] for symbol in symbols]
    assert probability(slots, grammar) == pytest.approx(expected, rel=1e-9)


def test_modifiers_must_stand_before_their_words() -> None:
    slots = [Slot.SUBJECT, Slot.ADVERB, Slot.LINK, Slot.DESCRIPTOR, Slot.EOS]
    assert probability(slots, GRAMMARS["code"]) == 0
    assert probability([Slot.ENTITY_ADJECTIVE, *slots[:1], *slots[2:]], GRAMMARS["plain"]) == 0
    assert accepts(torch.tensor([GROUP_OF[slot] for slot in slots]))  # they are ignored there


@pytest.mark.parametrize("name", ["plain", "paper"])
def test_probabilities_of_all_strings_of_a_length_add_up(name: str) -> None:
    grammar, longest = GRAMMARS[name], 7 if name == "plain" else 6
    slots = [s for s in Slot if s != Slot.PAD and (name == "paper" or GROUP_OF[s] != 5)]
    slots = [s for s in slots if s != Slot.ADVERB]
    by_length = length_probabilities(grammar, longest)
    total = np.zeros(longest + 1)
    inner = [s for s in slots if s != Slot.EOS]
    for length in range(4, longest + 1):
        strings = torch.tensor(list(product(inner, repeat=length - 1)))
        strings = torch.cat([strings, torch.full((len(strings), 1), Slot.EOS)], 1)
        groups = torch.tensor([GROUP_OF[s] for s in Slot])[strings]
        for row in strings[accepts(groups)].tolist():
            total[length] += probability(row, grammar)
    np.testing.assert_allclose(total, by_length, atol=1e-12)


@pytest.mark.parametrize(("name", "mean"), [("plain", 145 / 21), ("paper", 139 / 15)])
def test_mean_lengths(name: str, mean: float) -> None:
    chance = length_probabilities(GRAMMARS[name], 400)
    assert chance.sum() == pytest.approx(1)
    assert (chance * np.arange(401)).sum() == pytest.approx(mean)


@pytest.mark.parametrize("name", list(GRAMMARS))
def test_skeletons_have_the_right_probabilities(name: str) -> None:
    count, longest = 40_000, 40
    drawn = draw_skeletons(GRAMMARS[name], count, longest, seeded(1))
    kept = length_probabilities(GRAMMARS[name], longest).sum()
    rows, times = np.unique(drawn.slots.numpy(), axis=0, return_counts=True)
    for i in times.argsort()[-12:]:
        slots = [s for s in rows[i].tolist() if s]
        assert with_roles(slots) == slots
        expected = count * probability(slots, GRAMMARS[name]) / kept
        assert abs(times[i] - expected) < 4.5 * np.sqrt(expected)
    chance = length_probabilities(GRAMMARS[name], longest) / kept
    mean, spread = (chance * np.arange(longest + 1)).sum(), float(drawn.length.double().std())
    assert float(drawn.length.double().mean()) == pytest.approx(mean, abs=5 * spread / 200)


def test_skeletons_keep_to_their_length() -> None:
    drawn = draw_skeletons(Grammar(), 500, 5, seeded(2))
    assert set(drawn.length.tolist()) == {4, 5}
    with pytest.raises(ValueError, match="shortest sentence has 4 tokens"):
        draw_skeletons(Grammar(), 1, 3, seeded(0))
    with pytest.raises(ValueError, match="no such sentence"):
        drawn.select(drawn.descriptive & drawn.relative)
    with pytest.raises(ValueError, match="probability in"):
        Grammar(entity=1.0)


# --- constraint graph ---------------------------------------------------------------------------


def test_random_edges_stay_within_classes() -> None:
    classes = Classes(5, 100, 1000)
    graph = random_edges(classes, 0.15, seeded(0))
    assert not bool((graph.edges & ~classes.same).any())
    assert bool(graph.edges.any(1).all())
    assert float(graph.edges[classes.same].double().mean()) == pytest.approx(0.15, abs=0.005)


def test_fragments_and_noise() -> None:
    classes = Classes(2, 40, 400)
    blocks = Classes(8, 40, 400)
    broken = random_edges(classes, 0.15, seeded(0), fragments=4)
    assert not bool((broken.edges & ~blocks.same).any())
    assert float(broken.edges.double().sum(1).mean()) == pytest.approx(30, abs=2)
    noisy = random_edges(classes, 0.15, seeded(0), noise=0.6)
    across = (noisy.edges & ~classes.same).sum() / noisy.edges.sum()
    assert float(across) == pytest.approx(0.3, abs=0.03)  # half of what is replaced stays inside


def test_circulant_edges_repeat() -> None:
    classes = Classes(2, 100, 240)
    graph = circulant_edges(classes, 0.1, 40, seeded(0))
    assert set(graph.edges.sum(1).tolist()) == {3 * 4}  # three names of 40 values, four ones each
    assert torch.equal(graph.edges[:10], graph.edges[40:50])
    assert not torch.equal(graph.edges[:10], graph.edges[20:30])
    assert torch.equal(graph.edges[0, :40].roll(1), graph.edges[1, :40])
    assert not bool((graph.edges & ~classes.same).any())


@pytest.mark.parametrize("density", [0.0, -0.1, 1.5])
def test_densities_out_of_range_are_refused(density: float) -> None:
    for draw in (
        lambda: random_edges(SMALL, density, seeded(0)),
        lambda: circulant_edges(SMALL, density, 20, seeded(0)),
    ):
        with pytest.raises(ValueError, match="edge density must be above 0 and at most 1"):
            draw()


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"properties must be a multiple .* 4 \(got 81\)"):
        Classes(4, 16, 81)
    with pytest.raises(ValueError, match="entities must be a multiple"):
        Classes(4, 18, 80)
    with pytest.raises(ValueError, match="no room for 8 fragments"):
        random_edges(SMALL, 0.15, seeded(0), fragments=8)
    with pytest.raises(ValueError, match="no multiple of 40"):
        circulant_edges(SMALL, 0.1, 40, seeded(0))
    with pytest.raises(ValueError, match="no edge among 20 values"):
        circulant_edges(SMALL, 0.01, 20, seeded(0))
    bare = SMALL.same.clone()
    bare[4:8] = False
    with pytest.raises(ValueError, match="class 1 has no edge"):
        ConstraintGraph(SMALL, bare)
    bare[4] = True
    with pytest.raises(ValueError, match="entity 5 has no edge"):
        ConstraintGraph(SMALL, bare)
    with pytest.raises(ValueError, match="class 0 has no edge"):
        random_edges(SMALL, 1e-9, seeded(0))
    with pytest.raises(ValueError, match="even in number"):
        Vocabulary(Classes(3, 9, 9), verbs=3)
    with pytest.raises(ValueError, match="multiple of 2"):
        Vocabulary(SMALL, verbs=3)


def test_edge_lists_hold_all_edges() -> None:
    graphs = [random_edges(SMALL, p, seeded(3)) for p in (0.1, 0.6)]
    lists = Edges.of(graphs)
    for m, graph in enumerate(graphs):
        for e in range(SMALL.entities):
            shown = lists.shown[m, e, : lists.degree[m, e]].tolist()
            hidden = lists.hidden[m, e, : lists.hidden_degree[m, e]].tolist()
            assert shown == graph.edges[e].nonzero()[:, 0].tolist()
            assert sorted(shown + hidden) == SMALL.same[e].nonzero()[:, 0].tolist()
