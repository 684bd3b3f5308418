"""ForkWorld and the exact analysis against brute force: every text, every segmentation."""

import math
from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import linear_sum_assignment

from synthcore.changepoints import dirichlet_multinomial, posterior, scores
from synthcore.studies.forking_paths import theory
from synthcore.studies.forking_paths.measure import paths as survival
from synthcore.studies.forking_paths.measure.paths import Paths, distance
from synthcore.studies.forking_paths.task.ensemble import Ensemble
from synthcore.studies.forking_paths.task.world import APART, EDGE, ForkWorld, Recipe

SHORT = Recipe(length=11, forks=(1,), rare=(0,), hidden=(0,), drift=0)
WORLDS = [ForkWorld(seed) for seed in range(4)]


# --- the worlds -------------------------------------------------------------------------------


def listed_outcomes(world: ForkWorld, prefix: tuple[str, ...]) -> np.ndarray:
    """P(outcome | prefix) by writing out every text."""
    tokens, p = world.next(prefix)
    if not tokens:
        return np.eye(world.outcomes)[world.answers.index(prefix[-1])]
    return sum(q * listed_outcomes(world, (*prefix, w)) for w, q in zip(tokens, p, strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_values_are_those_of_all_texts(seed: int) -> None:
    world = ForkWorld(seed, SHORT)
    path = world.base_path()
    fork = int(world.forks("fork")[0])
    assert world.length - fork <= 7
    for t in (fork, fork + 1, world.length):
        exact = world.exact_o(path[:t])
        np.testing.assert_allclose(exact, listed_outcomes(world, path[:t]), atol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=6, deadline=None)
def test_outcomes_are_a_martingale_wherever_a_text_goes(seed: int) -> None:
    world, rng = ForkWorld(seed), np.random.default_rng(seed)
    prefix: tuple[str, ...] = ()
    while True:
        tokens, p = world.next(prefix)
        if not tokens:
            break
        assert p.sum() == pytest.approx(1)
        assert len(set(tokens)) == len(tokens)
        after = np.array([world.exact_o((*prefix, token)) for token in tokens])
        np.testing.assert_allclose(p @ after, world.exact_o(prefix), atol=1e-12)
        prefix = (*prefix, tokens[rng.choice(len(tokens), p=p)])
    assert len(prefix) == world.length + 1


def test_the_base_path_is_greedy_and_nothing_ties() -> None:
    for world in WORLDS:
        for t, token in enumerate(world.base_path()):
            tokens, p = world.next(world.base_path()[:t])
            order = np.argsort(-p)
            assert tokens[order[0]] == token
            assert p[order[0]] - p[order[1]] >= 1e-3


def test_special_places_are_where_and_what_they_should_be() -> None:
    recipe = Recipe(length=120)
    numbers = []
    for seed in range(300):
        world = ForkWorld(seed, recipe)
        places = world.forks("fork", "rare", "hidden", "drift")
        assert (np.diff(places) >= APART).all()
        assert places[0] >= EDGE
        assert places[-1] < world.length - EDGE
        numbers.append(len(world.forks("fork")))
        for t, place in world.regimes[0].places.items():
            jump = world.truth()[t]
            other = place.p[1:].sum()
            if place.kind == "fork":
                assert 0.3 <= other <= 0.6
            if place.kind == "rare":
                assert 0.06 <= other <= 0.15
                assert other >= jump >= 0.6 * other - 1e-12
            if place.kind == "hidden":
                assert other <= 0.04
            if place.kind == "drift":
                assert jump < 0.05
        moved = {t for t, jump in world.truth().items() if jump > 1e-12}
        assert moved <= set(places)
    share = np.bincount(numbers, minlength=4) / 300
    assert np.abs(share - 0.25).max() < 4 * math.sqrt(0.25 * 0.75 / 300)


def test_forks_look_like_words_numbers_and_marks_alike() -> None:
    ensemble = Ensemble.draw(0, 0, 400, Recipe(forks=(3,), rare=(0,), hidden=(0,), drift=0))
    surface = ensemble.surface
    found = [
        int(surface[n, t]) for n, world in enumerate(ensemble.worlds) for t in world.forks("fork")
    ]
    counts = np.bincount(found, minlength=4)  # white space, punctuation, number, word
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], np.array([0.6, 0.2, 0.2]) * counts.sum()).pvalue > 1e-3


