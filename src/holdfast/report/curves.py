"""Learning curves: the mean over replicates with a band of one standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.report.canvas import (
    Drawing,
    chart,
    drawable,
    labelled,
    legend,
    limits,
    logarithmic,
    mark,
)
from holdfast.report.svg import THEMED, Palette
from holdfast.report.wording import clean, number, with_unit
from holdfast.trials.results import Results

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

MOST_BANDS = 6  # beyond so many arms only those of the headline get a band: more would hide each other
POINTS = 120  # of a drawn curve at most: more cannot be told apart at this size


@dataclass(frozen=True)
class Band:
    """Curves of one arm on a common grid.

    Attributes:
        x, mean, sd: `(P,)` float64; mean is NaN where no replicate has a value, sd where fewer than two have.
        n: number of replicates; curves of one replicate at several swept points are averaged first.
        points: how many swept points that are.
        x_label: with its unit.
    """

    x: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    n: int
    points: int
    x_label: str


def curve_names(results: Results, problem: str) -> list[str]:
    """Names of the curves recorded on a problem, in order of first appearance."""
    return list(dict.fromkeys(name for r in results.finished if r.problem == problem for name in r.curves))


def bands(results: Results, problem: str, name: str) -> dict[str, Band]:
    """Arm -> its band; arms without a single finite point are left out."""
    found = {}
    for arm in results.arms(problem):
        curves: dict[int | None, list[Mapping[str, Any]]] = {}
        for r in results.finished:
            if r.problem == problem and r.arm == arm and name in r.curves:
                curves.setdefault(r.replicate, []).append(r.curves[name])
        band = _band(list(curves.values()))
        if band is not None:
            found[arm] = band
    return found


def _band(curves: list[list[Mapping[str, Any]]]) -> Band | None:
    """Every curve, interpolated inside its own range only, on the union of their places.

    Args:
        curves: those of each replicate, one per swept point.
    """
    import numpy as np

    replicates = [[pair for curve in own if (pair := _pair(curve)) is not None] for own in curves]
    replicates = [own for own in replicates if own]
    if not replicates:
        return None
    grid = np.unique(np.concatenate([x for own in replicates for x, _ in own]))
    if len(grid) > POINTS:
        grid = grid[np.unique(np.linspace(0, len(grid) - 1, POINTS).round().astype(int))]
    each = [np.stack([np.interp(grid, x, y, left=np.nan, right=np.nan) for x, y in own]) for own in replicates]
    stack = np.stack([_mean(own) for own in each])  # (n, P)
    count, mean = np.isfinite(stack).sum(axis=0), _mean(stack)
    squares = np.nansum((stack - mean) ** 2, axis=0)
    variance = np.divide(squares, count - 1, out=np.full(len(grid), np.nan), where=count > 1)
    label = clean(curves[0][0].get("x_label", ""))
    return Band(grid, mean, np.sqrt(variance), len(stack), max(map(len, each)), label)


def _pair(curve: Mapping[str, Any]) -> np.ndarray | None:
    """The points of a curve that can be drawn, `(2, P)`, along x; None where there is none."""
    import numpy as np

    points = [(x, y) for x, y in zip(curve["x"], curve["y"], strict=False) if drawable(x) and drawable(y)]
    return np.asarray(sorted(points), dtype=float).T if points else None


def _mean(stack: np.ndarray) -> np.ndarray:
    """Mean over the rows that have a value, NaN where none has: `(n, P)` to `(P,)`."""
    import numpy as np

    count = np.isfinite(stack).sum(axis=0)
    return np.divide(np.nansum(stack, axis=0), count, out=np.full(stack.shape[1], np.nan), where=count > 0)


def learning_curves(
    results: Results, problem: str, curve: str, name: str, palette: Palette = THEMED, *, titled: bool = False
) -> Drawing | None:
    """One line per arm with its band; None where no arm has a finite point.

    Args:
        curve: name of the curve.
        name: of the drawing, unique on a page.
        titled: print the title inside, for a figure that stands alone.
    """
    found = bands(results, problem, curve)
    if not found:
        return None
    unit = results.metric(curve).unit
    title = _title(found, problem, curve, unit)
    figure, axes = chart(palette, labelled(curve, unit), len(found), title=title if titled else "")
    axes.set_xlabel(next(iter(found.values())).x_label)
    emphasised = results.named_in_headline(found)
    most = max(band.n for band in found.values())
    entries = []
    for place, (arm, band) in enumerate(found.items()):
        bold = arm in emphasised
        banded = bold or len(found) <= MOST_BANDS
        handle = _line(axes, results, arm, band, place, palette, bold=bold, banded=banded)
        entries.append((handle, arm, "" if band.n == most else f"n={band.n}"))
    _scale(axes, found)
    legend(axes, palette, entries)
    return Drawing(name, title, _alt(found, curve, unit, title), figure)


def _line(
    axes: Axes, results: Results, arm: str, band: Band, place: int, palette: Palette, *, bold: bool, banded: bool
) -> Any:
    look = mark(results, arm, palette)
    step = max(1, len(band.x) // 6)
    (handle,) = axes.plot(
        band.x, band.mean, color=look.colour, linestyle=look.dashes, linewidth=2.2 if bold else 1.2,
        marker=look.marker, markersize=4.5, markevery=(place * 2 % step, step), zorder=4 if bold else 3,
    )  # fmt: skip
    if banded and band.n > 1:
        low, high = band.mean - band.sd, band.mean + band.sd
        axes.fill_between(band.x, low, high, color=look.colour, alpha=0.16 if bold else 0.09, linewidth=0, zorder=2)
    return handle


def _scale(axes: Axes, found: Mapping[str, Band]) -> None:
    """Logarithmic where the means span more than a factor of 500; limits follow the means and bands."""
    import numpy as np

    means = np.concatenate([band.mean for band in found.values()])
    means = means[np.isfinite(means)]
    low, high = float(means.min()), float(means.max())
    xs = [float(end) for band in found.values() for end in (band.x[0], band.x[-1])]
    axes.set_xlim(*limits(xs, 0.03))
    if low > 0 and high / low > 500:
        logarithmic(axes, "y", low / 1.5, high * 1.5)
    else:
        edges = [float(v) for b in found.values() for v in (np.nanmin(b.mean), np.nanmax(b.mean))]
        edges += [float(v) for b in found.values() for v in (b.mean - b.sd, b.mean + b.sd) for v in v if np.isfinite(v)]
        axes.set_ylim(*limits(edges))


def _last(band: Band) -> float:
    import numpy as np

    return float(band.mean[np.isfinite(band.mean)][-1])


def _title(found: Mapping[str, Band], problem: str, curve: str, unit: str) -> str:
    ends = sorted(found, key=lambda arm: _last(found[arm]))
    n = sorted({band.n for band in found.values()})
    many = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    points = max(band.points for band in found.values())
    many += f", mean over {points} swept points" if points > 1 else ""
    top, bottom = (f"{arm} ({with_unit(number(_last(found[arm])), unit)})" for arm in (ends[-1], ends[0]))
    if len(ends) == 1:
        return f"{curve} on {problem} ends at {top}; {many}"
    return f"{curve} on {problem} ends highest for {top}, lowest for {bottom}; {many}"


def _alt(found: Mapping[str, Band], curve: str, unit: str, title: str) -> str:
    said = [f"{arm} from {number(float(b.mean[0]))} to {number(_last(b))}" for arm, b in found.items()]
    head = f"{title}. Line: mean of {with_unit(curve, f'in {unit}' if unit else '')}; band: one standard deviation. "
    return head + "; ".join(said) + "."
