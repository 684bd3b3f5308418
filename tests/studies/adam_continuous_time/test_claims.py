"""Every rule accepts what the claim says and refuses what it denies, at this study's own
measurement.
"""

import numpy as np
import pytest
import xarray as xr
from contracts import has_the_effect, lacks_the_effect

from synthcore.evidence.claim import Claim
from synthcore.evidence.decide import decide
from synthcore.evidence.results import of, with_experiment
from synthcore.evidence.rules import judge
from synthcore.evidence.verdict import Word
from synthcore.studies.adam_continuous_time import controls
from synthcore.studies.adam_continuous_time.claims import CLAIMS, endpoints

BY_ID = {claim.id: claim for claim in CLAIMS}
EMPIRICAL = [claim for claim in CLAIMS if claim.kind == "empirical"]


@pytest.mark.parametrize("claim", EMPIRICAL, ids=lambda claim: claim.id)
def test_the_ideal_passes(claim: Claim, results: xr.DataTree) -> None:
    has_the_effect(claim, results)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_run_without_the_effect_does_not(claim: Claim, results: xr.DataTree) -> None:
    lacks_the_effect(claim, results)


@pytest.mark.parametrize("claim", EMPIRICAL, ids=lambda claim: claim.id)
def test_untrained_networks_reproduce_nothing(claim: Claim, results: xr.DataTree) -> None:
    untrained = controls.untrained(results)
    assert decide(claim, untrained, "reference").verdict.verdict is not Word.REPRODUCED


@pytest.mark.parametrize("name", ["C2", "C3"])
def test_theorems_hold_in_a_small_run(name: str, results: xr.DataTree) -> None:
    verdict = decide(BY_ID[name], results, "check").verdict
    assert verdict.verdict is Word.REPRODUCED, verdict


def test_every_empirical_claim_has_both_controls() -> None:
    assert [c.id for c in EMPIRICAL if c.control is None or c.ideal is None] == []
    assert {c.id for c in EMPIRICAL} == {
        *("C1", "C3b", "C3c", "C4", "C5b", "C6", "C8", "C8b", "C9"),
    }


def test_claims_keep_their_ids() -> None:
    assert len(BY_ID) == len(CLAIMS)


def test_the_papers_comparison_is_not_testable_without_its_images(results: xr.DataTree) -> None:
    verdict = decide(BY_ID["C8"], results, "reference").verdict
    assert verdict.verdict is Word.NOT_TESTABLE
    assert "CIFAR-10" in verdict.note


def test_a_rate_at_the_end_of_the_grid_makes_a_comparison_untestable(
    results: xr.DataTree,
) -> None:
    """The first edition compared 2-Adam with an Adam whose best rate was the largest tried."""
    data = of(results, "tournament")
    inside = xr.ones_like(data.best_inside)
    good = with_experiment(results, "tournament", data.assign(best_inside=inside))
    assert endpoints.all_are_tuned(good).holds
    inside.loc[{"optimizer": "Adam"}] = False
    bad = with_experiment(results, "tournament", data.assign(best_inside=inside))
    assert decide(BY_ID["C8b"], bad, "reference").verdict.verdict is Word.NOT_TESTABLE


def test_beta_that_rises_as_c_falls_is_no_effect_of_c(results: xr.DataTree) -> None:
    """Losses that depend on beta alone, as along the paper's curve: no effect at fixed beta."""
    data = of(results, "grid")
    noise = 0.003 * np.random.default_rng(0).standard_normal(data.grid_test_loss.shape)
    loss = data.grid_test_loss.copy(
        data=2.7 + 0.1 * (data.beta.values[:, None, None] > 0.95) + noise
    )
    verdict = endpoints.outside_is_worse(
        with_experiment(results, "grid", data.assign(grid_test_loss=loss))
    )
    assert verdict.verdict is Word.NOT


def test_one_layer_that_still_turns_is_not_hidden_by_three_that_have_settled(
    results: xr.DataTree,
) -> None:
    data = results["networks"].to_dataset()
    paths = xr.ones_like(data.net_angle_path)
    late = paths.sizes["net_step"] * 3 // 4
    turning = {"setting": data.setting.values.tolist().index("twice the initial norm")}
    paths[{**turning, "net_step": slice(late, None)}] = 1.15  # 4 % in the mean of all four

    def settled(path: xr.DataArray) -> bool:
        changed = data.assign(net_angle_path=path)
        return endpoints.layers_have_settled(with_experiment(results, "networks", changed)).holds

    assert not settled(paths)
    assert settled(xr.ones_like(paths))


def test_the_headline_is_rarely_found_where_there_is_nothing() -> None:
    """Operating characteristics of C8b at a spread of .05 in ln loss and eight seeds."""
    random = np.random.default_rng(1)
    found = {
        effect: np.mean(
            [
                judge(effect + 0.05 * random.standard_normal(8), 0.05, ">=").verdict
                is Word.REPRODUCED
                for _ in range(400)
            ]
        )
        for effect in (0.0, 0.05, 0.1)
    }
    assert found[0.0] == 0
    assert found[0.05] <= 0.09
    assert found[0.1] >= 0.75
