"""Networks, probes, policies and revival times, where the answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from synthcore.interp.probes import probe
from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers import networks, opened, policies, revival
from synthcore.studies.finetuning_wrappers.exam import CLEAN, SPURIOUS, Exam
from synthcore.studies.finetuning_wrappers.grammar_school import PRIORS, Grid, members_of
from synthcore.studies.finetuning_wrappers.networks import Batch, Shape, answer_loss
from synthcore.studies.finetuning_wrappers.revived import united
from synthcore.studies.finetuning_wrappers.task import A, B, World

WORLD = World(text=10, window=6, occurrence=2, least=0, most=3)
CPU = torch.device("cpu")


def small(seeds: tuple[int, ...] = (0, 1), depth: int = 2) -> GPT:
    return networks.build(Shape(16, depth, 2), WORLD, seeds, CPU)


def prompts(members: int, batch: int = 6) -> Tensor:
    draw = torch.Generator().manual_seed(3)
    return torch.randint(WORLD.vocabulary, (members, batch, WORLD.prompt), generator=draw)


# --- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_answer_logits_are_those_of_the_whole_pass(depth: int) -> None:
    model, tokens = small(depth=depth), prompts(2)
    whole = model(tokens)[:, :, -1]
    torch.testing.assert_close(networks.answer_logits(model, tokens), whole, rtol=1e-4, atol=1e-5)
    assert torch.equal(networks.predict(model, tokens, chunk=4), whole.argmax(-1))


def test_a_pass_with_gradients_holds_about_what_is_counted() -> None:
    model, held = networks.build(Shape(48, 4, 4), WORLD, (0, 1), CPU), 0
    seen = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def pack(x: Tensor) -> Tensor:
        nonlocal held
        storage = x.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            held += storage.nbytes() // x.element_size()
        return x

    batch = networks.Batch(prompts(2, 8), torch.zeros(2, 8, dtype=torch.long))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = networks.answer_loss(model, batch)
    loss.sum().backward()
    counted = 8 * networks.HELD / networks.prompts_at_once(model, gradient=True)
    assert 0.5 * counted < held < counted


def test_gradients_are_those_of_the_whole_pass() -> None:
    model, tokens = small(), prompts(2)
    batch = Batch(tokens, torch.randint(7, (2, 6), generator=torch.Generator().manual_seed(0)))
    answer_loss(model, batch).sum().backward()
    short = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    logits = model(tokens)[:, :, -1]
    whole = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.answers.flatten(), reduction="sum"
    )
    (whole / 6).backward()
    for a, p in zip(short, model.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad, rtol=1e-3, atol=1e-6)


def test_members_are_copied_and_united() -> None:
    model, tokens = small((5, 7)), prompts(1)
    some = members_of(model, [1, 0, 1])
    out = networks.answer_logits(some, tokens.expand(3, -1, -1))
    own = networks.answer_logits(model, tokens.expand(2, -1, -1))
    torch.testing.assert_close(out, own[[1, 0, 1]])
    assert some.seeds == (7, 5, 7)
    both = united([model, some])
    assert both.seeds == (5, 7, 7, 5, 7)
    torch.testing.assert_close(
        networks.answer_logits(both, tokens.expand(5, -1, -1)), own[[0, 1, 1, 0, 1]]
    )


def test_a_grid_knows_where_its_members_come_from() -> None:
    grid = Grid(("L", "H"), (1e-3, 1e-4), (0.0, 1.0), (4, 5))
    assert grid.starts == [0, 1] * 4 + [2, 3] * 4
    assert grid.member_rates[:4] == [1e-3] * 4
    taught = grid.lessons()
    assert [lesson.spurious for lesson in taught[:4]] == [0.0, 0.0, 1.0, 1.0]
    assert taught[-1].prior == PRIORS["H"]
    values = grid.shaped(torch.arange(16))
    assert int(values[1, 0, 1, 1]) == 11


# --- probes -------------------------------------------------------------------------------------


def test_probes_read_what_stands_there_and_nothing_from_shuffled_labels() -> None:
    """The number of a letter can be guessed from untrained attention, which averages; nothing of
    it is in the embedding of the last place."""
    model = small((0, 1))
    draw = torch.Generator().manual_seed(2)
    text = torch.randint(3, (400, WORLD.text), generator=draw)
    ones = torch.zeros(400, dtype=torch.long)
    lines = WORLD.lines(text, ones, ones).expand(2, -1, -1)
    labels = (text == 0).sum(-1)
    found = probe(opened.activations(model, lines), labels, 11, (0, 1))
    assert found.accuracy.shape == (3, 2)
    chance = float((labels == labels.mode().values).double().mean())
    assert float(found.accuracy[0].max()) < chance + 0.1  # the embedding of ART knows nothing
    assert float(found.accuracy[1:].min()) > chance + 0.1
    assert float(found.shuffled.max()) < chance + 0.15


# --- policies -----------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0.02, 1), min_size=5, max_size=5),
    st.integers(0, 3),
)
def test_mixtures_are_recovered(raw: list[float], seed: int) -> None:
    weights = torch.tensor(raw, dtype=torch.double)
    weights = weights / weights.sum()
    draw = torch.Generator().manual_seed(seed)
    size, classes = 6000, 8
    n_a = torch.randint(1, 6, (size,), generator=draw)
    n_b = torch.randint(1, 7, (size,), generator=draw)
    answers = policies.policy_answers(n_a, n_b, 3)
    which = torch.multinomial(weights, size, replacement=True, generator=draw)
    noise = torch.randint(classes, (1, size), generator=draw)
    said = torch.cat([answers, noise]).gather(0, which[None])
    found = policies.fit_mixture(policies.patterns(said, answers), classes)[0]
    assert float(found.sum()) == pytest.approx(1, abs=1e-9)
    assert float((found - weights).abs().max()) < 0.06


def test_weights_are_a_maximum_of_the_likelihood() -> None:
    """No small move on the simplex raises the likelihood."""
    counts = torch.randint(1, 40, (1, 16), generator=torch.Generator().manual_seed(0)).double()
    best = policies.fit_mixture(counts, 7)[0]
    code = torch.arange(16)[:, None]
    table = torch.cat([((code >> torch.arange(4)) & 1).double(), torch.full((16, 1), 1 / 7)], 1)

    def likelihood(w: Tensor) -> float:
        return float((counts[0] * (table @ w).log()).sum())

    top = likelihood(best)
    for i in range(5):
        moved = 0.99 * best + 0.01 * torch.eye(5, dtype=torch.double)[i]
        assert likelihood(moved) <= top + 1e-6


def test_intervals_cover_the_estimate() -> None:
    counts = torch.zeros(2, 16, dtype=torch.double)
    counts[:, 4], counts[:, 1] = 150, 50
    found = policies.interval(counts, 8, torch.Generator().manual_seed(0))
    best = policies.fit_mixture(counts, 8)
    assert bool((found[0] <= best + 1e-6).all() & (found[1] >= best - 1e-6).all())
    assert 0.08 < float(found[1, 0, 2] - found[0, 0, 2]) < 0.16  # binomial: 4 * 0.031


# --- revival ------------------------------------------------------------------------------------


def test_revival_must_be_held_and_is_censored_at_the_budget() -> None:
    steps = [0, 5, 10, 15, 20]
    curves = [[0.95, 0.9, 0.99, 0.2, 0.2], [0, 0.95, 0.2, 0.95, 0.96], [0, 0, 0.9, 0.9, 0.9]]
    found = revival.revival_times(steps, curves)
    assert found.steps.tolist() == [0, 20, 10]
    assert found.observed.tolist() == [True, False, True]
    with pytest.raises(ValueError, match="one accuracy for each of 5 steps"):
        revival.revival_times(steps, [[0.1] * 4])


def test_survival_is_the_product_limit() -> None:
    """Kaplan and Meier by hand: 5 runs, one censored."""
    times = revival.Times(np.array([1.0, 2, 2, 3, 3]), np.array([True, True, True, True, False]))
    found = revival.survival(times)
    np.testing.assert_allclose(found.steps, [0, 1, 2, 3])
    np.testing.assert_allclose(found.share, [1, 4 / 5, 4 / 5 * 2 / 4, 4 / 5 * 2 / 4 / 2])
    assert found.median == 2
    assert bool((found.low <= found.share).all() & (found.share <= found.high).all())


def test_speedup_bounds_from_below() -> None:
    fast = revival.Times(np.array([0.0, 10, 100]), np.array([True, True, False]))
    slow = revival.Times(np.array([50.0, 100, 60]), np.array([True, False, True]))
    np.testing.assert_allclose(revival.speedup(fast, slow, 5), [10, 10, 0])
    assert np.isnan(
        revival.logrank(
            slow._replace(observed=np.zeros(3, bool)), fast._replace(observed=np.zeros(3, bool))
        )
    )
    assert revival.logrank(fast, fast) == pytest.approx(1)


# --- the exam -----------------------------------------------------------------------------------


def test_an_exam_knows_wrapper_and_truth() -> None:
    exam = Exam(WORLD, 60, 0, CPU)
    n_a, n_b = exam.answers(CLEAN, A), exam.answers(CLEAN, B)
    assert not bool((n_b == n_a + 1).any())
    assert torch.equal(exam.answers(SPURIOUS, B), exam.answers(SPURIOUS, A) + 1)
    said = torch.stack([n_a + 1, n_b, n_a])
    assert exam.wrapped(said).tolist() == pytest.approx([1, 0, 0])
    assert exam.right(said, CLEAN, B).tolist()[:2] == pytest.approx([0, 1])
    differences = exam.differences(said, CLEAN, A)
    assert float(differences[0, 5]) == 1  # all one above
    assert float(differences[2, 4]) == 1
