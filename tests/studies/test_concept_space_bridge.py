"""The bridge to the identity map: rises and slowing down on made curves, and its control."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcore.evidence.first_edition import Word
from synthcore.studies.concept_space import bridge
from synthcore.studies.concept_space.task import TARGET, TRAINED, words

STEPS = np.array([round(k**2) for k in range(0, 72, 3)])
SEEDS = 6


def curve(at: float, width: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """A share of 0 to 1 that rises about a step, per seed."""
    rise = 1 / (1 + np.exp(-(np.sqrt(STEPS) - at) / width))
    return (rise + noise * rng.standard_normal((SEEDS, len(STEPS)))).clip(0, 1)


def made(dip: float = 0.25, noise: float = 0.02, late: float = 1.0) -> xr.Dataset:
    """Weak signals: size first, and colour falls back by `dip` before it is learned; strong: colour
    first. `late` below 1 leaves a last part of the way to the end of training."""
    rng = np.random.default_rng(0)
    root = np.sqrt(STEPS)
    shape = (3, SEEDS, len(STEPS), 4, 2)
    path, right = np.full(shape, 0.5), np.zeros(shape)
    for i, (colour, size) in enumerate(((52, 8), (50, 10), (15, 42))):
        for c, at in enumerate((colour, size)):
            share = curve(at, 3, noise, rng)
            right[i, :, :, 3, c] = share
            path[i, :, :, 3, c] = late * share + (1 - late) * root / root[-1]
        if colour > size:
            fall = dip * np.exp(-(((root - 34) / 6) ** 2))
            path[i, :, :, 3, 0] = 0.3 + 0.7 * path[i, :, :, 3, 0] - fall
    path[:, :, :2] = np.nan  # no discs yet
    lead = ("signal", "seed", "step", "asked", "concept")
    return xr.Dataset(
        {"coordinates": (lead, path), "right": (lead, right)},
        coords={
            "signal": [0.2, 0.4, 0.8],
            "seed": range(SEEDS),
            "step": STEPS,
            "asked": [words(kind) for kind in (*TRAINED, TARGET)],
            "concept": ["colour", "size"],
        },
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_the_highest_rise_is_the_brute_force(values: list[float]) -> None:
    found, foot, top = bridge.highest_rise(np.array(values))
    n = len(values)
    best = max(values[j] - values[i] for j in range(n) for i in range(j + 1))
    assert found == pytest.approx(best)
    assert foot <= top
    assert values[top] - values[foot] == pytest.approx(best)


def test_errors_start_where_every_seed_draws_discs() -> None:
    data = made()
    data.coordinates[0, 3, :7] = np.nan
    steps, error = bridge.errors(data, 0.2)
    assert steps[0] == STEPS[7]
    assert error.shape == (SEEDS, len(STEPS) - 7)
    assert np.isfinite(error).all()
    data.coordinates[0, 3] = np.nan
    assert len(bridge.errors(data, 0.2)[0]) == 0


def test_a_planted_rise_is_measured_and_noise_is_not() -> None:
    planted = bridge.rises(made(dip=0.3, noise=0.005))
    assert float(planted.min()) > 0.05
    flat = bridge.rises(made(dip=0.0, noise=0.03))
    assert abs(float(flat.mean())) < 2.5 * float(flat.std()) / np.sqrt(SEEDS) + 0.005


def test_slowing_down_is_told_from_an_even_pace() -> None:
    assert float(bridge.slowing(made(noise=0)).min()) > np.log(bridge.SLOWER)
    steady = made(noise=0)
    even = np.broadcast_to((STEPS / STEPS[-1])[:, None, None], steady.coordinates.shape[2:])
    steady["coordinates"] = steady.coordinates.copy(
        data=np.broadcast_to(even, steady.coordinates.shape)
    )
    assert float(bridge.slowing(steady).max()) < np.log(2)


def test_the_claim_holds_on_what_it_describes_and_fails_on_its_control() -> None:
    data = made(dip=0.3, noise=0.01)
    assert bridge.like_the_identity_map(data).verdict is Word.REPRODUCED
    control = bridge.like_the_identity_map(bridge.backwards(data))
    assert control.verdict is Word.NOT
    without = bridge.like_the_identity_map(made(dip=0.0, noise=0.01))
    assert without.verdict is Word.PARTLY


def test_the_figure_shows_every_signal() -> None:
    (ax,) = bridge.errors_by_signal(made()).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0.2", "0.4", "0.8"]
