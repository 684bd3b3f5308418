"""What is read out of any policy: answers, exclusive failures, lengths, temperature."""

import math

import numpy as np
import pytest
import torch
from small_graph import CPU, GRAPH, VOCABULARY
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference import theory
from synthcore.studies.stepwise_inference.experiments import sampling
from synthcore.studies.stepwise_inference.measure import policies
from synthcore.studies.stepwise_inference.measure.answers import (
    FAILURES,
    Policy,
    check_paths,
    draw,
    generate_answers,
    parse_answers,
)
from synthcore.studies.stepwise_inference.measure.evaluator import Evaluator
from synthcore.studies.stepwise_inference.model import answer_loss, shifted_answers
from synthcore.studies.stepwise_inference.task.graphs import bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import (
    Batch,
    Vocabulary,
    candidate_pairs,
    random_split,
)
from synthcore.training.seeding import seeded

LARGE = [bernoulli_graph(30, 0.15, seeded(s)) for s in range(3)]


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    splits = [random_split(graph, 0.3, s) for s, graph in enumerate(LARGE)]
    return Evaluator(LARGE, splits, 150, 24, [0, 1, 2], CPU)


# --- answers --------------------------------------------------------------------------------------


def test_every_way_to_fail_is_told_apart() -> None:
    """In 0 -> 1 -> 2, 0 -> 3: the way; a jump to the goal; a stop short; a word inside; no walk; a
    wrong turn; the way with the wrong word."""
    edges = torch.zeros(4, 4, dtype=torch.bool)
    edges[[0, 1, 0], [1, 2, 3]] = True
    leads_to = edges | torch.eye(4).bool()
    leads_to[0, 2] = True
    vocabulary = Vocabulary(4)
    path, nopath, end = vocabulary.path, vocabulary.nopath, vocabulary.end
    tokens = [
        [2, 3, path, end],
        [3, path, end, 0],
        [2, path, end, 0],
        [vocabulary.target, 3, path, end],
        [nopath, end, 0, 0],
        [4, path, end, 0],
        [2, 3, nopath, end],
    ]
    answers = parse_answers(vocabulary, torch.tensor([tokens]))
    pairs = torch.tensor([[[0, 2]] * 7])
    paths = check_paths(answers, pairs, edges[None], leads_to[None], path)
    assert paths.valid[0].tolist() == [True, False, False, False, False, False, True]
    assert paths.misstep[0].tolist() == [False, True, False, True, False, False, False]
    assert paths.reached[0].tolist() == [True, True, False, True, False, False, True]
    assert paths.steps[0].tolist() == [2, 1, 1, 2, 0, 1, 2]
    assert paths.on_edges[0].tolist() == [2, 0, 1, 0, 0, 1, 2]
    assert paths.keeps[0].tolist() == [2, 0, 1, 0, 0, 1, 2]
    assert paths.lost[0].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert [FAILURES[i] for i in paths.failure[0].tolist()] == [
        "right",
        "misstep",
        "planning failure",
        "misstep",
        "no walk",
        "planning failure",
        "planning failure",
    ]


@pytest.mark.parametrize(
    ("name", "policy", "outcome"),
    [
        ("exact", policies.walker(LARGE, policies.uniform_path), "right"),
        ("viable", policies.walker(LARGE, policies.viable_walk), "right"),
        ("shortest", policies.walker(LARGE, policies.shortest_path), "right"),
        ("jumps", policies.walker(LARGE, policies.jumper), "misstep"),
        ("stops", policies.walker(LARGE, policies.uniform_path, stop=1 - 1e-9), "no walk"),
        ("refuses", policies.guesser(torch.zeros(3, 30, 30).bool()), "no walk"),
        ("random", policies.walker(LARGE, policies.uniform_path, noise=1.0), "misstep"),
    ],
)
def test_policies_written_by_hand_fail_as_they_should(
    evaluator: Evaluator, name: str, policy: Policy, outcome: str
) -> None:
    """The code that judges networks judges any policy."""
    shares = evaluator.failures(policy)["failure"]
    torch.testing.assert_close(shares.sum(-1), torch.ones(3, dtype=torch.double))
    least = 0.8 if name == "random" else 1 - 1e-6  # a random step may be an edge
    assert (shares[:, FAILURES.index(outcome)] >= least).all(), (name, shares)


def test_a_wanderer_never_missteps_and_often_fails_to_plan(evaluator: Evaluator) -> None:
    measured = evaluator.failures(policies.walker(LARGE, policies.wanderer))
    shares = dict(zip(FAILURES, measured["failure"].mean(0).tolist(), strict=True))
    assert shares["misstep"] == 0
    assert shares["planning failure"] > 0.3
    assert (measured["edge_error"] == 0).all()
    assert (measured["planning_error"] > 0.1).all()
    exact = evaluator.failures(policies.walker(LARGE, policies.uniform_path))
    assert (exact["planning_error"] == 0).all()


