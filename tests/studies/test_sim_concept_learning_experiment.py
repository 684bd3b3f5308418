"""The identity-mapping experiment: parameters, determinism, claims and their nulls."""

import numpy as np
import pytest
import xarray as xr
from contracts import ExperimentContract, smoke

from synthcore.evidence.first_edition import Word
from synthcore.studies.sim_concept_learning import decisions, frequencies, partial_order
from synthcore.studies.sim_concept_learning.claims import CLAIMS

TINY = smoke("sim_concept_learning", n_seeds=3, spreads=[0.5, 1.0])


def test_units(tiny: xr.Dataset) -> None:
    assert tiny.pivot_law.attrs["units"] == "clock tau = 2 t"


@pytest.mark.parametrize("claim_id", ["C1", "C7", "C8", "C14"])
def test_exact_claims_hold_even_in_a_tiny_run(claim_id: str, tiny: xr.Dataset) -> None:
    claim = next(claim for claim in CLAIMS if claim.id == claim_id)
    verdict = claim.decide(tiny)
    identity = [part for part in verdict.parts if "relative error" not in part.label]
    assert all(part.verdict is Word.REPRODUCED for part in identity), verdict


class TestExperiment(ExperimentContract):
    refused = (
        ({"mu": [2.0, 1.0]}, "mu must name the weak concept first"),
        ({"sigma": -0.1}, "sigma must be a number, more than 0"),
        ({"rho": 1.0}, "rho must be a number"),
        ({"spreads": [0.01]}, "spreads must exceed sigma and rise"),
        ({"tied_learning_rate": 0.2}, "must be below 1 / \\(2 a_max\\)"),
        ({"batch": 1000}, "batch must not exceed"),
        ({"deep_dimensions": [1]}, "deep_dimensions must hold the two concepts"),
        ({"diversities": [1.0, 0.5, 2.0]}, "diversities must be positive and rise"),
        ({"mu": [0.0, 1.0]}, "mu must be positive"),
    )


# --- decisions ----------------------------------------------------------------------------------


def test_there_are_65_comparable_pairs() -> None:
    assert len(partial_order.pairs(4)) == 3**4 - 2**4
    assert len(partial_order.pairs(2)) == 5


def test_crossing_is_interpolated() -> None:
    x = np.array([0.0, 1.0, 2.0])
    assert decisions.crossing(x, np.array([1.0, 0.5, -0.5])) == pytest.approx(1.5)
    assert np.isnan(decisions.crossing(x, np.array([1.0, 0.5, 0.2])))


def test_shares_have_exact_intervals() -> None:
    none = np.zeros(200, dtype=bool)
    assert frequencies.share(none)[1][1] == pytest.approx(1 - 0.025 ** (1 / 200))
    assert frequencies.share_verdict(none, 0.02, "at most", "").verdict is Word.REPRODUCED
    assert frequencies.share_verdict(none, 0, "above", "").verdict is Word.NOT
    one = none.copy()
    one[0] = True
    assert frequencies.share_verdict(one, 0, "above", "").verdict is Word.REPRODUCED
    assert frequencies.share_verdict(none[:2], 0, "above", "").verdict is Word.UNDECIDABLE
    many = np.arange(200) < 60
    assert frequencies.more_often(many, one, "").verdict is Word.REPRODUCED
    assert frequencies.more_often(one, none, "").verdict is Word.NOT