def test_impossible_texts_and_recipes_are_refused() -> None:
    with pytest.raises(ValueError, match="token 0, ' nonsense', cannot follow"):
        WORLDS[0].exact_o([" nonsense"])
    with pytest.raises(ValueError, match="do not fit a text of 20 tokens"):
        Recipe(length=20)
    with pytest.raises(ValueError, match="outcomes must be 2 to"):
        Recipe(outcomes=1)


def test_identities_hold_exactly_and_notice_a_wrong_value() -> None:
    ensemble = Ensemble.draw(1, 0, 60, Recipe())
    found = theory.identities(ensemble.p, ensemble.after, ensemble.o)
    assert max(found.values()) < 1e-12
    off = ensemble.after.clone()
    off[:, :, 0] = off[:, :, 0].roll(1, -1)
    assert max(theory.identities(ensemble.p, off, ensemble.o).values()) > 0.1


# --- sampling ---------------------------------------------------------------------------------


def test_samples_have_the_exact_distribution_and_larger_runs_extend_smaller_ones() -> None:
    ensemble = Ensemble.draw(2, 0, 3, Recipe())
    outcomes = ensemble.sample(2000, seed=5)
    assert torch.equal(ensemble.sample(300, seed=5), outcomes[..., :300])
    paths = ensemble.paths(outcomes, 0.05)
    shown = paths.p > 0
    far = (paths.o_tw - ensemble.after)[shown].abs()
    spread = (ensemble.after * (1 - ensemble.after) / 2000).sqrt()[shown]
    assert float((far / spread.clamp(min=1e-9)).where(spread > 1e-3, 0.0).max()) < 5
    assert torch.equal(shown[..., 1:], ensemble.p[..., 1:] > 0.05)


def test_pseudo_counts_have_the_variance_they_claim() -> None:
    p = torch.tensor([[[0.5, 0.3, 0.2]]]).double()
    share = torch.tensor([0.7, 0.3]).double()
    generator = torch.Generator().manual_seed(0)
    heads = torch.distributions.Binomial(30, share[0])
    torch.manual_seed(0)
    counts = heads.sample((20_000, 1, 3)).double()
    del generator
    paths = Paths(p.expand(20_000, 1, 3), torch.stack([counts, 30 - counts], -1))
    expected = float(share[0] * share[1] / paths.n_eff[0, 0])
    assert float(paths.o_t[:, 0, 0].var()) == pytest.approx(expected, rel=0.04)


def test_faults_of_a_pipeline_are_linear_maps_of_the_outcomes() -> None:
    ensemble = Ensemble.draw(3, 0, 4, Recipe())
    seen = ensemble.observed(0.02, 0.1)
    shown = ensemble.p > 0
    torch.testing.assert_close(seen.sum(-1)[shown], torch.ones_like(seen[..., 0][shown]))
    torch.testing.assert_close(seen[..., -1], torch.full_like(seen[..., -1], 0.02))
    sure = torch.zeros(4).double()
    sure[1] = 1
    world = Ensemble(ensemble.p[:1, :1], sure.expand(1, 1, 3, 4), ensemble.o[:1, :2], ())
    np.testing.assert_allclose(
        world.observed(0.0, 0.09)[0, 0, 0].numpy(), [0.03, 0.91, 0.03, 0.03, 0], atol=1e-12
    )


@pytest.mark.parametrize("samples", [1, 7, 30])
def test_expected_distance_of_two_histograms_is_exact(samples: int) -> None:
    share = np.array([0.6, 0.3, 0.1])
    drawn = np.random.default_rng(0).multinomial(samples, share, (2, 200_000)) / samples
    observed = 0.5 * np.abs(drawn[0] - drawn[1]).sum(1)
    error = observed.std() / math.sqrt(observed.size)
    exact = theory.exact_expected_tv(share, samples)
    assert exact == pytest.approx(observed.mean(), abs=5 * error)
    normal = float(theory.expected_tv(torch.from_numpy(share), samples))
    assert normal == pytest.approx(exact, rel=0.03 if samples == 30 else 0.5)


# --- survival ---------------------------------------------------------------------------------


