"""Training a population is training its members one by one, only faster."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import synthcore
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training.accelerate import Acceleration
from synthcore.training.checkpoints import InMemory
from synthcore.training.fit import DivergedError, History, fit
from synthcore.training.losses import next_token_loss
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.schedules import warmup_cosine

CONFIG = GPTConfig(vocabulary=6, context=10, width=16, depth=2, heads=2)
STEPS = 20


def sampler(members: int, first: int = 0) -> Callable[[int], torch.Tensor]:
    """Batches of `members` members, drawn from the step alone; `first` leaves out members."""

    def sample(step: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(step)
        return torch.randint(6, (3, 4, 10), generator=generator)[first : first + members]

    return sample


def train(model: GPT, sample: Callable[[int], torch.Tensor]) -> History:
    return fit(
        model,
        sample,
        steps=STEPS,
        optimizer=population_adamw(model, 1e-2, betas=(0.9, 0.95), weight_decay=0.1),
        schedule=warmup_cosine(STEPS, warmup=5),
        clip=0.5,
    )


@pytest.mark.parametrize("positions", ["rotary", "learned", "none"])
@pytest.mark.parametrize("tied", [True, False])
def test_population_equals_the_loop_of_singles(positions: str, tied: bool) -> None:
    config = GPTConfig(6, 10, 16, 2, 2, positions=positions, tied=tied)  # type: ignore[arg-type]
    together = train(GPT(config, [4, 5, 6]), sampler(3)).loss
    assert together.shape == (STEPS, 3)
    for member, seed in enumerate([4, 5, 6]):
        alone = train(GPT(config, [seed]), sampler(1, first=member)).loss
        torch.testing.assert_close(together[:, member], alone[:, 0], rtol=1e-5, atol=0)


def test_two_runs_are_identical_bit_for_bit() -> None:
    first, second = GPT(CONFIG, [0, 1, 2]), GPT(CONFIG, [0, 1, 2])
    assert torch.equal(train(first, sampler(3)).loss, train(second, sampler(3)).loss)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


class Lines(NamedTuple):
    """A batch in two tensors."""

    tokens: torch.Tensor
    answers: torch.Tensor


def answer_loss(model: nn.Module, batch: Lines) -> torch.Tensor:
    surprise = -model(batch.tokens)[:, :, -1].log_softmax(-1)
    return surprise.gather(2, batch.answers[..., None]).mean((1, 2))


@pytest.mark.parametrize("parts", [2, 3, 9])  # of four rows: equal, unequal, more than there are
@pytest.mark.parametrize("named", [True, False])
def test_micro_batches_train_as_whole_ones(parts: int, named: bool) -> None:
    def sample(step: int) -> Any:
        tokens = sampler(2)(step)
        return Lines(tokens[..., :-1], tokens[..., -1]) if named else tokens

    def trained(parts: int) -> tuple[GPT, History]:
        model = GPT(CONFIG, [4, 5])
        history = fit(
            model,
            sample,
            steps=STEPS,
            optimizer=population_adamw(model, 1e-2),
            clip=0.5,
            loss=answer_loss if named else next_token_loss,
            micro_batches=parts,
        )
        return model, history

    whole, expected = trained(1)
    model, history = trained(parts)
    torch.testing.assert_close(history.loss, expected.loss, rtol=1e-4, atol=0)
    for one, other in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_loss_is_the_mean_surprise_at_the_next_token() -> None:
    model, tokens = GPT(CONFIG, [0, 1, 2]), sampler(3)(0)
    surprise = -model(tokens)[:, :, :-1].log_softmax(-1)
    expected = surprise.gather(3, tokens[:, :, 1:, None]).mean((1, 2, 3))
    torch.testing.assert_close(next_token_loss(model, tokens), expected)


def test_a_constant_sequence_is_learned() -> None:
    model = GPT(CONFIG, [0, 1])
    tokens = torch.arange(6)[None, :, None].expand(2, 6, 10)
    history = fit(model, lambda _: tokens, steps=60, optimizer=population_adamw(model, 1e-2))
    assert (history.loss[0] > 1.4).all()
    assert (history.loss[-1] < 0.1).all()


class Noted(Progress):
    """Notes what it is told."""

    def __init__(self, seen: list[tuple[str, int, int]]) -> None:
        self.seen = seen

    def __call__(self, label: str, done: int, total: int) -> None:
        self.seen.append((label, done, total))


def test_what_is_measured_comes_back_by_step() -> None:
    model = GPT(CONFIG, [0, 1])
    history = fit(
        model,
        sampler(2),
        steps=4,
        optimizer=population_adamw(model, 1e-2),
        checkpoints=[4, 0, 2, 9],
        on_checkpoint=lambda step, model: {"weight": model.embed.weight.detach().numpy()},
    )
    assert list(history.measured) == [0, 2, 4]
    final = model.embed.weight.detach().numpy()
    assert (history.measured[4]["weight"] == final).all()
    assert (history.measured[2]["weight"] != final).any()


def test_checkpoints_come_after_their_step() -> None:
    model, kept, done = GPT(CONFIG, [0]), InMemory(), []
    fit(
        model,
        sampler(1),
        steps=7,
        optimizer=population_adamw(model, 1e-3),
        checkpoints=[0, 1, 7],
        on_checkpoint=kept,
        progress=Noted(done),
        name="digits",
    )
    assert list(kept) == [0, 1, 7]
    assert done == [("digits", step, 7) for step in range(1, 8)]
    again = GPT(CONFIG, [0])
    kept[0].restore(again)
    untrained = GPT(CONFIG, [0])
    for name, value in untrained.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
        assert torch.equal(kept[7].weights[name], model.state_dict()[name])
    fit(untrained, sampler(1), steps=1, optimizer=population_adamw(untrained, 1e-3))
    assert torch.equal(untrained.embed.weight, kept[1].weights["embed.weight"])


def test_schedule_multiplies_each_members_rate() -> None:
    rates = torch.tensor([1e-3, 1e-2])
    model = GPT(CONFIG, [0, 0])
    optimizer = population_adamw(model, rates, weight_decay=0.0)
    before = model.embed.weight.detach().clone()
    fit(model, sampler(2), steps=1, optimizer=optimizer, schedule=lambda _: 0.5)
    moved = (model.embed.weight.detach() - before).abs().amax((1, 2))
    torch.testing.assert_close(moved, 0.5 * rates, rtol=1e-3, atol=0)  # Adam's first step is lr


def test_divergence_names_member_step_and_last_finite_loss() -> None:
    model = GPT(CONFIG, [0, 1, 2])

    def poisoned(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        loss = next_token_loss(model, tokens)
        step = int(tokens[0, 0, 0])
        return loss * torch.tensor([1.0, torch.nan if step == 4 else 1.0, 1.0])

    sample = lambda step: torch.full((3, 2, 10), step)  # noqa: E731
    optimizer = population_adamw(model, 1e-3)
    with pytest.raises(DivergedError, match="member 1 is not finite at step 4; the last") as error:
        fit(model, sample, steps=6, optimizer=optimizer, loss=poisoned)
    assert (error.value.member, error.value.step) == (1, 4)
    reference = GPT(CONFIG, [0, 1, 2])
    history = fit(reference, sample, steps=4, optimizer=population_adamw(reference, 1e-3))
    assert error.value.last_finite == history.loss[3, 1].item()


def test_a_diverged_member_leaves_the_others_alone() -> None:
    model, healthy = GPT(CONFIG, [0, 1]), GPT(CONFIG, [0, 1])
    optimizer = population_adamw(model, torch.tensor([1e-3, 1e38]))
    with pytest.raises(DivergedError, match="member 1") as error:
        fit(model, sampler(2), steps=9, optimizer=optimizer, clip=1.0)
    steps = error.value.step
    fit(healthy, sampler(2), steps=steps, optimizer=population_adamw(healthy, 1e-3), clip=1.0)
    for sick, well in zip(model.parameters(), healthy.parameters(), strict=True):
        torch.testing.assert_close(sick[0], well[0], rtol=1e-4, atol=1e-6)


def test_accelerations_are_refused_without_cuda() -> None:
    model = GPT(CONFIG, [0])
    with pytest.raises(ValueError, match=re.escape("needs a model on CUDA; this one is on cpu")):
        fit(
            model,
            sampler(1),
            steps=1,
            optimizer=population_adamw(model, 1e-3),
            acceleration=Acceleration(graph=True),
        )


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("acceleration", "tolerance"),
    [
        (Acceleration(), 1e-3),
        (Acceleration(graph=True), 1e-3),
        (Acceleration(autocast=True), 3e-2),
        (Acceleration(autocast=True, graph=True), 3e-2),
    ],
)
def test_cuda_trains_as_the_cpu_does(acceleration: Acceleration, tolerance: float) -> None:
    expected = train(GPT(CONFIG, [4, 5, 6]), sampler(3)).loss
    model = GPT(CONFIG, [4, 5, 6]).cuda()
    history = fit(
        model,
        lambda step: sampler(3)(step).cuda(),
        steps=STEPS,
        optimizer=population_adamw(model, 1e-2, betas=(0.9, 0.95), weight_decay=0.1),
        schedule=warmup_cosine(STEPS, warmup=5),
        clip=0.5,
        acceleration=acceleration,
    )
    torch.testing.assert_close(history.loss, expected, rtol=tolerance, atol=0)


def test_the_loop_is_short_and_asks_nobody_but_its_arguments() -> None:
    """What a reader follows from top to bottom: forward, backward, clip, step."""
    source = (Path(synthcore.__file__).parent / "training" / "fit.py").read_text()
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    first, last = functions["fit"].body[1].lineno, functions["fit"].end_lineno
    assert last is not None
    assert last - first < 60
    lines = source.splitlines()[first - 1 : last]
    order = [
        next(i for i, line in enumerate(lines) if word in line)
        for word in ("loss(model", ".backward()", "clip_members(", "optimizer.step()")
    ]
    assert order == sorted(order)
    assert "environ" not in source
