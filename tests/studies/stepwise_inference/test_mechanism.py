"""What is read out of one-layer networks and of contexts of motifs."""

from dataclasses import replace as replace_shape

import pytest
import torch
from small_graph import CPU, GRAPH, SHAPE, VOCABULARY, loud
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import replace
from synthcore.studies.stepwise_inference.experiments import one_layer, steering
from synthcore.studies.stepwise_inference.measure.evaluator import Evaluator
from synthcore.studies.stepwise_inference.model import build
from synthcore.studies.stepwise_inference.task.lines import random_split
from synthcore.studies.stepwise_inference.task.motifs import Chain, Motifs
from synthcore.training.generate import generate
from synthcore.training.seeding import seeded

# --- the two tables -------------------------------------------------------------------------------


def test_the_rule_is_exact_when_attention_is_what_it_says() -> None:
    """Without positions, and with attention forced on goal and current node, the network's next
    node is the arg-max of the two tables."""
    model = loud(build(replace_shape(SHAPE, depth=1, mlp_ratio=0), [0, 1], CPU))
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
    return motifs.sample_chain(motifs.sample_orders(batch, length, 4), 4)


@pytest.mark.parametrize("length", [2, 3, 4])
def test_right_answers_follow_their_chain_and_no_other(motifs: Motifs, length: int) -> None:
    chain = drawn(motifs, length)
    answer = motifs.join(motifs.sample_answer(chain, 1), 20, 99)
    answer = torch.where(answer == motifs.vocabulary.end, 0, answer)
    assert steering.follows_chain(motifs, chain, answer).all()
    if length > 2:
        chain, other = motifs.sample_rivals(20, length, 9)
        answer = motifs.join(motifs.sample_answer(chain, 1), 20, 99)
        answer = torch.where(answer == motifs.vocabulary.end, 0, answer)
        assert steering.follows_chain(motifs, chain, answer).all()
        assert not steering.follows_chain(motifs, other, answer).any()
    assert not steering.follows_chain(motifs, chain, answer[..., :1]).any()
    assert not steering.follows_chain(motifs, chain, torch.zeros_like(answer)).any()


@pytest.mark.parametrize("length", [3, 4])
def test_a_rival_has_the_same_ends_other_motifs_between_and_no_held_out_link(
    motifs: Motifs, length: int
) -> None:
    chain, other = motifs.sample_rivals(200, length, 2)
    assert torch.equal(other.motifs[..., [0, -1]], chain.motifs[..., [0, -1]])
    both = torch.cat([chain.motifs, other.motifs[..., 1:-1]], -1).sort(-1).values
    assert (both.diff(dim=-1) > 0).all()
    assert torch.equal(other.start, chain.start)
    assert torch.equal(other.goal, chain.goal)
    for one in (chain, other):
        assert motifs.links_trained(one.motifs).all()
    with pytest.raises(ValueError, match="more than 6 motifs"):
        motifs.sample_rivals(20, 5, 2)


def test_documents_do_not_depend_on_neighbours() -> None:
    many = Motifs(count=6, size=7, p=0.4, held_out=0.2, seeds=[0, 1])
    one = Motifs(count=6, size=7, p=0.4, held_out=0.2, seeds=[1])
    together, alone = many.sample_rivals(20, 3, 7), one.sample_rivals(20, 3, 7)
    for left, right in zip(together, alone, strict=True):
        assert torch.equal(left.ghosts[1:], right.ghosts)
        assert torch.equal(left.motifs[1:], right.motifs)


def test_a_reader_follows_the_first_chain_it_sees_whole(motifs: Motifs) -> None:
    chain, rival = motifs.sample_rivals(400, 3, 1)
    shown = [(chain, range(2)), (rival, range(2))]
    first = steering.read_exemplars(motifs, shown, first=True)
    assert steering.follows_chain(motifs, chain, first).all()
    either = steering.read_exemplars(motifs, shown, first=False)
    shares = [
        float(steering.follows_chain(motifs, one, either).double().mean()) for one in (chain, rival)
    ]
    assert sum(shares) == 1
    assert shares[0] == pytest.approx(0.5, abs=0.1)
    nothing = steering.read_exemplars(motifs, [(chain, range(1))], first=True)
    assert not steering.follows_chain(motifs, chain, nothing).any()


def test_held_out_links_occur_in_unseen_orders_only(motifs: Motifs) -> None:
    member = torch.arange(2)[:, None, None]
    for unseen in (False, True):
        order = motifs.sample_orders(50, 3, 5, unseen=unseen)
        trained = motifs.trained[member, order[..., :-1], order[..., 1:]].all(-1)
        assert (trained != unseen).all()


def test_chains_that_do_not_fit_are_refused(motifs: Motifs, model: GPT) -> None:
    chain = drawn(motifs, 4)
    parts = motifs.sample_exemplars(chain, range(3), 0)
    with pytest.raises(ValueError, match="does not fit into a context of 10"):
        motifs.join(parts, 20, 10)
    with pytest.raises(ValueError, match="a chain needs 2 to 6 motifs"):
        motifs.sample_orders(3, 7, 0)
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
