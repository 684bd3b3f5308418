"""What the training explorer says of a run, against the numbers that it draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run
from training_cases import CASES, settings

from synthcore.explorers.base import Explorer
from synthcore.explorers.swing_by_training import SwingByTrainingExplorer
from synthcore.studies.sim_concept_learning import theory

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def module(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(SwingByTrainingExplorer())


def trained(module: Run, given: dict[str, Any], share: float = 1.0) -> dict[str, Any]:
    """A run as far as `share` of its updates, what is said of it, and its table."""
    found: dict[str, Any] = module(
        """(() => { const run = $.newRun(given), count = Math.ceil(share * run.updates);
            if (count) $.extend(run, $.trainer(given).advance(count));
            return { ...run, words: $.trainingVerdict(run), live: $.trainingVerdict(run, true),
                     table: $.comparison(run), phase: $.phaseOf(run), points: null }; })()""",
        given=given,
        share=share,
    )
    return found


def rise_of(loss: np.ndarray) -> tuple[float, int, int]:
    """Draw-up, and the indices between which it happens."""
    size, last = max((loss[i] - loss[: i + 1].min(), -i) for i in range(len(loss)))
    return size / loss[0], int(loss[: 1 - last].argmin()), -last


@pytest.mark.parametrize("name", list(CASES))
def test_words_say_what_the_numbers_say(module: Run, name: str) -> None:
    given = settings(**CASES[name])
    run = trained(module, given)
    loss = np.array(run["ood"])
    assert len(loss) == run["updates"] + 1
    size, low, high = rise_of(loss)
    expected_size, expected_low, expected_high = rise_of(np.array(run["theory"]["ood"]))
    times = np.array(run["theory"]["t"]) / given["rate"]
    table = {what: (network, exact) for what, network, exact in run["table"]}
    rows = ("rise of the loss at x̂", "… from update", "… to update")
    measured, predicted = (tuple(table[row][column] for row in rows) for column in (0, 1))
    if size >= 0.01:
        assert measured == (f"{100 * size:.1f} %", spaced(low), spaced(high))
        assert f"rose by {measured[0]} of its start between updates" in run["words"]
        assert f"{measured[1]} and {measured[2]}" in run["words"]
        fell = run["train"][high] < run["train"][low]
        assert ("while the training loss fell" in run["words"]) == fell
        errors = (np.array(run["f"]) - given["mu"])[[low, high]] ** 2
        worse = int((errors[1] - errors[0]).argmax())
        assert f"coordinate {worse + 1} of the output went from" in run["words"]
    else:
        assert measured == ("under 1 %", "–", "–")
        least = "only fell" if size < 5e-4 else f"never rose by more than {100 * size:.1f} %"
        assert f"Done: the loss at x̂ {least}" in run["words"]
    if expected_size >= 0.01:
        first, last = spaced(times[expected_low]), spaced(times[expected_high])
        assert predicted == (f"{100 * expected_size:.1f} %", first, last)
    else:
        assert predicted == ("under 1 %", "–", "–")
        assert "no swing-by" in run["words"]
    there = np.abs(np.array(run["f"][-1]) / given["mu"] - 1) < 0.05
    for k in (0, 1):
        assert (f"Coordinate {k + 1} is at" in run["words"]) == (not there[k])


def spaced(value: float) -> str:
    """A whole number as the page writes it."""
    return f"{int(value + 0.5):,}".replace(",", "\u202f")


def test_the_default_swings_by_as_foretold(module: Run) -> None:
    for network in ("tied", "linear", "relu"):
        run = trained(module, settings(network=network))
        size, low, high = rise_of(np.array(run["ood"]))
        expected, first, last = rise_of(np.array(run["theory"]["ood"]))
        times = np.array(run["theory"]["t"]) / run["settings"]["rate"]
        assert expected > 0.08
        assert size == pytest.approx(expected, rel=0.2 if network != "relu" else 0.5)
        assert low == pytest.approx(times[first], rel=0.15)
        assert high == pytest.approx(times[last], rel=0.15 if network != "relu" else 0.5)
        assert "lent" in run["words"]
        assert run["weak"] == 0


def test_words_on_the_way(module: Run) -> None:
    given = settings()
    assert "Press Train" in trained(module, given, 0)["words"]
    phases = [trained(module, given, share)["phase"] for share in (0, 0.04, 0.16, 0.4, 1)]
    assert phases == ["before", "falling", "rising", "after", "after"]
    rising = trained(module, given, 0.16)
    assert (
        "rises, while the training loss falls: coordinate 1 of the output went" in (rising["words"])
    )
    assert rising["live"].endswith("coordinate 1 of the output moves away from its target.")
    none = trained(module, settings(rho=-0.5))
    assert none["words"].startswith("Done: the loss at x̂ only fell. In the exact flow")
    assert "no swing-by" in none["words"]
    hot = trained(module, settings(mu=(4, 4), sigma=(2, 2), rate=0.1, network="tied"))
    assert hot["diverged"]
    assert f"Diverged after {len(hot['ood']) - 1} updates" in hot["words"]
    assert "learning rate 0.1 is too large" in hot["words"]
    largest = theory.largest_step(theory.strengths((4, 4), (2, 2)))
    assert f"stable below {largest:.2g}" in hot["words"]
    assert np.isfinite(hot["ood"]).all()


def test_a_narrow_random_start_swings_more_often_than_a_wide_one(module: Run) -> None:
    often = {}
    for width in (2, 16):
        rises = [
            rise_of(np.array(module("$.newRun(given).theory.ood", given=given)))[0]
            for given in (settings(start="random", width=width, seed=seed) for seed in range(40))
        ]
        often[width] = np.mean(np.array(rises) > 0.02)
    assert often[2] > 0.05
    assert often[16] == 0
