"""Figures as PNG: wide and narrow, on white and on the dark ground."""

import io

from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from synthcore.evidence.dark import dark
from synthcore.evidence.legibility import WIDEST
from synthcore.evidence.narrow import narrow

DPI = 144


def picture(fig: Figure, box: Bbox | None = None) -> bytes:
    """The figure as PNG of at most 256 colours, the same bytes for the same figure.

    `box` is what of it is shown, in inches; the whole without. A figure has few colours: as a
    palette they look the same and take a quarter of the bytes.
    """
    drawn, stream = io.BytesIO(), io.BytesIO()
    passing = {"compress_level": 0}  # it is read again at once
    fig.savefig(drawn, format="png", dpi=DPI, bbox_inches=box, pil_kwargs=passing)
    with Image.open(drawn) as image:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def cut(fig: Figure) -> bytes:
    """The figure as PNG, cut to what is drawn. It stays as it is laid out then."""
    fig.draw_without_rendering()
    _settle(fig)
    return picture(fig, _drawn(fig))


def draw(fig: Figure, themed: bool, every: bool) -> dict[str, bytes]:
    """The figure as pictures by name: `wide`, and with `every` those for other readers.

    These are `narrow` for a small screen, where that differs, and for a `themed` figure `dark` and
    `dark-narrow`. A themed figure keeps its size. Each is drawn once. Changes the figure.
    """
    engine = fig.get_layout_engine()
    fig.draw_without_rendering()
    _settle(fig)
    box = None if themed else _drawn(fig)
    found = {"wide": picture(fig, box)}
    if not every:
        return found
    if themed:
        found["dark"] = _on_dark(fig, box)
    if engine is not None:
        fig.set_layout_engine(engine)
    if narrow(fig, WIDEST) if themed else narrow(fig):
        _settle(fig)
        box = _drawn(fig)
        found["narrow"] = picture(fig, box)
        if themed:
            found["dark-narrow"] = _on_dark(fig, box)
    return found


def _on_dark(fig: Figure, box: Bbox | None) -> bytes:
    with dark(fig):
        return picture(fig, box)


def _settle(fig: Figure) -> None:
    """What has been laid out stays where it is, and is not laid out at every drawing."""
    with rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
        fig.set_layout_engine(None)


def _drawn(fig: Figure) -> Bbox:
    """What the figure shows, in inches, with the margin that a tight picture has."""
    return fig.get_tightbbox().padded(rcParams["savefig.pad_inches"])
