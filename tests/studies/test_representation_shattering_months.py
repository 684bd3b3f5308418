"""Months: which edits are made, the plane they are shown in, and what is measured of an edit, on a
small random model against copies with the edited matrix."""

import numpy as np
import pytest
import torch

from synthcore.editing import Facts, covariances, edit
from synthcore.nn.hooks import record
from synthcore.nn.llama import Llama, LlamaConfig
from synthcore.studies.representation_shattering import months, theory

V, T, E, LAYER = 40, 8, 3, 1


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


def model(output: torch.Tensor | None = None) -> Llama:
    """Three random blocks; `output` replaces the matrix that is edited."""
    made = Llama(LlamaConfig(V, 32, 16, 3, 4, 2, 24)).requires_grad_(False)
    draw = torch.Generator().manual_seed(0)
    for name, value in made.named_parameters():
        if ".ln" not in f".{name}":
            value.copy_(0.6 * torch.randn(value.shape, generator=draw))
    if output is not None:
        made.blocks[LAYER].mlp.down.weight.copy_(output)
    return made


def test_months_are_edited_at_every_distance_and_never_to_themselves() -> None:
    month, target, distance = months.choose(72, 0)
    assert sorted(set(zip(month.tolist(), distance.tolist(), strict=True))) == [
        (m, d) for m in range(12) for d in range(1, 7)
    ]
    assert (target != month).all()
    gap = (target - month - 1) % 12
    np.testing.assert_array_equal(np.minimum(gap, 12 - gap), distance)


def test_the_plane_of_the_first_harmonic_shows_a_ring() -> None:
    angle = 2 * np.pi * torch.arange(12, dtype=torch.float64) / 12
    ring = torch.stack([angle.cos(), angle.sin()], -1) @ torch.randn(
        2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    flat = months.plane(ring)
    torch.testing.assert_close(theory.distances(flat), theory.distances(ring))
    torch.testing.assert_close(months.plane(ring, ring[None] + ring[0])[0], flat + flat[0])


def test_what_is_measured_is_what_models_edited_one_by_one_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(months, "READ", 2)
    monkeypatch.setattr(months, "READS", (1, 2))
    cycle = months.Cycle(months.MONTHS, torch.arange(12), random(12, T, seed=1))
    week = months.Cycle(months.WEEKDAYS, torch.arange(12, 19), random(7, T, seed=2))
    plain, ring, month = random(1, 4, 32, seed=3), random(12, 4, seed=4), np.array([0, 5, 11])
    base = model()
    prompt = cycle.running[month][None]
    facts = Facts.of(prompt, torch.tensor([[20, 21, 22]]))
    C = covariances(base, random(1, 80, T, seed=5), [LAYER])
    copies = edit(base, facts, "rome", [LAYER], covariances=C)
    found = months.measured(base, copies, cycle, week, plain, ring, month)

    def states(of: Llama, lines: torch.Tensor, layer: int) -> torch.Tensor:
        with record(of, [f"blocks.{layer}.hook_resid_post"]) as seen:
            of(lines[None])
        return seen[f"blocks.{layer}.hook_resid_post"][0, :, -1].double()

    for e, m in enumerate(month):
        one = model(copies.weight(LAYER)[:, e])
        listed = one(cycle.running[None])[0, :, -1, cycle.tokens].argmax(-1)
        right = [int(listed[i]) == (i + 1) % 12 for i in range(12) if i != m]
        assert float(found.month_others[e]) == pytest.approx(sum(right) / 11)
        days = one(week.running[None])[0, :, -1, week.tokens].argmax(-1)
        assert float(found.weekdays[e]) == pytest.approx(
            float((days == (torch.arange(7) + 1) % 7).double().mean())
        )
        likely = one(plain)[0, :, :-1].log_softmax(-1).gather(-1, plain[0, :, 1:, None])
        assert float(found.month_nll[e]) == pytest.approx(-float(likely.mean()), rel=1e-4)
        for number, layer in enumerate((1, 2)):
            D = theory.distances(states(base, cycle.running, layer))
            after = theory.distances(states(one, cycle.running, layer))
            R = float((after - D).norm() / D.norm())
            assert float(found.month_R_behind[e, number]) == pytest.approx(R, rel=1e-3, abs=1e-5)
        assert float(found.month_R[e]) == float(found.month_R_behind[e, 1])
        turned = theory.ring_power(states(one, ring, 2), torch.arange(12))[0]
        assert float(found.month_ring[e]) == pytest.approx(float(turned), rel=1e-3)
