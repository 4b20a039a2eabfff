"""Differences between runs as a figure: every pair of replicates, the mean and its interval, arm by arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.report.canvas import SMALL, TEXT, WIDTH, Drawing, drawable, labelled, limits, mark_at, sheet
from holdfast.report.comparison import EVERY_POINT, Comparison, Difference, Row
from holdfast.report.comparison_words import change, towards
from holdfast.report.lettering import fitted, width
from holdfast.report.svg import THEMED, Palette
from holdfast.report.wording import number, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD, BAR, GAP = 14.0, 17.0, 8.0
_JITTER = (0.0, 2.2, -2.2, 1.1, -1.1)  # by place in the row, so that equal values stay countable

Place = tuple[int, Difference]  # of the run, and its difference to the first


def differences(
    comparison: Comparison, problem: str, metric: str, name: str, palette: Palette = THEMED
) -> Drawing | None:
    """A row per arm and a line per run in it; None where no difference can be drawn.

    Args:
        name: of the drawing, unique on a page.
    """
    rows = []
    for row in comparison.overall(problem, metric):
        places = [(i, d) for i, d in enumerate(row.differences) if d is not None and drawable(d.mean)]
        if places:
            rows.append((row, places))
    if not rows:
        return None
    unit, first = comparison.metric(metric).unit, comparison.first.letter
    height = sum(_tall(places) for _, places in rows)
    figure, axes = sheet(height, palette, left=10, right=12, bottom=38)
    axes.set_ylim(height, 0)
    axes.set_yticks([])
    axes.grid(axis="x", color=palette.grid, linewidth=0.7)
    what = f"{metric}, difference to {first}"
    axes.set_xlabel(labelled(what, unit, comparison.metric(metric).higher_is_better))
    axes.set_xlim(*_range([d for _, places in rows for _, d in places]))
    axes.plot([0, 0], [0, height], color=palette.muted, linewidth=1, dashes=(2, 2), zorder=1.5)
    top = 0.0
    tips: dict[str, list[str]] = {}
    for row, places in rows:
        _words(axes, top / height, row, places, comparison, palette)
        for line, (place, found) in enumerate(places):
            gid = f"tips-{len(tips)}"
            y = top + HEAD * len(places) + BAR * (line + 0.5)
            _bar(axes, y, place, found, gid, palette)
            if len(comparison.others) > 1:
                _letter(axes, y, comparison.sides[place].letter, palette)
            tips[gid] = [_tip(replicate, value, unit) for replicate, value in found.values.items() if drawable(value)]
        top += _tall(places)
    title = differences_title(comparison, problem, metric, [row for row, _ in rows])
    return Drawing(name, title, _alt(rows, comparison, unit, title), figure, tips)


def differences_title(comparison: Comparison, problem: str, metric: str, rows: Sequence[Row]) -> str:
    """The message: for how many arms each run is better or worse than the first."""
    higher = comparison.metric(metric).higher_is_better
    said = []
    for place, side in enumerate(comparison.sides):
        found = [row.differences[place] for row in rows if row.differences[place]]
        if found:
            words = [towards(d, higher) for d in found]
            open_ = len(words) - words.count("better") - words.count("worse")
            counts = [
                (words.count("better"), "better"),
                (words.count("worse"), "worse"),
                (open_, "not clearly different"),
            ]
            told = ", ".join(f"{n} {word}" for n, word in counts if n)
            said.append(f"{side.letter} against {comparison.first.letter}: of {len(words)} arms, {told}")
    averaged = ", mean over points" if any(row.point == EVERY_POINT for row in rows) else ""
    return f"{metric} on {problem}{averaged}. {'; '.join(said)}"


def _tall(places: Sequence[Place]) -> float:
    return (HEAD + BAR) * len(places) + GAP


def _range(found: Sequence[Difference]) -> tuple[float, float]:
    ends = [e for d in found for e in (d.mean, *(d.interval or ()), *d.values.values()) if drawable(e)]
    return limits([0.0, *ends], 0.06) if any(ends) else (-1.0, 1.0)


def _words(axes: Axes, top: float, row: Row, places: Sequence[Place], comparison: Comparison, palette: Palette) -> None:
    """The arm at the left; at the right the numbers, a line per run."""
    height = axes.get_ylim()[0]
    metric = comparison.metric(row.metric)
    for line, (place, found) in enumerate(places):
        y = 1 - top - HEAD * (line + 0.55) / height
        letter = f"{comparison.sides[place].letter}: " if len(comparison.others) > 1 else ""
        word = towards(found, metric.higher_is_better)
        told = f"{letter}{change(found, '')}{f', {word}' if word else ''} ({found.how})"
        if line == 0:
            name = fitted(row.arm, WIDTH - 42 - width(told, SMALL + 0.3), TEXT)
            axes.text(0, y, name, transform=axes.transAxes, color=palette.ink, fontsize=TEXT, va="center")
        axes.text(
            1, y, told, transform=axes.transAxes, color=palette.ink if word else palette.muted,
            fontsize=SMALL + 0.3, ha="right", va="center",
        )  # fmt: skip


def _bar(axes: Axes, y: float, place: int, found: Difference, gid: str, palette: Palette) -> None:
    look = mark_at(place - 1, palette)
    drawn = [value for value in found.values.values() if drawable(value)]
    if drawn:
        heights = [y + _JITTER[i % len(_JITTER)] for i in range(len(drawn))]
        dots = axes.scatter(drawn, heights, s=13, color=look.colour, alpha=0.4, linewidths=0, zorder=2)
        dots.set_gid(gid)
    if found.interval is not None and all(map(drawable, found.interval)):
        axes.plot(found.interval, [y, y], color=palette.ink, linewidth=1.6, marker="|", markersize=7, zorder=3)
    # A filled mark leaves zero out: told apart without colour.
    axes.plot(
        [found.mean], [y], marker=look.marker, markersize=7, color=look.colour, linestyle="none", zorder=4,
        markerfacecolor=look.colour if found.clear else palette.paper, markeredgewidth=1.4,
    )  # fmt: skip


def _letter(axes: Axes, y: float, letter: str, palette: Palette) -> None:
    axes.text(
        0, y, letter, transform=axes.get_yaxis_transform(), color=palette.muted, fontsize=SMALL, va="center",
    )  # fmt: skip


def _tip(replicate: int | None, value: float, unit: str) -> str:
    who = "deterministic" if replicate is None else f"replicate {replicate}"
    return f"{who}: {with_unit(number(value, signed=True), unit)}"


def _alt(rows: Sequence[tuple[Row, Sequence[Place]]], comparison: Comparison, unit: str, title: str) -> str:
    said = [
        f"{row.arm}: {'; '.join(f'{comparison.sides[i].letter} {change(d, unit)}, {d.how}' for i, d in places)}"
        for row, places in rows
    ]
    return f"{title}. Mean difference with its 95 % interval: " + "; ".join(said) + "."
