"""All figures of a run, and its headline figure as a file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import InputError
from holdfast.files import replacing
from holdfast.report.canvas import Drawing, quiet
from holdfast.report.curves import curve_names, learning_curves
from holdfast.report.forest import by_unit, forest
from holdfast.report.optima import headline_sweep, optima, sweeps
from holdfast.report.strips import strip
from holdfast.report.svg import LIGHT, THEMED, Palette, Picture
from holdfast.report.tradeoffs import cost_benefit, swept
from holdfast.trials.results import Results


@dataclass(frozen=True)
class Figures:
    """The pictures of a page, by section."""

    verdicts: tuple[Picture, ...] = ()
    replicates: tuple[Picture, ...] = ()
    curves: tuple[Picture, ...] = ()
    costs: tuple[Picture, ...] = ()
    points: tuple[Picture, ...] = ()


def draw(results: Results) -> Figures:
    """Every figure that the run has the data for. Deterministic: equal results give equal SVG."""
    with quiet():
        return Figures(
            verdicts=tuple(drawing.picture() for drawing in _verdicts(results)),
            replicates=tuple(drawing.picture() for drawing in _replicates(results)),
            curves=tuple(drawing.picture() for drawing in _curves(results)),
            costs=tuple(drawing.picture() for drawing in _costs(results)),
            points=tuple(drawing.picture() for drawing in _points(results)),
        )


def headline_figure(results: Results, palette: Palette = THEMED) -> Drawing | None:
    """The figure that stands for the run; None before any value exists.

    The sweep where the headline is about one or its arms were measured at different points (means over different points
    say nothing), else every replicate on the headline's problem. Where the headline speaks of several problems, the
    first one it names; without a headline, the first problem.
    """
    sweep, name = headline_sweep(results), f"headline-{results.system}"
    with quiet():
        drawing = None if sweep is None else optima(results, sweep, name, palette, titled=True)
    if drawing is not None:
        return drawing
    metric = next(iter(results.named_in_headline(results.metrics)), None) or results.benefit
    measured = [p for p in results.problems if any(r.problem == p and metric in r.scalars for r in results.finished)]
    if metric is None or not measured:
        return None
    problem = (results.named_in_headline(measured) or measured)[0]
    parameter = _uneven(results, problem, metric)
    with quiet():
        drawing = swept(results, problem, metric, parameter, {}, name, palette, titled=True) if parameter else None
        return drawing or strip(results, problem, metric, name, palette, titled=True)


def _uneven(results: Results, problem: str, metric: str) -> str:
    """The only swept parameter, if the headline's arms have different values of it; else ""."""
    parameters = list(results.experiment.points)
    if len(parameters) != 1:
        return ""
    values = {
        arm: {
            str(r.point.get(parameters[0]))
            for r in results.finished
            if r.arm == arm and r.problem == problem and metric in r.scalars
        }
        for arm in results.named_in_headline(results.arms(problem))
    }
    return parameters[0] if len(set(map(frozenset, values.values()))) > 1 else ""


def write_figure(results: Results, path: Path) -> Path:
    """Write the headline figure whole or not at all.

    Args:
        path: ending in `.svg` (text stays text, follows light and dark) or `.png` (light, 2x resolution).

    Raises:
        InputError: another ending, or the run has no value to draw yet.
    """
    if path.suffix not in {".svg", ".png"}:
        raise InputError("path", "must end in .svg or .png", str(path))
    drawing = headline_figure(results, THEMED if path.suffix == ".svg" else LIGHT)
    if drawing is None:
        raise InputError("results", "must hold at least one finished trial with a metric", "none")
    with replacing(path) as temporary, quiet():
        if path.suffix == ".svg":
            temporary.write_text(drawing.svg(standalone=True) + "\n", encoding="utf-8")
        else:
            drawing.figure.savefig(temporary, format="png", dpi=144, facecolor=LIGHT.paper, metadata={"Software": None})
    return path


def _verdicts(results: Results) -> Iterator[Drawing]:
    for i, (unit, verdicts) in enumerate(by_unit(results.verdicts).items()):
        yield forest(verdicts, unit, f"forest-{i}")


def _replicates(results: Results) -> Iterator[Drawing]:
    metrics = sorted(results.metrics, key=lambda metric: metric != results.benefit)
    for i, (problem, metric) in enumerate(itertools.product(results.problems, metrics)):
        if any(r.problem == problem and metric in r.scalars for r in results.finished):
            yield strip(results, problem, metric, f"strip-{i}")


def _curves(results: Results) -> Iterator[Drawing]:
    pairs = [(problem, name) for problem in results.problems for name in curve_names(results, problem)]
    for i, (problem, name) in enumerate(pairs):
        drawing = learning_curves(results, problem, name, f"curve-{i}")
        if drawing is not None:
            yield drawing


def _costs(results: Results) -> Iterator[Drawing]:
    for i, problem in enumerate(results.problems if results.benefit else ()):
        drawing = cost_benefit(results, problem, str(results.benefit), f"cost-{i}")
        if drawing is not None:
            yield drawing


def _points(results: Results) -> Iterator[Drawing]:
    """The sweeps of claims on optima; without any, along the parameter with the most values, for each combination of
    the others."""
    drawn = [optima(results, sweep, f"optima-{i}") for i, sweep in enumerate(sweeps(results))]
    if any(drawn):
        yield from (drawing for drawing in drawn if drawing is not None)
        return
    parameters = results.experiment.points
    if not parameters:
        return
    along = max(parameters, key=lambda name: len(parameters[name]))
    others = [name for name in parameters if name != along]
    combinations = [dict(zip(others, c, strict=True)) for c in itertools.product(*(parameters[n] for n in others))]
    number = itertools.count()
    for problem, metric, rest in itertools.product(results.problems, results.metrics, combinations):
        drawing = swept(results, problem, metric, along, rest, f"points-{next(number)}")
        if drawing is not None:
            yield drawing
