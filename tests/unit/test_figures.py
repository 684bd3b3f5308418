"""The figure helpers against the intervals that verdicts use, and on axes that could break them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PolyCollection

from synthcore.evidence.statistics import t_interval
from synthcore.figures import half_width, log_axis, over_seeds, panels, points


def test_bands_show_the_interval_of_the_verdicts() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3))
    half = half_width(values)
    for i in range(3):
        low, high = t_interval(values[:, i])
        assert (high - low) / 2 == pytest.approx(half[i])
    assert half_width(values[:1]).tolist() == [0, 0, 0]


def test_seeds_are_drawn_over_the_coordinate_whatever_the_order_of_dimensions() -> None:
    values = xr.DataArray(
        [[1.0, 2.0], [3.0, 1e-3], [5.0, 6.0]], dims=("step", "seed"), coords={"step": [1, 10, 100]}
    )
    fig, (ax, other) = panels(2)
    over_seeds(ax, values, "step", "k")
    points(other, [1, 10, 100], values, "k")
    *seeds, mean = ax.get_lines()
    assert [line.get_ydata().tolist() for line in seeds] == [[1, 3, 5], [2, 1e-3, 6]]
    assert mean.get_xdata().tolist() == [1, 10, 100]
    np.testing.assert_allclose(mean.get_ydata(), values.mean("seed"))
    np.testing.assert_allclose(other.get_lines()[0].get_ydata(), values.mean("seed"))
    (band,) = (c for c in ax.collections if isinstance(c, PolyCollection))
    assert band.get_paths()[0].vertices[:, 1].min() == 5e-4, "a log axis could not show 0 or less"
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
