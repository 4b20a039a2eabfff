"""The mean of every arm from run to run: what rose, what fell, and whether their order changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.report.canvas import SMALL, WIDTH, Drawing, chart, drawable, labelled, legend, limits, mark_at
from holdfast.report.comparison import Comparison, Row
from holdfast.report.lettering import fitted
from holdfast.report.svg import THEMED, Palette
from holdfast.report.wording import number, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREAD = 0.16  # of the places of arms around their run, so that bars do not cover each other


def slopes(comparison: Comparison, problem: str, metric: str, name: str, palette: Palette = THEMED) -> Drawing | None:
    """One line per arm over the runs, bars of one standard deviation; None where no arm has two values.

    Args:
        name: of the drawing, unique on a page.
    """
    rows = [
        row
        for row in comparison.overall(problem, metric)
        if sum(spread is not None and drawable(spread.mean) for spread in row.spreads) > 1
    ]
    if not rows:
        return None
    declared = comparison.metric(metric)
    label = labelled(metric, declared.unit, declared.higher_is_better)
    figure, axes = chart(palette, label, len(rows))
    entries = [_line(axes, comparison, row, i, len(rows), palette) for i, row in enumerate(rows)]
    room = 0.8 * WIDTH / len(comparison.sides)
    axes.set_xticks(range(len(comparison.sides)), [_tick(side.letter, side.name, room) for side in comparison.sides])
    axes.set_xlim(*limits([0.0, len(comparison.sides) - 1.0], 0.16))
    axes.margins(y=0.08)
    legend(axes, palette, entries)
    title = slopes_title(comparison, problem, metric, rows)
    return Drawing(name, title, _alt(comparison, rows, declared.unit, title), figure)


def slopes_title(comparison: Comparison, problem: str, metric: str, rows: list[Row]) -> str:
    """The message: which arm is best in each run."""
    higher = comparison.metric(metric).higher_is_better
    best = []
    for place, side in enumerate(comparison.sides):
        means = {r.arm: s.mean for r in rows if (s := r.spreads[place]) is not None and drawable(s.mean)}
        if means:
            arm = (max if higher else min)(means, key=lambda a: means[a])
            best.append((side.letter, arm, means[arm]))
    unit = comparison.metric(metric).unit
    if len({arm for _, arm, _ in best}) == 1:
        values = ", ".join(f"{letter} {with_unit(number(value), unit)}" for letter, _, value in best)
        return f"Best mean {metric} on {problem} in every run: {best[0][1]} ({values})"
    told = "; ".join(f"{letter}: {arm} ({with_unit(number(value), unit)})" for letter, arm, value in best)
    return f"Best mean {metric} on {problem} changes. {told}"


def _line(
    axes: Axes, comparison: Comparison, row: Row, place: int, many: int, palette: Palette
) -> tuple[Any, str, str]:
    look = mark_at(comparison.arms.index(row.arm), palette)
    shift = SPREAD * (place - (many - 1) / 2) / max(1, many - 1)
    drawn = [(i + shift, s) for i, s in enumerate(row.spreads) if s is not None and drawable(s.mean)]
    for x, spread in drawn:
        if drawable(spread.sd):
            ends = [spread.mean - spread.sd, spread.mean + spread.sd]
            axes.plot([x, x], ends, color=look.colour, linewidth=1, alpha=0.6, zorder=2)
    (handle,) = axes.plot(
        [x for x, _ in drawn], [s.mean for _, s in drawn], color=look.colour, linestyle=look.dashes, linewidth=1.5,
        marker=look.marker, markersize=6, zorder=4,
    )  # fmt: skip
    counts = sorted({s.n for _, s in drawn})
    many_n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}..{counts[-1]}"
    return handle, row.arm, f"n={many_n}"


def _tick(letter: str, name: str, room: float) -> str:
    return f"{letter}\n{fitted(name, room, SMALL)}"


def _alt(comparison: Comparison, rows: list[Row], unit: str, title: str) -> str:
    said = [
        f"{row.arm}: "
        + ", ".join(
            f"{side.letter} {with_unit(str(s), unit)} (n = {s.n})"
            for side, s in zip(comparison.sides, row.spreads, strict=True)
            if s is not None
        )
        for row in rows
    ]
    return f"{title}. Mean and standard deviation over replicates: " + "; ".join(said) + "."
