"""Signals against rendered images, the toy dynamics against a solver."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from synthcore.studies.concept_space import theory
from synthcore.studies.concept_space.model import seeded
from synthcore.studies.concept_space.scenes import render
from synthcore.studies.concept_space.task import World


@pytest.mark.parametrize(("side", "spread"), [(32, 0.5), (8, 0.2)])
@pytest.mark.parametrize("colour", [0.137, 0.8])
def test_signals_are_those_of_rendered_pairs(side: int, spread: float, colour: float) -> None:
    world = World.of([colour], [0.4], spread=spread)
    large_red, small_red, large_blue = (
        render(world.sample(world.bits([kind]).expand(1, 3000, 2), seeded(0, 1), False), side)
        for kind in ((0, 0), (0, 1), (1, 0))
    )
    tint, area = theory.signals(colour, 0.4, side, spread)
    assert float((large_red - large_blue).square().mean()) == pytest.approx(tint, rel=0.01)
    assert float((large_red - small_red).square().mean()) == pytest.approx(area, rel=0.03)
    blue = theory.size_signal(colour, 0.4, side, spread, blue=True)
    assert blue == pytest.approx(area, rel=1e-9)  # red and blue are mirror images


def test_colour_overtakes_size_later_than_its_signal_at_one_contrast_says() -> None:
    """The size signal grows with the contrast as well: discs move away from the background."""
    crossing = brentq(lambda c: np.subtract(*theory.signals(c, 0.4, 32, 0.5)), 0.2, 0.8)
    assert crossing == pytest.approx(0.64, abs=0.01)
    constant = math.sqrt(theory.size_signal(0.2, 0.4) / theory.colour_signal(1.0, 0.65))
    assert constant == pytest.approx(0.485, abs=0.01)


def test_strengths_are_second_moments_along_the_means() -> None:
    """sigma^2 / mu^2 of the uniform jitter, against drawn colours and radii."""
    world = World.of([0.4], [0.4])
    scene = world.sample(world.bits([(0, 0)]).expand(1, 40_000, 2), seeded(0, 1))
    tint, area = theory.signals(0.4, 0.4, 32, 0.5)
    strong, weak = theory.bare_strengths(0.4, 0.4, 32, 0.5)
    red = float(scene.colour[..., 0].var()) / 0.4**2
    radius = float(scene.radius.var()) / 0.4**2
    assert strong / tint == pytest.approx(1 / 2 + red, rel=0.01)
    assert weak / area == pytest.approx(1 / 2 + radius, rel=0.01)
    assert float(theory.bare_loss(strong, 0)) == 1
    halved = math.log(2) / (2 * strong)
    assert float(theory.bare_loss(strong, halved)) == pytest.approx(0.5)


def test_mask_moments_are_pixel_means() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(2, 20_000, generator=generator).double() - 0.5) * 2 * 0.3
    one, two = (theory.mask(x, y, torch.full_like(x, r), 8) for r in (0.6, 0.3))
    square, apart = theory.mask_moments(0.6, 0.3, 8, 0.3)
    assert float(one.square().mean()) == pytest.approx(square, rel=0.005)
    assert float((one - two).square().mean()) == pytest.approx(apart, rel=0.005)


@settings(deadline=None, max_examples=25)
@given(a=st.floats(0.2, 5), t0=st.floats(0, 30), k=st.floats(0.05, 1.0), v=st.floats(0.1, 3.0))
@example(a=1.0, t0=0.0, k=1.0, v=0.25)  # a slow path behind a gate that is soon all but open
@example(a=5.0, t0=30.0, k=0.05, v=3.0)  # a fast path behind a slow gate
def test_the_closed_form_of_the_toy_is_what_a_solver_finds(
    a: float, t0: float, k: float, v: float
) -> None:
    def field(t: float, c: np.ndarray) -> np.ndarray:
        gate = 1 / (1 + math.exp(-k * (t - t0)))
        own, other = v * a / 2, v / (2 * a)
        return np.array(
            [own * (1 - c[0]) + other * (gate - c[0]), other * (1 - c[1]) + own * (gate - c[1])]
        )

    at = np.linspace(0, 60, 40)
    solved = solve_ivp(field, (0, 60), [0.5, 0.5], t_eval=at, rtol=1e-9, atol=1e-11, method="LSODA")
    np.testing.assert_allclose(theory.toy_path(at, a, t0, k, v), solved.y.T, atol=1e-7)


def test_the_toy_swaps_its_axes_with_the_signals() -> None:
    at = np.linspace(0, 40, 30)
    np.testing.assert_allclose(
        theory.toy_path(at, 3.0, 10.0), theory.toy_path(at, 1 / 3.0, 10.0)[:, ::-1], atol=1e-12
    )
    with pytest.raises(ValueError, match="must be positive"):
        theory.toy_path(at, -1.0, 10.0)
