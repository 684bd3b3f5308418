"""The Adam experiment: parameters, determinism, and its claims on runs with known findings."""

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import ClaimsContract, ExperimentContract, smoke

from synthcore.evidence.first_edition import Claim, Word, decide_all
from synthcore.studies.adam_continuous_time import experiment
from synthcore.studies.adam_continuous_time.claims import CLAIMS

TINY = smoke("adam_continuous_time", n_seeds=3, stages=[1, 2, 3])
BY_ID = {claim.id: claim for claim in CLAIMS}


def test_every_claim_is_decided_even_on_a_tiny_run(tiny: xr.Dataset) -> None:
    decided = decide_all(CLAIMS, tiny, "check")
    assert {d.claim.id for d in decided} == set(BY_ID)
    undecided = [d.claim.id for d in decided if d.verdict.verdict is Word.UNDECIDABLE]
    assert undecided == []


def test_theory_holds_at_every_size(tiny: xr.Dataset) -> None:
    assert float(tiny.stream_ratio.max()) <= 1 + 1e-9
    assert float(tiny.language_ratio.max()) <= 1 + 1e-9
    assert float(tiny.growth_bound_ratio.max()) <= 1 + 1e-9
    assert float(tiny.agreement.sel(compared_k=1).max()) <= 1e-6


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_no_claim_survives_its_null_on_a_tiny_run(claim: Claim, tiny: xr.Dataset) -> None:
    assert claim.decide(claim.null(tiny)).verdict is not Word.REPRODUCED


class TestExperiment(ExperimentContract):
    refused = (
        ({"curve_exponents": [0.3, 0.1]}, "curve_exponents must lie between"),
        ({"heads": 3}, "heads must divide width"),
        ({"stages": [0]}, "every entry of stages must be at least 1"),
        ({"learning_rates": [0.0]}, "learning rates must be positive"),
        ({"epsilon": -1.0}, "epsilon must be a number"),
        ({"image_sets": ["faces"]}, "image_sets must be a list"),
    )

    def test_same_parameters_give_the_same_numbers(
        self, tiny: xr.Dataset, request: pytest.FixtureRequest
    ) -> None:
        config = experiment.Config(**TINY)
        for stage in (experiment.run_language, experiment.run_agreement):
            xr.testing.assert_identical(stage(config), stage(config))


@pytest.fixture(scope="module")
def invented() -> xr.Dataset:
    """Invented results in which the paper is right about C3b, C4, C8 and C9."""
    seeds, wiggle = [0, 1, 2], np.array([0.0, 0.01, -0.01])
    regimes = ["full batch", "mini-batch", "10 % inputs", "2 % inputs", "mini-batch, ReLU"]
    rates = np.array([0.02, 0.01, 0.03, 0.04, 0.05])[None, :, None] + 0.01 * wiggle
    c = np.array([-0.04, -0.02, 0.1, 0.2])
    loss = (3 - c)[:, None, None] + 0.01 * wiggle
    k_loss = np.array([1.0, 0.5, 0.8])[None, None, :, None, None, None] + wiggle
    layers = ["base", "half the rate, twice the decay", "twice the rate, half the decay"]
    steps = np.array([1, 0.5, 2.0])[:, None] * np.ones((3, 3))  # the first angle goes with eta
    return xr.Dataset(
        {
            "growth_rate": (("growth_point", "regime", "seed"), np.tile(rates, (4, 1, 1))),
            "test_loss": (("curve", "learning_rate", "seed"), loss),
            "validation_loss": (("curve", "learning_rate", "seed"), loss),
            "k_test_loss": (("images", "k_norm", "k", "strategy", "rate", "seed"),
                            np.tile(k_loss, (1, 2, 1, 1, 1, 1))),
            "layer_angle": (("layer", "seed"), np.full((3, 3), 0.01)),
            "layer_angle_path": (("layer_step", "layer", "seed"),
                                 steps[None]),
            "net_angle": (("norm", "setting", "seed"), np.full((1, 3, 3), 0.02)),
            "net_angle_path": (("norm", "net_step", "setting", "seed"),
                               steps[None, None]),
        },
        {
            "seed": seeds, "regime": regimes,
            "growth_beta": ("growth_point", [0.9, 0.99, 0.95, 0.9]),
            "growth_gamma": ("growth_point", [0.999, 0.9, 0.8, 0.5]),
            "curve_exponent": ("curve", c), "learning_rate": [0.1], "k": [1, 2, 3],
            "k_norm": ["none", "layer"], "images": ["digits"], "strategy": ["uniform"],
            "layer": layers, "setting": layers, "norm": ["layer"],
        },
    ).rename(rate="k_learning_rate").assign(
        k_validation_loss=lambda d: d.k_test_loss
    )  # fmt: skip


class TestClaims(ClaimsContract):
    claims = tuple(BY_ID[name] for name in ("C3b", "C4", "C8", "C9"))


def test_lost_members_do_not_stop_the_others() -> None:
    from synthcore.studies.adam_continuous_time.language import LOST, finite

    loss = finite(torch.tensor([1.0, float("nan"), float("inf")]))
    assert loss.tolist() == [1.0, LOST, LOST]
