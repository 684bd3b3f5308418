"""The percolation experiment: parameters, determinism, claims and their nulls."""

import numpy as np
import pytest
import xarray as xr
from contracts import ClaimsContract, ExperimentContract, smoke

from synthcore.evidence.first_edition import Claim, Word
from synthcore.explorers.collapse import CollapseExplorer
from synthcore.studies.percolation import shown
from synthcore.studies.percolation.altered import ALTERED
from synthcore.studies.percolation.claims import CLAIMS
from synthcore.studies.percolation.experiment import Config, run

TINY = smoke("percolation", properties=[80, 160], entities=[16])


def test_units(tiny: xr.Dataset) -> None:
    assert tiny.loss.attrs["units"] == "nats/token"
    assert tiny.world_odds.attrs["units"] == "nats"


def test_measurements_are_shares(tiny: xr.Dataset) -> None:
    for name in ("grammatical", "tokens", "exact", "conditions", "class_mass", "syntax", "seen"):
        values = tiny[name].values
        assert ((values >= 0) & (values <= 1.0001)).all(), name
    assert (tiny.excess_loss > 0).all()  # nothing is below the entropy of the language
    assert (tiny.pair_edge_mass <= tiny.pair_class_mass + 1e-6).all()
    assert set(tiny.altered.values) == set(ALTERED)


def test_the_explorer_takes_what_the_run_keeps(tiny: xr.Dataset) -> None:
    view = CollapseExplorer(shown.collapsible({"a": tiny, "b": tiny}, tiny))
    assert len(view.metrics) == 2 * 3 + 3  # exact match has not formed


class TestExperiment(ExperimentContract):
    refused = (
        ({"classes": 3}, "classes must be"),
        ({"properties": [81]}, "properties must be a multiple of the number of classes, 4"),
        ({"entities": [20], "variants": ["fragments"]}, "the number of classes, 16"),
        ({"properties": [160, 80]}, "properties must rise"),
        ({"verbs": 3}, "verbs must be a multiple of 2"),
        ({"density": 0.0}, "density must be"),
        ({"density": 0.3}, "no room for 4 fragments"),
        ({"shares": [0.0, 1.0, 1.0]}, "the first must be positive"),
        ({"grammar": "paper"}, "adjectives must be 0 for the plain grammar, and only for it"),
        ({"edges": "circulant"}, "multiple of 40"),
        ({"pair_entities": 40}, "pair_entities must be a multiple of 4 pair_classes"),
        ({"first_checkpoint": 24}, "first_checkpoint must be below steps"),
        ({"heads": 3}, "width must be a multiple of heads"),
        ({"variants": ["none"]}, "variants must be"),
    )

    def test_same_parameters_give_the_same_numbers(
        self, tiny: xr.Dataset, request: pytest.FixtureRequest
    ) -> None:
        again = run(Config(**{**TINY, "world_steps": 0, "variants": []}))
        xr.testing.assert_identical(tiny[list(again.data_vars)].drop_dims([]), again)


SEEDS, STEPS, PAIR_STEPS = 6, np.geomspace(20, 10_000, 40).round(), np.geomspace(10, 2000, 40)
VARIANTS = ["fragments", "fragments, no verbs", "fragments, one subject"]
SIZES = np.array([640, 1280, 2560])


def rise(times: xr.DataArray, middle: xr.DataArray | float, power: float) -> xr.DataArray:
    return 1 / (1 + (middle / times) ** power)


