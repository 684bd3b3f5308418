"""Whether a figure can be read where it is shown: its width, its panels, its smallest letters."""

from matplotlib.figure import Figure
from matplotlib.text import Text

PIXELS_PER_INCH = 100  # on the screen
WIDEST = 7.0  # inches; 700 pixels, the width of the page's column
LETTERS = 8.0  # points; the smallest that can be read
ABREAST = 2  # panels in a row


def smallest_letters(fig: Figure) -> float:
    """Size in points of the smallest text that the figure shows; infinite if it shows none."""
    fig.draw_without_rendering()
    texts: list[Text] = fig.findobj(Text)
    sizes = [text.get_fontsize() for text in texts if text.get_visible() and _says_something(text)]
    return min(map(float, sizes), default=float("inf"))


def panels_abreast(fig: Figure) -> int:
    """How many panels stand side by side; colour bars and axes within others do not count."""
    specs = [spec for ax in fig.axes if (spec := ax.get_subplotspec()) is not None]
    grids = {spec.get_gridspec() for spec in specs}
    return max(
        (
            len({spec.colspan.start for spec in specs if spec.get_gridspec() is grid})
            for grid in grids
        ),
        default=0,
    )


def faults(fig: Figure) -> list[str]:
    """What keeps a figure from being read in a column of the book; empty if nothing does."""
    width, letters, abreast = fig.get_figwidth(), smallest_letters(fig), panels_abreast(fig)
    found = []
    if width > WIDEST + 1e-6:
        found.append(f"it is {width:.1f} inches wide; {WIDEST:g} fit")
    if letters < LETTERS - 1e-6:
        found.append(f"its smallest text has {letters:.1f} points; {LETTERS:g} can be read")
    if abreast > ABREAST:
        found.append(f"{abreast} panels stand side by side; {ABREAST} can")
    return found


def _says_something(text: Text) -> bool:
    """Text of axes that are switched off is not drawn."""
    return bool(text.get_text().strip()) and (text.axes is None or text.axes.axison or _in(text))


def _in(text: Text) -> bool:
    axes = text.axes
    return axes is not None and (text in axes.texts or text is axes.title)
