"""The editing experiment: parameters, determinism, claims and their nulls."""

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract, ExperimentContract, smoke

from synthcore.evidence.first_edition import Word, decide_all
from synthcore.explorers.editing import LiveEditExplorer, ShatterExplorer
from synthcore.studies.representation_shattering import decisions, shown
from synthcore.studies.representation_shattering.claims import CLAIMS
from synthcore.studies.representation_shattering.experiment import Config

TINY = smoke("representation_shattering")


def test_explorers_take_what_the_run_keeps(tiny: xr.Dataset) -> None:
    arguments = shown.explorer_data(Config(**TINY), tiny)
    assert ShatterExplorer(**arguments).data_bytes < 400_000
    assert LiveEditExplorer(**arguments).table[0] == arguments["table"][0].tolist()


class TestExperiment(ExperimentContract):
    refused = (
        ({"entities": 5}, "entities must be"),
        ({"hops": 10}, "hops must be"),
        ({"distances": [2, 1]}, "distances must rise"),
        ({"distances": [1, 11]}, "distances must be at most 10"),
        ({"block": 2}, "block must be below depth 2"),
        ({"heads": 3}, "width and phase_widths must be divisible"),
        ({"editor_edits": 5}, "editor_edits must be at most edits"),
        ({"phase_widths": []}, "phase_entities need"),
        ({"month_edits": 73}, "month_edits must be"),
    )


# --- decisions ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def invented(tiny: xr.Dataset) -> xr.Dataset:
    """A run in which everything holds, in every one of six seeds."""
    data = tiny.isel(seed=[0] * 6).assign_coords(seed=range(6)).copy(deep=True)
    data = data.assign_coords(condition=[0, 1, 2, 8])
    data.attrs["entities"] = 128
    random = np.random.default_rng(0)

    def noise(like: xr.DataArray, size: float = 0.01) -> xr.DataArray:
        return like.copy(data=size * random.normal(size=like.shape))

    data["accuracy"][:] = 0.99
    data["ring"][:] = 0.9
    data["ring_null"][:] = 0.3
    data["succeeded"][:] = 1.0
    loss = xr.DataArray([0.1, 0.1, 0.3, 0.5], dims="condition", coords={"condition": [0, 1, 2, 8]})
    spread = noise(data.norm)
    more = xr.where(data.task == "chain", 0.1, 0.0)
    data["change"] = (-(loss + spread + more)).broadcast_like(data.change) + 0 * data.change
    R = (2 * loss + 2 * spread).broadcast_like(data.shattering) + 0 * data.shattering
    data["shattering"] = R.transpose(*data.shattering.dims)
    data["norm"] = 1 + noise(data.norm)
    data["editor_change"] = data.change.broadcast_like(data.editor_change)
    data["editor_shattering"] = data.shattering.broadcast_like(data.editor_shattering)
    data["editor_reached"] = xr.ones_like(data.editor_reached)
    random_R = data.shattering.broadcast_like(data.random_shattering)
    half = xr.where(data["update"] == "equal norm", 0.5, 1.0)
    data["random_shattering"] = (random_R * half).transpose(*data.random_shattering.dims)
    data["random_change"] = data.change.broadcast_like(data.random_change)
    count = 60
    rising = np.linspace(0.1, 0.9, count)
    data["month_R"] = ("month_edit", rising + 0.05 * random.normal(size=count))
    data["month_others"] = ("month_edit", 1 - rising)
    data["months_ring_p"] = 1e-4
    return data


class TestClaims(ClaimsContract):
    claims = CLAIMS


def test_networks_that_know_nothing_decide_nothing(invented: xr.Dataset) -> None:
    ignorant = invented.assign(accuracy=invented.accuracy * 0.5)
    for decision in decide_all(CLAIMS, ignorant, "reference"):
        if decision.claim.id not in ("C1", "C11"):
            assert decision.verdict.verdict is Word.UNDECIDABLE


def test_what_is_not_known_cannot_be_lost(invented: xr.Dataset) -> None:
    seen = invented.accuracy.task == "direct"
    memoriser = invented.assign(accuracy=invented.accuracy.where(seen, 0.1))
    assert decisions.grows(memoriser).verdict is Word.PARTLY
    other = decisions.reasoning_too(memoriser)
    assert other.verdict is Word.UNDECIDABLE
    small = memoriser.assign(
        phase_accuracy=xr.ones_like(memoriser.phase_accuracy),
        phase_change=-0.1
        - 0.1 * (memoriser.phase_change.task == "chain")
        + 0 * memoriser.phase_change,
    )
    held, open_ = decisions.reasoning_too(small).parts
    assert (held.verdict, open_.verdict) == (Word.REPRODUCED, Word.UNDECIDABLE)


def test_equal_harm_is_judged_in_points_and_by_the_size_of_the_harm(invented: xr.Dataset) -> None:
    """What is a small difference beside a large harm is a large one beside a small harm; and five
    points are the most, however large the harm is."""
    R = invented.random_shattering.sel(update="rome", drop=True)
    equal = invented.assign(random_shattering=R.broadcast_like(invented.random_shattering))
    for factor, size, word in (
        (1.4, 0.05, Word.REPRODUCED),
        (1.6, 0.05, Word.NOT),
        (0.4, 0.05, Word.NOT),
        (1.1, 1.0, Word.REPRODUCED),
        (1.4, 1.0, Word.NOT),
        (1.6, 1.0, Word.NOT),
        (0.4, 1.0, Word.NOT),
    ):
        worse = xr.where(invented["update"] == "equal R", factor, 1.0)
        change = size * invented.random_change * worse
        assert decisions.not_the_norm(equal.assign(random_change=change)).verdict is word
