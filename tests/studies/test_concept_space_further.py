"""Masked prompts, three concepts and real digits: the data, the reading, the decisions."""

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import ClaimsContract

from synthcore.evidence.first_edition import Claim, Word
from synthcore.studies.concept_space import further_decisions
from synthcore.studies.concept_space.claims import CLAIMS
from synthcore.studies.concept_space.ink import copies, paint, read, strokes
from synthcore.studies.concept_space.model import seeded
from synthcore.studies.concept_space.task import (
    CONCEPTS,
    MASKED,
    RADIUS,
    RGB,
    TRAINED,
    World,
    examples,
    words,
)
from synthcore.studies.concept_space.theory import signals as exact_signals
from synthcore.studies.concept_space.three import HIDDEN, SHOWN, signals

FURTHER = [claim for claim in CLAIMS if claim.id in ("C12", "C13", "C14")]


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_a_mask_hides_red_with_its_probability_and_nothing_else(alpha: float) -> None:
    world = World.of([0.4], [0.4])
    found = examples(world, TRAINED, 500, 8, [seeded(3, 1)], [alpha])
    whole = examples(world, TRAINED, 500, 8, [seeded(3, 1)])
    hidden = (found.prompts[0][:, RGB] == MASKED).all(-1)
    assert not bool(hidden[1000:].any())  # large blue
    assert float(hidden[:1000].float().mean()) == pytest.approx(alpha, abs=0.05)
    torch.testing.assert_close(found.prompts[..., RADIUS], whole.prompts[..., RADIUS])
    torch.testing.assert_close(found.prompts[0][~hidden], whole.prompts[0][~hidden])


@pytest.mark.parametrize("contrast", [0.1, 0.3, 0.8])
def test_real_digits_in_any_ink_are_read_by_their_neighbours(contrast: float) -> None:
    """Every digit is read without itself among the known ones, on jittered ink and ground."""
    digit = strokes()[1]
    generator = torch.Generator().manual_seed(0)
    kinds = torch.stack([torch.randint(0, 2, (len(digit),), generator=generator), digit], 1)
    images, _ = paint(kinds, contrast, generator, torch.arange(len(digit)))
    script = read(images, leave_out=True)
    assert bool((script.bits == kinds).all())
    assert float(script.clear.float().mean()) > 0.99


