"""k-Adam against torch's AdamW (one stage), its readable reference, and a loop of members."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from synthcore.training.checkpoints import Checkpoint
from synthcore.training.k_adam import KAdam, group_stages
from synthcore.training.k_adam_reference import KAdamReference, Stage
from synthcore.training.k_adam_stages import STRATEGIES, Strategy, stage_betas, total_lag

PAIR = (0.9, 0.99)


def start(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 5, 4), (3, 7), (3,)]
    return [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in shapes]


def give_gradients(parameters: list[nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(1000 + step)
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=generator).to(p.dtype) * 10.0 ** (step % 5 - 2)


def train(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], steps: int) -> None:
    for step in range(steps):
        give_gradients(parameters, step)
        optimizer.step()


def largest_difference(one: list[nn.Parameter], other: list[nn.Parameter]) -> float:
    return max(float((a - b).detach().abs().max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"capturable": True}])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_one_stage_is_torch_adamw(options: dict[str, Any], decay: float) -> None:
    ours, theirs = start(), start()
    train(KAdam(ours, 1e-2, k=1, weight_decay=decay, **options), ours, 100)
    train(torch.optim.AdamW(theirs, 1e-2, weight_decay=decay), theirs, 100)
    assert largest_difference(ours, theirs) < 1e-6


def test_runs_are_equal_bit_for_bit_and_foreach_changes_nothing() -> None:
    runs = [start() for _ in range(3)]
    for parameters, foreach in zip(runs, (None, None, True), strict=True):
        train(KAdam(parameters, 1e-2, k=3, foreach=foreach), parameters, 50)
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], run, strict=True))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_agrees_with_the_reference(k: int, strategy: Strategy) -> None:
    ours = start(torch.float64)
    references = [p.detach().clone() for p in ours]
    stages = [Stage(b, g, 1e-8) for b, g in stage_betas(k, *PAIR, strategy)]
    optimizers = [KAdamReference(stages, 1e-2, 0.1) for _ in ours]
    optimizer = KAdam(ours, 1e-2, k=k, betas=PAIR, strategy=strategy, weight_decay=0.1)
    for step in range(60):
        give_gradients(ours, step)
        optimizer.step()
        references = [
            o.step(theta, p.grad)  # type: ignore[arg-type]
            for o, theta, p in zip(optimizers, references, ours, strict=True)
        ]
    for mine, reference in zip(ours, references, strict=True):
        torch.testing.assert_close(mine.detach(), reference, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_members_with_values_of_their_own_are_a_loop(k: int) -> None:
    lr, decay = torch.tensor([1e-3, 1e-2, 3e-2]), torch.tensor([0.0, 0.1, 0.5])
    beta, gamma = torch.tensor([0.5, 0.9, 0.95]), torch.tensor([0.9, 0.999, 0.8])
    together = start()
    options: dict[str, Any] = {"k": k, "strategy": "exp"}
    train(KAdam(together, lr, betas=(beta, gamma), weight_decay=decay, **options), together, 40)
    for m in range(3):
        alone = [nn.Parameter(p[m].detach().clone()) for p in start()]
        optimizer = KAdam(
            alone,
            float(lr[m]),
            betas=(float(beta[m]), float(gamma[m])),
            weight_decay=float(decay[m]),
            **options,
        )
        whole = start()
        for step in range(40):
            give_gradients(whole, step)
            for p, q in zip(alone, whole, strict=True):
                p.grad = q.grad[m].clone()  # type: ignore[index]
            optimizer.step()
        for p, q in zip(together, alone, strict=True):
            torch.testing.assert_close(p[m], q, rtol=1e-5, atol=2e-6)


def test_groups_have_options_of_their_own() -> None:
    one, two = start(), start()
    grouped = KAdam([{"params": one[:1], "k": 1, "lr": 0.1}, {"params": one[1:]}], 1e-2, k=2)
    alone = [KAdam(two[:1], 0.1, k=1), KAdam(two[1:], 1e-2, k=2)]
    for step in range(10):
        give_gradients(one, step)
        give_gradients(two, step)
        for optimizer in (grouped, *alone):
            optimizer.step()
    assert largest_difference(one, two) == 0


def test_epsilon_and_betas_of_every_stage() -> None:
    ours, pairs, eps = start(torch.float64), [(0.5, 0.9), (0.8, 0.95)], [1e-3, 1e-1]
    optimizer = KAdam(ours[1:2], 1e-2, k=2, betas=pairs, eps=eps, weight_decay=0)
    assert group_stages(optimizer.param_groups[0]) == [(0.5, 0.9, 1e-3), (0.8, 0.95, 1e-1)]
    reference = KAdamReference([Stage(0.5, 0.9, 1e-3), Stage(0.8, 0.95, 1e-1)], 1e-2)
    theta = ours[1].detach().clone()
    for step in range(20):
        give_gradients(ours, step)
        optimizer.step()
        theta = reference.step(theta, ours[1].grad)  # type: ignore[arg-type]
    torch.testing.assert_close(ours[1].detach(), theta, rtol=1e-11, atol=1e-12)


def test_resuming_from_a_state_dict_or_a_checkpoint_changes_nothing() -> None:
    whole = nn.ParameterList(start())
    optimizer = KAdam(whole, 1e-2, k=3, betas=PAIR)
    train(optimizer, list(whole), 10)
    saved, weights = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(list(whole))
    point = Checkpoint.of(whole, 10, optimizer)
    halves = []
    for use_checkpoint in (False, True):
        half = nn.ParameterList(copy.deepcopy(weights))
        resumed = KAdam(half, 1e-2, k=3, betas=PAIR)
        if use_checkpoint:
            point.restore(half, resumed)
        else:
            resumed.load_state_dict(saved)
        halves.append((half, resumed))
    for parameters, each in [(whole, optimizer), *halves]:
        for step in range(10, 20):
            give_gradients(list(parameters), step)
            each.step()
    for half, _ in halves:
        assert largest_difference(list(whole), list(half)) == 0


def test_one_stage_takes_over_an_adamw_run() -> None:
    ours, theirs = start(), start()
    adamw = torch.optim.AdamW(theirs, 1e-2)
    train(adamw, theirs, 10)
    with torch.no_grad():
        for p, q in zip(ours, theirs, strict=True):
            p.copy_(q)
    optimizer = KAdam(ours, 1e-2, k=1)
    state = copy.deepcopy(adamw.state_dict()["state"])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    train(optimizer, ours, 5)
    train(adamw, theirs, 5)
    assert largest_difference(ours, theirs) < 1e-6


def test_closure_schedule_and_missing_gradients() -> None:
    parameters = start()
    optimizer = KAdam(parameters, 0.1, k=2)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    give_gradients(parameters, 0)
    parameters[0].grad, before = None, parameters[0].detach().clone()

    def closure() -> float:
        assert torch.is_grad_enabled()
        return 3.5

    assert optimizer.step(closure) == 3.5
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert torch.equal(parameters[0], before)
    assert parameters[0] not in optimizer.state


def test_maximize_ascends() -> None:
    up, down = start(), start()
    for parameters, maximize in ((up, True), (down, False)):
        train(KAdam(parameters, 1e-2, weight_decay=0, maximize=maximize), parameters, 1)
    for p, q, origin in zip(up, down, start(), strict=True):
        torch.testing.assert_close(p - origin, origin - q, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("strategy", ["uniform", "exp", "inverse exp"])
def test_shared_memory_adds_up(strategy: Strategy) -> None:
    for k in (1, 2, 5):
        stages = stage_betas(k, *PAIR, strategy)
        assert total_lag([b for b, _ in stages]) == pytest.approx(9)
        assert total_lag([g for _, g in stages]) == pytest.approx(99)


def test_naive_and_power_lengthen_the_memory() -> None:
    assert total_lag([b for b, _ in stage_betas(3, *PAIR, "naive")]) == pytest.approx(27)
    power = [b for b, _ in stage_betas(3, *PAIR, "power")]
    assert power[0] ** 3 == pytest.approx(0.9)
    assert 3 * 27 < total_lag(power) < 3 * 28.5  # each stage remembers about three times as long


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "Invalid learning rate: -1.0"),
        ({"k": 0}, "Invalid k value: 0"),
        ({"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        ({"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        ({"betas": ((0.9, 0.9),)}, "betas must be one pair or 2"),
        ({"betas": ((0.9, 0.9), (0.9, 1.0))}, "Invalid beta parameter at index 1: 1.0"),
        ({"betas": (torch.tensor([0.9, 1.0, 0.5]), 0.9)}, "Invalid beta parameter at index 0"),
        (
            {"betas": (torch.tensor([0.9, 0.5]), 0.9)},
            "a beta has shape .2,.; the population has 3",
        ),
        ({"eps": -1e-8}, "Invalid epsilon value: -1e-08"),
        ({"eps": (1e-8,)}, "eps must be one number or 2"),
        ({"weight_decay": -0.1}, "Invalid weight_decay value: -0.1"),
        ({"lr": float("nan")}, "Invalid learning rate: nan"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KAdam(start(), **options)


def test_bad_options_of_a_group_are_refused_and_leave_the_others() -> None:
    optimizer = KAdam(start(), 1e-2)
    with pytest.raises(ValueError, match="Invalid strategy: 'even'"):
        optimizer.add_param_group({"params": start(), "strategy": "even"})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(ValueError, match="Invalid k value: 0"):
        stage_betas(0, 0.9, 0.99)


def test_complex_and_sparse_are_refused() -> None:
    with pytest.raises(RuntimeError, match="complex"):
        KAdam([nn.Parameter(torch.zeros(2, dtype=torch.complex64))])
    table = nn.Parameter(torch.zeros(5, 2))
    table.grad = torch.zeros(5, 2).to_sparse()
    with pytest.raises(RuntimeError, match="sparse gradients"):
        KAdam([table]).step()


@pytest.mark.cuda
def test_a_cuda_graph_replays_the_update() -> None:
    def cuda() -> list[nn.Parameter]:
        return [nn.Parameter(p.detach().cuda()) for p in start()]

    eager, graphed = cuda(), cuda()
    plain = KAdam(eager, 1e-2, k=2)
    optimizer = KAdam(graphed, 1e-2, k=2, capturable=True)
    fixed: list[Tensor] = [torch.ones_like(p) for p in graphed]
    for parameters in (eager, graphed):
        for p, g in zip(parameters, fixed, strict=True):
            p.grad = g.clone()
    optimizer.step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    for _ in range(4):
        graph.replay()
    for _ in range(5):
        plain.step()
    assert largest_difference(eager, graphed) < 1e-6
