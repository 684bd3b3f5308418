"""A figure on a dark ground: the same marks, legible there.

Ink and greys take the lightness at which they stand out from the dark ground as they did from
white; colours that stand out from both stay, so that a colour means the same in both. What lies on
a heat map or a picture stays as it is, for its ground stays.
"""

import colorsys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.spines import Spine
from matplotlib.text import Text

GROUND = "#121212"  # what the site's dark pages lie on
CLEAR, READABLE = 3.0, 4.5  # least contrast of marks and of letters

Undo = Callable[[], Any]


def luminance(colour: Any) -> float:
    """Relative luminance, 0 (black) to 1 (white), as WCAG 2 defines it.

    >>> luminance("white"), luminance("black")
    (1.0, 0.0)
    """
    parts = np.array(to_rgba(colour)[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 to 21, as WCAG 2 defines it.

    >>> round(contrast("white", "black"), 6)
    21.0
    """
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def on_dark(colour: Any, least: float = CLEAR) -> tuple[float, float, float, float]:
    """The colour (red, green, blue, alpha) that stands for `colour` on the dark ground.

    >>> on_dark("white") == to_rgba(GROUND), on_dark("#2b7bb0") == to_rgba("#2b7bb0")
    (True, True)
    """
    red, green, blue, alpha = to_rgba(colour)
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    on_white = contrast(colour, "white")
    grey = max(red, green, blue) - min(red, green, blue) < 0.12
    if not grey and contrast(colour, GROUND) >= min(least, on_white):
        return red, green, blue, alpha
    if grey and on_white < 1.01:
        return (*to_rgba(GROUND)[:3], alpha)
    wanted = on_white if grey else min(least, on_white)
    goal = min(wanted * (luminance(GROUND) + 0.05) - 0.05, 1.0)
    low, high = (0.0, 1.0) if grey else (lightness, 1.0)
    for _ in range(20):  # lightness at which the luminance is right
        middle = (low + high) / 2
        below = luminance(colorsys.hls_to_rgb(hue, middle, saturation)) < goal
        low, high = (middle, high) if below else (low, middle)
    return (*colorsys.hls_to_rgb(hue, high, saturation), alpha)


@contextmanager
def dark(fig: Figure) -> Iterator[None]:
    """Inside, the figure's colours are those for the dark ground; afterwards as they were.

    The figure has been drawn before: ticks are made when they are first drawn.
    """
    undo: list[Undo] = []
    done = {part for axes in fig.axes for part in _ticks(axes, undo)}
    artists: list[Artist] = fig.findobj()
    for artist in artists:
        if artist not in done and not _on_a_picture(artist):
            _recolour(artist, undo)
    try:
        yield
    finally:
        for step in reversed(undo):
            step()


def _recolour(artist: Artist, undo: list[Undo]) -> None:
    names = {
        Text: ("color",),
        Line2D: ("color", "markerfacecolor", "markeredgecolor"),
        Patch: ("facecolor", "edgecolor"),
        Collection: ("facecolor", "edgecolor"),
    }
    for kind, parts in names.items():
        if isinstance(artist, kind):
            # all are read before one is written: a marker may take its colour from its line
            old = {part: getattr(artist, f"get_{part}")() for part in parts}
            if isinstance(artist, Collection):
                _recolour_collection(artist, old, undo)
            else:
                least = READABLE if kind is Text else CLEAR
                _write(artist, {part: _on_dark(value, least) for part, value in old.items()})
                undo.append(partial(_write, artist, old))


def _recolour_collection(artist: Collection, old: dict[str, Any], undo: list[Undo]) -> None:
    if artist.get_array() is not None:  # a colour map gives the faces, and the edges where equal
        same = np.array_equal(old["facecolor"], old["edgecolor"])
        old = {} if same or not len(old["edgecolor"]) else {"edgecolor": old["edgecolor"]}
    # a collection's colours contain its alpha already and would be given it once more
    undo.append(partial(artist.set_alpha, artist.get_alpha()))
    undo.append(partial(_write, artist, old))
    artist.set_alpha(None)
    _write(artist, {part: [on_dark(row) for row in table] for part, table in old.items()})


def _write(artist: Artist, colours: dict[str, Any]) -> None:
    for part, colour in colours.items():
        getattr(artist, f"set_{part}")(colour)


def _on_dark(colour: Any, least: float) -> Any:
    return colour if isinstance(colour, str) and colour == "none" else on_dark(colour, least)


def _ticks(axes: Axes, undo: list[Undo]) -> set[Artist]:
    """Recolour ticks, those too that another size will need; returns what has been recoloured."""
    done: set[Artist] = set()
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        if not ticks:
            continue
        first = ticks[0]
        mark, label, grid = (
            first.tick1line.get_markeredgecolor(),
            first.label1.get_color(),
            first.gridline.get_color(),
        )
        names = [name for tick in ticks for name in (tick.label1, tick.label2)]
        own = {name: name.get_color() for name in names}  # names may have colours of their own
        axis.set_tick_params(
            which="both",
            color=on_dark(mark),
            labelcolor=on_dark(label, READABLE),
            grid_color=on_dark(grid),
        )
        for name, colour in own.items():
            name.set_color(on_dark(colour, READABLE))
        done |= set(names)
        done |= {part for t in ticks for part in (t.tick1line, t.tick2line, t.gridline)}
        undo.append(partial(_restore_ticks, axis, mark, label, grid, own))
    return done


def _restore_ticks(axis: Axis, mark: Any, label: Any, grid: Any, own: dict[Text, Any]) -> None:
    axis.set_tick_params(which="both", color=mark, labelcolor=label, grid_color=grid)
    for name, colour in own.items():
        name.set_color(colour)


def _on_a_picture(artist: Artist) -> bool:
    """Whether an artist lies on the heat map or picture that fills its axes."""
    axes = artist.axes
    if not isinstance(axes, Axes) or artist is axes.patch or isinstance(artist, Spine):
        return False
    meshes = [one for one in axes.collections if isinstance(one, QuadMesh)]
    if not (meshes or axes.images):
        return False
    if isinstance(artist, Text):
        box, ground = artist.get_window_extent(), axes.get_window_extent()
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        return bool(ground.contains(x, y))
    return artist in axes.get_children()
