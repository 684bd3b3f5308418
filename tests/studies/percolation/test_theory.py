"""Percolation theory, simulated graphs, and scaling exponents."""

import networkx
import numpy as np
import pytest
import xarray as xr

from synthcore.studies.percolation import theory
from synthcore.studies.percolation.measure.scaling import (
    collapse,
    growth_part,
    hinge,
    onset_noise,
    power_to_tell,
    slope,
    stays,
)

PAPER = (900, 18_000, 10, 0.15)

# --- theory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.5, 0.999, 1.001, 1.3, 2.0, 5.0, 40.0])
def test_the_giant_component_solves_its_equations(ratio: float) -> None:
    entities, properties = 90, 1800
    q = ratio * theory.threshold(entities, properties)
    in_e, in_k = theory.giant(q, entities, properties)
    assert in_e == pytest.approx(1 - np.exp(-q * properties * in_k), abs=1e-12)
    assert in_k == pytest.approx(1 - np.exp(-q * entities * in_e), abs=1e-9)
    assert (in_e > 0) == (ratio > 1)


def test_both_sides_order_together_near_the_threshold() -> None:
    entities, properties = 400, 6400
    q = 1.01 * theory.threshold(entities, properties)
    in_e, in_k = theory.giant(q, entities, properties)
    assert in_e / in_k == pytest.approx(np.sqrt(properties / entities), rel=0.03)


def test_reachable_pairs_of_the_specification() -> None:
    at = [theory.reachable(r * theory.threshold(90, 1800), 90, 1800) for r in (1.5, 2, 3, 5)]
    np.testing.assert_allclose(at, [0.184, 0.332, 0.488, 0.673], atol=6e-4)


def test_critical_iterations_for_n_presentations() -> None:
    per_iteration = 128 * theory.MENTIONS_PER_SENTENCE
    found = [theory.critical_mentions(*PAPER, n) / per_iteration for n in (1, 2, 3, 5, 10)]
    np.testing.assert_allclose(found, [48, 555, 1508, 4161, 12800], rtol=0.01)
    sizes = np.geomspace(3600, 36_000, 8).astype(int) // 10 * 10
    for n, local in ((1, 0.494), (2, 0.730), (3, 0.806), (5, 0.867)):
        times = [theory.critical_mentions(900, int(k), 10, 0.15, n) for k in sizes]
        assert slope(sizes, times) == pytest.approx(local, abs=0.003)
        sparse = [theory.critical_mentions(900, int(k), 10, 1.0, n) for k in sizes * 10_000]
        assert slope(sizes, sparse) == pytest.approx(theory.exposure_exponent(n), abs=0.01)
    assert np.isnan(theory.critical_mentions(40, 40, 4, 0.05))  # there are too few edges


def test_exposures_are_poisson() -> None:
    random = np.random.default_rng(0)
    seen = np.bincount(random.integers(500, size=1000), minlength=500)
    assert theory.distinct_edges(1000, 500) / 500 == pytest.approx((seen > 0).mean(), abs=0.04)
    for n in (1, 2, 3):
        assert theory.exposed(1000, 500, n) == pytest.approx((seen >= n).mean(), abs=0.06)
    assert theory.exposed(1000, 500, 1) * 500 == pytest.approx(theory.distinct_edges(1000, 500))


