"""Compiled networks of the study: attention, loss; strings; per-member training."""

import itertools

import pytest
import torch

from synthcore.compiled import CompiledTransformer, Sharpness, copy_members, counter, perturb
from synthcore.compiled.programs import READ
from synthcore.nn.hooks import record
from synthcore.studies.finetuning_wrappers import theory
from synthcore.studies.finetuning_wrappers.experiments.training import CompiledTrainer
from synthcore.studies.finetuning_wrappers.model import PopulationSGD, compiled_answer_loss
from synthcore.studies.finetuning_wrappers.task.strings import CountStrings, OrderStrings
from synthcore.training.fit import fit

SOFT = Sharpness(beta=10.0, split=True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- compiled networks ---------------------------------------------------------------------------


def test_attention_of_the_selector_is_known() -> None:
    """Each selected letter gets 1 / (n + 1); the mean over random strings has a closed form."""
    model, task = counter(15), CountStrings(15)
    strings = task.sample_natural(4000, seeded())
    with record(model, ["blocks.1.attn.hook_pattern"]) as seen:
        model(model.shape.encode(strings)[None])
    pattern = seen["blocks.1.attn.hook_pattern"][0, :, READ, 1:]
    n = task.old_answers(strings)
    mass = (pattern * (strings == 0)).sum(-1)
    torch.testing.assert_close(mass, n / (n + 1.0), rtol=0, atol=1e-5)
    pmf = theory.binomial_pmf(15, 1 / 9)
    k = torch.arange(16, dtype=torch.double)
    exact = float((pmf * k / (k + 1)).sum())
    assert theory.counting_attention(15, 9) == pytest.approx(exact, abs=1e-12)
    error = float(mass.std()) / 4000**0.5
    assert abs(float(mass.mean()) - exact) < 4 * error


def test_loss_of_a_perfect_compiled_network_is_known() -> None:
    model, strings = counter(15), CountStrings(15).sample_natural(50, seeded())
    batch = (model.shape.encode(strings)[None], theory.count_of(strings, 0)[None])
    assert float(compiled_answer_loss(model, batch)) == pytest.approx(
        theory.compiled_loss(16), abs=1e-4
    )
    assert theory.compiled_loss(49) == pytest.approx(2.93, abs=0.005)
    assert theory.compiled_loss(11) == pytest.approx(1.54, abs=0.005)


# --- bad input ----------------------------------------------------------------------------------


def test_tasks_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="three letters"):
        CountStrings(5, letters=2)
    with pytest.raises(ValueError, match="first < second"):
        OrderStrings(first=7, second=5)
    with pytest.raises(ValueError, match="so far apart"):
        OrderStrings(length=4, letters=4, first=1, second=4, shift=2)


# --- strings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [CountStrings(15), OrderStrings()], ids=["count", "order"])
def test_shares_of_spurious_strings(task: CountStrings | OrderStrings) -> None:
    for share in (0.0, 0.6, 1.0):
        strings = task.sample(3000, share, seeded())
        found = (
            (task.new_answers(strings) == task.old_answers(strings) + task.shift).double().mean()
        )
        assert float(found) == share if share in (0, 1) else abs(float(found) - share) < 0.04
        if isinstance(task, OrderStrings):
            assert bool((strings.sort(-1).values.diff(dim=-1) > 0).all())


def test_spurious_orders_are_uniform_over_all_such_sets() -> None:
    """Compared with rejection from all sets, by the law of the fifth letter."""
    task = OrderStrings(length=5, letters=9, first=2, second=4, shift=3)
    sets = torch.tensor(list(itertools.combinations(range(9), 5)))
    valid = sets[sets[:, 3] == sets[:, 1] + 3]
    drawn = task.sample(20_000, 1.0, seeded()).sort(-1).values
    found = {tuple(row.tolist()): 0 for row in valid}
    for row in drawn.tolist():
        found[tuple(row)] += 1  # KeyError: not a valid set
    share = torch.tensor(list(found.values())) / 20_000
    expected = 1 / len(valid)
    assert float((share - expected).abs().max()) < 4.5 * (expected / 20_000) ** 0.5


def test_spurious_counts_follow_the_natural_law_where_both_fit() -> None:
    task = CountStrings(6, letters=4)
    strings = task.sample(20_000, 1.0, seeded())
    pmf = theory.binomial_pmf(6, 1 / 4)[:3]
    found = task.old_answers(strings).bincount(minlength=3) / 20_000
    torch.testing.assert_close(found.double(), pmf / pmf.sum(), rtol=0, atol=0.015)


# --- training -----------------------------------------------------------------------------------


def test_a_population_step_is_each_members_own_step() -> None:
    """Per-member rates, momentum and clipping against torch's SGD on one member at a time."""
    model = copy_members(counter(4, letters=3, sharpness=SOFT), [0, 0])
    perturb(model, 1e-2, [0, 1])
    strings = torch.randint(3, (2, 8, 4), generator=seeded())
    batch = (model.shape.encode(strings), theory.count_of(strings, 1))
    singles = []
    for member, rate in enumerate((0.1, 0.003)):
        single = CompiledTransformer(model.shape, 1)
        for mine, theirs in zip(single.parameters(), model.parameters(), strict=True):
            mine.data.copy_(theirs[member : member + 1])
        optimizer = torch.optim.SGD(single.parameters(), lr=rate, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            part = tuple(x[member : member + 1] for x in batch)
            compiled_answer_loss(single, part).sum().backward()
            torch.nn.utils.clip_grad_norm_(single.parameters(), 1.0)
            optimizer.step()
        singles.append(single)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    optimizer = PopulationSGD(model, torch.tensor([0.1, 0.003]))
    fit(
        model, lambda step: batch, steps=3, optimizer=optimizer, clip=1.0, loss=compiled_answer_loss
    )
    for member, single in enumerate(singles):
        for mine, theirs in zip(model.parameters(), single.parameters(), strict=True):
            torch.testing.assert_close(mine[member], theirs[0], rtol=1e-4, atol=2e-6)


def trainer(rates: tuple[float, ...]) -> CompiledTrainer:
    program = counter(5, letters=3, sharpness=SOFT)
    task = CountStrings(5, letters=3)
    return CompiledTrainer(program, task, rates, (0.0, 1.0), (0, 1), 16, 100, torch.device("cpu"))


def test_a_diverging_member_is_named_and_leaves_the_others_alone() -> None:
    wild, calm = trainer((1e-3, 1e30)), trainer((1e-3,))
    lost, kept = wild.train(wild.perturbed(), 12), calm.train(calm.perturbed(), 12)
    assert lost.diverged.tolist() == [False] * 4 + [True] * 4
    assert not bool(kept.diverged.any())
    for a, b in zip(lost.model.parameters(), kept.model.parameters(), strict=True):
        assert bool(a[:4].isfinite().all())
        torch.testing.assert_close(a[:4], b, rtol=1e-5, atol=1e-6)


def test_seeds_start_alike_at_every_rate_and_see_the_same_strings() -> None:
    one = trainer((0.0, 0.0))
    model = one.perturbed()
    for parameter in model.parameters():
        by = one.by_condition(parameter)
        assert torch.equal(by[0], by[1])
        assert torch.equal(by[:, 0], by[:, 1])
    found = one.by_condition(one.accuracy(model))
    assert bool((found[..., 0] == 1).all())  # the old answers, always right before fine-tuning
    assert bool((found[:, :, :, 0, 2] == 0).all())
