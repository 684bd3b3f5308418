"""Losses and measurements of the transformers, against what is known of simple networks."""

import math

import numpy as np
import pytest
import torch

from synthcore.nn.gpt import GPT
from synthcore.studies.percolation.measure.evaluation import (
    Evaluator,
    after_out,
    exact_match,
    log_probabilities,
    write,
)
from synthcore.studies.percolation.measure.masses import Kinds
from synthcore.studies.percolation.model import line_loss, loss_of, transformer
from synthcore.studies.percolation.task.grammar import STATES, Grammar, Group, states, transitions
from synthcore.studies.percolation.task.language import Draws, Language, LineSampler
from synthcore.studies.percolation.task.skeletons import draw_skeletons
from synthcore.studies.percolation.task.vocabulary import (
    FREE,
    NULL,
    OUT,
    PAD,
    Classes,
    Vocabulary,
    random_edges,
)
from synthcore.training.seeding import seeded

LONGEST = 9
WORDS = Vocabulary(Classes(4, 16, 80), verbs=4)


@pytest.fixture(scope="module")
def language() -> Language:
    graphs = [random_edges(WORDS.classes, 0.3, seeded(m)) for m in range(2)]
    return Language(WORDS, graphs, draw_skeletons(Grammar(), 2000, LONGEST, seeded(0)))


@pytest.fixture(scope="module")
def exam(language: Language) -> Evaluator:
    graphs = [random_edges(WORDS.classes, 0.3, seeded(m)) for m in range(2)]
    return Evaluator(language, Kinds.of(graphs), size=40, samples=40, seeds=[0, 1])


def network() -> GPT:
    return transformer(WORDS.size, 2 * LONGEST + 2, 16, 1, 2, 0.3, [0, 1])


@torch.no_grad()
def test_the_loss_is_the_mean_over_all_tokens_but_the_first(language: Language) -> None:
    model, groups = network(), LineSampler(language, (1, 1, 1), 12, [0, 1])(0)
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
    exam: Evaluator, language: Language
) -> None:
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()  # uniform over the vocabulary
    found, size = exam(model, 0), WORDS.size
    np.testing.assert_allclose(found["loss"], math.log(size), rtol=1e-5)
    np.testing.assert_allclose(found["class_mass"], 1 / 4, rtol=1e-5)
    np.testing.assert_allclose(found["odds"], 0, atol=1e-5)
    np.testing.assert_allclose(found["held_mass"], 1 / 4, rtol=1e-5)
    np.testing.assert_allclose(found["verb_share"], 1 / 2, rtol=1e-5)
    np.testing.assert_allclose(found["object_share"], 1 / 4, rtol=1e-5)
    np.testing.assert_allclose(found["valid_probability"], 1 / size, rtol=1e-5)
    np.testing.assert_allclose(found["never_odds"], 0, atol=1e-5)
    np.testing.assert_allclose(found["never_lift"], 1, rtol=1e-5)
    torch.testing.assert_close(found["syntax"], found["syntax_chance"], rtol=1e-5, atol=0)
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


def test_exact_match_is_what_sampling_gives() -> None:
    """The most frequent of many sampled answers is as frequent as its probability says."""
    model = network()
    prompt = torch.tensor([FREE, NULL, OUT]).expand(2, 4000, 3)
    answers = write(model, prompt, 2, Draws([0, 1], "sampled"))
    for m in range(2):
        rows, times = torch.unique(answers[m], dim=0, return_counts=True)
        top = rows[times.argmax()]
        line = torch.cat([prompt[0, 0], top]).expand(2, 1, -1)
        chance = float(exact_match(log_probabilities(model, line))[m])
        share = float(times.max()) / 4000
        assert abs(share - chance) < 5 * math.sqrt(chance / 4000)


def test_only_the_answer_counts(language: Language) -> None:
    draw = Draws([0, 1], "unscrambled")
    lines = language.lines("unscramble", language.sentences(20, draw), draw)
    sentences = (lines != PAD).sum(-1) // 2
    assert torch.equal(after_out(lines).sum(-1), sentences)
    log_p = log_probabilities(network(), lines)
    assert torch.equal(log_p != 0, after_out(lines))


def test_prompts_of_one_group_have_one_length(exam: Evaluator) -> None:
    for start, given in exam.condition:
        assert bool((start[..., -1] == OUT).all())
        assert bool((start != PAD).all())
        assert torch.equal(start[..., 1:-1], given)


def test_no_network_beats_the_language(exam: Evaluator, language: Language) -> None:
    """A network that has seen a few thousand lines is still above the entropy, and learns."""
    model = network()
    before = exam(model, 0)["excess_loss"]
    sample = LineSampler(language, (1, 0, 0), 64, [0, 1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(60):
        optimizer.zero_grad()
        line_loss(model, sample(step)).sum().backward()
        optimizer.step()
    after = exam(model, 60)["excess_loss"]
    assert bool((after > 0).all())
    assert bool((after < before / 2).all())


@torch.no_grad()
def test_the_loss_of_the_code_is_the_sum_of_a_line_over_the_padded_length(
    language: Language,
) -> None:
    model, groups = network(), LineSampler(language, (1, 1, 1), 12, [0, 1])(0)
    per_token = line_loss(model, groups)
    tokens = sum((group[..., 1:] != PAD).sum((1, 2)) for group in groups)
    expected = per_token * tokens / (12 * 19)
    torch.testing.assert_close(loss_of("line", 20)(model, groups), expected)