def test_hazard_and_survival_by_hand() -> None:
    p = torch.tensor([[[0.6, 0.4], [0.8, 0.2], [1.0, 0.0]]]).double()
    counts = torch.tensor([[[[10, 0], [0, 10]], [[10, 0], [9, 1]], [[10, 0], [0, 0]]]]).double()
    paths = Paths(p, counts)
    np.testing.assert_allclose(survival.hazard(paths)[0], [0.4, 0, 0], atol=1e-12)
    np.testing.assert_allclose(survival.survival(paths)[0], [0.6] * 3, atol=1e-12)
    # the released code compares p w-scaled vectors: an improbable twin is "far"
    twin = Paths(p, torch.tensor([10, 0]).double().expand(1, 3, 2, 2) * (p > 0)[..., None])
    assert float(survival.survival(twin)[0, -1]) == 1
    assert float(survival.scaled_survival(twin)[0, -1]) == pytest.approx(0.8)


def two_tokens(base: object, other: object, p: float = 0.7) -> Paths:
    """Paths (N, T) of two tokens with these counts (N, T, K)."""
    counts = torch.from_numpy(np.stack([base, other], 2)).double()
    weight = torch.tensor([p, 1 - p], dtype=torch.float64)
    return Paths(weight.expand(counts.shape[:3]), counts)


def test_the_null_is_every_way_to_deal_the_completions_anew() -> None:
    """Two tokens with 2 and 3 completions, three outcomes: all 10 deals of five cards, listed."""
    cards = [0, 0, 1, 1, 2]
    expected: dict[tuple[int, ...], float] = {}
    for hand in combinations(range(5), 2):
        counts = tuple(sum(cards[i] == k for i in hand) for k in range(3))
        expected[counts] = expected.get(counts, 0) + 1 / 10
    many = 4000
    paths = two_tokens(np.tile([2, 0, 0], (many, 1, 1)), np.tile([0, 2, 1], (many, 1, 1)))
    dealt = survival.shuffled(paths, 0).counts[:, 0].long()
    assert bool((dealt.sum(1) == torch.tensor([2, 2, 1])).all())  # nothing is lost
    assert bool((dealt.sum(2) == torch.tensor([2, 3])).all())
    seen = {tuple(row): count for row, count in Counter(map(tuple, dealt[:, 0].tolist())).items()}
    assert seen.keys() == expected.keys()
    observed = [seen[key] for key in expected]
    assert stats.chisquare(observed, [many * share for share in expected.values()]).pvalue > 1e-3
    assert torch.equal(survival.shuffled(paths, 0).counts, survival.shuffled(paths, 0).counts)


@pytest.mark.parametrize("samples", [10, 30])
def test_the_null_has_the_law_of_texts_in_which_no_token_matters(samples: int) -> None:
    """Without forks observed survival is a draw from the null: on average equal, and as low as its
    lowest 5 % in 5 % of all texts."""
    quiet = Ensemble.draw(5, 0, 120, Recipe(forks=(0,), rare=(0,), hidden=(0,), drift=0))
    paths = quiet.paths(quiet.sample(samples, 0), 0.05)
    observed = survival.survival(paths, 0.6)[:, -1]
    null = survival.survival_by_noise(paths, 0.6, deals=39)[..., -1]
    gap = observed - null.mean(0)
    assert abs(float(gap.mean())) < 4 * float(gap.std()) / math.sqrt(120) + 1e-9
    rank = (null < observed).sum(0) + torch.rand(120) * ((null == observed).sum(0) + 1)
    lowest = float((rank < 2).double().mean())  # of 40 equally likely ranks the lowest two
    assert lowest < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 120)


def test_certain_forks_leave_nothing_in_the_null() -> None:
    """Base and alternative never agree. Kept as it was, the base would be half a distance away from
    anything that is dealt."""
    base, other = np.tile([30, 0], (500, 2, 1)), np.tile([0, 30], (500, 2, 1))
    paths = two_tokens(base, other)
    assert bool((survival.survival(paths)[:, -1] - 0.7**2).abs().max() < 1e-12)
    null = survival.survival_by_noise(paths, deals=4)[..., -1]
    assert float((null < 1).double().mean()) < 0.01