@pytest.fixture(scope="module")
def invented() -> xr.Dataset:
    """A run in which everything the paper says holds, in every one of six seeds."""
    t = xr.DataArray(STEPS, dims="step", coords={"step": STEPS})
    seed = xr.DataArray(np.linspace(-1, 1, SEEDS), dims="seed", coords={"seed": range(SEEDS)})
    k = xr.DataArray(SIZES, dims="properties", coords={"properties": SIZES})
    e = xr.DataArray([80, 160], dims="entities", coords={"entities": [80, 160]})
    same = 0 * (seed + k + e + t)
    late = 800 * (k / 640) ** (0.5 + 0.05 * seed)
    check = 0.25 + 0.6 * rise(t, late, 2.5) + same
    relative, syntax = rise(t, 300, 6) + same, 0.9 * rise(t, 60, 4) + 0.1 + same
    hard = 0.6 * rise(t, 1800 * (k / 2560) ** 1.5, 5) + same
    exact = xr.concat([hard, 0.8 * rise(t, 1200, 5) + same], "sort")
    gaps = {"order": (30, 80), "relations": (10, 300), "descriptors": (8, 1500)}
    likely = [-20 - size * rise(t, at, 3) + same for size, at in gaps.values()]
    data = xr.Dataset(
        {
            "grammatical": 0.98 * rise(t, 60, 4) + same,
            "relative": relative,
            "descriptive": check,
            "class_mass": check,
            "descriptor_mass": 1 + same,
            "syntax": syntax,
            "verb_share": 0.5 + 0.5 * relative,
            "object_share": 0.25 + 0.75 * relative,
            "tokens": 0.9 * rise(t, 250, 3) + same,
            "conditions": 0.95 * rise(t, 1200, 5) + same,
            "rearranged": 0.8 * rise(t, 1200, 5) + same,
            "exact": exact.assign_coords(sort=["descriptive", "relative"]),
            "loss": (4 - relative).expand_dims(task=["free"]),
            "log_likelihood": xr.concat([-20 + same, *likely], "altered").assign_coords(
                altered=["normal", *gaps]
            ),
            "odds": 3 * rise(t, 800, 3) + same,
            "held_share": 0.8 * rise(t, 800, 3) + same,
        }
    )
    data = xr.merge([data, of_pairs(), of_theory(seed)])
    data.attrs = {"classes": 4, "density": 0.15, "pair_classes": 4, "pair_entities": 160}
    return data


def of_pairs() -> xr.Dataset:
    seed = xr.DataArray(np.zeros(SEEDS), dims="pair_seed", coords={"pair_seed": range(SEEDS)})
    t = xr.DataArray(PAIR_STEPS, dims="pair_step", coords={"pair_step": PAIR_STEPS})
    k = xr.DataArray([400, 800, 1600], dims="pair_properties")
    mass = 0.25 + 0.7 * rise(t, 150 * (k / 400) ** 0.5, 2.5) + seed
    w = xr.DataArray(PAIR_STEPS, dims="world_step", coords={"world_step": PAIR_STEPS})
    worlds = ["base", "double batch", "spare tokens", "fragments 4"]
    middle = xr.DataArray([200, 110, 200, 200], dims="world", coords={"world": worlds})
    world = 0.25 + 0.7 * rise(w, middle, 2.5) + seed
    v = xr.DataArray([1.0, 0.0, 0.0], dims="variant", coords={"variant": VARIANTS})
    seeds = xr.DataArray(np.zeros(SEEDS), dims="seed", coords={"seed": range(SEEDS)})
    joined = 3 * rise(w, 200, 3).rename(world_step="variant_step") + 0 * v + seeds
    return xr.Dataset(
        {
            "variant_odds_joined": joined,
            "variant_odds_apart": joined * v,
            "pair_class_mass": mass.assign_coords(pair_properties=[400, 800, 1600]),
            "pair_odds": 4 * (mass - 0.25),
            "pair_held_share": mass - 0.2,
            "world_class_mass": world,
            "world_odds": 4 * (world - 0.25),
            "world_odds_joined": 4 * (world - 0.25),
            "world_odds_apart": 0 * world,
            "world_classes": 4 + 0 * middle,
        }
    )


def of_theory(seed: xr.DataArray) -> xr.Dataset:
    x = xr.DataArray([0.5, 1.0, 2.0], dims="exposure", coords={"exposure": [0.5, 1.0, 2.0]})
    checked = xr.DataArray([0.2, 0.33, 0.5, 0.7], dims="checked")
    seen = 1 - np.exp(-x) + 0.001 * seed
    return xr.Dataset(
        {
            "joined": (checked + 0.005 * seed).expand_dims(graph=["a"]),
            "joined_theory": (checked + 0 * seed).expand_dims(graph=["a"]),
            "second_peak": 1.05 + 0.01 * seed,
            "proportional_exponent": 0.5 + 0.01 * seed,
            "widening_exponent": 0.8 + 0.01 * seed,
            "hop_errors": (0 * seed).expand_dims(hops=[0, 1]),
            "seen": seen,
            "seen_theory": seen - 0.001 * seed,
            "seen_in_text": seen,
            "text_theory": seen - 0.002 * seed,
        }
    )


class TestClaims(ClaimsContract):
    claims = CLAIMS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_an_untrained_run_decides_nothing_or_against(claim: Claim, tiny: xr.Dataset) -> None:
    assert claim.id.startswith("T") or claim.decide(tiny).verdict is not Word.REPRODUCED
