"""Small multiples: panels of equal axes in two columns, with one legend for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.report.canvas import SMALL, TEXT, WIDTH, mark_at
from holdfast.report.lettering import fitted, wrapped
from holdfast.report.svg import Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# In units of the SVG: the axes of a panel, the room above it for two lines, between columns, below a row, at the sides.
HEIGHT, HEAD, BETWEEN, BELOW, LEFT, RIGHT = 102.0, 26.0, 14.0, 26.0, 46.0, 10.0
WIDE = (WIDTH - LEFT - RIGHT - BETWEEN) / 2
LINE = 16.0  # of a legend
COLUMNS = 2


def panels(
    palette: Palette, label: str, names: Sequence[str], entries: Sequence[str], *, title: str = "", columns: int = 4
) -> tuple[Figure, list[Axes]]:
    """A figure with one bare pair of axes per name, the label of the vertical axis above and a legend below.

    Args:
        label: of all vertical axes.
        names: of the panels.
        entries: of the legend; the i-th stands for what is drawn with `mark_at(i)`.
        title: printed above, for figures that stand alone.
        columns: of the legend.
    """
    from matplotlib.figure import Figure

    rows = -(-len(names) // COLUMNS)
    lines = wrapped(title, WIDTH - 16, TEXT + 0.5, bold=True, most=4) if title else []
    head = (15.0 * len(lines) + 8 if lines else 0.0) + 20
    foot = 8 + LINE * -(-len(entries) // columns)
    total = head + rows * (HEAD + HEIGHT + BELOW) + 8 + foot
    figure = Figure(figsize=(WIDTH / 72, total / 72), dpi=72)
    for i, line in enumerate(lines):
        y = 1 - (16 + 15 * i) / total
        figure.text(8 / WIDTH, y, line, color=palette.ink, fontsize=TEXT + 0.5, fontweight="bold")
    figure.text(8 / WIDTH, 1 - (head - 8) / total, label, color=palette.ink, fontsize=SMALL + 0.5)
    axes = []
    for i in range(len(names)):
        x = LEFT + (i % COLUMNS) * (WIDE + BETWEEN)
        y = total - head - (i // COLUMNS + 1) * (HEAD + HEIGHT + BELOW) + BELOW
        axes.append(_axes(figure, (x / WIDTH, y / total, WIDE / WIDTH, HEIGHT / total), palette))
    _legend(figure, entries, columns, palette)
    return figure, axes


def entitle(axes: Axes, name: str, note: str, palette: Palette, *, bold: bool = False) -> None:
    """Name and note above a panel, cut to fit."""
    for height, text, size, colour, heavy in (
        (HEIGHT + 16, name, TEXT, palette.ink, bold),
        (HEIGHT + 5, note, SMALL, palette.muted, False),
    ):
        axes.text(
            0, height / HEIGHT, fitted(text, WIDE + 6, size, bold=heavy), transform=axes.transAxes,
            fontsize=size, color=colour, fontweight="bold" if heavy else "normal",
        )  # fmt: skip


def finish(axes: Sequence[Axes], label: str) -> None:
    """Numbers at the first column and the label of the horizontal axis at the last row only; call it last."""
    for i, each in enumerate(axes):
        each.tick_params(labelleft=i % COLUMNS == 0)
        if i >= len(axes) - COLUMNS:
            each.set_xlabel(label)


def _axes(figure: Figure, place: tuple[float, float, float, float], palette: Palette) -> Axes:
    axes = figure.add_axes(place)
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(palette.muted)
    axes.tick_params(colors=palette.muted, labelsize=SMALL, length=3)
    axes.tick_params(which="minor", length=0)
    axes.grid(axis="y", color=palette.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.xaxis.label.set_color(palette.ink)
    axes.xaxis.label.set_fontsize(TEXT)
    return axes


def _legend(figure: Figure, entries: Sequence[str], columns: int, palette: Palette) -> None:
    """Entries at fixed places: the reader's font is another than the one that is measured here."""
    total, wide = figure.get_size_inches()[1] * 72, (WIDTH - 16) / columns
    for i, entry in enumerate(entries):
        look = mark_at(i, palette)
        x, y = 8 + (i % columns) * wide, LINE * ((len(entries) - 1) // columns - i // columns) + 10
        handle = figure.add_axes((x / WIDTH, (y - 5) / total, 24 / WIDTH, 10 / total))
        handle.set_axis_off()
        handle.set(xlim=(0, 1), ylim=(0, 1))
        handle.plot([0, 1], [0.5, 0.5], color=look.colour, linestyle=look.dashes, linewidth=1.3)
        handle.plot([0.5], [0.5], color=look.colour, marker=look.marker, markersize=4)
        text = fitted(entry, wide - 32, SMALL + 0.5)
        figure.text((x + 28) / WIDTH, (y - 3) / total, text, fontsize=SMALL + 0.5, color=palette.ink)