@pytest.mark.parametrize(("entities", "properties", "classes"), [(12, 20, 4), (30, 12, 3)])
def test_the_class_mode_is_a_singular_value(entities: int, properties: int, classes: int) -> None:
    same = np.kron(np.eye(classes), np.ones((entities // classes, properties // classes)))
    gradient = (1 - classes * same) / (entities * properties)
    values = np.linalg.svd(gradient, compute_uv=False)
    expected = theory.class_mode(entities, properties)
    np.testing.assert_allclose(values[: classes - 1], expected, rtol=1e-12)
    np.testing.assert_allclose(values[classes - 1 :], 0, atol=1e-12)


def test_noise_beyond_which_classes_are_lost() -> None:
    assert theory.detectable_noise(1, 1) == 0
    assert theory.detectable_noise(4, 4) == pytest.approx(0.5)
    assert theory.detectable_noise(100, 100) > 0.89


@pytest.mark.parametrize("chance", [0.02, 0.06, 0.15])
def test_powers_of_the_density_matrix_are_walks(chance: float) -> None:
    random = np.random.default_rng(round(100 * chance))
    density = (random.random((14, 18)) < chance) * random.random((14, 18))
    graph = networkx.Graph()
    graph.add_nodes_from(range(32))
    graph.add_edges_from((int(e), 14 + int(k)) for e, k in np.argwhere(density))
    distance = dict(networkx.all_pairs_shortest_path_length(graph))
    power = density.copy()
    for n in range(6):
        far = np.array([[distance[e].get(14 + k, 99) for k in range(18)] for e in range(14)])
        np.testing.assert_array_equal(theory.reach(density, n), far <= 2 * n + 1)
        np.testing.assert_array_equal(theory.reach(density, n), power > 0)
        power = density @ density.T @ power


# --- simulated graphs ---------------------------------------------------------------------------


def test_components_and_joined_pairs() -> None:
    pairs = np.array([[0, 0], [0, 1], [1, 1], [2, 3]])
    labels = theory.components(4, 5, pairs)
    assert labels[0] == labels[1] == labels[4] == labels[5]
    assert len(set(labels[[0, 2, 3, 6, 8]].tolist())) == 5
    assert theory.joined_share(labels, 4) == pytest.approx(5 / 20)
    assert theory.second_largest(labels) == 2
    drawn = theory.distinct_pairs(6, 7, 42, np.random.default_rng(0))
    assert len({tuple(row) for row in drawn.tolist()}) == 42


def test_growing_graphs_follow_the_theory() -> None:
    data = theory.growth(300, 1200, [0.5, 1.5, 3.0], 6, seed=3)
    np.testing.assert_allclose(data.joined.mean("repeat"), data.theory, atol=0.025)
    ratios = np.geomspace(0.7, 1.7, 25)
    curve = np.exp(-(np.log(ratios / 1.1) ** 2) / 0.05)
    assert theory.peak(ratios, curve) == pytest.approx(1.1, rel=0.01)


# --- exponents ----------------------------------------------------------------------------------

TIMES = np.geomspace(1, 1e5, 80)
SIZES = np.array([100, 200, 400, 800])


def curves(exponent: float, floor: float = 0.0, top: np.ndarray | float = 1.0) -> np.ndarray:
    x = TIMES / (10 * (SIZES[:, None] ** exponent))
    return floor + (np.asarray(top) - floor) * x / (1 + x)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_collapse_recovers_exponents(exponent: float, floor: float) -> None:
    found = collapse(TIMES, curves(exponent, floor), SIZES, floor)
    assert found.exponent == pytest.approx(exponent, abs=0.02)
    assert found.at(exponent) < 1e-3 < min(found.at(exponent - 0.5), found.at(exponent + 0.5))


def test_collapse_takes_times_of_each_curve() -> None:
    times = TIMES * SIZES[:, None] ** 0.3
    assert collapse(times, curves(0.0), SIZES).exponent == pytest.approx(0.3, abs=0.02)


def test_only_the_growth_part_counts() -> None:
    rising = np.array([[0.2, 0.3, 0.6, 1.0, 0.8], [0.2, 0.2, 0.3, 0.5, 0.6]])
    part = growth_part(rising, 0.2)
    assert part[:, 0].tolist() == [0, 0]
    assert part[0, 3:].tolist() == [1, 1]  # it had its maximum
    assert part[1, -1] == 1
    flat = growth_part(np.full((2, 5), 0.2), 0.2)
    assert np.isnan(flat).all()
    assert np.isnan(collapse(TIMES, np.zeros((4, 80)), SIZES).exponent)


def test_onsets() -> None:
    assert stays([1, 2, 3, 4], [0.0, 1.0, 0.0, 1.0], 1.0) == 4
    assert stays([1, 2], [0.7, 0.8], 0.5) == 1
    assert np.isinf(stays([1, 2, 3], [0.0, np.nan, 0.1], 0.5))
    assert slope([1, 10, 100], [2, 20, 200]) == pytest.approx(1)
    assert np.isnan(slope([1, 10], [2, np.inf]))
    flat = 0.25 + 0.02 * np.log(TIMES) + 0.1 * np.maximum(np.log(TIMES / 300), 0)
    found = hinge(TIMES, flat)
    assert found.onset == pytest.approx(300, rel=0.03)
    assert found.before == pytest.approx(0.02, abs=1e-3)
    assert found.after == pytest.approx(0.12, abs=1e-3)
    assert np.isnan(hinge(TIMES[:4], flat[:4]).onset)


@pytest.mark.parametrize("draw", range(20))
def test_of_flat_curves_there_is_nothing_to_estimate(draw: int) -> None:
    """The first edition gave -1.0 for a flat curve, and a number for every noisy one."""
    noise = np.random.default_rng(draw).normal(0.25, 0.03, (4, 80))
    assert np.isnan(collapse(TIMES, noise, SIZES, 0.25).exponent)
    assert np.isnan(collapse(TIMES, np.full((4, 80), 0.25), SIZES, 0.0).exponent)
    one_flat = curves(0.5, 0.25)
    one_flat[2] = noise[2]
    assert np.isnan(collapse(TIMES, one_flat, SIZES, 0.25).exponent)


def test_planted_exponents_are_covered() -> None:
    """Six noisy seeds: the 95 % interval of their collapse exponents covers the planted one."""
    covered = 0
    for run in range(20):
        random = np.random.default_rng(run)
        found = []
        for _ in range(6):
            late = np.exp(random.normal(0, 0.1, (4, 1)))
            x = TIMES / (10 * SIZES[:, None] ** 0.5 * late)
            noisy = x / (1 + x) + random.normal(0, 0.01, x.shape)
            found.append(collapse(TIMES, noisy, SIZES).exponent)
        half = 2.571 * np.std(found, ddof=1) / np.sqrt(6)
        covered += abs(np.mean(found) - 0.5) <= half
    assert covered >= 17


def test_power_is_what_simulation_gives() -> None:
    """The exact power of a design against 400 simulated runs of it."""
    random, passes = np.random.default_rng(0), 0
    x = np.linspace(0, np.log(16), 5)
    for _ in range(400):
        times = 0.5 * x + random.normal(0, 0.2, (6, 5))
        slopes = np.polyfit(x, times.T, 1)[0]
        low = slopes.mean() - 2.015 * slopes.std(ddof=1) / np.sqrt(6)
        passes += low >= 5 / 12
    expected = power_to_tell(0.2, 5, 16, 6, 0.5, 5 / 12)
    assert passes / 400 == pytest.approx(expected, abs=0.07)
    scattered = xr.DataArray(
        np.exp(0.5 * x + random.normal(0, 0.2, (200, 5))),
        dims=("seed", "properties"),
        coords={"properties": np.exp(x)},
    )
    assert onset_noise(scattered, "properties") == pytest.approx(0.2, abs=0.02)
