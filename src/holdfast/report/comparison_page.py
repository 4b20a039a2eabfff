"""The page of a comparison: two or more runs side by side in one HTML file that needs nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from holdfast.files import write_text
from holdfast.report.canvas import quiet
from holdfast.report.comparison import EVERY_POINT, Comparison
from holdfast.report.comparison_words import by_chance, change, towards
from holdfast.report.differences import differences
from holdfast.report.html import render_page
from holdfast.report.matching import differing_facts, matched_verdicts, not_compared
from holdfast.report.slopes import slopes
from holdfast.report.svg import Picture

MOST_FIGURES = 40  # of each kind; the tables have every number


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the page whole or not at all.

    Args:
        path: of the HTML file.
    """
    write_text(path, render(comparison))
    return path


def render(comparison: Comparison) -> str:
    """The page as HTML."""
    with quiet():
        forests, lines = _pictures(comparison)
    return render_page(
        "comparison.html.j2",
        style=("theme.css", "page.css", "comparison.css"),
        script="page.js",
        comparison=comparison,
        sides=comparison.sides,
        groups=list(_groups(comparison)),
        forests=forests,
        slopes=lines,
        matched=matched_verdicts(comparison),
        facts=differing_facts(comparison),
        left_out=not_compared(comparison),
        chance=by_chance(comparison),
        every_point=EVERY_POINT,
        change=change,
        towards=towards,
    )


def _groups(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """(problem, metric), the metrics of headlines first."""
    for problem in comparison.problems:
        named = [n for side in comparison.sides for n in side.results.named_in_headline(side.results.metrics)]
        for metric in sorted(comparison.metrics(problem), key=lambda name: name not in named):
            yield problem, metric


def _pictures(comparison: Comparison) -> tuple[list[Picture], list[Picture]]:
    drawn: tuple[list[Picture], list[Picture]] = ([], [])
    for i, (problem, metric) in enumerate(itertools.islice(_groups(comparison), MOST_FIGURES)):
        for kind, draw, pictures in zip(("differences", "slopes"), (differences, slopes), drawn, strict=True):
            drawing = draw(comparison, problem, metric, f"{kind}-{i}")
            if drawing is not None:
                pictures.append(drawing.picture())
    return drawn
