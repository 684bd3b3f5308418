"""The explorers' JavaScript against numpy and scipy: the browser must show the same mathematics.

Measured in headless Chromium on two busy shared cores (load 4): `predict` at N = 512 chains and
T = 200 symbols takes 15 to 20 ms for 3 states and 25 to 35 ms for 5 (medians of 15 in three runs),
the first, uncompiled call 35 to 110 ms. No assertion: timing belongs to the benchmarks.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run
from scipy.special import digamma, logsumexp, softmax

from synthcore.explorers.base import Explorer
from synthcore.explorers.retrieval import RetrievalExplorer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def retrieval(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(RetrievalExplorer())


# ------------------------------------------------------------------ chains


def mulberry32(seed: int, n: int) -> list[float]:
    """Tommy Ettinger's generator with Python's integers; midpoints of 2**32 cells."""
    out, mask = [], 0xFFFFFFFF
    for _ in range(n):
        seed = (seed + 0x6D2B79F5) & mask
        t = ((seed ^ (seed >> 15)) * (seed | 1)) & mask
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & mask)) & mask
        out.append(((t ^ (t >> 14)) + 0.5) / 2**32)
    return out


@pytest.mark.parametrize("seed", [0, 1, 35, 2**31 - 1])
def test_generator_is_mulberry32(retrieval: Run, seed: int) -> None:
    draws = retrieval(
        "{ const u = $.generator(seed); return Array.from({ length: 200 }, u); }", seed=seed
    )
    assert draws == mulberry32(seed, 200)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_rows_are_dirichlet(retrieval: Run, k: int) -> None:
    chain = retrieval("Array.from($.drawChain(k, $.generator(7)))", k=k)
    exponentials = -np.log(np.reshape(mulberry32(7, k * k), (k, k)))
    np.testing.assert_allclose(
        np.reshape(chain, (k, k)), exponentials / exponentials.sum(1, keepdims=True), rtol=1e-12
    )
    many = retrieval(
        """{ const u = $.generator(3);
            return Array.from({ length: 4000 }, () => $.drawChain(k, u)[0]); }""",
        k=k,
    )
    # the first entry of a Dirichlet(1) row of k is Beta(1, k - 1)
    assert np.mean(many) == pytest.approx(1 / k, abs=4 * np.std(many) / math.sqrt(4000))
    assert np.var(many) == pytest.approx((k - 1) / k**2 / (k + 1), rel=0.1)


def chains(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(k), (n, k))


def stationary(chain: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eig(chain.T)
    pi = np.real(vectors[:, np.argmax(np.real(values))])
    return np.asarray(pi / pi.sum())


@pytest.mark.parametrize("k", [3, 4, 5])
def test_stationary_distribution(retrieval: Run, k: int) -> None:
    for chain in chains(20, k):
        pi = retrieval(
            "Array.from($.stationary(Float64Array.from(chain), k))",
            chain=chain.ravel().tolist(),
            k=k,
        )
        np.testing.assert_allclose(pi, stationary(chain), atol=1e-12)


def test_sampled_context_inverts_the_cumulative_probabilities(retrieval: Run) -> None:
    chain, k, u = chains(1, 4)[0], 4, mulberry32(5, 100)
    expected: list[int] = []
    for value in u:
        row = chain[expected[-1]] if expected else stationary(chain)
        expected.append(int(np.searchsorted(np.cumsum(row), value)))
    call = "$.sampleContext(Float64Array.from(chain), k, u, start)"
    got = retrieval(call, chain=chain.ravel().tolist(), k=k, u=u, start=[])
    assert got == expected
    longer = retrieval(call, chain=chain.ravel().tolist(), k=k, u=u[40:], start=expected[:40])
    assert longer == expected


@pytest.mark.parametrize("p", [0.0, 0.01, 0.3, 1.0])
def test_editing_one_probability_rescales_its_row(retrieval: Run, p: float) -> None:
    row = np.array([0.2, 0.01, 0.5, 0.29])
    new = np.array(retrieval("$.setEntry(row, 2, p)", row=row.tolist(), p=p))
    assert new.sum() == pytest.approx(1)
    assert new.min() >= 0.01 - 1e-12
    assert new[2] == pytest.approx(min(max(p, 0.01), 0.97))
    spare = new - 0.01  # the others keep their ratios
    assert spare[0] * 0.28 == pytest.approx(spare[3] * 0.19)


# -------------------------------------------------------------- predictors


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.asarray((p * np.log(p / q)).sum(-1))


def oracle(library: np.ndarray, context: list[int], truth: np.ndarray) -> dict[str, Any]:
    """The four predictors after the whole context, straight from their definitions.

    library: (N, k, k); returns `tables` (4, k, k), `posteriors` (2, N), `kl` (4, k) of every row.
    """
    k, pi = library.shape[1], np.array([stationary(chain) for chain in library])
    steps = list(itertools.pairwise(context))
    by_symbols = sum(np.log(pi[:, x]) for x in context)
    by_steps = np.log(pi[:, context[0]]) + sum(np.log(library[:, a, b]) for a, b in steps)
    posteriors = np.array([softmax(by_symbols), softmax(by_steps)])
    counts = np.array([[steps.count((i, j)) for j in range(k)] for i in range(k)])
    symbols = np.bincount(context, minlength=k)
    tables = np.array(
        [
            np.tile(posteriors[0] @ pi, (k, 1)),
            np.einsum("n,nij->ij", posteriors[1], library),
            np.tile((symbols + 1) / (len(context) + k), (k, 1)),
            (counts + 1) / (counts.sum(1, keepdims=True) + k),
        ]
    )
    return {
        "tables": tables,
        "posteriors": posteriors,
        "kl": divergence(tables, truth),
        "visits": counts.sum(1),
        "evidence": [logsumexp(by_symbols), logsumexp(by_steps)],
    }


def expected_kl(n: int, k: int) -> float:
    """Reverse KL of add-one counts after n draws: the formula, with binomials and digamma."""
    total = 0.0
    for m in range(n + 1):
        p, q = math.comb(n - m + k - 2, k - 2) / math.comb(n + k - 1, k - 1), (m + 1) / (n + k)
        total += p * q * (math.log(q) - digamma(m + 1) + digamma(n + k))
    return float(k * total)


@pytest.mark.parametrize(("n", "k", "length"), [(1, 3, 1), (7, 3, 12), (40, 5, 60), (512, 4, 200)])
def test_four_predictors_after_every_symbol(retrieval: Run, n: int, k: int, length: int) -> None:
    library, truth = chains(n, k, seed=n), chains(1, k, seed=1)[0]
    context = np.random.default_rng(length).integers(k, size=length).tolist()
    got = retrieval(
        """{
            const shelf = $.library(chains.map((c) => Float64Array.from(c)), k);
            const r = $.predict(shelf, chains.length, context, Float64Array.from(truth));
            r.tables = r.tables.map((tables) => tables.map((t) => Array.from(t)));
            r.posteriors = r.posteriors.map((both) => both.map((p) => Array.from(p)));
            return r;
        }""",
        chains=library.reshape(n, -1).tolist(),
        k=k,
        context=context,
        truth=truth.ravel().tolist(),
    )
    assert got["current"] == context
    pi = stationary(truth)
    for c in {1, 2, length // 3 + 1, length}:
        if c > length:
            continue
        want, s = oracle(library, context[:c], truth), context[c - 1]
        at = {name: values[c - 1] for name, values in got.items()}
        tables = np.reshape(at["tables"], (4, k, k))
        np.testing.assert_allclose(tables, want["tables"], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(tables.sum(-1), 1, rtol=1e-12)
        np.testing.assert_allclose(at["posteriors"], want["posteriors"], rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(at["kl"], want["kl"][:, s], rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(at["meanKl"], want["kl"] @ pi, rtol=1e-7, atol=1e-12)
        assert at["visits"] == want["visits"][s]
        assert at["expected"] == pytest.approx(expected_kl(int(want["visits"][s]), k), rel=1e-9)
        theory = [expected_kl(int(v), k) for v in want["visits"]]
        assert at["meanExpected"] == pytest.approx(pi @ theory, rel=1e-9)
        p = want["posteriors"]
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(1)
        np.testing.assert_allclose(at["inPlay"], np.exp(entropy), rtol=1e-8)
    if length == 1:  # one symbol says the same to both kinds of retrieval
        assert got["posteriors"][0][0] == got["posteriors"][0][1]


def test_bigram_retrieval_is_the_bayes_predictor(retrieval: Run) -> None:
    """Enumeration: P(next | context) from the joint probability of every sequence of 4 symbols."""
    k, library = 3, chains(5, 3, seed=9)
    pi = np.array([stationary(chain) for chain in library])

    def joint(word: tuple[int, ...]) -> float:
        steps = [library[:, a, b] for a, b in itertools.pairwise(word)]
        return float(np.mean(pi[:, word[0]] * np.prod(steps, axis=0)))

    for word in itertools.product(range(k), repeat=3):
        exact = np.array([joint((*word, j)) for j in range(k)]) / joint(word)
        got = retrieval(
            """{ const shelf = $.library(chains.map((c) => Float64Array.from(c)), 3);
                const r = $.predict(shelf, 5, word, shelf.chains[0]);
                return Array.from(r.tables[2][1]).slice(3 * word[2], 3 * word[2] + 3); }""",
            chains=library.reshape(5, -1).tolist(),
            word=list(word),
        )
        np.testing.assert_allclose(got, exact, rtol=1e-9)


def test_expected_distance_of_counting(retrieval: Run) -> None:
    for k, n in itertools.product((3, 4, 5, 10), (0, 1, 7, 40, 199)):
        assert retrieval("$.expectedBigramKL(n, k)", n=n, k=k) == pytest.approx(
            expected_kl(n, k), rel=1e-9
        )
    # with no visit the estimate is uniform: H_(k-1) - ln k
    uniform = sum(1 / i for i in range(1, 10)) - math.log(10)
    assert retrieval("$.expectedBigramKL(0, 10)") == pytest.approx(uniform, rel=1e-12)


def test_expected_distance_by_enumeration(retrieval: Run) -> None:
    """Under a Dirichlet(1) row all count vectors of n draws are equally likely, and
    E ln T_j given counts m is psi(m_j + 1) - psi(n + k)."""
    for k, n in ((3, 6), (4, 5), (5, 3)):
        vectors = [m for m in itertools.product(range(n + 1), repeat=k) if sum(m) == n]
        m = np.array(vectors)
        q = (m + 1) / (n + k)
        mean = (q * (np.log(q) - digamma(m + 1) + digamma(n + k))).sum(1).mean()
        assert retrieval("$.expectedBigramKL(n, k)", n=n, k=k) == pytest.approx(mean, rel=1e-9)


def test_letters_are_read_or_refused_with_a_reason(retrieval: Run) -> None:
    read = "$.readContext(text, 3, 10)"
    assert retrieval(read, text="abC, a") == {"letters": "ABCA", "context": [0, 1, 2, 0]}
    assert retrieval(read, text="") == {"letters": "", "context": []}
    assert retrieval(read, text="ABD?D") == {
        "error": "This chain only knows the letters A, B and C: please remove D ?."
    }
    assert retrieval(read, text="A" * 11) == {"error": "At most 10 symbols fit here (11 given)."}


def test_shuffling_keeps_the_letters(retrieval: Run) -> None:
    items = list(range(20))
    out = retrieval("$.shuffled(items, $.generator(1))", items=items)
    assert out != items
    assert sorted(out) == items


def test_library_sizes_end_at_the_largest(retrieval: Run) -> None:
    sizes = retrieval("$.librarySizes(512)")
    assert sizes[:4] == [1, 2, 3, 4]
    assert sizes[-1] == 512
    assert 16 in sizes
    assert retrieval("$.librarySizes(1)") == [1]
