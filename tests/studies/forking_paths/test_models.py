"""Trained transformers as backends, their training texts, and a language model on this machine."""

import re

import numpy as np
import pytest
import torch
from scipy import stats

from synthcore.completions.protocol import Completion, Request, ask
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.smollm2 import MissingLanguageModelError, smollm2
from synthcore.studies.forking_paths.experiments import language_model
from synthcore.studies.forking_paths.measure.analysis import (
    plan_fpa,
    regex_outcome,
    run_fpa,
    run_plan,
)
from synthcore.studies.forking_paths.model import Texts, TransformerBackend, Vocabulary
from synthcore.studies.forking_paths.task.backend import PROMPT, ForkWorldBackend, answer_of
from synthcore.studies.forking_paths.task.world import ForkWorld, Recipe
from synthcore.training.seeding import seeded

ANSWERS = ForkWorld(3).answers


@pytest.fixture(scope="module")
def network() -> tuple[TransformerBackend, GPT, Vocabulary]:
    words = Vocabulary(2, ANSWERS)
    shape = GPTConfig(len(words.tokens), 20, 16, 1, 2, positions="learned", initial_std=0.3)
    model = GPT(shape, [5, 6]).eval()
    return TransformerBackend(model, 1, words, "net"), model, words


def test_a_network_samples_its_own_distribution(
    network: tuple[TransformerBackend, GPT, Vocabulary],
) -> None:
    backend, model, words = network
    prefix = ("World 1:", " river", ",")
    codes = torch.tensor([words.encode("".join(prefix))]).expand(2, 1, -1)
    with torch.no_grad():
        p = model(codes)[1, 0, -1].double().softmax(-1).numpy()
    greedy = ask(backend, Request(prefix, temperature=0.0, logprobs=5, max_tokens=3))[0]
    assert greedy.tokens[0] == words.tokens[int(p.argmax())]
    assert greedy.top[0][greedy.tokens[0]] == pytest.approx(p.max(), rel=1e-4)
    drawn = ask(backend, Request(prefix, n=3000, max_tokens=1, seed=2))
    counts = np.array([[c.text for c in drawn].count(t) for t in words.tokens])
    keep = 3000 * p > 5
    expected = p[keep] * counts[keep].sum() / p[keep].sum()
    assert stats.chisquare(counts[keep], expected).pvalue > 1e-3


def test_what_a_network_writes_does_not_depend_on_its_neighbours(
    network: tuple[TransformerBackend, GPT, Vocabulary],
) -> None:
    backend = network[0]
    requests = [
        Request(("World 0:", w), n=2, max_tokens=9, seed=i)
        for i, w in enumerate((" river", " stone", ","))
    ]
    together = dict(backend.complete([*requests, Request(("World 1:",), max_tokens=4)]))
    assert [together[i] for i in range(3)] == [ask(backend, request) for request in requests]
    ended = Request(("World 0:", ANSWERS[1]), n=3, max_tokens=5)
    assert ask(backend, ended) == [Completion("")] * 3


def test_prompts_run_together_leave_the_language() -> None:
    words = Vocabulary(2, ANSWERS)
    with pytest.raises(ValueError, match="'World 1:World 1:' is no token of the language"):
        words.encode("World 0:World 1:World 1:")


def test_training_texts_are_texts_of_their_worlds() -> None:
    recipe = Recipe(30, forks=(1,), rare=(0,), hidden=(0,), drift=0)
    worlds = [[ForkWorld(10 * m + i, recipe) for i in range(2)] for m in range(2)]
    words = Vocabulary(2, worlds[0][0].answers)
    texts = Texts(worlds, words, torch.device("cpu"))
    drawn = texts.sample(1500, [seeded(m, "texts") for m in range(2)])
    assert drawn.shape == (2, 1500, 32)
    for m in range(2):
        for i, world in enumerate(worlds[m]):
            mine = drawn[m][drawn[m, :, 0] == i]
            for row in mine[:3].tolist():
                world.exact_o([words.tokens[c] for c in row[1:]])  # has a probability
            share = torch.bincount(mine[:, -1] - texts.first_answer, minlength=4) / len(mine)
            spread = np.sqrt(world.exact_o(()) / len(mine)) + 1e-3
            assert (np.abs(share.numpy() - world.exact_o(())) < 4 * spread).all()


# --- a language model on this machine ---------------------------------------------------------


def test_generated_questions_know_their_answers() -> None:
    for question in language_model.questions("CoinFlip", 12):
        asked = question.prompt.rpartition("heads up. ")[2]
        flips = asked.count(" flips the coin")
        assert question.answer == ("no" if flips % 2 else "yes")
    for question in language_model.questions("LastLetter", 12):
        names = question.prompt.rpartition('words in "')[2].partition('"')[0].split()
        assert question.answer == "".join(name[-1] for name in names)
    for question in language_model.questions("Sums", 12):
        start, more, less = map(int, re.findall(r"\d+", question.prompt.rpartition("Q:")[2]))
        assert question.answer == str(start + more - less)
    for question in language_model.questions("Capitals", 12):
        country, _, cities = question.prompt.rpartition("capital of ")[2].partition(": ")
        assert question.answer in cities.lower()
        assert f"{country} {question.answer.title()}" in language_model.CAPITALS
    for task in language_model.TASKS:
        assert language_model.questions(task, 3) == language_model.questions(task, 5)[:3]
        prompts = [question.prompt for question in language_model.questions(task, 30)]
        assert len(set(prompts)) == 30


def test_worked_examples_answer_in_the_form_that_is_read() -> None:
    read = regex_outcome(language_model.PATTERN)
    for task in language_model.TASKS:
        (question,) = language_model.questions(task, 1)
        examples = [line for line in question.prompt.split("\n") if line.startswith("A: ")]
        assert len(examples) == 2
        assert all(read(line) for line in examples)


def test_what_is_kept_of_an_answer() -> None:
    world = ForkWorld(3)
    fpa = run_fpa(
        ForkWorldBackend(world), PROMPT, answer_of(world), 5, max_tokens=61, outcomes=world.names
    )
    row = language_model.row(fpa, language_model.Question("CoinFlip", PROMPT, "yes"), 0)
    assert row.token.values.tolist() == list(world.base_path()[: language_model.LONGEST])
    assert np.nansum(row.o.values, 1) == pytest.approx(1, abs=1e-6)
    assert row.p_m.sum("m").values == pytest.approx([1, 1])
    assert float(row.right) == 0
    assert float(row.classes.sum()) == 61


def test_a_small_language_model_is_served_and_analysed() -> None:
    try:
        smollm2("xllamacpp")
    except MissingLanguageModelError as error:
        pytest.skip(str(error))
    prompt = "Q: One plus one?\nA: The answer is 2.\n\nQ: Two plus one?\nA: The"
    model, stop = language_model.OnDemand(), language_model.STOP
    plan = plan_fpa(model, prompt, 5, 0.2, 2, 16, stop=stop)
    fpa = run_plan(model, plan, regex_outcome(language_model.PATTERN), stop=stop)
    assert "answer is" in "".join(fpa.tokens)
    o_t = fpa.paths().o_t[0]
    torch.testing.assert_close(o_t.sum(-1), torch.ones(len(o_t), dtype=o_t.dtype))
