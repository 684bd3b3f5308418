"""The forking explorer: outcomes, samples and posteriors against Python; clicks, keys and rules."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Run, Show
from scipy import special, stats

from synthcore.changepoints import dirichlet_multinomial, posterior
from synthcore.explorers.base import Explorer
from synthcore.explorers.forking import ForkingExplorer
from synthcore.studies.forking_paths.measure import paths as survival
from synthcore.studies.forking_paths.measure.paths import Paths
from synthcore.studies.forking_paths.task.ensemble import Tables
from synthcore.studies.forking_paths.task.world import (
    NUMBERS,
    PUNCTUATION,
    WORDS,
    ForkWorld,
    Recipe,
)

pytestmark = pytest.mark.browser

WORLDS = [ForkWorld(seed, Recipe(forks=(2,))) for seed in (11, 12)]
TOKENS = (*WORDS, *NUMBERS, *PUNCTUATION)
TABLES = Tables.of(WORLDS, TOKENS)
FORK = int(WORLDS[0].forks("fork")[0])


def explorer(**arguments: Any) -> ForkingExplorer:
    given = {"vocabulary": TOKENS, "names": WORLDS[0].names, "titles": ("one", "two"), **arguments}
    return ForkingExplorer(TABLES.token, TABLES.p, TABLES.to, TABLES.end, **given)


@pytest.fixture(scope="module")
def forking(module_of: Callable[[Explorer], Run]) -> Run:
    run = module_of(explorer())
    R, T, W = TABLES.p.shape[1:]
    run(
        """{ const bytes = (a) => Uint8Array.from(a);
          window.one = $.world({ T, W, R, K: 4, tokens: bytes(tokens), to: bytes(to),
            p: Float32Array.from(p), ends: Float32Array.from(ends) }, 0); }""",
        T=T, W=W, R=R,
        tokens=TABLES.token.ravel().tolist(),
        to=TABLES.to.ravel().tolist(),
        p=TABLES.p.ravel().tolist(),
        ends=TABLES.end.ravel().tolist(),
    )  # fmt: skip
    return run


def test_log_gamma(forking: Run) -> None:
    x = [1e-3, 0.03, 0.5, 1.0, 1.7, 3.0, 9.9, 30.0, 1234.5, 1e5]
    found = forking("x.map($.logGamma)", x=x)
    np.testing.assert_allclose(found, special.gammaln(x), rtol=1e-12, atol=1e-12)


def test_outcomes_are_exact_wherever_the_reader_goes(forking: Run) -> None:
    for swaps in ([], [[FORK, 1]], [[3, 2], [FORK, 1], [FORK + 4, 1]]):
        text = forking(
            """$.textOf(one, new Map(swaps)).map((p) => ({
              token: p.branches[p.chosen].token, exact: [...p.exact],
              after: p.branches.map((b) => [b.token, b.p, [...b.after]]) }))""",
            swaps=swaps,
        )
        prefix: tuple[str, ...] = ()
        for place in text:
            np.testing.assert_allclose(place["exact"], WORLDS[0].exact_o(prefix), atol=1e-5)
            tokens, p = WORLDS[0].next(prefix)
            assert [TOKENS[token] for token, _, _ in place["after"]] == list(tokens)
            np.testing.assert_allclose([share for _, share, _ in place["after"]], p, atol=1e-6)
            for token, (_, _, after) in zip(tokens, place["after"], strict=True):
                np.testing.assert_allclose(after, WORLDS[0].exact_o((*prefix, token)), atol=1e-5)
            prefix = (*prefix, TOKENS[place["token"]])


def test_samples_have_the_right_law_and_grow(forking: Run) -> None:
    share = [0.5, 0.3, 0.15, 0.05]
    large = forking("$.sampleCounts(share, 5000, 3)", share=share)
    assert stats.chisquare(large, 5000 * np.array(share)).pvalue > 1e-3
    small = forking("$.sampleCounts(share, 100, 3)", share=share)
    more = forking("$.sampleCounts(share, 160, 3)", share=share)
    assert sum(small) == 100
    assert all(a <= b for a, b in zip(small, more, strict=True))


@pytest.mark.parametrize("alpha", [0.1, 1.0, 4.0])
def test_posterior_is_the_python_one(forking: Run, alpha: float) -> None:
    counts = np.random.default_rng(0).gamma(1.0, 8.0, (40, 4))
    counts[20:] = counts[20:, ::-1] * 2
    found = forking(
        "$.posterior($.dmEvidence(counts, alpha, 3), 40, 6, 3)", counts=counts.tolist(), alpha=alpha
    )
    exact = posterior(dirichlet_multinomial(torch.from_numpy(counts)[None], alpha))
    np.testing.assert_allclose(found["pm"], exact.p_m[0], atol=1e-10)
    np.testing.assert_allclose(found["ptau"], exact.p_tau[0], atol=1e-10)
    short = forking("$.posterior($.dmEvidence(c, 1, 3), 5, 6, 3).pm", c=counts[:5].tolist())
    assert short == [1, 0, 0, 0, 0, 0, 0]


def test_analysis_is_the_python_one(forking: Run) -> None:
    rows = forking(
        """$.analyse(one, $.textOf(one, new Map()),
            { samples: 30, threshold: 0.05, eps: 0.6, draw: 2 }).rows.map((r) => ({
              seen: r.seen.map((b) => [b.p, b.share]),
              o: r.o, n: r.n, hazard: r.hazard, jump: r.jump }))"""
    )
    wide = max(len(row["seen"]) for row in rows)
    p, counts = np.zeros((1, 60, wide)), np.zeros((1, 60, wide, 4))
    for t, row in enumerate(rows):
        for w, (share, outcomes) in enumerate(row["seen"]):
            p[0, t, w], counts[0, t, w] = share, 30 * np.array(outcomes)
    paths = Paths(torch.from_numpy(p), torch.from_numpy(counts))
    np.testing.assert_allclose([row["o"] for row in rows], paths.o_t[0], atol=1e-6)
    np.testing.assert_allclose([row["n"] for row in rows], paths.n_eff[0], rtol=1e-6)
    np.testing.assert_allclose(
        [row["hazard"] for row in rows], survival.hazard(paths)[0], atol=1e-6
    )
    truth = list(WORLDS[0].truth().values())
    np.testing.assert_allclose([row["jump"] for row in rows], truth, atol=1e-5)


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_a_click_writes_another_token(shown: Show) -> None:
    path = WORLDS[0].base_path()
    other = WORLDS[0].next(path[:FORK])[0][1]
    expected = WORLDS[0].exact_o((*path[:FORK], other))
    with shown(explorer(position=FORK)) as (page, wrong):
        assert page.locator(".sx-text").inner_text().split() == "".join(path).split()
        before = page.evaluate("drawn()")
        page.locator(f"[data-token='{FORK}']").click()
        assert page.evaluate("drawn()") != before
        text = page.locator(".sx-token")
        assert text.nth(FORK).inner_text().strip() == other.strip()
        assert page.evaluate("model.get('swaps')") == [[FORK, 1]]
        taken = page.locator(".sx-taken .sx-stack").first.locator("span")
        widths = [
            float(str(taken.nth(k).get_attribute("style")).split("width: ")[1].split("%")[0])
            for k in range(4)
        ]
        np.testing.assert_allclose(widths, 100 * expected, atol=0.01)
        rest = [text.nth(t).inner_text().strip() for t in range(FORK + 1, 60)]
        assert rest != [token.strip() for token in path[FORK + 1 :]]  # a regime of its own
        page.get_by_role("button", name="Restore").press("Enter")
        page.evaluate("settled()")
        assert text.nth(FORK).inner_text().strip() == path[FORK].strip()
        page.get_by_label("Token", exact=True).press("Home")
        page.get_by_role("button", name="Swap token").press("Enter")
        page.evaluate("settled()")
        assert page.evaluate("model.get('swaps')") == [[0, 1]]
    assert wrong == []


def test_words_say_what_is_computed(shown: Show) -> None:
    with shown(explorer(samples=300)) as (page, wrong):
        words = page.locator(".sx-verdict").inner_text()
        large = sum(jump >= 0.1 for jump in WORLDS[0].truth().values())
        assert f"In truth the outcomes jump by .1 or more at {large} token" in words
        assert "With 300 completions" in words
        marks = page.locator(".sx-jump").count()
        assert marks == sum(jump >= 0.02 for jump in WORLDS[0].truth().values())
        page.get_by_label("Text", exact=True).select_option("1")
        page.evaluate("settled()")
        assert (
            page.locator(".sx-text").inner_text().split() == "".join(WORLDS[1].base_path()).split()
        )
    assert wrong == []
