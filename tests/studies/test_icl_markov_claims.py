"""Decisions on an invented run with known findings: what the paper reports, and its undoing."""

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract

from synthcore.evidence.first_edition import Word
from synthcore.studies.icl_markov import dataset, theory
from synthcore.studies.icl_markov.claims import CLAIMS

DIVERSITIES = [4, 16, 64, 128, 1024]
STEPS = [0, 10, 100, 200, 300, 400, 1000, 2000, 4000, 8000]
CONTEXTS = [1, 10, 40, 100]
BY_ID = {claim.id: claim for claim in CLAIMS}


@pytest.fixture
def invented() -> xr.Dataset:
    """OOD divergence: 0.5 before step 300, then 0.1 from 64 chains on; transient at 64 alone."""
    steps, contexts = np.array(STEPS), np.array(CONTEXTS)
    done = np.clip((np.log(np.maximum(steps, 1)) - np.log(200)) / np.log(2), 0, 1)
    back = np.clip((np.log(np.maximum(steps, 1)) - np.log(1000)) / np.log(8), 0, 1)
    members = [(n, seed) for n in DIVERSITIES for seed in range(3)]
    cells = {"step": steps, "member": np.arange(len(members)), "context": contexts}
    shape = tuple(len(values) for values in cells.values())
    ood, shuffled = np.full(shape, 0.5), np.full(shape, 0.5)
    identity, foretold = np.full(shape, 0.4), np.full(shape, 0.5)
    weight = np.zeros((*shape, 4))
    weight[..., 2] = 1
    previous = np.full(shape[:2], 0.02)
    for m, (n, seed) in enumerate(members):
        if n <= 16:
            ood[1:, m] = 0.52 + np.array([-0.1, 0.0, 0.1, 0.02])
            identity[:, m] = 0.01
            continue
        learned = done[:, None] * np.array([0.0, 0.02, 0.25, 0.4])
        fading = (back[:, None] if n == 64 else 0) * np.array([0.0, 0.0, 0.1, 0.2])
        ood[:, m] = 0.5 - learned + fading + 0.001 * seed
        foretold[:, m] = 0.5 - 0.95 * learned + 0.9 * fading
        identity[:, m] = 0.4 - 0.3 * done[:, None] - 0.08 * back[:, None]
        previous[:, m] = 0.02 + 0.6 * done
        weight[:, m, :, 2] = (1 - done)[:, None]
        weight[:, m, :, 3] = (done * (1 - 0.6 * back * (n == 64)))[:, None]
        weight[:, m, :, 1] = 1 - weight[:, m, :, 2] - weight[:, m, :, 3]
    lines = np.broadcast_to(np.array([0.55, 0.7, 0.5, 0.1])[:, None, None], (4, *shape[1:]))
    return xr.Dataset(
        {
            "kl_ood": (list(cells), ood),
            "kl_id": (list(cells), identity),
            "kl_shuffled": (list(cells), shuffled),
            "kl_ood_foretold": (list(cells), foretold),
            "kl_ood_algorithm": (["algorithm", "member", "context"], lines),
            "weight": ([*cells, "algorithm"], weight),
            "previous_token": (["step", "member"], previous),
        },
        {
            **cells,
            "algorithm": list(theory.ALGORITHMS),
            "diversity": ("member", [n for n, _ in members]),
            "seed": ("member", [seed for _, seed in members]),
            "width": ("member", [32] * len(members)),
            "states": ("member", [10] * len(members)),
            "positions": ("member", ["rotary"] * len(members)),
            "two_token": ("member", [False] * len(members)),
        },
        {"width": 32, "states": 10},
    )


class TestClaims(ClaimsContract):
    claims = tuple(BY_ID[name] for name in ("C1", "C2", "C3", "C5", "C6", "C9", "C10", "C12"))


def test_diversities_dealt_at_random_have_no_threshold(invented: xr.Dataset) -> None:
    order = np.random.default_rng(0).permutation(invented.sizes["member"])
    for name in ("kl_ood", "kl_ood_algorithm"):
        invented[name] = (
            invented[name].isel(member=order).drop_vars(["member", "diversity", "seed"])
        )
    assert BY_ID["C1"].decide(invented).verdict is not Word.REPRODUCED


def test_crossing_is_interpolated_in_log_steps(invented: xr.Dataset) -> None:
    score = xr.DataArray([1.0, 1.0, 0.5, 0.0], dims="step", coords={"step": [0, 1, 10, 100]})
    assert float(dataset.crossing(score, 0.75)) == pytest.approx(np.sqrt(10))
    assert np.isnan(dataset.crossing(score, -1))


def test_width_thresholds_are_interpolated_in_octaves(invented: xr.Dataset) -> None:
    found = dataset.thresholds_by_width(invented)
    assert found.dims == ("width", "seed")
    np.testing.assert_allclose(found, 4 + 2 * (1.05 - 0.5) / (1.05 - 0.5), atol=0.05)
