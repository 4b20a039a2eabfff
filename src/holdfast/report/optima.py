"""Where the best value of one swept parameter lies as another one changes: the figure of a claim on that shift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.experiment.claims.scales import Log2
from holdfast.experiment.claims.sweeps import ShiftOfArgmin
from holdfast.report.canvas import Drawing, drawable, labelled, limits, logarithmic, mark_at
from holdfast.report.panels import entitle, finish, panels
from holdfast.report.svg import THEMED, Palette
from holdfast.report.wording import number
from holdfast.trials.results import Results

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Line:
    """A metric over the places of a sweep, at one value of the other parameter.

    Attributes:
        at: `(K,)` places; values: `(n, K)`, one row per replicate that has them all.
        best: coordinate of each replicate's optimum, `(n,)`; NaN where it is off the grid.
    """

    at: np.ndarray
    values: np.ndarray
    best: np.ndarray


@dataclass(frozen=True)
class Sweep:
    """What one figure shows: claims that differ in nothing but their arm.

    Attributes:
        claims: arm -> its claim.
    """

    problem: str
    claims: Mapping[str, ShiftOfArgmin]

    @property
    def claim(self) -> ShiftOfArgmin:
        return next(iter(self.claims.values()))


def sweeps(results: Results) -> list[Sweep]:
    """The sweeps that claims are about, in the order of the claims."""
    found: dict[tuple[Any, ...], dict[str, ShiftOfArgmin]] = {}
    for claim in results.experiment.claims:
        if isinstance(claim, ShiftOfArgmin):
            for problem in (
                results.problems if claim.on is None else [claim.on] if isinstance(claim.on, str) else claim.on
            ):
                key = (problem, claim.metric, claim.of, claim.along, tuple(sorted(claim.at.items())))
                found.setdefault(key, {}).setdefault(claim.arm, claim)
    return [Sweep(str(key[0]), claims) for key, claims in found.items()]


def headline_sweep(results: Results) -> Sweep | None:
    """The sweep of the headline claim, if it is about one."""
    for sweep in sweeps(results):
        if any(claim.role == "headline" for claim in sweep.claims.values()):
            return sweep
    return None


def optima(
    results: Results, sweep: Sweep, name: str, palette: Palette = THEMED, *, titled: bool = False
) -> Drawing | None:
    """A panel per arm, a line per value of the parameter along which the optimum may move; None without records.

    A line is the mean over replicates (geometric on a logarithmic axis); a ring marks the mean of the replicates'
    optima, as the claim finds them, at the height of the lowest mean, with a bar of one standard deviation.

    Args:
        name: of the drawing, unique on a page.
        titled: print the title inside, for a figure that stands alone.
    """
    found = {arm: lines for arm in sweep.claims if (lines := _lines(results, sweep, arm))}
    if not found:
        return None
    title, claim = _title(found, sweep), sweep.claim
    values = list(dict.fromkeys(value for lines in found.values() for value in lines))
    entries = [f"{claim.along} {value}" for value in values]
    figure, axes = panels(palette, _label(results, claim), list(found), entries, title=title if titled else "")
    span = _span(found)
    for each, (arm, lines) in zip(axes, found.items(), strict=True):
        _draw(each, lines, values, claim, palette, span=span)
        bold = arm in results.named_in_headline([arm])
        entitle(each, arm, f"shift {_shift(lines, claim)}", palette, bold=bold)
    finish(axes, claim.of)
    return Drawing(name, title, _alt(found, sweep, title), figure)


# --------------------------------------------------------------------------------------------------------------- values
def _lines(results: Results, sweep: Sweep, arm: str) -> dict[Any, Line]:
    """Value of the parameter along which the optimum may move -> its line; those with fewer than three places are
    left out."""
    import numpy as np

    claim = sweep.claim
    cells: dict[Any, dict[int | None, dict[float, float]]] = {}
    for r in results.finished:
        if r.problem == sweep.problem and r.arm == arm and claim.metric in r.scalars:
            point = dict(r.point)
            place, value = point.pop(claim.of, None), point.pop(claim.along, None)
            if all(point.get(k) == v for k, v in claim.at.items()) and drawable(place):
                cells.setdefault(value, {}).setdefault(r.replicate, {})[float(str(place))] = r.scalars[claim.metric]
    sign = -1.0 if results.metric(claim.metric).higher_is_better else 1.0
    lines = {}
    for value in sorted(cells, key=lambda v: (isinstance(v, str), v)):
        places = sorted(set().union(*cells[value].values()))
        whole = [[own[p] for p in places] for own in cells[value].values() if len(own) == len(places)]
        whole = [row for row in whole if all(drawable(v) for v in row)]
        if len(places) > 2 and whole:
            at, stack = np.asarray(places), np.asarray(whole, float)
            best = claim.optimum(np.asarray(claim.axis(at)), sign * stack.T)
            lines[value] = Line(at, stack, np.asarray(best, float))
    return lines


def _shift(lines: Mapping[Any, Line], claim: ShiftOfArgmin) -> str:
    """How far the mean optimum moves between the claim's two values, in words."""
    import numpy as np

    ends = [lines.get(value) for value in (claim.start, claim.end)]
    means = [float(np.nanmean(e.best)) if e is not None and np.isfinite(e.best).any() else float("nan") for e in ends]
    moved = means[1] - means[0]
    if not np.isfinite(moved):
        return "off the grid"
    return f"{number(moved, signed=True)} {claim.axis.unit(claim.of)}"


