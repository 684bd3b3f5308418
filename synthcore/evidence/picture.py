"""Figures as PNG: wide and narrow, on white and on the dark ground."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib.figure import Figure
from PIL import Image

from synthcore.evidence.dark import dark
from synthcore.evidence.legibility import WIDEST
from synthcore.evidence.narrow import narrow

DPI = 144


def picture(fig: Figure, tight: bool = True) -> bytes:
    """The figure as PNG of at most 256 colours, the same bytes for the same figure.

    `tight` cuts it to what is drawn; else it keeps its size. A figure has few colours: as a palette
    they look the same and take a quarter of the bytes.
    """
    drawn, stream = io.BytesIO(), io.BytesIO()
    cut = "tight" if tight else None
    fig.savefig(drawn, format="png", dpi=DPI, bbox_inches=cut, metadata={"Software": None})
    with Image.open(drawn) as image:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def draw(fig: Figure, themed: bool, every: bool) -> dict[str, bytes]:
    """The figure as pictures by name: `wide`, and with `every` those for other readers.

    These are `narrow` for a small screen, where that differs, and for a `themed` figure `dark` and
    `dark-narrow`. A themed figure keeps its size. Changes the figure.
    """
    if not themed:
        found = {"wide": picture(fig)}
        if every and narrow(fig):
            found["narrow"] = picture(fig)
        return found
    fig.draw_without_rendering()
    with _settled(fig):
        found = {"wide": picture(fig, tight=False)}
        if every:
            with dark(fig):
                found["dark"] = picture(fig, tight=False)
    if every and narrow(fig, WIDEST):
        with _settled(fig):
            found["narrow"] = picture(fig)
            with dark(fig):
                found["dark-narrow"] = picture(fig)
    return found


@contextmanager
def _settled(fig: Figure) -> Iterator[None]:
    """Inside, what has been laid out stays where it is, and is not laid out at every drawing."""
    engine = fig.get_layout_engine()
    fig.set_layout_engine("none")
    try:
        yield
    finally:
        if engine is not None:
            fig.set_layout_engine(engine)
