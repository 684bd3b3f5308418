"""Sentences of the formal language, the three tasks, and the checks of sentences."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcore.studies.percolation.measure import checks
from synthcore.studies.percolation.measure.masses import CoOccurrence
from synthcore.studies.percolation.task.grammar import GRAMMARS, GROUP_OF, Grammar, Group, Slot
from synthcore.studies.percolation.task.language import (
    ALTERED,
    Draws,
    Language,
    LineSampler,
    Prior,
    altered,
    by_length,
    last_subject,
)
from synthcore.studies.percolation.task.skeletons import Skeletons, draw_skeletons
from synthcore.studies.percolation.task.vocabulary import (
    EOS,
    OUT,
    PAD,
    Classes,
    Vocabulary,
    random_edges,
)
from synthcore.studies.percolation.theory import log_probability
from synthcore.training.seeding import seeded

SMALL = Classes(4, 16, 80)
WORDS = Vocabulary(SMALL, verbs=4, adjectives=3)


def draws(key: int, members: int = 2) -> Draws:
    """Random numbers of this many members."""
    return Draws(range(members), "test", key)


def language(grammar: str = "code", longest: int = 16, members: int = 2) -> Language:
    table = draw_skeletons(GRAMMARS[grammar], 2000, longest, seeded(0))
    graphs = [random_edges(SMALL, 0.3, seeded(m)) for m in range(members)]
    return Language(WORDS, graphs, table)


# --- sentences and tasks ------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(GRAMMARS))
def test_sentences_obey_grammar_and_types(name: str) -> None:
    lang = language(name)
    sentences = lang.sentences(500, draws(5))
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
    sentences = lang.sentences(40_000, draws(6, 1), skeletons=pure)[0]
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
        sentences = lang.sentences(1500, draws(7), Prior(descriptors=name))
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
    sets = altered(lang, torch.arange(400).expand(2, -1), draws(8))
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
    sentences = lang.sentences(200, draws(9))
    length = (sentences != PAD).sum(-1)
    for task in ("free", "unscramble", "condition"):
        lines = lang.lines(task, sentences, draws(10))
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
    groups = LineSampler(lang, (0.2, 0.4, 0.4), 50, [0, 1])(0)
    first = torch.cat([group[..., 0] for group in groups], 1)
    assert torch.bincount(first[0], minlength=5)[2:].tolist() == [10, 20, 20]
    parts = [torch.tensor([[[1, 2, 0], [3, 0, 0]]]), torch.tensor([[[4, 5, 6, 7]]])]
    cut = by_length(parts, 2)
    assert [g.tolist() for g in cut] == [[[[3, 0], [1, 2]]], [[[4, 5, 6, 7]]]]


def test_a_members_lines_do_not_depend_on_its_neighbours() -> None:
    both, alone = language("plain", members=2), language("plain", members=2)
    alone = Language(WORDS, [random_edges(SMALL, 0.3, seeded(1))], both.skeletons)
    together = LineSampler(both, (1, 1, 1), 12, [4, 5], "a")(7)
    single = LineSampler(alone, (1, 1, 1), 12, [5], "a")(7)
    for many, one in zip(together, single, strict=True):
        assert torch.equal(many[1:, :, : one.shape[-1]], one)
    other = LineSampler(alone, (1, 1, 1), 12, [5], "b")(7)
    assert not all(torch.equal(a, b) for a, b in zip(single, other, strict=True))


def test_pairs_that_met_in_a_line_are_counted() -> None:
    """By brute force; and the same if the counting begins late, as after a restart."""
    lang = language("plain")
    lines = LineSampler(lang, (1, 1, 1), 20, [0, 1])
    watched = CoOccurrence(lines, WORDS, 2)
    expected = torch.zeros(2, SMALL.entities, SMALL.properties, dtype=torch.bool)
    for step in range(4):
        for group in watched(step):
            for m, row in product(range(2), range(group.shape[1])):
                line = group[m, row].tolist()
                entities = [w - E for w in line if WORDS.groups[w] == Group.ENTITY]
                named = [w - D for w in line if WORDS.groups[w] == Group.DESCRIPTOR]
                for e, d in product(entities, named):
                    expected[m, e, d] = True
    assert torch.equal(watched.until(4), expected)
    assert torch.equal(CoOccurrence(lines, WORDS, 2).until(4), expected)
    edges = torch.stack([random_edges(SMALL, 0.3, seeded(m)).edges for m in range(2)])
    assert bool((expected & ~edges & SMALL.same).any())  # no edges, and yet they met


def test_probabilities_of_all_sentences_add_up() -> None:
    """All sentences of a tiny language, written down: their probabilities add up to one. The table
    of skeletons is small, so that its frequencies are far from the grammar's probabilities: the
    entropy is that of what is trained on."""
    classes = Classes(2, 2, 4)
    words = Vocabulary(classes, verbs=1)
    graph = random_edges(classes, 0.8, seeded(4))
    table = draw_skeletons(Grammar(), 200, 6, seeded(0))
    lang = Language(words, [graph], table)
    alphabet = list(range(words.conjunction, words.size))
    total = 0.0
    for length in (4, 5, 6):
        for slots in table.select(table.length == length).slots.unique(dim=0):
            padded = torch.nn.functional.pad(slots, (0, 6 - len(slots)))
            row = int((table.slots == padded).all(1).nonzero()[0])
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
            rows = rows[fine][None]
            kinds = torch.full(rows.shape[:2], row)
            total += float(log_probability(lang, kinds, rows).exp().sum())
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
    sentence = ONE.sentences(1, draws(seed, 1))[0, 0]
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
