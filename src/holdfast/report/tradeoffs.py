"""Cost against benefit, and a metric along a swept parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from holdfast.report.canvas import (
    SMALL,
    WIDTH,
    Drawing,
    chart,
    drawable,
    labelled,
    legend,
    limits,
    logarithmic,
    mark,
)
from holdfast.report.lettering import fitted
from holdfast.report.summary import Spread, arm_rows, pareto_front
from holdfast.report.svg import THEMED, Palette
from holdfast.report.wording import duration, is_finite, number, with_unit
from holdfast.report.wording import point as in_words
from holdfast.trials.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def cost_benefit(
    results: Results, problem: str, metric: str, name: str, palette: Palette = THEMED, *, titled: bool = False
) -> Drawing | None:
    """Seconds per trial against a metric with the Pareto front; None where fewer than two arms have both.

    Args:
        name: of the drawing, unique on a page.
        titled: print the title inside, for a figure that stands alone.
    """
    rows = {row.arm: row for row in arm_rows(results, problem)}
    both = {
        arm: (row.costs["seconds"].mean, row.metrics[metric].mean)
        for arm, row in rows.items()
        if "seconds" in row.costs and metric in row.metrics
    }
    both = {arm: pair for arm, pair in both.items() if all(drawable(v) for v in pair)}
    if len(both) < 2:
        return None
    declared = results.metric(metric)
    front = pareto_front(both, higher_is_better=declared.higher_is_better)
    counts = sorted({rows[arm].metrics[metric].n for arm in both})
    many = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    title = f"{_front_title(front, len(both), metric, problem)}; {many}"
    label = labelled(metric, declared.unit, declared.higher_is_better)
    figure, axes = chart(palette, label, len(both), title=title if titled else "", grid="both")
    entries = _arms(axes, results, both, {arm: rows[arm].metrics[metric] for arm in both}, palette)
    _frame(axes, both, front, palette)
    axes.set_xlabel("seconds per trial (mean) → fewer is cheaper")
    legend(axes, palette, entries, bold=front)
    said = [
        f"{arm}: {duration(cost)}, {with_unit(str(rows[arm].metrics[metric]), declared.unit)}"
        for arm, (cost, _) in both.items()
    ]
    return Drawing(name, title, f"{title} (the Pareto front). " + "; ".join(said) + ".", figure)


def _front_title(front: list[str], arms: int, metric: str, problem: str) -> str:
    """The message; names only where a reader can take them in."""
    if len(front) > 4:
        return f"{metric} on {problem} costs time: {len(front)} of {arms} arms are on the Pareto front"
    return f"Nothing on {problem} gives better {metric} in less time than: {', '.join(front)}"


def _arms(
    axes: Axes,
    results: Results,
    both: Mapping[str, tuple[float, float]],
    spreads: Mapping[str, Spread],
    palette: Palette,
) -> list[tuple[Any, str, str]]:
    entries = []
    for arm, (cost, gain) in both.items():
        look, sd = mark(results, arm, palette), spreads[arm].sd
        if drawable(sd):
            axes.plot([cost, cost], [gain - sd, gain + sd], color=look.colour, linewidth=1.1, alpha=0.7)
        (handle,) = axes.plot(
            [cost], [gain], color=look.colour, marker=look.marker, markersize=8, linestyle="none", zorder=4
        )
        entries.append((handle, arm, ""))
    return entries


def _frame(axes: Axes, both: Mapping[str, tuple[float, float]], front: list[str], palette: Palette) -> None:
    """The front as a staircase; a logarithmic cost axis where costs span more than a factor of 8."""
    costs = [cost for cost, _ in both.values()]
    axes.plot(
        *zip(*[both[arm] for arm in front], strict=True), drawstyle="steps-post", color=palette.ink,
        linewidth=1.2, linestyle=(0, (4, 2)), zorder=2,
    )  # fmt: skip
    if min(costs) > 0 and max(costs) / min(costs) > 8:
        logarithmic(axes, "x", min(costs) / 1.4, max(costs) * 1.4)
    else:
        axes.set_xlim(*limits(costs, 0.1))
    axes.margins(y=0.1)


def swept(
    results: Results,
    problem: str,
    metric: str,
    parameter: str,
    rest: Mapping[str, Any],
    name: str,
    palette: Palette = THEMED,
    *,
    titled: bool = False,
) -> Drawing | None:
    """A metric along a swept parameter, one line per arm; None where no arm has two places.

    Args:
        parameter: the one along the axis; rest: the fixed values of the others.
        name: of the drawing, unique on a page.
        titled: print the title inside, for a figure that stands alone.
    """
    measured = [r.point.get(parameter) for r in results.finished if r.problem == problem and metric in r.scalars]
    places = [place for place in results.experiment.points.get(parameter, ()) if place in measured]
    found: dict[str, dict[int, Spread]] = {}
    for arm in results.arms(problem):
        along = {
            i: Spread.of(
                r.scalars[metric]
                for r in results.finished
                if r.arm == arm
                and r.problem == problem
                and metric in r.scalars
                and r.point == {**rest, parameter: place}
            )
            for i, place in enumerate(places)
        }
        found[arm] = {i: spread for i, spread in along.items() if drawable(spread.mean)}
    found = {arm: along for arm, along in found.items() if len(along) > 1}
    if not found:
        return None
    fixed = f" at {in_words(rest)}" if rest else ""
    declared = results.metric(metric)
    title = _swept_title(found, places, f"{metric} on {problem}{fixed}", parameter, declared.unit)
    label = labelled(metric, declared.unit, declared.higher_is_better)
    figure, axes = chart(palette, label, len(found), title=title if titled else "")
    axes.set_xlabel(labelled(parameter, ""))
    numeric = all(is_finite(place) for place in places)
    at = [float(place) if numeric else float(i) for i, place in enumerate(places)]
    entries = _sweeps(axes, results, found, at, palette)
    _ticks(axes, at, [fitted(place, 0.9 * WIDTH / len(places), SMALL) for place in places], logarithmic_ok=numeric)
    legend(axes, palette, entries)
    return Drawing(name, title, _swept_alt(found, places, title), figure)


def _sweeps(
    axes: Axes, results: Results, found: Mapping[str, Mapping[int, Spread]], at: list[float], palette: Palette
) -> list[tuple[Any, str, str]]:
    entries = []
    for arm, along in found.items():
        look = mark(results, arm, palette)
        sds = [spread.sd if drawable(spread.sd) else 0.0 for spread in along.values()]
        handle = axes.errorbar(
            [at[i] for i in along], [spread.mean for spread in along.values()], sds, color=look.colour,
            marker=look.marker, linestyle=look.dashes, linewidth=1.4, markersize=5, elinewidth=0.9, capsize=2,
        )  # fmt: skip
        ns = sorted({spread.n for spread in along.values()})
        entries.append((handle, arm, f"n={ns[0]}{'' if len(ns) == 1 else f'..{ns[-1]}'}"))
    return entries


def _ticks(axes: Axes, at: list[float], labels: list[str], *, logarithmic_ok: bool) -> None:
    from matplotlib.ticker import NullLocator

    low, high = min(at), max(at)
    if logarithmic_ok and low > 0 and high / low >= 20:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.3, high * 1.3)
    else:
        axes.set_xlim(*limits(at))
    axes.set_xticks(at, labels)
    axes.xaxis.set_minor_locator(NullLocator())


def _swept_title(
    found: Mapping[str, Mapping[int, Spread]], places: list[Any], what: str, parameter: str, unit: str
) -> str:
    """Says what moving along the parameter does to the arm it does most to."""

    def change(arm: str) -> float:
        along = list(found[arm].values())
        return along[-1].mean - along[0].mean

    arm = max(found, key=lambda a: abs(change(a)))
    first, last = (places[i] for i in (min(found[arm]), max(found[arm])))
    by = with_unit(number(change(arm), signed=True), unit)
    return f"{what}: {arm} changes most, by {by} from {parameter} = {first} to {last}"


def _swept_alt(found: Mapping[str, Mapping[int, Spread]], places: list[Any], title: str) -> str:
    said = [f"{arm}: " + ", ".join(f"{places[i]} gives {s}" for i, s in along.items()) for arm, along in found.items()]
    return f"{title}. Mean and standard deviation over replicates: " + "; ".join(said) + "."
