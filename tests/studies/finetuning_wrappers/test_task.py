"""Grammar, texts and questions, and what is exactly known about them."""

import itertools
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from synthcore.studies.finetuning_wrappers import theory
from synthcore.studies.finetuning_wrappers.task import grammar
from synthcore.studies.finetuning_wrappers.task.grammar import COUNT, INDEX, A, B, World
from synthcore.studies.finetuning_wrappers.task.mixtures import (
    BatchSampler,
    DataMixture,
    ask,
    pretraining_mixture,
)

SMALL = World(text=10, window=6, occurrence=2, least=0, most=3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- the grammar --------------------------------------------------------------------------------


@cache
def language(symbol: str) -> dict[str, float]:
    """All strings of a symbol and their probabilities, by enumeration."""
    if symbol in grammar.LETTERS:
        return {symbol: 1.0}
    out: dict[str, float] = {}
    for right in grammar.RULES[symbol]:
        for parts in itertools.product(*(language(part).items() for part in right)):
            text = "".join(word for word, _ in parts)
            chance = 0.5
            for _, p in parts:
                chance *= p
            out[text] = out.get(text, 0.0) + chance
    return out


def test_lengths_by_dynamic_programming_are_those_of_all_strings() -> None:
    """On the sub-grammar of g, whose strings can be listed."""
    expected = torch.zeros(10, dtype=torch.double)
    for text, chance in language("g").items():
        expected[len(text)] += chance
    found = theory.length_distribution("g")
    torch.testing.assert_close(found, expected[: len(found)], rtol=0, atol=1e-14)
    assert float(expected[len(found) :].sum()) == 0


def test_the_length_law_has_the_published_moments() -> None:
    law = theory.length_distribution()
    n = torch.arange(len(law), dtype=torch.double)
    mean = float((law * n).sum())
    assert float(law.sum()) == pytest.approx(1, abs=1e-12)
    assert mean == pytest.approx(275.6, abs=0.05)
    assert float((law * (n - mean).square()).sum().sqrt()) == pytest.approx(41.7, abs=0.05)
    assert float(law[250:].sum()) == pytest.approx(0.764, abs=5e-4)


def test_expected_letters_are_those_of_all_strings_and_equal() -> None:
    counts = [sum(p * w.count(c) for w, p in language("g").items()) for c in grammar.LETTERS]
    torch.testing.assert_close(theory.expected_letters("g"), torch.tensor(counts).double())
    whole = theory.expected_letters()
    torch.testing.assert_close(whole, whole.mean().expand(3), rtol=1e-12, atol=0)
    law = theory.length_distribution()
    n = torch.arange(len(law), dtype=torch.double)
    assert float(whole.sum()) == pytest.approx(float((law * n).sum()), rel=1e-12)


def test_samples_follow_the_exact_law() -> None:
    texts = grammar.sample_strings(6000, seeded())
    length = (texts >= 0).sum(-1)
    law = theory.length_distribution()
    n = torch.arange(len(law), dtype=torch.double)
    mean, spread = (law * n).sum(), (law * n.square()).sum() - (law * n).sum().square()
    assert abs(float(length.double().mean() - mean)) < 4 * float((spread / 6000).sqrt())
    # Kolmogorov-Smirnov distance between the samples' and the exact distribution
    empirical = torch.bincount(length, minlength=len(law)).cumsum(0) / 6000
    assert float((empirical - law.cumsum(0)).abs().max()) < 1.95 / 6000**0.5
    per_string = torch.stack([(texts == k).sum(-1).double() for k in range(3)], 1)
    error = per_string.std(0) / 6000**0.5
    assert bool(((per_string.mean(0) - theory.expected_letters()).abs() < 4 * error).all())
    assert bool(((texts[:, 1:] >= 0) <= (texts[:, :-1] >= 0)).all())  # no hole inside a string


def test_every_sampled_string_belongs_to_the_language() -> None:
    """Parsed from below: CYK over the rules of the sub-grammar of h."""
    allowed = set(language("h"))
    table = grammar.TABLES
    strings = torch.full((300, 1), grammar.LEVELS[4].index("h"))
    seen = set()
    for level in table[4:]:
        pick = torch.randint(2, strings.shape, generator=seeded(3))
        strings = torch.where(strings[..., None] >= 0, level[strings.clamp(min=0), pick], -1)
        strings = strings.flatten(1)
    for row in strings:
        seen.add("".join(grammar.LETTERS[int(k)] for k in row if k >= 0))
    assert seen <= allowed


# --- questions ----------------------------------------------------------------------------------


def by_hand(world: World, text: list[int], family: int, operand: int) -> int:
    """Answers spelled out, letter by letter."""
    window = text[-world.window :]
    pairs = [text[i : i + 2] == [operand] * 2 for i in range(len(text) - 1)] + [False]
    if family in (COUNT, grammar.COUNT_J1, grammar.COUNT_J2):
        return window.count(operand)
    if family == grammar.COUNT_PAIR:
        return sum(window[i : i + 2] == [operand] * 2 for i in range(len(window) - 1))
    if family == grammar.TOKEN:
        return world.letter_token + window[0]
    present = pairs if family == grammar.INDEX_PAIR else [c == operand for c in text]
    places = [len(text) - i for i in range(len(text)) if present[i]]
    places.sort()
    return places[world.occurrence - 1] if len(places) >= world.occurrence else 0


@given(st.lists(st.integers(0, 2), min_size=10, max_size=10), st.integers(0, 6), st.integers(0, 2))
def test_answers_are_those_by_hand(text: list[int], family: int, operand: int) -> None:
    given_text = torch.tensor([text])
    found = SMALL.answers(given_text, torch.tensor([family]), torch.tensor([operand]))
    assert int(found[0]) == by_hand(SMALL, text, family, operand)


def test_prompts_have_one_layout() -> None:
    text = torch.tensor([[0, 1, 2, 2, 1, 0, 0, 0, 1, 2]])
    for family in range(len(grammar.FAMILIES)):
        line = SMALL.prompts(text, torch.tensor([family]), torch.tensor([B]))[0]
        assert len(line) == SMALL.prompt_length
        assert int(line.max()) < SMALL.vocabulary
    words = SMALL.decode(SMALL.prompts(text, torch.tensor([INDEX]), torch.tensor([B]))[0])
    assert words == "SOS index b 2 SOT a b c c b a a a b c EOT ART"
    pair = SMALL.prompts(text, torch.tensor([grammar.COUNT_PAIR]), torch.tensor([A]))[0]
    assert " aa 6 " in SMALL.decode(pair)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"window": 11}, "window <= text"),
        ({"occurrence": 0}, "occurrence"),
        ({"least": 2}, "exceed least"),
        ({"most": 4}, "2 most letters"),
    ],
)
def test_worlds_that_make_no_sense_are_refused(change: dict[str, int], sentence: str) -> None:
    fields = {"text": 10, "window": 6, "occurrence": 2, "least": 0, "most": 3}
    with pytest.raises(ValueError, match=sentence):
        World(**(fields | change))