def test_noise_and_blanks_are_not_digits() -> None:
    noise = torch.rand(100, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert not bool(read(noise).clear.any())
    assert not bool(read(torch.full((1, 3, 8, 8), 0.9)).clear.any())


def test_prompts_for_digits_tell_the_ink_of_their_image() -> None:
    world = World.of([0.8, 0.2], [0.4, 0.4])
    data = copies(world, [0, 0], 20)
    script = read(data.images)
    assert bool((script.bits == torch.tensor(TRAINED).repeat_interleave(20, 0)).all())
    told = data.prompts[..., 6] - data.prompts[..., 4]
    assert bool(((told > 0) == (script.tint > 0)).all())
    assert float(data.prompts[0, 0, RADIUS]) == pytest.approx(0.65)  # a zero
    # one seed draws the same digits at both contrasts
    torch.testing.assert_close(
        read(data.images[:1]).alike, read(data.images[1:]).alike, atol=1e-4, rtol=0
    )


def test_signals_of_three_concepts_agree_with_theory_where_the_ground_is_light() -> None:
    """The theory's ground is .9 with its nuisance; here it is told, .5 + Delta_b / 2."""
    world = World.of([0.4], [0.4], [0.8], spread=0.2)
    colour, _, ground = signals(world, 16)[0]
    assert colour == pytest.approx(exact_signals(0.4, 0.4, 16, 0.2)[0], rel=0.03)
    assert 0 < ground < 0.8**2  # all of the image that no disc covers


# --- claims --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def invented() -> xr.Dataset:
    """What the paper says of masks, three concepts and real images, as a dataset."""
    seeds, steps = np.arange(5), np.round(np.linspace(0, 60, 40) ** 2).astype(int)
    alpha = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    start = 600 + 400 * np.arange(5)[:, None] + 20 * seeds
    on = (steps >= start[..., None]).astype(float)
    on[-1] = 0
    late = (steps >= start[..., None] + 300).astype(float)
    late[-1] = 0
    both = np.stack([on, np.ones_like(on)], -1)
    kinds = [words(kind) for kind in (*SHOWN, *HIDDEN)]
    signal = np.array([[0.01, 0.04, 0.09], [0.02, 0.04, 0.005], [0.06, 0.03, 0.01]])
    turn = 900
    corners = np.array([*SHOWN, *HIDDEN], float)
    there = np.clip(steps / turn, 0, 1)[:, None, None]
    coordinates = np.broadcast_to(0.5 + there * (corners - 0.5), (3, 5, 40, 8, 3)).copy()
    right = np.ones((3, 5, 40, 8, 3))
    joint = np.ones((3, 5, 40, 8))
    for trio in range(3):
        for k in range(4, 8):
            off = 0.2 * (k - 3) + 0.1 * trio
            coordinates[trio, :, :, k] = corners[k] - off / 3**0.5
            joint[trio, :, :, k] = steps >= 1500 * off
            for axis in range(3):
                right[trio, :, :, k, axis] = steps >= 8 / signal[trio, axis]
    joint[1, :, :, 7] = 0
    ink_path = np.empty((2, 5, 40, 4, 2))
    ink_path[..., :3, :] = 0.5 + there * (np.array(TRAINED, float) - 0.5)
    ink_path[0, ..., 3, :], ink_path[1, ..., 3, :] = (0.1, 0.9), (0.9, 0.2)
    plain = np.broadcast_to(steps >= 3000, (2, 5, 40)).astype(float)
    over = np.broadcast_to(steps >= 1000, (2, 5, 40)).astype(float)
    ink_joint = np.repeat(plain[..., None], 4, -1)
    run = ("alpha", "seed", "step")
    trio = ("trio", "seed", "step", "kind")
    return xr.Dataset(
        {
            "mask_right": ((*run, "concept"), both),
            "mask_coordinates": ((*run, "concept"), both),
            "mask_joint": (run, late),
            "mask_over": (run, on),
            "three_coordinates": ((*trio, "axis"), coordinates),
            "three_right": ((*trio, "axis"), right),
            "three_joint": (trio, joint),
            "three_signal": (("trio", "axis"), signal),
            "ink_coordinates": (("ink", "seed", "step", "asked", "concept"), ink_path),
            "ink_joint": (("ink", "seed", "step", "asked"), ink_joint),
            "ink_over": (("ink", "seed", "step"), over),
            "ink_push": (("ink", "seed", "step"), over),
        },
        coords={
            "alpha": alpha,
            "seed": seeds,
            "step": steps,
            "concept": ["colour", "size"],
            "trio": ["a", "b", "c"],
            "trio_ground": ("trio", [0.4, 0.1, 0.2]),
            "kind": kinds,
            "axis": list(CONCEPTS),
            "ink": [0.2, 0.8],
        },
        attrs={"over": 1.5},
    )


class TestClaims(ClaimsContract):
    claims = FURTHER


@pytest.mark.parametrize("claim", FURTHER, ids=lambda c: c.id)
def test_a_scale_without_the_stage_decides_nothing(claim: Claim) -> None:
    nothing = xr.Dataset()
    assert claim.decide(nothing).verdict is Word.UNDECIDABLE
    assert claim.decide(claim.null(nothing)).verdict is Word.UNDECIDABLE


def test_order_counts_only_clearly_different_signals(invented: xr.Dataset) -> None:
    assert bool((further_decisions.ordered_share(invented) == 1).all())
    alike = invented.assign(three_signal=xr.ones_like(invented.three_signal))
    assert bool(further_decisions.ordered_share(alike).isnull().all())
