"""Losses and measurements of the transformers, against what is known of simple networks."""

import math

import numpy as np
import pytest
import torch

from synthcore.nn.gpt import GPT
from synthcore.studies.percolation.constraints import Classes, random_edges, seeded
from synthcore.studies.percolation.exact import floor
from synthcore.studies.percolation.grammar import STATES, Grammar, Group, states, transitions
from synthcore.studies.percolation.measure import (
    Examination,
    after_out,
    exact,
    log_probabilities,
)
from synthcore.studies.percolation.networks import Recipe, build, line_loss
from synthcore.studies.percolation.pairs import Kinds
from synthcore.studies.percolation.skeletons import draw_skeletons
from synthcore.studies.percolation.task import Language, Mixture
from synthcore.studies.percolation.vocabulary import FREE, NULL, OUT, PAD, Vocabulary

LONGEST = 9
WORDS = Vocabulary(Classes(4, 16, 80), verbs=4)
RECIPE = Recipe(width=16, depth=1, heads=2, learning_rate=0.01, steps=10, warmup=2, initial_std=0.3)


@pytest.fixture(scope="module")
def language() -> Language:
    graphs = [random_edges(WORDS.classes, 0.3, seeded(m)) for m in range(2)]
    return Language(WORDS, graphs, draw_skeletons(Grammar(), 2000, LONGEST, seeded(0)))


@pytest.fixture(scope="module")
def exam(language: Language) -> Examination:
    graphs = [random_edges(WORDS.classes, 0.3, seeded(m)) for m in range(2)]
    return Examination(language, Kinds.of(graphs), Grammar(), size=40, samples=40, seed=1)


def network() -> GPT:
    return build(RECIPE, WORDS.size, 2 * LONGEST + 2, [0, 1], torch.device("cpu"))


@torch.no_grad()
def test_the_loss_is_the_mean_over_all_tokens_but_the_first(language: Language) -> None:
    model, groups = network(), Mixture(language, (1, 1, 1), 12, seed=0)(0)
    found = line_loss(model, groups)
    for m in range(2):
        total, count = 0.0, 0
        for group in groups:
            for line in group[m]:
                tokens = line[line != PAD]
                logits = model(tokens.expand(2, 1, -1))[m, 0].log_softmax(-1)
                total -= float(logits[:-1].gather(1, tokens[1:, None]).sum())
                count += len(tokens) - 1
        assert float(found[m]) == pytest.approx(total / count, rel=1e-4)


def test_a_network_that_knows_nothing_measures_what_counting_says(
    exam: Examination, language: Language
) -> None:
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()  # uniform over the vocabulary
    found, size = exam(model), WORDS.size
    np.testing.assert_allclose(found["loss"], math.log(size), rtol=1e-5)
    np.testing.assert_allclose(found["class_mass"], 1 / 4, rtol=1e-5)
    np.testing.assert_allclose(found["odds"], 0, atol=1e-5)
    np.testing.assert_allclose(found["held_mass"], 1 / 4, rtol=1e-5)
    np.testing.assert_allclose(found["verb_share"], 1 / 2, rtol=1e-5)
    np.testing.assert_allclose(found["object_share"], 1 / 4, rtol=1e-5)
    np.testing.assert_allclose(found["valid_probability"], 1 / size, rtol=1e-5)
    np.testing.assert_allclose(found["valid_log_loss"], math.log(size), rtol=1e-5)
    np.testing.assert_allclose(found["told_probability"], 1 / size, rtol=1e-5)
    np.testing.assert_allclose(found["valid_rank"], 1 / 20, rtol=1e-5)  # nothing is above it
    sentence = exam.altered["normal"]
    allowed = (transitions() != STATES.index("dead")).clone()
    allowed[:, Group.MODIFIER] = False
    per_state = allowed.double() @ torch.bincount(WORDS.groups, minlength=len(Group)).double()
    at = states(WORDS.groups[sentence])[..., :-1]
    there = sentence != PAD
    expected = (per_state[at] * there).sum((1, 2)) / there.sum((1, 2)) / size
    torch.testing.assert_close(found["syntax"], expected, rtol=1e-5, atol=0)
    lengths = (exam.sorted["relative"] != PAD).sum(-1) // 2  # sentence with its end
    torch.testing.assert_close(
        found["exact"][:, 1], (float(size) ** -lengths.double()).mean(1), rtol=1e-4, atol=0
    )


def test_exact_match_is_what_sampling_gives(exam: Examination) -> None:
    """The most frequent of many sampled answers is as frequent as its probability says."""
    model = network()
    prompt = torch.tensor([FREE, NULL, OUT]).expand(2, 4000, 3)
    answers = exam.write(model, prompt, 2)
    for m in range(2):
        rows, times = torch.unique(answers[m], dim=0, return_counts=True)
        top = rows[times.argmax()]
        line = torch.cat([prompt[0, 0], top]).expand(2, 1, -1)
        chance = float(exact(log_probabilities(model, line))[m])
        share = float(times.max()) / 4000
        assert abs(share - chance) < 5 * math.sqrt(chance / 4000)


def test_only_the_answer_counts(language: Language) -> None:
    lines = language.lines("unscramble", language.sentences(20, seeded(3)), seeded(4))
    sentences = (lines != PAD).sum(-1) // 2
    assert torch.equal(after_out(lines).sum(-1), sentences)
    log_p = log_probabilities(network(), lines)
    assert torch.equal(log_p != 0, after_out(lines))


def test_prompts_of_one_group_have_one_length(exam: Examination) -> None:
    for prompts in (exam.unscramble, exam.condition):
        for start, given, target in prompts:
            assert bool((start[..., -1] == OUT).all())
            assert bool((start != PAD).all())
            assert torch.equal(start[..., 1:-1], given)
            for row, words in zip(target[0].tolist(), given[0].tolist(), strict=True):
                assert set(words) <= set(row)


def test_no_network_beats_the_language(exam: Examination, language: Language) -> None:
    """A network that has seen a few thousand lines is still above the entropy, and learns."""
    model = network()
    before = exam(model)["excess_loss"]
    sample = Mixture(language, (1, 0, 0), 64, seed=5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(60):
        optimizer.zero_grad()
        line_loss(model, sample(step)).sum().backward()
        optimizer.step()
    after = exam(model)["excess_loss"]
    assert bool((after > 0).all())
    assert bool((after < before / 2).all())
    written = exam.tasks["free"][..., 3:]
    torch.testing.assert_close(exam.floor, floor(language, Grammar(), LONGEST, written))