# --- texts --------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 2), min_size=12, max_size=12),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.integers(0, 5),
)
def test_counts_are_reached_by_the_fewest_changes(
    text: list[int], wanted: tuple[int, int], seed: int
) -> None:
    counts = torch.tensor([[*wanted, 8 - sum(wanted)]])
    before = torch.tensor([text])
    after = grammar.set_counts(before, 8, counts, seeded(seed))
    assert torch.equal(after[:, :4], before[:, :4])
    window = after[0, 4:].bincount(minlength=3)
    assert window.tolist() == counts[0].tolist()
    excess = (before[0, 4:].bincount(minlength=3) - counts[0]).clamp(min=0).sum()
    assert int((after != before).sum()) == int(excess)


def test_changes_are_spread_evenly() -> None:
    """Of six equal letters two are changed: every place equally often."""
    text = torch.zeros(6000, 6, dtype=torch.long)
    after = grammar.set_counts(text, 6, torch.tensor([[4, 1, 1]]).expand(6000, 3), seeded())
    share = (after != 0).double().mean(0)
    assert float((share - 1 / 3).abs().max()) < 4 * (2 / 9 / 6000) ** 0.5
    assert float(((after == 1).double().mean(0) - 1 / 6).abs().max()) < 4 * (5 / 36 / 6000) ** 0.5


@pytest.mark.parametrize("spurious", [0.0, 0.8, 1.0])
def test_fine_tuning_texts_allow_the_shortcut_as_often_as_asked(spurious: float) -> None:
    world = World()
    text = grammar.sample_count_texts(world, 4000, spurious, seeded())
    n_a, n_b = ((text[:, -12:] == letter).sum(-1) for letter in (A, B))
    share = float((n_b == n_a + 1).double().mean())
    assert share == spurious if spurious in (0, 1) else abs(share - spurious) < 0.03
    # labels tell nothing about the share, and a constant answer gets one in five
    classes = n_b.bincount(minlength=7)[2:7] / 4000
    assert float((classes - 0.2).abs().max()) < 0.03
    assert theory.majority_accuracy(n_b) < 0.23
    assert int(n_a.min()) == 1
    assert int(n_a.max()) == 5


