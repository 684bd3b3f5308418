"""A figure drawn a second time for a narrow screen, its panels one below the other.

On a phone a row of panels would shrink until nothing can be read. Panels keep their height and the
size of their letters; what a panel left to its neighbour (ticks of a shared axis, a label) it says
itself once it stands alone.
"""

from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

WIDTH = 3.7  # inches; shown at the scale of the wide figures it fills a screen of 390 pixels
WIDEST = 5.6  # inches; a panel wider than this would lose too much
AXES = 0.8  # inches; what long labels must leave of each panel at least
OVER = 1.2  # times WIDTH; what writing beside a panel may stick out
SHRINK = 0.8  # so much of its width a panel keeps at least, where two fit side by side then


def narrow(fig: Figure, widest: float = WIDEST) -> bool:
    """Put the panels of a grid into as few columns as `WIDTH` has room for, in place.

    Returns False if the figure is better left as it was: it is narrow already, its panels do not
    form one grid of cells of at most `widest` inches, or long labels leave too little of them.
    """
    rows = _grid(fig)
    width, height = fig.get_size_inches()
    across = max(len(row) for row in rows) if rows else 0
    if not rows or width <= WIDTH or width / across > widest:
        return False
    cells = [cell for row in rows for cell in row]
    columns = min(across, max(1, int(WIDTH // (SHRINK * width / across))))
    lines = -(-len(cells) // columns)
    _speak_for_themselves(rows, columns)
    layout = fig.add_gridspec(lines, columns)
    for index, cell in enumerate(cells):
        for ax in cell:
            ax.set_subplotspec(layout[divmod(index, columns)])
    fig.set_size_inches(WIDTH, height / len(rows) * lines)
    for legend in list(fig.legends):
        _fit(legend, fig)
    fig.draw_without_rendering()
    drawn = [cell[0].get_window_extent().width / fig.dpi for cell in cells]
    return bool(min(drawn) >= AXES and fig.get_tightbbox().width <= OVER * WIDTH)


def _grid(fig: Figure) -> list[list[list[Axes]]]:
    """Axes by row and place (two where an axis has a twin); none unless they form one grid."""
    placed = [(spec, ax) for ax in fig.axes if (spec := ax.get_subplotspec()) is not None]
    grids = {spec.get_gridspec() for spec, _ in placed}
    single = all(len(spec.rowspan) == len(spec.colspan) == 1 for spec, _ in placed)
    if len(grids) != 1 or not single or fig.subfigs:
        return []
    where = {ax: (spec.rowspan.start, spec.colspan.start) for spec, ax in placed}
    ordered = sorted(where, key=lambda ax: where[ax])
    return [
        [list(cell) for _, cell in groupby(row, key=lambda ax: where[ax])]
        for _, row in groupby(ordered, key=lambda ax: where[ax][0])
    ]


def _speak_for_themselves(rows: list[list[list[Axes]]], columns: int) -> None:
    """Give panels the tick labels and axis labels that they left to the first and the last row."""
    place = 0
    for row in rows:
        for (ax, *_), (below, *_) in zip(row, rows[-1], strict=False):
            if ax.axison:
                _share(ax, below, "x")
            if ax.axison and place % columns == 0:
                _share(ax, row[0][0], "y")
            place += 1


def _share(ax: Axes, other: Axes, name: str) -> None:
    """Show the labels that `other` shows for both on its x or y axis."""
    axis, shown = getattr(ax, f"{name}axis"), getattr(other, f"{name}axis")
    if other in getattr(ax, f"get_shared_{name}_axes")().get_siblings(ax):
        side = "labelbottom" if name == "x" else "labelleft"
        axis.set_tick_params(**{side: True})
    if not axis.get_label_text() and len(axis.get_majorticklocs()):
        axis.set_label_text(shown.get_label_text())


def _fit(legend: Legend, fig: Figure) -> None:
    """The legend of a whole figure below its panels, in as many columns as there is room for."""
    names = [text.get_text() for text in legend.get_texts()]
    size, frame, handles = (
        legend.get_texts()[0].get_fontsize(),
        legend.get_frame_on(),
        legend.legend_handles,
    )
    for columns in range(3, 0, -1):
        legend.remove()
        legend = fig.legend(
            [handle for handle in handles if handle is not None],
            names,
            loc="outside lower center",
            ncols=columns,
            fontsize=size,
            frameon=frame,
        )
        if legend.get_window_extent().width <= WIDTH * fig.dpi:
            return