def test_the_exact_policy_answers_everything_and_a_shortcut_as_well_as_its_accuracy(
    evaluator: Evaluator,
) -> None:
    exact = evaluator.evaluate_labels(policies.walker(LARGE, policies.uniform_path))
    torch.testing.assert_close(exact["recall"], torch.ones(3, 3, dtype=torch.double))
    assert (exact["valid"] > 1 - 1e-6).all()
    splits = [random_split(graph, 0.3, s) for s, graph in enumerate(LARGE)]
    accepted = [theory.best_shortcut(g, s) for g, s in zip(LARGE, splits, strict=True)]
    recall = evaluator.evaluate_labels(policies.guesser(torch.stack(accepted)))["recall"]
    for split, table, row in zip(splits, accepted, recall, strict=True):
        groups = ((split.test, True), (split.hard_test, False), (split.easy_test, False))
        for (pairs, right), value in zip(groups, row, strict=True):
            share = (table[pairs[:, 0], pairs[:, 1]] == right).double().mean()
            if len(pairs) <= evaluator.size:  # all of them are asked
                torch.testing.assert_close(value, share)


def test_no_pair_counts_twice_where_there_are_few() -> None:
    split = random_split(GRAPH, 0.4, 0)
    asked = Evaluator([GRAPH], [split], 500, 12, [0], CPU)
    groups = (split.test, split.hard_test, split.easy_test)
    assert (asked.weight > 0).sum(-1)[0].tolist() == [len(pairs) for pairs in groups]
    torch.testing.assert_close(asked.weight.sum(-1), torch.ones(1, 3, dtype=torch.double))
    chosen = asked.connected[0, : len(split.test)].tolist()
    assert sorted(chosen) == sorted(split.test.tolist())


def test_what_is_drawn_does_not_depend_on_neighbours() -> None:
    splits = [random_split(graph, 0.3, s) for s, graph in enumerate(LARGE)]
    together = Evaluator(LARGE, splits, 40, 24, [0, 1, 2], CPU)
    alone = Evaluator(LARGE[2:], splits[2:], 40, 24, [2], CPU)
    for graphs, other in ((LARGE, together), (LARGE[2:], alone)):
        assert len(graphs) == len(other.pairs)
    many, one = (
        other.failures(policies.walker(graphs, policies.uniform_path, noise=0.2))
        for graphs, other in ((LARGE, together), (LARGE[2:], alone))
    )
    for name, values in one.items():
        torch.testing.assert_close(many[name][2:], values)


def test_top_k_keeps_the_likeliest_tokens() -> None:
    logits = torch.tensor([3.0, 2.0, 1.0, 0.0]).expand(1, 1000, 4)
    chance = torch.rand(1, 1000, generator=seeded(0))
    assert draw(logits, 1.0, chance, top_k=2).unique().tolist() == [0, 1]
    assert draw(logits, 1.0, chance, top_k=0).unique().tolist() == [0, 1, 2, 3]
    assert draw(logits, 0.0, chance, top_k=3).unique().tolist() == [0]
    p = logits[0, 0].softmax(-1)
    seen = draw(logits, 1.0, chance)[0].bincount(minlength=4) / 1000
    torch.testing.assert_close(seen, p, atol=0.05, rtol=0)


# --- lengths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "reference"),
    [
        (policies.uniform_path, "uniform path"),
        (policies.viable_walk, "viable walk"),
        (policies.shortest_path, "shortest"),
    ],
)
def test_walks_without_errors_are_as_long_as_theory_says(
    evaluator: Evaluator, steps: policies.Steps, reference: str
) -> None:
    """Noise does not change them, though right answers of noisy walkers are shorter."""
    start, goal = evaluator.connected.unbind(-1)
    expected = torch.stack(
        [theory.reference_lengths(g)[reference][start[m], goal[m]] for m, g in enumerate(LARGE)]
    )
    for noise in (0.0, 0.1):
        policy = policies.walker(LARGE, steps, noise)
        if reference == "shortest" and noise:
            continue  # noise adds children that are no shortest way
        length = evaluator.viable_lengths(policy, 20).double().mean(1)
        difference = ((length - expected) * evaluator.weight[:, 0]).sum(1).mean()
        assert abs(float(difference)) < 0.06, (noise, difference)


def test_right_answers_of_a_noisy_walker_are_shorter(evaluator: Evaluator) -> None:
    start, goal = evaluator.connected.unbind(-1)
    expected = torch.stack(
        [theory.uniform_length(g)[start[m], goal[m]] for m, g in enumerate(LARGE)]
    )
    policy = policies.walker(LARGE, policies.uniform_path, 0.3)
    _, paths = evaluator.sample_answers(policy, 20)
    steps, valid = (x.view(3, 20, -1).double() for x in (paths.steps, paths.valid))
    mean = (steps * valid).sum(1) / valid.sum(1)
    assert float(((mean - expected) * evaluator.weight[:, 0]).nansum(1).mean()) < -0.05


