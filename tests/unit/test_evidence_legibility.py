"""Figures that are shown as wide as they are drawn: what is measured, and their dark pictures."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from synthcore.evidence.dark import GROUND, contrast, dark, on_dark
from synthcore.evidence.legibility import faults, panels_abreast, smallest_letters
from synthcore.evidence.picture import draw, picture


def lines(width: float = 7.0, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    fig, axes = plt.subplots(1, columns, figsize=(width, 2), layout="constrained", **options)
    for ax in np.atleast_1d(axes):
        ax.plot([0, 1], [0, 1], color="k", label="up")
    return fig, np.atleast_1d(axes)[0]


@pytest.mark.parametrize(
    ("small", "size"),
    [
        (lambda ax: ax.set_xlabel("step", fontsize=7.5), 7.5),
        (lambda ax: ax.tick_params(labelsize=6), 6),
        (lambda ax: ax.annotate("here", (0, 0), fontsize=5), 5),
        (lambda ax: ax.legend(fontsize=7), 7),
        (lambda ax: ax.figure.suptitle("all", fontsize=4), 4),
        (lambda ax: ax.set_xlabel("", fontsize=4), 10),
        (lambda ax: ax.text(0, 0, "x", fontsize=4).set_visible(False), 10),
    ],
)
def test_the_smallest_letters_are_found_wherever_they_stand(
    small: Callable[[Any], object], size: float
) -> None:
    fig, ax = lines()
    small(ax)
    assert smallest_letters(fig) == size
    assert bool(faults(fig)) is (size < 8)


def test_colour_bars_and_axes_within_others_are_no_panels() -> None:
    fig, axes = plt.subplots(2, 2, layout="constrained")
    fig.colorbar(axes[0, 0].pcolormesh(np.eye(2)), ax=axes[0, 0])
    axes[0, 0].inset_axes((0.5, 0.5, 0.4, 0.4))
    axes[0, 1].twinx()
    assert panels_abreast(fig) == 2
    three, _ = lines(columns=3)
    assert faults(three) == ["3 panels stand side by side; 2 can"]


def test_a_figure_is_as_wide_as_the_column_at_most() -> None:
    assert faults(lines(7.0)[0]) == []
    assert faults(lines(7.2)[0]) == ["it is 7.2 inches wide; 7 fit"]
    fig, _ = lines(7.0)
    width, _ = size(picture(fig))
    assert width == 7 * 144


def size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        return image.size


@pytest.mark.parametrize("colour", ["#222222", "#777777", "black", "#d5dae0"])
def test_greys_stand_out_from_the_dark_ground_as_from_white(colour: str) -> None:
    wanted = min(contrast(colour, "white"), contrast("white", GROUND))
    assert contrast(on_dark(colour), GROUND) == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize("colour", ["navy", "#7f0000", "#003300", "indigo"])
def test_colours_too_dark_for_the_dark_ground_are_lightened(colour: str) -> None:
    assert contrast(colour, GROUND) < 3
    assert contrast(on_dark(colour), GROUND) == pytest.approx(3, rel=0.02)
    assert contrast(on_dark(colour, 4.5), GROUND) == pytest.approx(4.5, rel=0.02)


def crowded() -> Figure:
    """One of everything that has a colour."""
    fig, (ax, image, points) = plt.subplots(1, 3)  # a layout engine moves things at every drawing
    ax.plot([0, 1], [0, 1], "o-", color="k", mfc="w", label="a")
    ax.fill_between([0, 1], [0, 1], alpha=0.3, color="navy")
    ax.bar([0, 0.5], [1, 1], color="#eee", edgecolor="k", alpha=0.5)
    ax.grid()
    ax.set_xticks([0, 1], ["a", "b"])
    ax.get_xticklabels()[0].set_color("navy")
    ax.legend()
    ax.annotate("x", (0, 0), bbox={"facecolor": "w"}, arrowprops={"arrowstyle": "->"})
    fig.colorbar(image.pcolormesh(np.eye(2)), ax=image, label="share")
    image.text(0.5, 0.5, "k", color="k")
    points.scatter([0, 1], [1, 0], c=[1, 2])
    points.scatter([0, 1], [0, 1], c="k", alpha=0.4)
    points.errorbar([0, 1], [0, 1], [0.1, 0.1], color="k", capsize=2)
    return fig


def test_a_figure_is_afterwards_as_it_was() -> None:
    fig = crowded()
    before = picture(fig)
    with dark(fig):
        assert picture(fig) != before
    assert picture(fig) == before


def test_ink_is_light_on_the_dark_ground_and_heat_maps_stay() -> None:
    fig = crowded()
    fig.draw_without_rendering()
    ax, image, points, bar = fig.axes
    with dark(fig):
        fig.draw_without_rendering()
        assert to_hex(fig.get_facecolor()) == to_hex(ax.get_facecolor()) == GROUND
        texts = [ax.xaxis.label, *ax.get_xticklabels(), *ax.get_legend().get_texts()]
        texts += [bar.yaxis.label, *bar.get_yticklabels(), *image.get_xticklabels()]
        assert min(contrast(text.get_color(), GROUND) for text in texts) >= 4.45
        assert to_hex(ax.lines[0].get_markerfacecolor()) == GROUND
        assert contrast(ax.lines[0].get_markeredgecolor(), GROUND) > 15
        assert image.texts[0].get_color() == "k"
        mapped, plain, *_ = points.collections
        assert contrast(plain.get_facecolor()[0], GROUND) > 15
        assert plain.get_facecolor()[0, 3] == pytest.approx(0.4)
        assert mapped.get_array() is not None
        fig.set_size_inches(3, 9)  # ticks that are made now are light, too
        fig.draw_without_rendering()
        assert min(contrast(text.get_color(), GROUND) for text in ax.get_yticklabels()) > 15


def test_pictures_for_every_reader() -> None:
    drawn = draw(lines(columns=2)[0], themed=True, every=True)
    assert set(drawn) == {"wide", "dark", "narrow", "dark-narrow"}
    assert size(drawn["wide"]) == size(drawn["dark"])
    assert size(drawn["narrow"]) == size(drawn["dark-narrow"])
    corners = {name: corner(png) for name, png in drawn.items()}
    assert corners["wide"] == corners["narrow"] == (255, 255, 255)
    assert corners["dark"] == corners["dark-narrow"] == (18, 18, 18)
    assert set(draw(lines(columns=2)[0], themed=False, every=True)) == {"wide", "narrow"}
    assert set(draw(lines(columns=2)[0], themed=True, every=False)) == {"wide"}


def corner(png: bytes) -> object:
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB").getpixel((0, 0))


@pytest.mark.parametrize(
    ("themed", "every", "names", "shapes"),
    [
        (True, True, {"wide", "dark", "narrow", "dark-narrow"}, 2),
        (True, False, {"wide"}, 1),
        (False, True, {"wide", "narrow"}, 2),
    ],
)
def test_each_picture_is_drawn_once(
    themed: bool, every: bool, names: set[str], shapes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside its pictures, a panel is drawn only to lay out each shape of its figure."""
    drawn = 0
    draw_axes = Axes.draw

    def counted(axes: Axes, renderer: RendererBase) -> None:
        nonlocal drawn
        drawn += 1
        draw_axes(axes, renderer)

    monkeypatch.setattr(Axes, "draw", counted)
    assert set(draw(lines(5.0)[0], themed, every)) == names
    assert drawn == len(names) + shapes
