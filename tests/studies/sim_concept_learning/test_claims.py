"""Every rule accepts what the claim says and refuses what it denies, at this study's own
measurement.
"""

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import has_the_effect, lacks_the_effect

from synthcore.evidence.claim import Claim
from synthcore.evidence.decide import decide
from synthcore.evidence.verdict import Word
from synthcore.studies.sim_concept_learning import controls, measure, task
from synthcore.studies.sim_concept_learning.claims import CLAIMS
from synthcore.studies.sim_concept_learning.claims import networks as orders
from synthcore.studies.sim_concept_learning.claims import tied as swings
from synthcore.studies.sim_concept_learning.experiments import tied
from synthcore.training.seeding import seeded

EMPIRICAL = [claim for claim in CLAIMS if claim.kind == "empirical"]
# A forecast from another start: so few seeds may have starts that are much alike.
WITH_CONTROL = [claim for claim in CLAIMS if claim.control is not None and claim.id != "C8b"]
EXACT = [claim for claim in CLAIMS if claim.id in ("C1", "C7", "C8b", "C9", "C14", "T4")]


@pytest.mark.parametrize("claim", EMPIRICAL, ids=lambda claim: claim.id)
def test_the_ideal_learner_passes(claim: Claim, results: xr.DataTree) -> None:
    has_the_effect(claim, results)


@pytest.mark.parametrize("claim", WITH_CONTROL, ids=lambda claim: claim.id)
def test_the_run_without_the_effect_does_not(claim: Claim, results: xr.DataTree) -> None:
    lacks_the_effect(claim, results)


@pytest.mark.parametrize("claim", EMPIRICAL, ids=lambda claim: claim.id)
def test_untrained_networks_reproduce_nothing(claim: Claim, results: xr.DataTree) -> None:
    untrained = controls.untrained(results)
    assert decide(claim, untrained, "reference").verdict.verdict is not Word.REPRODUCED


@pytest.mark.parametrize("claim", EXACT, ids=lambda claim: claim.id)
def test_checks_of_code_hold_in_a_small_run(claim: Claim, results: xr.DataTree) -> None:
    assert decide(claim, results, "check").verdict.verdict is Word.REPRODUCED


def test_an_untrained_network_has_the_order_of_losses() -> None:
    """Why the order of losses decides nothing: x^(v) lies further out the more v holds."""
    squares = (task.compositions(4) * torch.arange(1.0, 5.0)).square().sum(-1) / 2
    loss = xr.DataArray(squares.numpy(), dims="composition", coords={"composition": range(16)})
    assert float(measure.in_order(loss)) == 1


def test_every_empirical_claim_has_both_controls() -> None:
    assert [c.id for c in EMPIRICAL if c.control is None or c.ideal is None] == []
    assert {c.id for c in EMPIRICAL} == {"C3", "C4", "C6", "C8", "C10", "C13", "C13b"}


def test_claims_keep_their_ids() -> None:
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)


def test_starts_differ_between_seeds(results: xr.DataTree) -> None:
    """A seed draws its start: sizes of swings differ by more than sampling noise would make them,
    and the flow from another seed's start does not foretell them as well."""
    data = results["tied"].to_dataset()
    size = data.start.sel(entry="weak").values
    assert float(size.std() / size.mean()) > 0.05
    own = swings.size_is_foretold(results).observed
    assert swings.size_is_foretold(controls.other_starts(results)).observed > 2 * own


def test_rejection_is_a_control_at_a_spread_where_it_rejects(results: xr.DataTree) -> None:
    assert swings.something_is_rejected(results).holds
    narrow = results["tied"].to_dataset()
    narrow["rejected"] = narrow.rejected * 0
    empty = controls.with_experiment(results, "tied", narrow)
    assert not swings.something_is_rejected(empty).holds


def test_no_network_swings_without_minor_entries(results: xr.DataTree) -> None:
    rise = results["tied"].draw_up
    assert float(rise.sel(condition=tied.WITHOUT).max()) < 1e-3
    assert float(rise.sel(condition=tied.ALIKE).min()) > 0.02


def test_a_lag_is_of_the_architecture_nearest_to_failing() -> None:
    """Arrivals (architecture, condition, seed, concept) of which one network never learns."""
    times = np.ones((3, 3, 5, 2))
    times[:, 0, :, 0] = np.array([4.0, 3.0, 2.0])[:, None]  # concept 1 takes longer
    times[0, 0, 4, 0] = np.nan  # for ever
    dims = ("architecture", "condition", "seed", "concept")
    mu = ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    coords = {"mu_1": ("condition", mu[0]), "mu_2": ("condition", mu[1])}
    coords |= {name: ("condition", [0.05] * 3) for name in ("sigma_1", "sigma_2")}
    data = xr.Dataset({"network_arrival": (dims, times)}, coords)
    lags = orders.lag(data).isel(condition=0)
    assert float(lags[0, 4]) == np.inf
    results = xr.DataTree.from_dict({"order": data})
    assert orders.stronger_is_first(results).observed == pytest.approx(np.log(2))


def test_the_order_of_concepts_alone_is_no_order_of_compositions(results: xr.DataTree) -> None:
    """A learner in which the weakest concept decides has most of all pairs in order, and half of
    those that say something."""
    null = controls.weakest_decides(results)
    assert orders.parts_come_first(null).observed > 0.75
    assert orders.later_if_it_holds_more(null).observed == pytest.approx(0.5, abs=0.1)


