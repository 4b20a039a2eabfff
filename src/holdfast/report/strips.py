"""Every replicate of every arm, nothing hidden behind a mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.report.canvas import TEXT, WIDTH, Drawing, drawable, labelled, limits, mark, sheet
from holdfast.report.lettering import fitted, width
from holdfast.report.summary import ArmRow, arm_rows, values_of
from holdfast.report.svg import THEMED, Palette
from holdfast.report.wording import is_finite, number, with_unit
from holdfast.trials.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 33.0
_JITTER = (0.0, 0.085, -0.085, 0.045, -0.045)  # by place in the row, so that equal values stay countable


def strip(
    results: Results, problem: str, metric: str, name: str, palette: Palette = THEMED, *, titled: bool = False
) -> Drawing:
    """One row per arm, best mean first: a mark per replicate, a bar at the mean, failed trials as crosses.

    Args:
        name: of the drawing, unique on a page.
        titled: print the title inside, for a figure that stands alone.
    """
    rows = _ranked(results, problem, metric)
    title = strip_title(results, problem, metric, rows)
    figure, axes = sheet(ROW * max(1, len(rows)), palette, left=10, right=12, bottom=38, title=title if titled else "")
    values = {row.arm: values_of(results, metric, row.arm, problem) for row in rows}
    shown = [v for found in values.values() for v in found.values() if drawable(v)]
    unit = results.metric(metric).unit
    axes.set_ylim(len(rows) - 0.5, -0.55)
    axes.set_yticks([])
    axes.grid(axis="x", color=palette.grid, linewidth=0.7)
    axes.set_xlabel(labelled(metric, unit, results.metric(metric).higher_is_better))
    low, high = limits(shown or [0.0, 1.0])
    most = max((row.failed for row in rows), default=0)
    axes.set_xlim(low - (high - low) * min(0.3, 0.03 * most), high)
    emphasised = results.named_in_headline(values)
    tips = {}
    for place, row in enumerate(rows):
        _label(axes, place, row, metric, palette, bold=row.arm in emphasised)
        _crosses(axes, place, row.failed, palette)
        drawn = {k: v for k, v in values[row.arm].items() if drawable(v)}
        _dots(axes, place, drawn, results, row.arm, palette)
        if drawn:
            axes.plot([row.metrics[metric].mean] * 2, [place, place + 0.3], color=palette.ink, linewidth=2)
        tips[f"tips-{place}"] = [_tip(replicate, value, unit) for replicate, value in drawn.items()]
    return Drawing(name, title, _alt(rows, metric, unit, title), figure, tips)


def strip_title(results: Results, problem: str, metric: str, rows: list[ArmRow]) -> str:
    """The message of a strip plot: which arm has the best mean, with its spread and n."""
    measured = [row for row in rows if row.metrics[metric].n]
    where = f"{metric} on {problem}"
    if not measured:
        return f"No trial measured {where}"
    best = [row for row in measured if metric in row.best] or measured[:1]
    found = best[0].metrics[metric]
    value = f"{with_unit(str(found), results.metric(metric).unit)} (n = {found.n})"
    if len(measured) == 1:
        return f"{best[0].arm}: {where} is {value}"
    return f"{' and '.join(row.arm for row in best)}: best mean {where}, {value}"


def _ranked(results: Results, problem: str, metric: str) -> list[ArmRow]:
    """Best mean first; arms without a value last, in declared order."""
    sign = -1 if results.metric(metric).higher_is_better else 1
    rows = [r for r in arm_rows(results, problem) if metric in r.metrics and (r.metrics[metric].n or r.failed)]
    return sorted(rows, key=lambda r: sign * r.metrics[metric].mean if r.metrics[metric].n else float("inf"))


def _dots(
    axes: Axes, place: int, drawn: Mapping[int | None, float], results: Results, arm: str, palette: Palette
) -> None:
    look = mark(results, arm, palette)
    heights = [place + 0.14 + _JITTER[i % len(_JITTER)] for i in range(len(drawn))]
    dots = axes.scatter(
        list(drawn.values()), heights, s=20, color=look.colour, marker=look.marker, alpha=0.75, linewidths=0, zorder=3
    )
    dots.set_gid(f"tips-{place}")


def _label(axes: Axes, place: int, row: ArmRow, metric: str, palette: Palette, *, bold: bool) -> None:
    found = row.metrics[metric]
    lost = row.trials // max(1, row.points) - found.n - row.failed
    notes = ["deterministic" if row.deterministic and found.n else f"n = {found.n}"]
    notes += [f"{row.failed} failed"] if row.failed else []
    notes += [f"{lost} not finite"] if lost > 0 else []
    across = axes.get_yaxis_transform()
    facts = f"{found}  ({', '.join(notes)})"
    room = WIDTH - 42 - width(facts, TEXT - 1)
    weight = "bold" if bold else "normal"
    axes.text(
        0, place - 0.27, fitted(row.arm, room, TEXT, bold=bold), transform=across, color=palette.ink, fontsize=TEXT,
        weight=weight, va="center",
    )  # fmt: skip
    axes.text(
        1, place - 0.27, facts, transform=across, color=palette.muted, fontsize=TEXT - 1,
        ha="right", va="center",
    )  # fmt: skip


def _crosses(axes: Axes, place: int, failed: int, palette: Palette) -> None:
    if failed:
        shown = min(failed, 10)
        axes.scatter(
            [0.008 + 0.024 * i for i in range(shown)], [place + 0.14] * shown, transform=axes.get_yaxis_transform(),
            marker="x", s=18, color=palette.failed, linewidths=1.4, zorder=4,
        )  # fmt: skip


def _tip(replicate: int | None, value: float, unit: str) -> str:
    who = "deterministic" if replicate is None else f"replicate {replicate}"
    return f"{who}: {with_unit(number(value), unit)}"


def _alt(rows: list[ArmRow], metric: str, unit: str, title: str) -> str:
    said = [
        f"{row.arm} {with_unit(str(row.metrics[metric]), unit)}, n = {row.metrics[metric].n}"
        + (f", {row.failed} failed" if row.failed else "")
        for row in rows
        if is_finite(row.metrics[metric].mean) or row.failed
    ]
    return f"{title}. Mean and standard deviation over replicates: " + "; ".join(said) + "."
