"""What is read out of networks and contexts: answers, temperature, the two tables, motifs."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import replace
from synthcore.studies.stepwise_inference.experiments import one_layer, sampling, steering
from synthcore.studies.stepwise_inference.measure import (
    Evaluator,
    check_paths,
    generate_answers,
    parse_answers,
)
from synthcore.studies.stepwise_inference.model import answer_loss, build, shifted_answers
from synthcore.studies.stepwise_inference.task.graphs import bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import (
    Batch,
    Vocabulary,
    candidate_pairs,
    random_split,
)
from synthcore.studies.stepwise_inference.task.motifs import Chain, Motifs
from synthcore.training.generate import generate
from synthcore.training.seeding import seeded

CPU = torch.device("cpu")
GRAPH = bernoulli_graph(10, 0.35, seeded(3), ends=2)
VOCABULARY = Vocabulary(10)


def loud(model: GPT) -> GPT:
    """Larger weights, so that an untrained network has opinions."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    return model.eval()


@pytest.fixture
def model() -> GPT:
    return loud(build(VOCABULARY.size, 24, 16, 2, [0, 1], CPU))


# --- answers --------------------------------------------------------------------------------------


def test_every_way_to_fail_is_told_apart() -> None:
    """In 0 -> 1 -> 2, 0 -> 3: the way; a jump to the goal; a stop short; a word inside; no walk."""
    edges = torch.zeros(4, 4, dtype=torch.bool)
    edges[[0, 1, 0], [1, 2, 3]] = True
    vocabulary = Vocabulary(4)
    tokens = [
        [2, 3, vocabulary.path, vocabulary.end],
        [3, vocabulary.path, vocabulary.end, 0],
        [2, vocabulary.path, vocabulary.end, 0],
        [vocabulary.target, 3, vocabulary.path, vocabulary.end],
        [vocabulary.nopath, vocabulary.end, 0, 0],
    ]
    answers = parse_answers(vocabulary, torch.tensor([tokens]))
    pairs = torch.tensor([[[0, 2]] * 5])
    paths = check_paths(answers, pairs, edges[None])
    assert paths.valid[0].tolist() == [True, False, False, False, False]
    assert paths.misstep[0].tolist() == [False, True, False, True, False]
    assert paths.reached[0].tolist() == [True, True, False, True, False]
    assert paths.steps[0].tolist() == [2, 1, 1, 2, 0]
    assert paths.on_edges[0].tolist() == [2, 0, 1, 0, 0]
    assert answers.label[0].tolist() == [vocabulary.path] * 4 + [vocabulary.nopath]


def test_divergence_from_the_bayes_policy_is_zero_for_it_and_positive_else(model: GPT) -> None:
    graphs = [GRAPH, GRAPH]
    splits = [random_split(GRAPH, 0.4, s) for s in (0, 1)]
    evaluator = Evaluator(graphs, splits, 6, 8, [0, 1], CPU)
    measured = evaluator.compare_with_bayes(model)
    assert (measured["bayes_divergence"] > 0).all()
    assert ((measured["edge_mass"] > 0) & (measured["edge_mass"] < 1)).all()
    reached = GRAPH.reachable[evaluator.connected[..., 0], evaluator.connected[..., 1]]
    assert reached.all()


# --- temperature ----------------------------------------------------------------------------------


def busiest() -> Tensor:
    pairs = candidate_pairs(GRAPH)
    return pairs[GRAPH.counts[pairs[:, 0], pairs[:, 1]].argmax()][None]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_path_probabilities_are_products_along_whole_lines(model: GPT, temperature: float) -> None:
    pair = busiest()
    tree = sampling.answer_trees(GRAPH, pair, VOCABULARY)[0]
    logits = sampling.prefix_logits(model, 1, VOCABULARY, pair, [tree])[0]
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
    logits = sampling.prefix_logits(model, 0, VOCABULARY, pair, [tree])[0]
    exact = float(sampling.path_probabilities(tree, logits, temperature).sum())
    repeated = pair.expand(2, draws, 2)
    generator = torch.Generator().manual_seed(0)
    answers = generate_answers(model, VOCABULARY, repeated, 8, temperature, generator)
    paths = check_paths(answers, repeated, GRAPH.adjacency.expand(2, -1, -1))
    share = float((paths.valid & (answers.label == VOCABULARY.path))[0].double().mean())
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


def test_the_loss_counts_answers_only(model: GPT) -> None:
    line = VOCABULARY.encode(
        torch.tensor([[4], [4]]), torch.tensor([[[1, 4]], [[1, 4]]]), VOCABULARY.path
    )
    with torch.no_grad():
        log_p = model(line[..., :-1]).log_softmax(-1)
        wanted = line[..., 1:]
        each = -log_p.gather(-1, wanted[..., None])[..., 0]
        loss = answer_loss(model, Batch((line,)))
    torch.testing.assert_close(loss, each[:, 0, 2:].mean(-1))


# --- the two tables -------------------------------------------------------------------------------


