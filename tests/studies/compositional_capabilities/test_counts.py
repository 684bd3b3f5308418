"""What is counted: bounds of shares and of numbers, mastery, and what is identifiable."""

import math

import numpy as np
import pytest
import torch

from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.measure.accuracy import is_mastered
from synthcore.studies.compositional_capabilities.task.documents import (
    Layout,
    in_order_compositions,
)
from synthcore.studies.compositional_capabilities.task.subsets import Condition

PAPER = Layout(positions=5, functions=4, alphabet=10, word=6)


def test_counts_are_bounded_where_the_property_is_rare() -> None:
    """A share of .002: intervals from the standard error of the sample cover a third of such
    cells; the bounds of all cells together cover in 95 % and more."""
    sizes, true, taken = [100, 1000, 5000], np.array([0.9, 0.02, 0.002]), [100, 40, 60]
    actual = [round(size * share) for size, share in zip(sizes, true, strict=True)]
    drawn, covered, estimates, simple = np.random.default_rng(0), 0, [], 0
    for _ in range(2000):
        hits = [
            drawn.hypergeometric(found, size - found, n)
            for found, size, n in zip(actual, sizes, taken, strict=True)
        ]
        count = theory.estimated_count(sizes, hits, taken)
        covered += count.at_least <= sum(actual) <= count.at_most
        estimates.append(count.estimate)
        share = hits[2] / taken[2]
        error = 1.96 * math.sqrt(share * (1 - share) / taken[2])
        simple += share - error <= 0.002 <= share + error
    assert covered >= 1900
    assert simple < 800
    assert np.mean(estimates) == pytest.approx(sum(actual), rel=0.02)
    with pytest.raises(ValueError, match="at least one sample"):
        theory.estimated_count([3], [1], [0])


def test_what_was_looked_at_in_full_is_known() -> None:
    assert theory.estimated_count([5, 7], [5, 2], [5, 7]) == (7, 7, 7)
    everything = theory.estimated_count([1000], [64], [64])
    assert everything.estimate == everything.at_most == 1000
    assert 900 < everything.at_least < 960  # and not "1,000 +- 0"
    low, high = theory.share_bounds([0, 64], [64, 64])
    assert low[0] == 0
    assert high[1] == 1
    assert low[1] == pytest.approx(0.05 ** (1 / 64))


def test_few_words_show_no_mastery() -> None:
    """Four of four right is nothing to go by: half of all chains known to .85 look like that."""
    assert not bool(is_mastered(torch.tensor([[1.0]]), 4))
    assert is_mastered(torch.tensor([[1.0, 79 / 80, 78 / 80]]), 80).tolist() == [
        [True, False, False]
    ]
    drawn = np.random.default_rng(0).binomial(60, 0.94, 4000) / 60
    assert float(is_mastered(torch.from_numpy(drawn)[None], 60).double().mean()) < 0.05


def test_displaced_training_identifies_what_it_shows_anywhere() -> None:
    """A function is known by its token, at whichever slot that stood; chains of functions that
    were shown displaced only are identifiable in order."""
    trained = Condition.parse("random_combo 50").draw(PAPER, torch.Generator().manual_seed(0))
    every = in_order_compositions(PAPER)
    named = (every[..., 1] > 0).all(-1)
    assert float(theory.is_identifiable(every[named], trained).double().mean()) == 1
    slots = torch.arange(5)
    assert bool((trained[1:, :, 0] != slots).all()), "none stands in its own slot"
    few = torch.tensor([[[1, 1], [0, 2], [2, 0]]])
    asked = torch.tensor([[[0, 2], [1, 1], [2, 0]], [[0, 1], [1, 1], [2, 0]]])
    assert theory.is_identifiable(asked, few).tolist() == [True, False]
