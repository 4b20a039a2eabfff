"""Drawing conventions shared by all figures: size, palette, marks that tell arms apart without colour."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from holdfast.report.lettering import fitted, width, wrapped
from holdfast.report.svg import THEMED, Palette, Picture, to_svg
from holdfast.trials.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 380.0  # of every figure, in units of the SVG: legible at the width of a phone without scrolling
TEXT, SMALL = 10.5, 9.0
HEIGHT = 220.0  # of the axes of a chart
BELOW = 40.0  # from the axes to a legend: tick labels and the axis label lie between
# Okabe and Ito (2008), without the yellow that vanishes on white; black becomes the text colour of the theme.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "ink")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d", "8")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 2)),
    (0, (1.5, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (3, 1.5)),
    (0, (8, 2, 1, 2, 1, 2)),
)


@dataclass(frozen=True)
class Mark:
    """How an arm is drawn, in every figure of a run."""

    colour: str
    marker: str
    dashes: Any


@dataclass(frozen=True)
class Drawing:
    """A drawn figure with what is said about it.

    Attributes:
        name: unique on a page.
        title: its message.
        alt: what somebody who cannot see it should know.
        tips: gid of a scatter -> one tooltip per point.
    """

    name: str
    title: str
    alt: str
    figure: Figure
    tips: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def picture(self) -> Picture:
        """The figure as an SVG for a page."""
        return Picture(self.name, self.title, self.alt, self.svg(standalone=False))

    def svg(self, *, standalone: bool) -> str:
        """The figure as an SVG, by itself or for a page whose CSS holds the theme."""
        with quiet():
            return to_svg(self.figure, self.name, self.alt, self.tips, standalone=standalone)


def mark(results: Results, arm: str, palette: Palette = THEMED) -> Mark:
    """The arm's colour, marker and line, fixed by its place among all declared arms."""
    order = list(dict.fromkeys([*results.experiment.arms, *results.every_arm]))
    return mark_at(order.index(arm), palette)


def mark_at(place: int, palette: Palette = THEMED) -> Mark:
    """The mark of the arm at a place in the order of arms: markers differ among 14, marker and colour among 98."""
    lap = place // len(MARKERS)  # a full turn of the markers is two of the colours: shift them, or the 15th repeats
    colour = COLOURS[(place + lap) % len(COLOURS)]
    return Mark(palette.ink if colour == "ink" else colour, MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)])


@contextmanager
def quiet() -> Iterator[None]:
    """Names are text, never mathematics; a name in a script that the measuring font lacks is no reason to warn.

    The reader's own font draws the text of an SVG, matplotlib's only estimates its width.
    """
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False, "axes.unicode_minus": True}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        yield


def sheet(
    height: float,
    palette: Palette,
    *,
    left: float = 46,
    right: float = 10,
    bottom: float = 40,
    top: float = 8,
    title: str = "",
) -> tuple[Figure, Axes]:
    """A figure with one bare pair of axes; all lengths in units of the SVG.

    Args:
        height: of the axes.
        title: printed above, for figures that stand alone; the page has its own caption.
    """
    from matplotlib.figure import Figure

    lines = wrapped(title, WIDTH - 16, TEXT + 0.5, bold=True, most=4) if title else []
    top += 15 * len(lines) + (8 if lines else 0)
    total = top + height + bottom
    figure = Figure(figsize=(WIDTH / 72, total / 72), dpi=72)
    for i, line in enumerate(lines):
        figure.text(
            8 / WIDTH, 1 - (16 + 15 * i) / total, line, color=palette.ink, fontsize=TEXT + 0.5, fontweight="bold"
        )
    axes = figure.add_axes((left / WIDTH, bottom / total, (WIDTH - left - right) / WIDTH, height / total))
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(palette.muted)
    axes.tick_params(colors=palette.muted, labelsize=SMALL, length=3)
    axes.set_axisbelow(True)
    axes.xaxis.label.set_color(palette.ink)
    axes.xaxis.label.set_fontsize(TEXT)
    return figure, axes


def labelled(name: str, unit: str, direction: bool | None = None) -> str:
    """An axis label: name, unit and which way is better."""
    note = f" ({fitted(unit, 120, TEXT)})" if unit else ""
    note += "" if direction is None else " → higher is better" if direction else " → lower is better"
    room = WIDTH - 32
    return fitted(name, max(room, width(note, TEXT) + 60), TEXT, note=note)


def drawable(value: object) -> bool:
    """Whether a value can be placed on an axis: a finite number of a size that arithmetic on floats survives."""
    return isinstance(value, Real) and abs(float(value)) < 1e30  # false for NaN


def limits(values: Sequence[float], margin: float = 0.06) -> tuple[float, float]:
    """Axis limits around the values with some air; never of zero length."""
    low, high = min(values), max(values)
    pad = (high - low) * margin or max(abs(high) * margin, 1e-9)
    return low - pad, high + pad


def logarithmic(axes: Axes, which: Literal["x", "y"], low: float, high: float) -> None:
    """A logarithmic axis from `low` to `high` with plain numbers at round places."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if high / low < 200 else (1.0,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}" if 1e-4 <= value < 1e6 else f"{value:.0e}"))
    axis.set_minor_formatter(NullFormatter())


def legend(
    axes: Axes,
    palette: Palette,
    entries: Sequence[tuple[Any, str, str]],
    *,
    bold: Collection[str] = (),
) -> None:
    """A legend in two columns under the axes, read column by column.

    The columns are two legends at fixed places: one of both would set the second where matplotlib's font ends the
    first, and the reader's font is another.

    Args:
        entries: (handle, name, note); the name is cut to fit, the note is not.
        bold: names to emphasise.
    """
    from matplotlib.legend import Legend

    box, size = axes.get_position(), SMALL + 0.5
    half = (len(entries) + 1) // 2
    for column, found in enumerate((entries[:half], entries[half:])):
        left = 8 + column * WIDTH / 2
        labels = [
            fitted(name, WIDTH / 2 - 5 * size, size, bold=name in bold, note=f" ({note})" if note else "")
            for _, name, note in found
        ]
        drawn = Legend(
            axes,
            [handle for handle, _, _ in found],
            labels,
            loc="upper left",
            bbox_to_anchor=((left - box.x0 * WIDTH) / (box.width * WIDTH), -BELOW / HEIGHT),
            bbox_transform=axes.transAxes,
            frameon=False,
            fontsize=size,
            labelcolor=palette.ink,
            handlelength=2.6,
            borderaxespad=0,
            labelspacing=0.45,
        )
        for text, (_, name, _) in zip(drawn.get_texts(), found, strict=True):
            text.set_fontweight("bold" if name in bold else "normal")
        axes.add_artist(drawn)  # axes.legend() would keep the last one only


def chart(
    palette: Palette, label: str, entries: int, *, title: str = "", grid: Literal["y", "both"] = "y"
) -> tuple[Figure, Axes]:
    """A sheet for lines or points over two axes with a legend of `entries` underneath.

    Args:
        label: of the vertical axis, printed horizontally above it.
        title: printed above, for figures that stand alone.
    """
    from matplotlib.transforms import blended_transform_factory

    figure, axes = sheet(HEIGHT, palette, top=24, bottom=BELOW + 16.0 * ((entries + 1) // 2) + 4, title=title)
    axes.grid(axis=grid, color=palette.grid, linewidth=0.7)
    place = blended_transform_factory(figure.transFigure, axes.transAxes)
    axes.text(8 / WIDTH, 1.045, label, transform=place, fontsize=SMALL + 0.5, color=palette.ink, va="center")
    return figure, axes
