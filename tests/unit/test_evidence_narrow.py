"""The figure for a narrow screen: the same panels in the same order, legible, nothing lost."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.evidence.narrow import WIDTH, narrow
from synthcore.figures import panels


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def row(**options: object) -> tuple[Figure, list[Axes]]:
    fig, axes = panels(3, **options)
    for ax in axes:
        ax.plot([1, 2], [3, 4])
    axes[0].set_ylabel("loss [nats]")
    return fig, axes


def places(fig: Figure, axes: list[Axes]) -> list[tuple[float, float, float, float]]:
    fig.draw_without_rendering()
    return [ax.get_position().bounds for ax in axes]


def letters(axes: list[Axes]) -> set[float]:
    return {
        label.get_fontsize() for ax in axes for label in [ax.yaxis.label, *ax.get_xticklabels()]
    }


def test_panels_stand_one_below_the_other_with_the_same_letters_and_heights() -> None:
    fig, axes = row()
    before, height = letters(axes), places(fig, axes)[0][3] * fig.get_figheight()
    assert narrow(fig)
    assert fig.get_figwidth() == pytest.approx(WIDTH)
    lefts, bottoms, widths, heights = zip(*places(fig, axes), strict=True)
    assert list(bottoms) == sorted(bottoms, reverse=True)
    assert max(lefts) < min(left + width for left, width in zip(lefts, widths, strict=True))
    for lower, upper in (
        (bottoms[1] + heights[1], bottoms[0]),
        (bottoms[2] + heights[2], bottoms[1]),
    ):
        assert lower < upper
    assert letters(axes) == before
    assert heights[0] * fig.get_figheight() == pytest.approx(height, rel=0.15)


def test_a_panel_says_what_it_left_to_its_neighbour() -> None:
    fig, axes = row(sharey=True)
    fig.draw_without_rendering()
    assert not any(label.get_visible() for label in axes[1].get_yticklabels())
    assert narrow(fig)
    for ax in axes:
        assert ax.get_ylabel() == "loss [nats]"
        assert all(label.get_visible() and label.get_text() for label in ax.get_yticklabels())


def test_shared_steps_are_named_below_every_row() -> None:
    fig, axes = panels(4, rows=2, sharex=True)
    axes[2].set_xlabel("step")
    axes[3].set_xlabel("update")
    assert narrow(fig)
    assert [ax.get_xlabel() for ax in axes] == ["step", "update", "step", "update"]
    fig.draw_without_rendering()
    assert all(label.get_visible() for label in axes[0].get_xticklabels())


def test_a_colour_bar_and_a_twin_go_with_their_panel() -> None:
    fig, axes = row()
    bar = fig.colorbar(axes[1].imshow([[0, 1]], aspect="auto"), ax=axes[1])
    twin = axes[2].twinx()
    assert narrow(fig)
    _, second, third, scale, other = places(fig, [*axes, bar.ax, twin])
    assert scale[0] > second[0] + second[2]
    assert scale[1] == pytest.approx(second[1], abs=0.02)
    assert other == pytest.approx(third)


def test_small_panels_keep_company() -> None:
    fig, axes = panels(4, width=2.1)
    assert narrow(fig)
    bounds = places(fig, axes)
    assert bounds[0][1] == pytest.approx(bounds[1][1])
    assert bounds[0][1] > bounds[2][1]


def test_a_legend_of_the_whole_figure_fits() -> None:
    fig, axes = row()
    lines = [axes[0].plot([0], label=f"a long name, number {i}")[0] for i in range(6)]
    legend = fig.legend(handles=lines, loc="outside lower center", ncols=6)
    assert narrow(fig)
    [moved] = fig.legends
    assert moved.get_window_extent().width <= WIDTH * fig.dpi
    assert [t.get_text() for t in moved.get_texts()] == [t.get_text() for t in legend.get_texts()]


def test_what_cannot_be_stacked_is_left_alone() -> None:
    assert not narrow(panels(1)[0]), "narrow already"
    assert not narrow(plt.subplots(figsize=(7, 3))[0]), "one wide panel"
    fig = plt.figure(figsize=(8, 4))
    grid = fig.add_gridspec(2, 2)
    for place in (grid[0, 0], grid[0, 1], grid[1, :]):
        fig.add_subplot(place)
    assert not narrow(fig), "a panel over two columns"
    fig, axes = row()
    axes[0].set_yticks([3, 4], ["a name that is much too long for a phone"] * 2)
    assert not narrow(fig), "names leave no room"
