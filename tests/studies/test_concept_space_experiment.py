"""The concept-space experiment: parameters, determinism, prompts, claims and their nulls."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import ClaimsContract, ExperimentContract, smoke

from synthcore.evidence.first_edition import Word
from synthcore.studies.concept_space import decisions
from synthcore.studies.concept_space.claims import CLAIMS
from synthcore.studies.concept_space.experiment import Config
from synthcore.studies.concept_space.school import School
from synthcore.studies.concept_space.sweep import bluer, smaller
from synthcore.studies.concept_space.task import NEUTRAL, RADIUS, RGB, TARGET, World
from synthcore.studies.concept_space.theory import toy_path

# What `further_decisions` and `bridge` decide has tests of its own.
WITHOUT = {name: [] for name in ("masks", "three_colours", "ink_colours", "unet_colours")}
TINY = smoke("concept_space", **WITHOUT, steps=20, checkpoints=8)
CLAIM = {claim.id: claim for claim in CLAIMS}


def test_measurements_start_untrained_and_end_trained(tiny: xr.Dataset) -> None:
    assert (int(tiny.step[0]), int(tiny.step[-1])) == (0, TINY["steps"])
    assert set(tiny.joint.dims) == {"signal", "seed", "step", "asked"}
    assert bool(((tiny.joint >= 0) & (tiny.joint <= tiny.right.min("concept"))).all())
    assert bool((tiny.within <= tiny.joint).all())


def test_the_crossed_control_agrees_with_the_sweep_where_pixels_and_prompts_do(
    tiny: xr.Dataset,
) -> None:
    for contrast in TINY["crossed"]:
        cell = tiny.crossed_joint.sel(pixels=contrast, prompts=contrast, drop=True)
        plain = decisions.naive(tiny).sel(signal=contrast, drop=True)
        xr.testing.assert_equal(cell.dropna("seed"), plain.sel(seed=cell.dropna("seed").seed))


def test_prompts_that_enter_as_they_do_are_those_of_the_sweep(tiny: xr.Dataset) -> None:
    signals = TINY["way_colours"]
    plain = decisions.naive(tiny).sel(signal=signals).rename(signal="way_signal")
    own = tiny.way_joint.sel(way="own", drop=True).dropna("seed")
    xr.testing.assert_equal(own, plain.sel(seed=own.seed))


def test_a_centred_network_is_the_raw_one_with_other_prompts() -> None:
    config = Config(**TINY)
    schools = [
        School(replace(config.recipe, centred=c), config.main, [0], torch.device("cpu"))
        for c in (False, True)
    ]
    raw, centred = (school.fresh([0]).net for school in schools)
    assert torch.equal(schools[0].data.images, schools[1].data.images)
    z, prompt = torch.rand(1, 4, 3, 8, 8), torch.rand(1, 4, len(NEUTRAL))
    moved = centred(z, torch.zeros(1, 1), prompt + torch.tensor(NEUTRAL))
    torch.testing.assert_close(moved, raw(z, torch.zeros(1, 1), prompt))
    assert not torch.allclose(moved, raw(z, torch.zeros(1, 1), prompt + 1))


class TestExperiment(ExperimentContract):
    refused = (
        ({"colours": [0.5, 0.2, 0.8]}, "colours must rise"),
        ({"colours": [0.2, 0.5, 0.9]}, "colours: 0 to 0.8"),
        ({"sizes": [0.2, 0.5]}, "sizes: above 0, at most 0.4"),
        ({"size": 0.5}, "size must be"),
        ({"over": 1.7}, "over must be in factors"),
        ({"crossed": [0.2, 0.3]}, "crossed must be in colours"),
        ({"way_colours": [0.3]}, "way_colours must be in colours"),
        ({"shrinks": [3.0]}, "shrinks leave no disc"),
        ({"network": "unet"}, "a U-Net needs two or more widths"),
        ({"widths": [8, 8]}, "a perceptron has one width"),
    )


def test_prompts_that_elicit_change_one_concept() -> None:
    world = World.of([0.2, 0.8], [0.4, 0.2])
    plain = world.prompts([TARGET])
    blue, small = bluer(world, (1.0, 2.0)), smaller(world, (1.0, 1.5))
    torch.testing.assert_close(blue[:, :1], plain)
    torch.testing.assert_close(small[:, :1], plain)
    assert bool((blue[..., RADIUS] == plain[..., RADIUS]).all())
    assert bool((small[..., RGB] == plain[..., RGB]).all())
    torch.testing.assert_close(blue[0, 1, RGB], torch.tensor([0.3, 0.3, 0.7]))
    assert float(blue[1, 1, 6] - blue[1, 1, 4]) <= 0.95 + 1e-6  # no colour leaves [0, 1]


# --- claims --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def invented() -> xr.Dataset:
    """What the paper says, as a dataset: corner of the stronger concept, turn at train convergence
    with the capability, and a plain prompt that follows late where colour is weak."""
    signals, seeds, factors = np.array([0.137, 0.2, 0.35, 0.5, 0.8]), np.arange(5), [1.5, 3.0]
    steps = np.round(np.linspace(0, 60, 40) ** 2).astype(int)
    names = ["red large", "red small", "blue large", "blue small"]
    shape = (len(signals), len(seeds), len(steps))
    coordinates = np.full((*shape, 4, 2), 0.5)
    plain, over = np.zeros(shape), np.zeros(shape)
    corners = np.array([[0, 0], [0, 1], [1, 0]], float)
    for i, j in np.ndindex(*shape[:2]):
        turn = 1700 - 200 * i + 30 * j
        there = np.clip(steps / turn, 0, 1)[:, None]
        strong = np.array([0.02, 0.15, 0.35, 0.72, 0.98])[i]
        away = np.clip((steps - turn) / 900, 0, 1)[:, None]
        corner = 0.5 + there * (np.array([strong, 1 - strong]) - 0.5)
        coordinates[i, j, :, 3] = corner + away * (1 - corner)
        coordinates[i, j, :, :3] = 0.5 + there[:, None] * (corners - 0.5)
        over[i, j] = steps >= turn
        plain[i, j] = steps >= turn + (4 - i) * (150 + 130 * j)
    sizes = np.array([0.2, 0.25, 0.3, 0.35, 0.4])
    learned = steps >= (800 / sizes)[:, None, None] * 0.4 + 20 * seeds[None, :, None]
    run_dims = ("signal", "seed", "step")
    return xr.Dataset(
        {
            "coordinates": ((*run_dims, "asked", "concept"), coordinates),
            "right": ((*run_dims, "asked", "concept"), coordinates),
            "joint": ((*run_dims, "asked"), np.repeat(plain[..., None], 4, -1)),
            "over_joint": ((*run_dims, "factor"), np.repeat(over[..., None], 2, -1)),
            "latent_joint": ((*run_dims, "push"), over[..., None]),
            "patched_joint": (run_dims, over),
            "embed_cosine": (
                (*run_dims, "block", "pair"),
                np.broadcast_to(
                    (1 - 0.8 * steps / steps[-1])[:, None, None], (*shape, 2, 3)
                ).copy(),
            ),
            "blind_over": (("seed", "step"), np.zeros(shape[1:])),
            "size_right": (
                ("size", "seed", "step", "concept"),
                np.repeat(learned[..., None], 2, -1).astype(float),
            ),
        },
        coords={
            "signal": signals,
            "seed": seeds,
            "step": steps,
            "asked": names,
            "factor": factors,
            "concept": ["colour", "size"],
            "size": sizes,
            "push": [1.0],
        },
        attrs={"over": 1.5, "push": 1.0},
    )


class TestClaims(ClaimsContract):
    claims = tuple(c for c in CLAIMS if "further" not in c.needs and c.id not in ("B1", "C15"))


def test_the_toy_holds_of_its_own_paths_and_not_of_its_null(invented: xr.Dataset) -> None:
    data, claim = invented.copy(deep=True), CLAIM["C15"]
    for i, a in enumerate((0.3, 0.6, 1.0, 1.8, 3.5)):
        data.coordinates[i, :, :, 3] = toy_path(data.step.values / 40, a, t0=25.0)
    assert claim.decide(data).verdict is Word.REPRODUCED, claim.decide(data)
    assert claim.decide(claim.null(data)).verdict is not Word.REPRODUCED


def test_too_few_seeds_decide_nothing(tiny: xr.Dataset) -> None:
    verdicts = {claim.id: claim.decide(tiny).verdict for claim in CLAIMS if "check" in claim.needs}
    assert set(verdicts.values()) == {Word.UNDECIDABLE}


def test_a_capable_network_that_never_saw_blue_sinks_the_claim(invented: xr.Dataset) -> None:
    cheating = invented.assign(blind_over=invented.blind_over + 0.9)
    assert CLAIM["C6"].decide(cheating).verdict is Word.PARTLY


def test_times_never_reached_rank_last() -> None:
    table = xr.DataArray(
        [[100.0, np.inf, 50.0], [120.0, np.inf, 60.0], [110.0, 900.0, 55.0]],
        dims=("seed", "signal"),
        coords={"signal": [0.3, 0.1, 0.5]},
    )
    verdict = decisions.speed_against(table, "signal", 0.9, "colour")
    assert (verdict.observed, verdict.verdict) == (1.0, Word.REPRODUCED)