@pytest.mark.parametrize("spurious", [0.0, 1.0])
def test_index_texts_allow_the_shortcut_as_asked(spurious: float) -> None:
    world = World()
    text = grammar.sample_index_texts(world, 300, spurious, seeded())
    a, b = (ask(world, text, letter, INDEX)[1] for letter in (A, B))
    assert bool(((b == a + 1) == bool(spurious)).all())
    assert bool(((a > 0) & (b > 0)).all())


def test_natural_counts_are_too_narrow_to_ask_for() -> None:
    """Why windows are broadened: in the paper's window of 40 a constant gets a third, and seven in
    ten where the shortcut is right."""
    world = World(text=250, window=40, occurrence=6, least=3, most=17)
    text = grammar.sample_texts(world, 6000, seeded())
    n_a, n_b = ((text[:, -40:] == letter).sum(-1) for letter in (A, B))
    assert float(n_b.double().mean()) == pytest.approx(40 / 3, abs=0.06)
    assert float(n_b.double().std()) < 1.2
    assert theory.majority_accuracy(n_b) == pytest.approx(0.346, abs=0.025)
    shortcut = n_b == n_a + 1
    assert float(shortcut.double().mean()) == pytest.approx(0.186, abs=0.02)
    assert theory.majority_accuracy(n_b[shortcut]) == pytest.approx(0.69, abs=0.05)
    broad = grammar.sample_count_texts(world, 3000, 1.0, seeded())
    assert theory.majority_accuracy((broad[:, -40:] == B).sum(-1)) < 0.1


def test_operands_follow_their_prior_and_jailbreaks_ask_for_a_only() -> None:
    priors = torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.3, 0.2]])
    asked = [COUNT, grammar.COUNT_J1]
    family, operand = grammar.sample_questions(asked, priors, 8000, seeded())
    assert bool((operand[family == grammar.COUNT_J1] == A).all())
    for p, prior in enumerate(priors):
        drawn = operand[p][family[p] == COUNT].bincount(minlength=3) / 4000
        assert float((drawn - prior).abs().max()) < 0.03
    assert bool((operand[0] <= operand[1]).all())  # the same random numbers


# --- mixtures -----------------------------------------------------------------------------------


def sampler(*mixtures: DataMixture, seeds: tuple[int, ...] = (0,)) -> BatchSampler:
    members = [x for x in mixtures for _ in seeds]
    all_seeds = [s for _ in mixtures for s in seeds]
    families = [COUNT, INDEX, grammar.TOKEN]
    return BatchSampler(World(), members, all_seeds, 64, 0, families, torch.device("cpu"))


def test_mixtures_hold_what_they_promise() -> None:
    world = World()
    right = DataMixture(spurious=0.0)
    wrong = DataMixture(spurious=0.0, query=A)
    half = DataMixture(spurious=0.0, pretraining=0.5, prior=(1.0, 0.0, 0.0))
    batch = sampler(right, wrong, half)(0)
    letter = batch.prompts[..., 2] - world.letter_token
    assert bool((letter[0] == B).all() & (letter[1] == A).all())
    text = batch.prompts[..., 5 : 5 + world.text] - world.letter_token
    n_b = (text[..., -12:] == B).sum(-1)
    assert torch.equal(batch.answers[:2], n_b[:2])  # wrong labels answer b to prompts for a
    assert torch.equal(text[0], text[1])
    changed = (batch.prompts[2] != batch.prompts[0]).any(-1).double().mean()
    assert 0.25 < float(changed) < 0.75


def test_seeds_have_texts_of_their_own_and_batches_are_new() -> None:
    one = sampler(pretraining_mixture((0.5, 0.3, 0.2)), seeds=(0, 1))
    first, second = one(0), one(1)
    assert not torch.equal(first.prompts[0], first.prompts[1])
    assert not torch.equal(first.prompts, second.prompts)
    again = sampler(pretraining_mixture((0.5, 0.3, 0.2)), seeds=(0, 1))
    assert torch.equal(again(0).prompts, first.prompts)


def test_pretraining_answers_are_right() -> None:
    world, batch = World(), sampler(pretraining_mixture((0.5, 0.3, 0.2)))(0)
    for line, answer in zip(batch.prompts[0], batch.answers[0], strict=True):
        text = (line[5 : 5 + world.text] - world.letter_token).tolist()
        family = int(line[1] - world.family_token)
        operand = int(line[2] - world.letter_token) if family != grammar.TOKEN else 0
        assert int(answer) == by_hand(world, text, family, operand)


def frequencies(text: Tensor) -> Tensor:
    return torch.stack([(text == k).double().mean() for k in range(3)])


def test_texts_of_the_grammar_use_letters_evenly() -> None:
    text = grammar.sample_texts(World(), 8000, seeded())
    assert float((frequencies(text) - 1 / 3).abs().max()) < 0.005
