"""The phase explorer's JavaScript: colours, regions, ticks and words."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from browsing import Run
from scipy import ndimage

from synthcore.explorers.base import Explorer
from synthcore.explorers.phase import PhaseExplorer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def phase(module_of: Callable[[Explorer], Run]) -> Run:
    one = np.ones((1, 1, 1))
    return module_of(PhaseExplorer([1], [1], [1], one[..., None] / [4, 4, 4, 4], one, one))


def test_blend_of_one_colour_is_that_colour_and_of_two_lies_between(phase: Run) -> None:
    colours = ["#ff0000", "#000000", "#00ff00", "#0000ff"]
    assert phase("$.blend([1, 0, 0, 0], c)", c=colours) == "rgb(255, 0, 0)"
    # half the light of white is 188 of 255 in sRGB
    assert (
        phase("$.blend([0.5, 0.5, 0, 0], c)", c=["#ffffff", *colours[1:]]) == "rgb(188, 188, 188)"
    )


def test_leader(phase: Run) -> None:
    assert phase("$.leader([0.1, 0.2, 0.6, 0.1])") == 2
    assert phase("$.leader([NaN, NaN, NaN, NaN])") == -1


def test_regions_are_the_connected_components(phase: Run) -> None:
    grid = np.random.default_rng(0).integers(3, size=(9, 14))
    found = phase("$.regions(grid)", grid=grid.tolist())
    expected = sum(ndimage.label(grid == value)[1] for value in range(3))
    assert len(found) == expected
    assert sum(len(region["cells"]) for region in found) == grid.size
    assert all(grid[r, c] == region["value"] for region in found for r, c in region["cells"])


@pytest.mark.parametrize("steps", [[0, 10, 30, 100, 1000], [1, 2, 4], [5], [0], [0, 650]])
def test_a_click_in_a_cell_finds_its_step(phase: Run, steps: list[int]) -> None:
    found = phase(
        """{ const x = $.stepScale(steps, 50, 450);
            const at = steps.map(x.at);
            return { edges: x.edges, at, near: at.map(x.nearest),
                     out: [x.nearest(0), x.nearest(450), x.nearest(900)], marks: x.marks }; }""",
        steps=steps,
    )
    assert found["near"] == list(range(len(steps)))
    assert found["out"] == [0, len(steps) - 1, len(steps) - 1]
    assert found["edges"][0] == pytest.approx(50)
    assert found["edges"][-1] == pytest.approx(450)
    for left, at, right in zip(found["edges"], found["at"], found["edges"][1:], strict=False):
        assert left < at < right
    places = [place for place, _ in found["marks"]]
    assert all(b - a > 15 for a, b in itertools.pairwise(places))
    assert ("0" in [text for _, text in found["marks"]]) == (steps[0] == 0)


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0, 1, False, [0, 0.25, 0.5, 0.75, 1]),
        (0, 0.6, False, [0, 0.2, 0.4, 0.6]),
        (0.001, 1, True, [0.001, 0.01, 0.1, 1]),
        (1, 20, True, [1, 2, 5, 10, 20]),
    ],
)
def test_ticks_are_round(
    phase: Run, low: float, high: float, log: bool, expected: list[float]
) -> None:
    count = 5 if log else 4
    got = phase("$.ticks(low, high, count, log)", low=low, high=high, count=count, log=log)
    assert got == pytest.approx(expected)


@pytest.mark.parametrize(
    ("network", "words"),
    [(0.7, "worse than"), (0.5, "no better than"), (0.3, "between"), (0.1, "about as good as")],
)
def test_transfer_in_words(phase: Run, network: float, words: str) -> None:
    assert words in phase("$.transfer(network, 0.5, 0.1)", network=network)


def test_transfer_says_nothing_without_yardsticks(phase: Run) -> None:
    assert phase("$.transfer(0.3, NaN, 0.1)") == ""
    assert phase("$.transfer(0.3, 0.2, 0.2)") == ""
