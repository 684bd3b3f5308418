"""The figure helpers against the intervals that verdicts use, and on axes that could break them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from synthcore.evidence.dark import GROUND, contrast
from synthcore.evidence.legibility import faults, smallest_letters
from synthcore.evidence.statistics import t_interval
from synthcore.figures import (
    CONCEPTS,
    INK,
    canvas,
    chance,
    curves,
    half_width,
    heat,
    key,
    log_axis,
    oracle,
    over_seeds,
    panels,
    points,
    shades,
    strips,
)


def test_bands_show_the_interval_of_the_verdicts() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3))
    half = half_width(values)
    for i in range(3):
        low, high = t_interval(values[:, i])
        assert (high - low) / 2 == pytest.approx(half[i])
    assert half_width(values[:1]).tolist() == [0, 0, 0]


def test_seeds_are_drawn_over_the_coordinate_whatever_the_order_of_dimensions() -> None:
    values = xr.DataArray(
        [[1.0, 2.0, 1.5], [3.0, 1e-3, 2.0], [5.0, 6.0, 5.5]],
        dims=("step", "seed"),
        coords={"step": [1, 10, 100]},
    )
    fig, (ax, other) = panels(2)
    over_seeds(ax, values, "step", "k")
    points(other, [1, 10, 100], values, "k")
    *seeds, mean = ax.get_lines()
    assert [line.get_ydata().tolist() for line in seeds] == [
        [1, 3, 5],
        [2, 1e-3, 6],
        [1.5, 2, 5.5],
    ]
    assert mean.get_xdata().tolist() == [1, 10, 100]
    np.testing.assert_allclose(mean.get_ydata(), values.mean("seed"))
    np.testing.assert_allclose(other.get_lines()[0].get_ydata(), values.mean("seed"))
    (band,) = (c for c in ax.collections if isinstance(c, PolyCollection))
    assert band.get_paths()[0].vertices[:, 1].min() == 5e-4, "a log axis could not show 0 or less"
    plt.close(fig)


def test_two_seeds_have_no_band() -> None:
    fig, (ax,) = panels(1)
    over_seeds(ax, xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("seed", "step")), "step", "k")
    assert not ax.collections
    assert len(ax.get_lines()) == 3
    plt.close(fig)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_log_axes_name_whole_numbers(axis: str) -> None:
    fig, (ax,) = panels(1)
    log_axis(ax, [1, 30, 1000], "step", axis)
    fig.canvas.draw()
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    assert [label.get_text() for label in chosen.get_ticklabels()] == ["1", "30", "1000"]
    assert chosen.get_scale() == "log"
    assert chosen.get_label_text() == "step"
    plt.close(fig)


def every_helper() -> Figure:
    """A canvas with all that a figure of the book is made of."""
    fig, (curve, strip, heat_map) = canvas(3)
    random = np.random.default_rng(0)
    names = ["retrieval", "inference"]
    values = xr.DataArray(
        random.random((2, 4, 6)) + 1,
        dims=("algorithm", "seed", "step"),
        coords={"algorithm": names, "seed": range(4), "step": np.arange(1, 7)},
    )
    colours = {name: CONCEPTS[name] for name in names}
    curves(curve, values, "step", colours, by="algorithm", labels={"retrieval": "Bi-Ret"})
    oracle(curve, 1.5, "Bayes")
    chance(curve, 1.0)
    key(curve)
    strips(strip, values.isel(step=-1), "algorithm", colours)
    heat(heat_map, values.mean("algorithm"), "seed", "step", "loss [nats]", annot=True)
    return fig


def test_a_canvas_can_be_read_in_the_column() -> None:
    fig = every_helper()
    assert fig.get_figwidth() == 7
    assert smallest_letters(fig) == 8
    assert faults(fig) == []
    with pytest.raises(ValueError, match="at most 7 inches"):
        canvas(1, width=7.5)


def test_helpers_draw_the_numbers_they_are_given() -> None:
    curve, strip, heat_map, *_ = every_helper().axes
    names = [text.get_text() for text in curve.get_legend().get_texts()]
    assert names == ["Bi-Ret", "inference"]
    styles = {line.get_linestyle() for line in curve.lines if len(line.get_xdata()) == 2}
    assert styles == {"--", ":"}
    assert {text.get_text() for text in curve.texts} == {"Bayes", "chance"}
    dots = sum(len(points.get_offsets()) for points in strip.collections)
    assert dots == 2 * 4
    random = np.random.default_rng(0)
    table = (random.random((2, 4, 6)) + 1).mean(0)
    shown = np.array([float(text.get_text()) for text in heat_map.texts]).reshape(4, 6)
    np.testing.assert_allclose(shown, table, atol=0.051)
    assert heat_map.get_ylim()[0] < heat_map.get_ylim()[1], "the first row is below"


def test_the_theme_ends_where_the_figure_begins() -> None:
    before = dict(plt.rcParams)
    every_helper()
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("colour", [*sorted(set(CONCEPTS.values())), *shades(7)])
def test_colours_stand_out_from_both_pages(colour: object) -> None:
    if colour != INK:  # which the dark picture draws light
        assert contrast(colour, "white") >= 3
        assert contrast(colour, GROUND) >= 3