def test_divergence_from_the_bayes_policy_is_zero_for_it_and_positive_else(model: GPT) -> None:
    graphs = [GRAPH, GRAPH]
    splits = [random_split(GRAPH, 0.4, s) for s in (0, 1)]
    asked = Evaluator(graphs, splits, 6, 8, [0, 1], CPU)
    measured = asked.compare_with_bayes(model)
    assert (measured["bayes_divergence"] > 0).all()
    assert ((measured["edge_mass"] > 0) & (measured["edge_mass"] < 1)).all()
    exact = asked.compare_with_bayes(policies.walker(graphs, policies.uniform_path))
    torch.testing.assert_close(
        exact["bayes_divergence"], torch.zeros(2, dtype=torch.double), atol=1e-6, rtol=0
    )
    reached = GRAPH.reachable[asked.connected[..., 0], asked.connected[..., 1]]
    assert reached.all()


# --- temperature ----------------------------------------------------------------------------------


def busiest() -> Tensor:
    pairs = candidate_pairs(GRAPH)
    return pairs[GRAPH.counts[pairs[:, 0], pairs[:, 1]].argmax()][None]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_path_probabilities_are_products_along_whole_lines(model: GPT, temperature: float) -> None:
    pair = busiest()
    tree = sampling.answer_trees(GRAPH, pair, VOCABULARY)[0]
    pairs, trees = pair.expand(2, 1, 2), [[tree], [tree]]
    logits = sampling.prefix_logits(model, VOCABULARY, pairs, trees)[1][0]
    probabilities = sampling.path_probabilities(tree, logits, temperature)
    assert len(probabilities) == GRAPH.counts[pair[0, 0], pair[0, 1]]
    for leaf, probability in zip(np.flatnonzero(tree.complete), probabilities, strict=True):
        answer = tree.tokens(int(leaf))
        line = torch.tensor([VOCABULARY.prompt(pair[0]).tolist() + answer])
        with torch.no_grad():
            out = model(line.expand(2, 1, -1))[1, 0, 2:-1]
        steps = (out / temperature).log_softmax(-1)[torch.arange(len(answer)), torch.tensor(answer)]
        assert probability == pytest.approx(float(steps.sum().exp()), rel=1e-4)


def test_sampled_answers_agree_with_exact_probabilities(model: GPT) -> None:
    with torch.no_grad():  # a network that knows the edges well enough to be right sometimes
        model.embed.weight[:, VOCABULARY.nodes + 1 :] *= 0.1
    pair, draws, temperature = busiest(), 20_000, 2.0
    tree = sampling.answer_trees(GRAPH, pair, VOCABULARY)[0]
    pairs, trees = pair.expand(2, 1, 2), [[tree], [tree]]
    logits = sampling.prefix_logits(model, VOCABULARY, pairs, trees)[0][0]
    exact = float(sampling.path_probabilities(tree, logits, temperature).sum())
    repeated = pair.expand(2, draws, 2)
    random = [seeded(0), seeded(1)]
    answers = generate_answers(model, VOCABULARY, repeated, 8, temperature, random)
    leads_to = (GRAPH.counts > 0).expand(2, -1, -1)
    adjacency = GRAPH.adjacency.expand(2, -1, -1)
    paths = check_paths(answers, repeated, adjacency, leads_to, VOCABULARY.path)
    share = float((paths.failure == 0)[0].double().mean())
    assert exact > 1e-4
    assert abs(share - exact) < 5 * math.sqrt(exact / draws)


def test_expected_number_of_different_paths() -> None:
    """Against drawing, and against all outcomes of two draws."""
    p = np.array([0.5, 0.3])
    assert sampling.expected_distinct(p, 2) == pytest.approx(1 - 0.25 + 1 - 0.49)
    assert sampling.expected_distinct(np.array([1.0]), 5) == pytest.approx(1)
    assert sampling.expected_distinct(np.zeros(3), 5) == 0


# --- shifted answers ------------------------------------------------------------------------------


def test_shifted_answers_use_later_position_vectors(model: GPT) -> None:
    lines = torch.randint(1, VOCABULARY.size, (2, 3, 9), generator=seeded(0))
    with torch.no_grad():
        plain = model(lines)
        with shifted_answers(model, torch.zeros(2, 3, dtype=torch.long), 9):
            torch.testing.assert_close(model(lines), plain)
        with shifted_answers(model, torch.full((2, 3), 4), 9):
            moved = model(lines)
        assert model.pos_embed is not None
        kept = model.pos_embed.clone()
        model.pos_embed[:, :, 3:9] = kept[:, :, 7:13]
        torch.testing.assert_close(moved, model(lines))
        assert not torch.allclose(moved, plain)


def test_the_loss_counts_answers_only_or_every_token(model: GPT) -> None:
    line = VOCABULARY.encode(
        torch.tensor([[4], [4]]), torch.tensor([[[1, 4]], [[1, 4]]]), VOCABULARY.path
    )
    with torch.no_grad():
        log_p = model(line[..., :-1]).log_softmax(-1)
        wanted = line[..., 1:]
        each = -log_p.gather(-1, wanted[..., None])[..., 0]
        loss = answer_loss(model, Batch((line,)))
        on_line = answer_loss(model, Batch((line,)), loss_from=1)
    torch.testing.assert_close(loss, each[:, 0, 2:].mean(-1))
    torch.testing.assert_close(on_line, each[:, 0].mean(-1))