def test_the_rule_is_exact_when_attention_is_what_it_says() -> None:
    """Without positions, and with attention forced on goal and current node, the network's next
    node is the arg-max of the two tables."""
    model = loud(build(VOCABULARY.size, 24, 16, 1, [0, 1], CPU, mlp_ratio=0))
    assert model.pos_embed is not None
    with torch.no_grad():
        model.pos_embed.zero_()
    graphs, splits = [GRAPH] * 2, [random_split(GRAPH, 0.4, s) for s in (0, 1)]
    evaluator = Evaluator(graphs, splits, 12, 8, [0, 1], CPU)

    def forced(pattern: Tensor) -> Tensor:
        out = torch.zeros_like(pattern)
        places = torch.arange(pattern.shape[-1])
        out[..., places, places] = 0.6
        out[..., one_layer.GOAL :, one_layer.GOAL] += 0.4
        return out

    with replace(model, {"blocks.0.attn.hook_pattern": forced}):
        measured = one_layer.evaluate_rule(model, evaluator, graphs)
    torch.testing.assert_close(measured["rule_agreement"], torch.ones(2, dtype=torch.double))
    torch.testing.assert_close(measured["attention_mass"], torch.ones(2, dtype=torch.double))
    assert torch.equal(measured["rule_accuracy"], measured["constant_rule_accuracy"])


def test_two_tables_recover_logits_of_their_form() -> None:
    generator = seeded(0)
    s1, s2 = torch.randn(2, 6, 6, generator=generator)
    node, goal = torch.randint(6, (2, 1, 200, 1), generator=generator)
    inside = torch.ones(1, 200, 1, dtype=torch.bool)
    logits = s1[goal] + s2[node]
    logits = logits - logits.mean(-1, keepdim=True)
    fitted = one_layer.fit_two_tables(logits, node, goal, inside)
    torch.testing.assert_close(fitted, logits, atol=0.02, rtol=0)


def test_tables_that_know_the_graph_score_one() -> None:
    assert one_layer.distance_correlation(GRAPH, -GRAPH.distance.T.float()) == pytest.approx(1)
    assert one_layer.adjacency_auc(GRAPH, GRAPH.adjacency.float()) == 1
    nothing = torch.zeros(10, 10)
    assert one_layer.adjacency_auc(GRAPH, nothing) == 0.5


# --- motifs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def motifs() -> Motifs:
    return Motifs(count=6, size=7, p=0.4, held_out=0.2, seeds=[0, 1])


def drawn(motifs: Motifs, length: int, batch: int = 20) -> Chain:
    generator = seeded(4)
    return motifs.sample_chain(motifs.sample_orders(batch, length, generator), generator)


@pytest.mark.parametrize("length", [2, 3, 4])
def test_right_answers_follow_their_chain_and_no_other(motifs: Motifs, length: int) -> None:
    chain = drawn(motifs, length)
    answer = motifs.join(motifs.sample_answer(chain, seeded(1)), 20, 99)
    answer = torch.where(answer == motifs.vocabulary.end, 0, answer)
    assert steering.follows_chain(motifs, chain, answer).all()
    other = motifs.sample_rival(chain, seeded(9)) if length > 2 else drawn(motifs, 3)
    assert not steering.follows_chain(motifs, other, answer).any()
    assert not steering.follows_chain(motifs, chain, answer[..., :1]).any()
    assert not steering.follows_chain(motifs, chain, torch.zeros_like(answer)).any()


def test_a_rival_has_the_same_ends_and_other_motifs_between(motifs: Motifs) -> None:
    chain = drawn(motifs, 4)
    other = motifs.sample_rival(chain, seeded(2))
    assert torch.equal(other.motifs[..., [0, -1]], chain.motifs[..., [0, -1]])
    both = torch.cat([chain.motifs, other.motifs[..., 1:-1]], -1).sort(-1).values
    assert (both.diff(dim=-1) > 0).all()
    assert torch.equal(other.start, chain.start)
    with pytest.raises(ValueError, match="more than 6 motifs"):
        motifs.sample_rival(drawn(motifs, 5), seeded(2))


def test_held_out_links_occur_in_unseen_orders_only(motifs: Motifs) -> None:
    member = torch.arange(2)[:, None, None]
    for unseen in (False, True):
        order = motifs.sample_orders(50, 3, seeded(5), unseen)
        trained = motifs.trained[member, order[..., :-1], order[..., 1:]].all(-1)
        assert (trained != unseen).all()


def test_chains_that_do_not_fit_are_refused(motifs: Motifs, model: GPT) -> None:
    chain = drawn(motifs, 4)
    parts = motifs.sample_exemplars(chain, range(3), seeded(0))
    with pytest.raises(ValueError, match="does not fit into a context of 10"):
        motifs.join(parts, 20, 10)
    with pytest.raises(ValueError, match="a chain needs 2 to 6 motifs"):
        motifs.sample_orders(3, 7, seeded(0))
    with pytest.raises(ValueError, match="exceed the context of 24"):
        steering.complete(model, torch.ones(2, 1, 20, dtype=torch.long), 5, VOCABULARY.end)


def test_completions_of_unequal_prompts_are_those_of_each_alone(model: GPT) -> None:
    prompts = torch.randint(1, VOCABULARY.size, (2, 4, 8), generator=seeded(0))
    prompts[:, 1, 5:] = 0
    answers = steering.complete(model, prompts, 6, VOCABULARY.end)
    for row, length in ((0, 8), (1, 5)):
        alone = generate(model, prompts[:, row : row + 1, :length], 6, temperature=0.0)
        alone = alone[:, 0, length:]
        ended = (alone == VOCABULARY.end).cumsum(-1) > 0
        assert torch.equal(answers[:, row], alone.masked_fill(ended, 0))