def _mean(line: Line, *, log: bool) -> np.ndarray:
    import numpy as np

    return np.exp(np.log(line.values).mean(axis=0)) if log else line.values.mean(axis=0)


def _span(found: Mapping[str, Mapping[Any, Line]]) -> tuple[float, float, bool]:
    """Limits of the vertical axis, and whether it is logarithmic: where values span more than a factor of 8."""
    import numpy as np

    every = [line for lines in found.values() for line in lines.values()]
    log = min(float(line.values.min()) for line in every) > 0
    means = np.concatenate([_mean(line, log=log) for line in every])
    low, high = float(means.min()), float(means.max())
    if log and high / low > 8:
        return low / 1.3, high * 1.3, True
    means = np.concatenate([_mean(line, log=False) for line in every])
    return *limits([float(means.min()), float(means.max())]), False


# -------------------------------------------------------------------------------------------------------------- drawing
def _draw(
    axes: Axes,
    lines: Mapping[Any, Line],
    values: Sequence[Any],
    claim: ShiftOfArgmin,
    palette: Palette,
    *,
    span: tuple[float, float, bool],
) -> None:
    import numpy as np

    low, high, log = span
    axes.set_ylim(low, high)
    if log:
        logarithmic(axes, "y", low, high)
    places = sorted({float(p) for line in lines.values() for p in line.at})
    coordinates = [float(claim.axis(p)) for p in places]
    for value, line in lines.items():
        look, mean = mark_at(values.index(value), palette), _mean(line, log=log)
        x = np.asarray(claim.axis(line.at), float)
        axes.plot(x, mean, color=look.colour, marker=look.marker, linestyle=look.dashes, linewidth=1.3, markersize=3)
        best = line.best[np.isfinite(line.best)]
        if len(best):
            lowest = float(mean[np.argmin(np.abs(x - best.mean()))])
            spread = float(best.std(ddof=1)) if len(best) > 1 else 0.0
            axes.plot(
                [best.mean() - spread, best.mean() + spread], [lowest] * 2, color=look.colour, linewidth=2.4, zorder=4
            )
            axes.plot(
                [best.mean()], [lowest], marker="o", markersize=9, fillstyle="none", markeredgewidth=1.5,
                color=look.colour, linestyle="none", zorder=5,
            )  # fmt: skip
    axes.set_xlim(*limits(coordinates, 0.05))
    step = max(1, -(-len(places) // 4))
    shown = list(range(0, len(places), step))
    axes.set_xticks([coordinates[i] for i in shown], [_place(places[i], claim) for i in shown])


def _place(place: float, claim: ShiftOfArgmin) -> str:
    """2⁻⁷ where the axis counts doublings and the place is one, else the number."""
    power = float(claim.axis(place))
    if isinstance(claim.axis, Log2) and power == round(power):
        return "2" + str(round(power)).translate(_SUPERSCRIPT)
    return number(place)


# ---------------------------------------------------------------------------------------------------------------- words
def _label(results: Results, claim: ShiftOfArgmin) -> str:
    declared = results.metric(claim.metric)
    return labelled(claim.metric, declared.unit, declared.higher_is_better)


def _title(found: Mapping[str, Mapping[Any, Line]], sweep: Sweep) -> str:
    """What the arm of the first claim does."""
    claim = sweep.claim
    arm = claim.arm if claim.arm in found else next(iter(found))
    n = sorted({len(line.values) for lines in found.values() for line in lines.values()})
    many = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    span = f"from {claim.along} {claim.start} to {claim.end}"
    return f"Shift of {arm}'s best {claim.of} {span} on {sweep.problem}: {_shift(found[arm], claim)}; {many}"


def _alt(found: Mapping[str, Mapping[Any, Line]], sweep: Sweep, title: str) -> str:
    return (
        f"{title}. {sweep.claim.metric} over {sweep.claim.of}, a line per {sweep.claim.along}. "
        + "; ".join(_said(found, sweep))
        + "."
    )


def _said(found: Mapping[str, Mapping[Any, Line]], sweep: Sweep) -> Iterator[str]:
    import numpy as np

    for arm, lines in found.items():
        each = []
        for value, line in lines.items():
            best = line.best[np.isfinite(line.best)]
            where = f"{number(float(best.mean()))}" if len(best) else "off the grid"
            each.append(f"at {sweep.claim.along} {value} {where}")
        yield f"{arm}, best {sweep.claim.of} ({sweep.claim.axis.unit(sweep.claim.of)}): {', '.join(each)}"