def test_what_is_right_from_the_start_is_in_no_order(results: xr.DataTree) -> None:
    data = results["compositions"].to_dataset()
    at_once = data.assign(composition_arrival=xr.zeros_like(data.composition_arrival))
    changed = controls.with_experiment(results, "compositions", at_once)
    assert orders.later_if_it_holds_more(changed).observed == 0.5


def test_a_slower_second_concept_is_no_faster_first(results: xr.DataTree) -> None:
    """ln t1/t2 falls with diversity as it does in the theory, but only because t2 rises."""
    exact = controls.closed_form_order(results)["order"].to_dataset()
    arrival = exact.network_arrival.copy(deep=True)
    first = arrival.isel(concept=0).copy(deep=True)
    arrival[{"concept": 0}] = first.isel(condition=0, drop=True).broadcast_like(first)
    arrival[{"concept": 1}] = arrival.isel(concept=0) * exact.a_1 / exact.a_2
    slower = exact.assign(network_arrival=arrival)
    changed = controls.with_experiment(results, "order", slower)
    assert orders.diversity_speeds_up(changed).verdict is Word.NOT


def test_a_strong_coordinate_that_overshoots_is_no_swing(results: xr.DataTree) -> None:
    """The weak coordinate only rises; the loss rises because the strong one goes too far, and
    stays there."""
    tau = torch.linspace(0, 10, 200).double()
    weights = torch.zeros(200, 6, 2, 2).double()
    weights[..., 0, 0] = (0.1 + 0.9 * tau / 10)[:, None]
    weights[..., 1, 1] = (0.1 + 1.3 * (tau / 4).clamp(max=1))[:, None]
    measured = measure.swing(weights, (1.0, 2.0), tau)
    data = results["tied"].to_dataset().copy(deep=True)
    for name in ("draw_up", "approach", "fall", "end"):
        data[name].loc[{"condition": tied.ALIKE}] = measured[name].numpy()
    loss = ((weights.sum(-1) - 1) ** 2 * torch.tensor([1.0, 4.0])).sum(-1)[[0, -1]] / 2
    for at, values in zip((0, -1), loss, strict=True):
        end = {"tau": at, "condition": data.condition.values.tolist().index(tied.ALIKE)}
        data["ood_loss"][end] = values.numpy()
    changed = controls.with_experiment(results, "tied", data)
    assert swings.leaves(changed).verdict is Word.REPRODUCED
    assert swings.weak_coordinate_falls(changed).verdict is Word.NOT
    assert swings.arrives(changed).verdict is Word.NOT


def test_nothing_that_does_not_swing_is_left_by_rejection(results: xr.DataTree) -> None:
    data = results["tied"].to_dataset()
    changed = controls.with_experiment(results, "tied", data.assign(draw_up=data.draw_up * 1e-3))
    claim = next(claim for claim in CLAIMS if claim.id == "C13b")
    assert decide(claim, changed, "check").verdict.verdict is Word.NOT_TESTABLE


def test_who_goes_and_stays_away_does_not_swing_by(results: xr.DataTree) -> None:
    data = results["depth"].to_dataset()
    gone = data.assign(
        draw_up=xr.full_like(data.draw_up, 0.5), remaining=xr.full_like(data.remaining, 0.9)
    )
    assert float(orders.swinging(gone).max()) == 0
    assert float(orders.swinging(gone.assign(remaining=gone.remaining * 0)).min()) == 1


def test_one_layer_does_not_hide_deep_networks_that_have_not_learned(results: xr.DataTree) -> None:
    """Left .127 in the mean over four depths, and .18 of the deepest: it must fail both ways."""
    data = results["depth"].to_dataset()
    deepest = data.depth == data.depth[-1]
    left = xr.where(deepest, 0.18, 0.0).broadcast_like(data.remaining)
    unlearned = data.assign(remaining=left.transpose(*data.remaining.dims))
    assert float(unlearned.remaining.mean()) < orders.ARRIVED
    gate = orders.many_dimensions_are_learned
    assert not gate(controls.with_experiment(results, "depth", unlearned)).holds
    learned = data.assign(remaining=0 * data.remaining)
    assert gate(controls.with_experiment(results, "depth", learned)).holds


def test_rare_swings_do_not_add_up_over_depths() -> None:
    """Eight starts at each of four depths of which one in a hundred swings: the largest share of
    each seed would be .04."""
    drawn = torch.rand(400, 8, 4, 2, 2, generator=seeded(0, "rare")) < 0.01
    dims = ("seed", "initialisation", "depth", "dimension", "width")
    rise = xr.DataArray(drawn.double().numpy(), dims=dims)
    depth = xr.Dataset({"draw_up": rise, "remaining": 0 * rise})
    share = orders.swinging(depth)
    assert float(share.max("depth").isel(dimension=-1, width=0).mean()) > 0.03
    tree = xr.DataTree.from_dict({"depth": depth})
    for decided in (orders.many_dimensions_do_not(tree), orders.wide_do_not(tree)):
        assert decided.observed is not None
        assert decided.observed < 0.015