def test_a_position_without_completions_or_probabilities_is_refused() -> None:
    one = torch.ones(1, 2, 1).double()
    with pytest.raises(ValueError, match="probability of a token is missing"):
        Paths(one * math.nan, one[..., None])
    with pytest.raises(ValueError, match="No token at position 1 has"):
        Paths(one, torch.tensor([[[[3.0, 1.0]], [[0.0, 0.0]]]]).double())
    paths = Paths(
        torch.tensor([[[0.6, 0.4]]]).double(), torch.tensor([[[[6.0, 2.0], [0.0, 0.0]]]]).double()
    )
    assert paths.weight.tolist() == [[[1, 0]]]  # an alternative that was never sampled has no say
    assert paths.o_t.tolist() == [[[0.75, 0.25]]]
    assert float(survival.survival(paths)[0, -1]) == 1


def test_the_first_distribution_comes_from_the_prompt_alone_if_that_was_sampled() -> None:
    ensemble = Ensemble.draw(2, 0, 3, Recipe())
    paths = ensemble.paths(ensemble.sample(30, 0), 0.05)
    assert (paths.drift()[:, 0] == 0).all()
    start = ensemble.sample_start(300, 0)
    assert start.sum(-1).tolist() == [300] * 3
    spread = (ensemble.o[:, 0] * (1 - ensemble.o[:, 0]) / 300).sqrt() + 1e-9
    assert float(((start / 300 - ensemble.o[:, 0]) / spread).abs().max()) < 5
    drift = replace(paths, start=start).drift()
    far = distance((start / 300)[:, None].expand_as(paths.o_t), paths.o_t, "l2")
    torch.testing.assert_close(drift, far)


def test_distances_are_metrics_where_they_should_be() -> None:
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(rng.dirichlet(np.ones(4), 50)) for _ in range(2))
    for metric in ("l2", "tv", "l1", "cosine", "kl"):
        assert float(distance(a, a, metric).abs().max()) < 1e-7
        assert float(distance(a, b, metric).min()) > 0
    torch.testing.assert_close(distance(a, b, "tv") * 2, distance(a, b, "l1"))


# --- scores -----------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_matching_has_as_many_pairs_as_any(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, true = torch.from_numpy(rng.random((2, 1, 30)) < 0.15)
    hit, seen = scores.matched(found, true)
    assert int(hit.sum()) == int(seen.sum())
    assert bool((hit <= found).all() and (seen <= true).all())
    a, b = (x[0].nonzero()[:, 0].numpy() for x in (found, true))
    near = (np.abs(a[:, None] - b[None]) <= 2).astype(float)
    pairs = near[linear_sum_assignment(-near)].sum() if near.size else 0
    assert int(hit.sum()) == pairs


def test_calibration_counts() -> None:
    p_tau = torch.zeros(1, 9).double()
    p_tau[0, 4] = 0.75
    true = torch.zeros(1, 9, dtype=torch.bool)
    true[0, 4] = True
    found = scores.calibration(p_tau, true, (0.0, 0.5, 1.0))
    assert found["count"].tolist() == [6, 3]
    assert found["rate"].tolist() == [0, 1]
    assert found["error"][0] == pytest.approx(0.25 * 3 / 9)


def test_detection_finds_planted_forks_and_nothing_where_nothing_is() -> None:
    quiet = Ensemble.draw(7, 0, 60, Recipe(forks=(0,), rare=(0,), hidden=(0,), drift=0))
    found = posterior(dirichlet_multinomial(quiet.paths(quiet.sample(30, 0), 0.05).pseudo))
    assert float((found.any > 0.9).double().mean()) <= 0.05
    forked = Ensemble.draw(7, 1, 60, Recipe(forks=(2,), rare=(0,), hidden=(0,), drift=0))
    paths = forked.paths(forked.sample(30, 0), 0.05)
    found = posterior(dirichlet_multinomial(paths.pseudo))
    true = scores.true_changes(forked.jumps, 0.2)
    _, seen = scores.matched(scores.detected(found), true)
    assert float(seen[true].double().mean()) > 0.9
    mixed = paths.reordered(torch.randperm(60, generator=torch.Generator().manual_seed(0)))
    _, seen = scores.matched(scores.detected(posterior(dirichlet_multinomial(mixed.pseudo))), true)
    assert float(seen[true].double().mean()) < 0.5
