"""The formal language: grammar against a parser, graphs, sentences, tasks, checks."""

import re
from itertools import product

import nltk
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcore.studies.percolation import checks
from synthcore.studies.percolation.altered import ALTERED, altered
from synthcore.studies.percolation.constraints import (
    Classes,
    ConstraintGraph,
    Edges,
    circulant_edges,
    random_edges,
    seeded,
)
from synthcore.studies.percolation.exact import log_probability
from synthcore.studies.percolation.grammar import (
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
from synthcore.studies.percolation.skeletons import Skeletons, draw_skeletons
from synthcore.studies.percolation.task import (
    Language,
    Mixture,
    Prior,
    by_length,
    last_subject,
)
from synthcore.studies.percolation.vocabulary import EOS, OUT, PAD, Vocabulary

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


def language(grammar: str = "code", longest: int = 16, members: int = 2) -> Language:
    table = draw_skeletons(GRAMMARS[grammar], 2000, longest, seeded(0))
    graphs = [random_edges(SMALL, 0.3, seeded(m)) for m in range(members)]
    return Language(WORDS, graphs, table)


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


# --- sentences and tasks ------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(GRAMMARS))
def test_sentences_obey_grammar_and_types(name: str) -> None:
    lang = language(name)
    sentences = lang.sentences(500, seeded(5))
    assert bool(checks.grammatical(WORDS, sentences).all())
    assert bool(checks.typed(WORDS, sentences).all())
    reading = checks.read(WORDS, sentences)
    entity = (last_subject(reading.subject, sentences) - WORDS.entity).expand_as(sentences)
    for m in range(lang.members):
        named = reading.descriptor[m]
        rows, values = entity[m][named], sentences[m][named] - WORDS.descriptor
        assert bool((lang.edges.shown[m, rows] == values[:, None]).any(1).all())


def test_words_are_drawn_uniformly() -> None:
    lang = language("plain", members=1)
    table = lang.skeletons
    pure = table.select(table.descriptive & ~table.relative)
    sentences = lang.sentences(40_000, seeded(6), skeletons=pure)[0]
    reading = checks.read(WORDS, sentences)
    single = reading.subject.sum(1) == 1
    entity = sentences[single, 0] - WORDS.entity
    counts = torch.bincount(entity, minlength=SMALL.entities).double()
    assert float(counts.std() / counts.mean()) < 0.05
    first = sentences[single & (entity_of := sentences[:, 0] == WORDS.entity)]
    values = first[reading.descriptor[single & entity_of]] - WORDS.descriptor
    seen = torch.bincount(values, minlength=SMALL.properties)
    assert int((seen > 0).sum()) == int(lang.edges.degree[0, 0])


def test_priors_draw_from_where_they_say() -> None:
    lang = language("plain")
    edges = torch.zeros(2, SMALL.entities, SMALL.properties, dtype=torch.bool)
    for m in range(2):
        for e in range(SMALL.entities):
            edges[m, e, lang.edges.shown[m, e, : lang.edges.degree[m, e]]] = True
    same = SMALL.same.expand(2, -1, -1)
    shares = {}
    for name in ("shown", "uniform", "hidden", "any"):
        sentences = lang.sentences(1500, seeded(7), Prior(descriptors=name))
        reading = checks.read(WORDS, sentences)
        entity = (last_subject(reading.subject, sentences) - WORDS.entity).expand_as(sentences)
        member = torch.arange(2)[:, None, None].expand_as(sentences)
        place = member[reading.descriptor], entity[reading.descriptor]
        value = sentences[reading.descriptor] - WORDS.descriptor
        shares[name] = [float(t[(*place, value)].double().mean()) for t in (edges, same)]
    assert shares["shown"] == [1, 1]
    assert shares["hidden"] == [0, 1]
    assert shares["uniform"] == [pytest.approx(0.3, abs=0.06), 1]
    assert shares["any"][1] == pytest.approx(0.25, abs=0.05)


def test_altered_sets_break_what_they_should() -> None:
    lang = language("plain")
    slots = lang.skeletons.slots[:400].expand(2, -1, -1)
    sets = altered(lang, slots, seeded(8))
    assert tuple(sets) == ALTERED
    good = {name: checks.grammatical(WORDS, s).double().mean() for name, s in sets.items()}
    assert all(value == 1 for name, value in good.items() if name != "order")
    assert good["order"] < 0.4
    assert bool(checks.same_words(sets["order"], sets["normal"]).all())
    reading = {name: checks.read(WORDS, s) for name, s in sets.items()}
    right, count = checks.descriptive(reading["descriptors"])
    assert float(right.sum() / count.sum()) == pytest.approx(0.25, abs=0.06)
    right, count = checks.relative(WORDS, reading["relations"])
    assert float(right.sum() / count.sum()) < 0.2
    right, count = checks.descriptive(reading["relations"])
    assert bool((right == count).all())


def test_lines_say_what_their_task_says() -> None:
    lang = language("code")
    sentences = lang.sentences(200, seeded(9))
    length = (sentences != PAD).sum(-1)
    for task in ("free", "unscramble", "condition"):
        lines = lang.lines(task, sentences, seeded(10))
        for m, b in product(range(2), range(0, 200, 7)):
            line = lines[m, b].tolist()
            cut = line.index(OUT)
            given = line[1:cut]
            words = sentences[m, b, : length[m, b]].tolist()
            assert line[cut + 1 : cut + 1 + len(words)] == words
            assert not any(line[cut + 1 + len(words) :])
            if task == "unscramble":
                assert sorted(given) == sorted(words[:-1])
            if task == "condition":
                kinds = [WORDS.groups[w].item() for w in given]
                reading = checks.read(WORDS, sentences[m, b])
                asked = (
                    int(reading.subject.any())
                    + int(reading.object.any())
                    + int(reading.verb.any())
                    + int(reading.descriptor.any())
                )
                assert len(given) == asked
                assert set(given) <= set(words)
                assert set(kinds) <= {Group.VERB, Group.ENTITY, Group.DESCRIPTOR}


def test_batches_have_the_shares_and_lose_nothing() -> None:
    lang = language("plain")
    groups = Mixture(lang, (0.2, 0.4, 0.4), 50, seed=0)(0)
    first = torch.cat([group[..., 0] for group in groups], 1)
    assert torch.bincount(first[0], minlength=5)[2:].tolist() == [10, 20, 20]
    parts = [torch.tensor([[[1, 2, 0], [3, 0, 0]]]), torch.tensor([[[4, 5, 6, 7]]])]
    cut = by_length(parts, 2)
    assert [g.tolist() for g in cut] == [[[[3, 0], [1, 2]]], [[[4, 5, 6, 7]]]]


def test_no_sentence_is_more_likely_than_its_probability() -> None:
    """All sentences of a tiny language, written down: their probabilities add up to one."""
    classes = Classes(2, 2, 4)
    words = Vocabulary(classes, verbs=1)
    graph = random_edges(classes, 0.8, seeded(4))
    table = draw_skeletons(Grammar(), 200, 6, seeded(0))
    lang = Language(words, [graph], table)
    alphabet = list(range(words.conjunction, words.size))
    total = 0.0
    for length in (4, 5, 6):
        for slots in table.select(table.length == length).slots.unique(dim=0):
            groups = [GROUP_OF[Slot(s)] for s in slots.tolist()]
            options = [[w for w in alphabet if words.groups[w] == g] for g in groups[:-1]]
            rows = torch.tensor(list(product(*options, [EOS])))
            reading = checks.read(words, rows)
            entity = last_subject(reading.subject, rows).expand_as(rows) - words.entity
            value = (rows - words.descriptor).clamp(min=0)
            shown = graph.edges[entity, value] | ~reading.descriptor
            one_class = reading.kind.masked_fill(~reading.subject, -1).amax(
                1
            ) == reading.kind.masked_fill(~reading.subject, 9).amin(1)
            fine = checks.typed(words, rows) & shown.all(1) & one_class
            total += float(log_probability(lang, Grammar(), 6, rows[fine][None]).exp().sum())
    assert total == pytest.approx(1, abs=1e-9)


# --- checks -------------------------------------------------------------------------------------

E, D, V, A = WORDS.entity, WORDS.descriptor, WORDS.verb, WORDS.entity_adjective
AND, IS, ON = WORDS.conjunction, WORDS.link, WORDS.preposition


@pytest.mark.parametrize(
    ("sentence", "descriptive", "relative", "typed"),
    [
        ([E, IS, D, EOS], (1, 1), (0, 0), True),
        ([E, IS, D + 20, EOS], (0, 1), (0, 0), False),
        ([E + 4, AND, E, IS, D, EOS], (1, 1), (0, 0), True),  # the last subject counts
        ([D, IS, E, EOS], (0, 1), (0, 0), False),  # nothing comes before it
        ([E, V, ON, E + 8, EOS], (0, 0), (1, 1), True),
        ([E, V, ON, E + 12, EOS], (0, 0), (0, 1), False),
        ([E, V + 2, ON, E + 8, EOS], (0, 0), (0, 1), False),
        ([E, AND, E + 4, V, ON, E + 8, EOS], (0, 0), (0, 1), False),
        ([E, V, ON, E + 8, AND, E + 4, EOS], (0, 0), (0, 1), False),
        ([V, ON, EOS], (0, 0), (0, 1), False),
        ([E, IS, D, EOS, V, D + 20], (1, 1), (0, 0), True),
        ([A, E, IS, D, EOS], (1, 1), (0, 0), True),
        ([E, A, IS, D, EOS], (1, 1), (0, 0), False),
    ],
)
def test_type_checks(
    sentence: list[int], descriptive: tuple[int, int], relative: tuple[int, int], typed: bool
) -> None:
    tokens = torch.tensor(sentence)
    reading = checks.read(WORDS, tokens)
    assert tuple(int(x) for x in checks.descriptive(reading)) == descriptive
    assert tuple(int(x) for x in checks.relative(WORDS, reading)) == relative
    assert bool(checks.typed(WORDS, tokens)) == typed


def test_given_words_are_compared_as_tokens() -> None:
    answer = torch.tensor([[E + 2, IS, D + 3, EOS, E], [EOS, E, E, E, E]])
    given = torch.tensor([[E + 2, D + 3, E], [E, E, PAD]])
    kept, asked = checks.kept_words(answer, given)
    assert kept.tolist() == [2, 0]
    assert asked.tolist() == [3, 2]


ONE = language("plain", members=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_shuffling_keeps_words_and_swapping_one_does_not(seed: int) -> None:
    sentence = ONE.sentences(1, seeded(seed))[0, 0]
    order = torch.randperm(len(sentence), generator=seeded(seed, 1))
    ended = sentence[order][sentence[order] > EOS]
    again = torch.cat([ended, torch.tensor([EOS])])
    assert bool(checks.same_words(again, sentence))
    again[0] += 1
    assert not bool(checks.same_words(again, sentence))


def test_words_are_spelled() -> None:
    text = WORDS.words([3, D, E, IS, OUT, E, IS, D, EOS, PAD])
    assert text == "<unscramble> d0 e0 is <out> e0 is d0 <eos>"
    assert Skeletons(torch.tensor([[9, 3, 11, 1]])).length.tolist() == [4]
